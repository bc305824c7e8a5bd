"""Layers that hold R independent networks side by side: one batched product instead of R products."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Linear(nn.Module):
    """R affine maps, y_r = x_r W_r + b_r; weights and biases begin as U(-1, 1) / sqrt(num_in).

    That is torch's default. Biases matter: maps through the origin would make a discriminator whose
    every kink is at the origin.
    """

    def __init__(
        self,
        num_replicates: int,
        num_in: int,
        num_out: int,
        *,
        bias: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        bound = 1 / math.sqrt(num_in)

        def drawn(*size: int) -> nn.Parameter:
            values = torch.empty(num_replicates, *size)
            return nn.Parameter(values.uniform_(-bound, bound, generator=generator))

        self.weight = drawn(num_in, num_out)
        self.bias = drawn(1, num_out) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(R, B, num_in) -> (R, B, num_out)."""
        if self.bias is None:
            return torch.bmm(x, self.weight)
        return torch.baddbmm(self.bias, x, self.weight)


class BatchNorm(nn.Module):
    """Batch normalisation of every unit by the batch of its own replicate (Ioffe, Szegedy 2015).

    In evaluation by the statistics of the last batch seen in training, so that samples do not hang
    on each other. Show it a large batch last: there are no running averages, which would lag behind
    weights that move at every step.
    """

    def __init__(self, num_replicates: int, num_units: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(num_replicates, num_units))
        self.bias = nn.Parameter(torch.zeros(num_replicates, num_units))
        self.register_buffer("mean", torch.zeros(num_replicates, num_units))
        self.register_buffer("variance", torch.ones(num_replicates, num_units))

    def forward(self, x: Tensor) -> Tensor:
        """(R, B, num_units) -> the same shape."""
        y = F.batch_norm(  # R num_units different units, each with a batch of B
            x.transpose(0, 1).flatten(1),  # (B, R num_units)
            self.mean.flatten(),  # views: the statistics are replaced in place
            self.variance.flatten(),
            self.gain.flatten(),
            self.bias.flatten(),
            training=self.training,
            momentum=1.0,
        )
        return y.unflatten(1, self.gain.shape).transpose(0, 1)


class Maxout(nn.Module):
    """Each unit is the largest of `num_pieces` affine maps (Goodfellow et al. 2013)."""

    def __init__(
        self,
        num_replicates: int,
        num_in: int,
        num_out: int,
        num_pieces: int,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.num_pieces = num_pieces
        self.pieces = Linear(num_replicates, num_in, num_pieces * num_out, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """(R, B, num_in) -> (R, B, num_out)."""
        pieces = self.pieces(x).unflatten(2, (self.num_pieces, -1))  # (R, B, num_pieces, num_out)
        return LargestPiece.apply(pieces)


class LargestPiece(torch.autograd.Function):
    """max over dimension 2, whose gradient goes to the piece that was largest.

    `amax` would share the gradient among equal pieces, at six times the cost; here each of them
    gets it all. Equal pieces have probability zero in exact arithmetic.
    """

    @staticmethod
    def forward(ctx: Any, pieces: Tensor) -> Tensor:
        """(R, B, num_pieces, num_out) -> (R, B, num_out)."""
        largest = pieces.amax(2)
        ctx.save_for_backward(pieces, largest)
        return largest

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """(R, B, num_out) -> (R, B, num_pieces, num_out)."""
        pieces, largest = ctx.saved_tensors
        is_largest = torch.empty_like(pieces)  # as numbers: to multiply by booleans is slow
        torch.eq(pieces, largest.unsqueeze(2), out=is_largest)
        return is_largest.mul_(gradient.unsqueeze(2))
