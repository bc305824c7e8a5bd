"""Overlapping windows of one long sequence, as a view: a million of them take no memory."""

import torch
from torch import Tensor


def cut(sequence: Tensor, size: int, stride: int) -> Tensor:
    """Windows (N, size) of a sequence (T,), one every `stride` places; N = (T - size) // stride + 1.

    >>> cut(torch.arange(6), 3, 2).tolist()
    [[0, 1, 2], [2, 3, 4]]
    """
    return sequence.unfold(0, size, stride)


def move(tensor: Tensor, device: torch.device | str) -> Tensor:
    """`tensor.to(device)`, where windows that overlap stay a view of one sequence."""
    if tensor.dim() != 2 or not 0 < tensor.stride(0) < tensor.size(1) or tensor.stride(1) != 1:
        return tensor.to(device)
    length = (len(tensor) - 1) * tensor.stride(0) + tensor.size(1)
    sequence = tensor.as_strided((length,), (1,)).to(device)
    return sequence.as_strided(tensor.shape, tensor.stride())
