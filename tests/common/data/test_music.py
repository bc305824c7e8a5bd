"""The chorales: piano rolls and voices of the same pieces, in the published splits."""

import json

import pytest
import torch

from common.data import get_info, load
from common.data.music import LOWEST, read_rolls, read_voices, roll

ROLLS = ("jsb_chorales", "jsb_chorales_eighth", "jsb_chorales_sixteenth")
VOICES = ("jsb_voices", "jsb_voices_eighth", "jsb_voices_sixteenth")
STEPS = {
    "": (13807, 4602, 4725),
    "_eighth": (27614, 9204, 9450),
    "_sixteenth": (55228, 18408, 18900),
}


def content(*pieces) -> dict[str, bytes]:
    """A file with the same pieces in every split."""
    return {"x.json": json.dumps(dict.fromkeys(("train", "valid", "test"), pieces)).encode()}


def test_a_roll_sounds_where_the_pitches_are_and_nowhere_else():
    keys = roll([[21, 108], [], [60]])
    assert keys.shape == (3, 88)
    assert keys.nonzero().tolist() == [[0, 0], [0, 87], [2, 39]]
    assert roll([[], []]).sum() == 0


def test_rolls_are_padded_with_silence_and_know_their_lengths():
    splits = read_rolls(get_info("jsb_chorales"), content([[60]], [[62], [64, 65]]))
    split = splits["valid"]
    assert split.x.shape == (2, 160, 88)
    assert split.lengths.tolist() == [1, 2]
    assert split.x.sum() == 4
    assert split.batch(slice(None)).shape == (2, 2, 88)


@pytest.mark.parametrize(
    ("name", "steps"), [("jsb_voices", [0, 4]), ("jsb_voices_eighth", [0, 2, 4])]
)
def test_coarser_voices_are_every_second_or_fourth_sixteenth(name, steps):
    piece = [[72 + k, 60, 55, -1] for k in range(6)]
    split = read_voices(get_info(name), content(piece))["test"]
    assert split.lengths.tolist() == [len(steps)]
    assert split.x[0, : len(steps), 0].tolist() == [72 + k for k in steps]
    assert split.x[0, : len(steps), 3].tolist() == [0] * len(steps)  # silence
    assert split.x.dtype == torch.int64


@pytest.mark.parametrize("name", [*ROLLS, *VOICES])
def test_the_real_chorales_are_what_their_entries_say(name, mirror):
    data = load(name)
    assert data.checksum == data.info.checksum
    assert {split: len(part) for split, part in data.splits.items()} == data.info.splits
    suffix = name.removeprefix("jsb_chorales").removeprefix("jsb_voices")
    assert (
        tuple(int(data.splits[s].lengths.sum()) for s in ("train", "valid", "test"))
        == STEPS[suffix]
    )
    assert max(int(part.lengths.max()) for part in data.splits.values()) == data.shape[0]
    assert data.train.x.shape[1:] == data.shape
    for part in data.splits.values():
        after = part.x.flatten(2)[~(torch.arange(data.shape[0]) < part.lengths[:, None])]
        assert after.sum() == 0  # padding


def test_voices_and_rolls_are_the_same_music(mirror):
    """Every sixteenth of every piece, found again by its notes; the files have other orders."""
    rolls, voices = load("jsb_chorales_sixteenth"), load("jsb_voices_sixteenth")
    for name in rolls.splits:
        theirs = {
            x[:n].numpy().tobytes()
            for x, n in zip(rolls.splits[name].x, rolls.splits[name].lengths.tolist(), strict=True)
        }
        ours = set()
        for x, n in zip(voices.splits[name].x, voices.splits[name].lengths.tolist(), strict=True):
            keys = torch.zeros(n, 128, dtype=torch.uint8).scatter_(1, x[:n], 1)
            keys[:, 0] = 0
            ours.add(keys[:, LOWEST : LOWEST + 88].contiguous().numpy().tobytes())
        assert ours == theirs
