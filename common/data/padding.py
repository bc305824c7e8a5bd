"""Sequences of several lengths in one tensor: padded with zeros, told apart by lengths and masks."""

from collections.abc import Sequence

import torch
from torch import Tensor


def pad(sequences: Sequence[Tensor], num_steps: int | None = None) -> tuple[Tensor, Tensor]:
    """Sequences (T_n, *rest) as one tensor (N, T, *rest), zeros after each, and lengths (N,) int64.

    Args:
        sequences: at least one.
        num_steps: T; the longest if None.

    >>> x, lengths = pad([torch.tensor([1, 2]), torch.tensor([3])])
    >>> x.tolist(), lengths.tolist()
    ([[1, 2], [3, 0]], [2, 1])
    """
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    num_steps = int(lengths.max()) if num_steps is None else num_steps
    if num_steps < lengths.max():
        raise ValueError(f"num_steps is {num_steps}, the longest sequence has {lengths.max()}")
    x = sequences[0].new_zeros(len(sequences), num_steps, *sequences[0].shape[1:])
    for row, sequence in zip(x, sequences, strict=True):
        row[: len(sequence)] = sequence
    return x, lengths


def mask(lengths: Tensor, num_steps: int | None = None) -> Tensor:
    """Which steps are of the sequence and which are padding: (B, T) bool of lengths (B,).

    >>> mask(torch.tensor([2, 0, 3])).int().tolist()
    [[1, 1, 0], [0, 0, 0], [1, 1, 1]]
    """
    num_steps = int(lengths.max()) if num_steps is None else num_steps
    return torch.arange(num_steps, device=lengths.device) < lengths[:, None]
