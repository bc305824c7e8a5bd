"""Text: symbols and characters, and windows that cross no border and take no memory."""

import dataclasses
import math

import pytest
import torch

from common.data import Batches, Dataset, DatasetInfo, Split, decode, encode, get_info, load
from common.data.text import read_names
from common.data.windows import cut, move
from common.evaluation import EvaluationError, evaluate


def a_text(train: int = 40, valid: int = 11) -> Dataset:
    """The numbers 0, 1, ... as symbols, so that every window tells where it was cut."""
    info = DatasetInfo(
        name="counting",
        title="",
        shape=(),
        splits={"train": train, "valid": valid},
        num_levels=train + valid,
        licence="",
        citation="",
        source="",
        is_sequence=True,
        vocabulary=tuple(chr(0x4E00 + i) for i in range(train + valid)),
    )
    x = torch.arange(train + valid)
    return Dataset(info, {"train": Split("train", x[:train]), "valid": Split("valid", x[train:])})


def test_encode_and_decode_are_inverse_and_a_strange_character_is_named():
    vocabulary = ("\n", " ", "a", "é")
    assert decode(encode("a é\n", vocabulary), vocabulary) == "a é\n"
    with pytest.raises(ValueError, match="'b' is not among the 4 characters"):
        encode("ab", vocabulary)


@pytest.mark.parametrize(("length", "given"), [(5, 1), (4, 0), (3, 2), (10, 1)])
def test_windows_never_cross_the_border_of_a_split(length, given):
    text = a_text()
    data = text.windows(length, given=given)
    for name, split in data.splits.items():
        assert split.x.shape == (len(split), length + given)
        assert set(split.x.unique().tolist()) <= set(text.splits[name].x.tolist())
        steps = split.x.diff(dim=1)
        assert (steps == 1).all()  # each is consecutive


def test_training_windows_start_everywhere_and_the_others_predict_each_character_once():
    data = a_text().windows(4, given=1)
    assert data.train.x[:, 0].tolist() == list(range(36))
    predicted = data.valid.x[:, 1:].flatten().tolist()
    assert predicted == list(range(41, 49))  # 11 characters: one given, two windows, two left over
    assert data.info.splits == {"train": 36, "valid": 2}
    assert data.shape == (5,)
    assert data.num_dims == 4


def test_windows_have_the_checksum_of_their_text_and_cannot_be_cut_again():
    text = a_text()
    data = text.windows(4)
    assert data.checksum == text.checksum
    assert data.to("cpu").checksum == text.checksum
    with pytest.raises(ValueError, match="no running text"):
        data.windows(2)
    with pytest.raises(ValueError, match="no running text"):
        load("digits").windows(2)


@pytest.mark.parametrize(("length", "given"), [(0, 1), (4, -1), (11, 1)])
def test_windows_that_do_not_fit_are_refused(length, given):
    with pytest.raises(ValueError, match="both together at most 11"):
        a_text().windows(length, given=given)


def test_windows_are_views_and_stay_views_on_a_device():
    sequence = torch.arange(1000)
    windows = cut(sequence, 100, 1)
    assert windows.untyped_storage().nbytes() == sequence.untyped_storage().nbytes()
    moved = move(windows, "cuda" if torch.cuda.is_available() else "cpu")
    assert moved.untyped_storage().nbytes() == sequence.untyped_storage().nbytes()
    assert torch.equal(moved.cpu(), windows)
    offset = cut(sequence[10:], 5, 2)
    assert torch.equal(move(offset, moved.device).cpu(), offset)
    apart = cut(sequence, 5, 7)
    assert torch.equal(move(apart, moved.device).cpu(), apart)


def test_batches_of_symbols_stay_integers():
    data = a_text().windows(4)
    index = next(iter(Batches(data.train, 8, seed=0)))
    x = data.train.batch(index)
    assert x.dtype == torch.int64
    assert torch.equal(x[:, 0], index)
    assert a_text().train.batch(torch.tensor([3, 1])).tolist() == [3, 1]


def test_a_split_that_is_not_there_is_told():
    with pytest.raises(ValueError, match="has the splits train, valid, no 'test'"):
        _ = a_text().test


class Uniform(torch.nn.Module):
    """Every symbol alike, the given ones free."""

    def __init__(self, num: int, given: int) -> None:
        super().__init__()
        self.num, self.given = num, given
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def log_prob(self, x):
        assert x.dtype == torch.int64
        return torch.full((len(x),), -(x.shape[1] - self.given) * math.log(self.num))

    def sample(self, n, *, generator=None):
        return torch.randint(self.num, (n, 5), generator=generator)


def test_the_likelihood_of_text_is_told_a_character_and_in_bits():
    data = a_text().windows(4)
    found = evaluate(Uniform(51, 1), data, split="valid")
    assert set(found) == {"nll_nats", "bits_per_dim", "nll_nats_per_step"}
    assert found["nll_nats"].value == pytest.approx(4 * math.log(51))
    assert found["nll_nats_per_step"].value == pytest.approx(math.log(51))
    assert found["bits_per_dim"].value == pytest.approx(math.log2(51))


def test_symbols_have_no_distance_and_points_have_no_steps():
    with pytest.raises(EvaluationError, match="values are no symbols"):
        evaluate(Uniform(51, 1), a_text().windows(4), split="valid", metrics=["mmd"])
    ring = load("ring")
    with pytest.raises(EvaluationError, match="needs sequences"):
        evaluate(ring.density, ring, metrics=["nll_nats_per_step"])


def test_tiny_shakespeare_is_the_public_text_and_split(mirror):
    data = load("tiny_shakespeare")
    assert data.checksum == data.info.checksum
    assert {name: len(split) for name, split in data.splits.items()} == data.info.splits
    assert len(data.train) == int(0.9 * 1115394)
    assert len(data.vocabulary) == data.num_levels == 65
    assert list(data.vocabulary) == sorted(data.vocabulary)
    assert data.train.x.unique().tolist() == list(range(65))
    assert decode(data.train.x[:14], data.vocabulary) == "First Citizen:"
    windows = data.windows(64)
    assert windows.train.x.untyped_storage().nbytes() == 8 * len(data.train)
    assert windows.num_dims == 64


def test_names_are_held_out_whole_and_end_with_their_mark():
    lines = [first + second for first in "abcdefghij" for second in ("", "na", "lia", "o")]
    info = dataclasses.replace(get_info("names"), splits={"train": 32, "valid": 4, "test": 4})
    splits = read_names(info, {"names.txt": "\n".join(lines + lines[:25]).encode()})
    found = []
    for split in splits.values():
        assert split.x.shape == (len(split), 16)
        for x, length in zip(split.x, split.lengths.tolist(), strict=True):
            text = decode(x[:length], info.vocabulary)
            assert text.endswith(".")
            assert "." not in text[:-1]
            assert not x[length:].any()
            found.append(text[:-1])
    assert sorted(found) == sorted(lines)  # the repeated ones came once


def test_the_real_names_are_what_their_entry_says(mirror):
    data = load("names")
    assert data.checksum == data.info.checksum
    assert {name: len(split) for name, split in data.splits.items()} == data.info.splits
    assert sum(data.info.splits.values()) == 29494
    seen = [set(map(tuple, split.x.tolist())) for split in data.splits.values()]
    assert len(set.union(*seen)) == 29494
    assert data.train.lengths.min() >= 3
    assert data.train.lengths.max() == 16
