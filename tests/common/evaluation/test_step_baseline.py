"""The baseline of sequences: by hand, and blind to what stands in the padding."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from common.data import Dataset, MuLaw, Split, get_info
from common.evaluation import baseline


def padded(name: str, x: torch.Tensor, lengths: list[int]) -> Dataset:
    """Data of the kind of `name`, the same in both splits."""
    info = replace(get_info(name), shape=tuple(x.shape[1:]))
    splits = {s: Split(s, x, lengths=torch.tensor(lengths)) for s in ("train", "test")}
    return Dataset(info, splits)


def test_keys_have_their_own_frequencies():
    x = torch.tensor([[[1, 0], [1, 1], [1, 1]], [[0, 0], [1, 1], [1, 1]]], dtype=torch.uint8)
    found = baseline(padded("jsb_chorales", x, [2, 1]))
    # three steps count: key 0 sounds in two, key 1 in one; one more of either state each
    nats = -(2 * math.log(3 / 5) + math.log(2 / 5)) * 2
    assert found.value == pytest.approx(nats / 3)
    assert (found.name, found.unit, found.n) == ("nll_nats_per_step", "nats/step", 2)


def test_voices_have_their_own_frequencies():
    x = torch.tensor([[[60, 50], [60, 51], [9, 9]]])
    found = baseline(padded("jsb_voices", x, [2]))
    # of 128 pitches, one more of each: 3/130 in the first voice, 2/130 for either of the second
    assert found.value == pytest.approx(-math.log(3 / 130) - math.log(2 / 130))


def test_numbers_are_gaussian_and_symbols_of_a_preprocessing_are_counted():
    x = torch.tensor([[0.5, -0.5, 0.0], [0.5, 0.9, 0.9]])
    data = padded("fsdd", x, [2, 1])
    values = np.array([0.5, -0.5, 0.5])
    nats = 0.5 * math.log(2 * math.pi * values.var()) + 0.5
    assert baseline(data).value == pytest.approx(nats)
    found = baseline(data.with_preprocess(MuLaw()))
    assert found.value == pytest.approx(-(2 * math.log(3 / 259) + math.log(2 / 259)) / 3)


@pytest.mark.parametrize("name", ["jsb_chorales", "jsb_voices", "fsdd"])
def test_what_stands_in_the_padding_has_no_influence(name):
    generator = torch.Generator().manual_seed(0)
    shape = (6, 5) if name == "fsdd" else (6, 5, 3)
    x = torch.randint(2, shape, generator=generator)
    x = {"jsb_chorales": x.byte(), "jsb_voices": x, "fsdd": x.float()}[name]
    lengths = [1, 2, 3, 4, 5, 2]
    other = x.clone()
    for row, length in zip(other, lengths, strict=True):
        row[length:] = 1
    assert not torch.equal(x, other)
    assert baseline(padded(name, x, lengths)) == baseline(padded(name, other, lengths))
