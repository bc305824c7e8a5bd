"""Stacked MNIST: three digits as the colour channels of one image, a thousand modes to find."""

import hashlib

import numpy as np
import torch
from torch import Tensor

from common.data.digits import RawSplit
from common.data.registry import DatasetInfo


def stack_splits(info: DatasetInfo, mnist: dict[str, RawSplit]) -> dict[str, RawSplit]:
    """Each split of `info.splits` from the digits of the same split of MNIST."""
    return {name: stack(mnist[name], size, name) for name, size in info.splits.items()}


def stack(digits: RawSplit, size: int, split: str) -> RawSplit:
    """`size` images of three digits drawn independently, with replacement; label 100 a + 10 b + c."""
    x, y, _ = digits
    index = triples(size, len(x), split)  # (size, 3)
    place = torch.tensor([100, 10, 1])
    return x[:, 0][index], (y[index] * place).sum(1), None  # (size, 3, 28, 28), (size,)


def triples(size: int, count: int, salt: str) -> Tensor:
    """(size, 3) fixed positions below `count` that no library's generator can change.

    >>> triples(2, 1000, "train").tolist()
    [[541, 284, 225], [32, 916, 964]]
    """
    stream = hashlib.shake_256(f"stacked_mnist:{salt}".encode()).digest(24 * size)
    drawn = np.frombuffer(stream, "<u8").reshape(size, 3) % count
    return torch.from_numpy(drawn.astype(np.int64))
