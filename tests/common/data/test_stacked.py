"""Stacked MNIST: channels are digits of the same split, labels what they spell, always the same."""

from dataclasses import replace

import torch

from common.data import get_info, load
from common.data.catalogue import CATALOGUE
from common.data.stacked import stack_splits, triples


def digits(name):
    """A tiny labelled split whose image k is filled with the level k."""
    n = {"train": 30, "valid": 20, "test": 10}[name]
    x = torch.arange(n, dtype=torch.uint8)[:, None, None, None].expand(n, 1, 28, 28)
    return x, torch.arange(n) % 10, None


def stacked():
    info = replace(get_info("stacked_mnist"), splits={"train": 500, "valid": 50, "test": 40})
    return stack_splits(info, {name: digits(name) for name in info.splits})


def test_each_channel_is_a_digit_of_the_split_and_the_label_spells_them():
    for name, (x, y, _) in stacked().items():
        assert x.shape[1:] == (3, 28, 28)
        source = x[:, :, 0, 0].long()  # the image each channel came from
        assert (x == x[:, :, :1, :1]).all()
        assert source.max() < len(digits(name)[0])
        labels = source % 10
        assert torch.equal(y, 100 * labels[:, 0] + 10 * labels[:, 1] + labels[:, 2])


def test_channels_are_independent_and_splits_differ():
    index = triples(30_000, 10, "train")
    counts = torch.bincount(100 * index[:, 0] + 10 * index[:, 1] + index[:, 2], minlength=1000)
    # chi-square with 999 degrees of freedom: mean 999, standard deviation 45
    assert abs((counts - 30).square().sum() / 30 - 999) < 4 * 45
    assert not torch.equal(index[:100], triples(100, 10, "valid"))
    assert torch.equal(index[:100], triples(100, 10, "train"))  # a prefix of longer draws


def test_the_real_set_has_every_mode_and_its_checksum(mirror):
    data = load("stacked_mnist")
    assert {name: len(split) for name, split in data.splits.items()} == data.info.splits
    assert data.checksum == data.info.checksum
    assert len(data.train.y.unique()) == data.info.num_classes == 1000
    assert CATALOGUE["stacked_mnist"].files == CATALOGUE["mnist"].files  # fetched once for both
