"""Emoji and Omniglot: nothing leaks across the splits, and what is resized keeps its ink."""

import io

import numpy as np
import pytest
import torch

from common.data import get_info, load
from common.data.drawings import ALPHABETS
from common.data.emoji import over_white, read_emoji
from common.data.omniglot import coverage, read_omniglot, shrink

COLUMNS = ("index", "char", "codepoints", "name", "group", "subgroup", "tone", "keywords")


def packed(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def captions(names: list[str]) -> bytes:
    """The table of emoji with these names, in the published format, whose quotes are no quotes."""
    rows = [
        (i, "?", "1F4A0", name, "Objects", "tool", 0, 'a "b";c') for i, name in enumerate(names)
    ]
    return "".join("\t".join(map(str, row)) + "\n" for row in [COLUMNS, *rows]).encode()


def test_an_emoji_and_its_skin_tones_are_in_one_split():
    tones = ["", *(f": {kind} skin tone" for kind in ("light", "medium", "dark", "darker", "pale"))]
    rows = [f"hand {k:02d}{tone}" for tone in tones for k in range(60)]
    images = np.zeros((len(rows), 72, 72, 4), np.uint8)
    images[:, 0, 0, :3] = np.arange(len(rows))[:, None] % 60  # the base, as a colour
    images[..., 3] = 255
    splits = read_emoji(
        get_info("emoji"),
        {"captions.tsv": captions(rows), "twemoji_72x72.npz": packed(images=images)},
    )
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 288,
        "valid": 36,
        "test": 36,
    }
    seen = [set(split.x[:, 0, 0, 0].tolist()) for split in splits.values()]
    assert sum(map(len, seen)) == 60  # none twice
    for split in splits.values():
        for name, x in zip(split.texts["name"], split.x, strict=True):
            assert int(name[5:7]) == x[0, 0, 0]  # rows and texts belong together
        assert split.texts["keywords"][0] == 'a "b";c'
        few = split.subset(torch.tensor([2, 0]))
        assert few.texts["name"] == (split.texts["name"][2], split.texts["name"][0])


def test_colours_are_put_over_white():
    pixel = np.array([[[[10, 20, 30, 255], [10, 20, 30, 0], [0, 255, 100, 128]]]], np.uint8)
    assert over_white(pixel)[0, :, 0].T.tolist() == [[10, 20, 30], [255, 255, 255], [127, 255, 177]]


def test_ink_is_one_and_every_character_is_in_one_split():
    paper = {  # twenty images of each of 165 and 3 characters
        f"images_{name}.npz": np.ones((size, 20, 105, 105), bool)
        for name, size in (("background", 165), ("evaluation", 3))
    }
    paper["images_evaluation.npz"][1, 5, 3, 4:9] = False
    content = {name: packed(images=images) for name, images in paper.items()}
    splits = read_omniglot(get_info("omniglot"), content)
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 80,
        "valid": 3220,
        "test": 60,
    }
    assert splits["test"].x.nonzero().tolist() == [[25, 0, 3, k] for k in range(4, 9)]
    assert splits["train"].y.tolist() == [k // 20 for k in range(80)]
    assert splits["test"].y.unique().tolist() == [165, 166, 167]


def test_shrinking_is_the_average_over_the_area():
    coarse = torch.randint(
        2, (3, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    blown = coarse.repeat_interleave(6, 2).repeat_interleave(6, 3)
    assert torch.equal(shrink(blown, 4), 255 * coarse)
    x = torch.randint(
        2, (5, 1, 105, 105), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    fine = x.double().repeat_interleave(4, 2).repeat_interleave(4, 3)  # 420 = 28 * 15
    expected = 255 * torch.nn.functional.avg_pool2d(fine, 15)
    assert (shrink(x, 28) - expected).abs().max() <= 0.5
    assert coverage(105, 28).sum(0).tolist() == [28] * 105  # no ink is lost
    assert coverage(105, 28).sum(1).tolist() == [105] * 28


@pytest.mark.parametrize("name", ["emoji", "emoji_noto", "omniglot", "omniglot_28"])
def test_the_real_drawings_are_what_their_entries_say(name, mirror):
    data = load(name)
    assert data.checksum == data.info.checksum
    assert {split: len(part) for split, part in data.splits.items()} == data.info.splits
    assert data.train.x.shape[1:] == data.shape
    assert int(data.train.x.max()) == data.num_levels - 1
    assert sorted({label for part in data.splits.values() for label in part.y.tolist()}) == list(
        range(data.info.num_classes)
    )
    if name == "emoji":
        bases = [{name.split(":")[0] for name in s.texts["name"]} for s in data.splits.values()]
        assert sum(map(len, bases)) == len(set.union(*bases))
        everything = data.join("train", "valid", "test")
        assert len(set(everything.texts["name"])) == len(everything) == 3030
        strawberry = everything.texts["name"].index("strawberry")
        assert data.info.class_names[everything.y[strawberry]] == "Food & Drink"
        red, green, _ = everything.x[strawberry, :, 36, 36].tolist()
        assert red > 2 * green
    if name == "omniglot":
        alphabets = [set(part.texts["alphabet"]) for part in data.splits.values()]
        assert [len(each) for each in alphabets] == [25, 5, 20]
        assert len(set.union(*alphabets)) == len(ALPHABETS) == 50
        assert data.test.texts["alphabet"][0] == "Angelic"


def test_two_drawings_of_one_emoji_have_one_row(mirror):
    ours, theirs = load("emoji"), load("emoji_noto")
    for split in ours.splits:
        assert ours.splits[split].texts == theirs.splits[split].texts
        assert not torch.equal(ours.splits[split].x, theirs.splits[split].x)
