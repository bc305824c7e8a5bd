"""The conditioners s and t of Real NVP: what a coupling layer computes from the half it keeps.

A coupling layer never inverts these networks, so they may be anything (Sec. 3.2). One network gives
both outputs, twice as many channels as the changed half: first the raw scale, then the shift. The
last layer starts at zero, so every coupling starts as the identity.

Sec. 3.6 and 4.1 of the paper: residual networks with weight normalisation. Its batch normalisation
*inside* s and t and its skip connections from every block to the output are left out here (README,
"Deviations").
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.training import initialise


class MLP(nn.Module):
    """Fully connected conditioner: Linear and ReLU alternating, the last layer zero.

    Args:
        sizes: widths from input to output, at least two, e.g. ``(1, 64, 64, 2)``.
        generator: draws the initial weights.
    """

    def __init__(self, sizes: Sequence[int], *, generator: torch.Generator) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes[:-1]))
        self.last = nn.Linear(sizes[-2], sizes[-1])
        initialise(self, generator)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, kept: Tensor) -> Tensor:
        h = kept
        for layer in self.hidden:
            h = F.relu_(layer(h))
        return self.last(h)


class WeightNormConv2d(nn.Conv2d):
    """Convolution with the weight's length and direction apart (Salimans, Kingma 2016, Eq. 2).

    w = g v / ||v||, one gain g for each output channel; the length of v has no effect.
    """

    def __init__(self, num_in: int, num_out: int, kernel_size: int, *, gain: float = 1.0) -> None:
        super().__init__(num_in, num_out, kernel_size, padding=kernel_size // 2)
        self.gain = nn.Parameter(torch.full((num_out, 1, 1, 1), gain))

    def forward(self, x: Tensor) -> Tensor:
        length = self.weight.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        return self._conv_forward(x, self.gain * self.weight / length, self.bias)


class ResidualBlock(nn.Module):
    """h + conv(relu(conv(relu(h)))), at constant width (He et al. 2016, pre-activation)."""

    def __init__(self, num_hidden: int) -> None:
        super().__init__()
        self.first = WeightNormConv2d(num_hidden, num_hidden, 3)
        self.second = WeightNormConv2d(num_hidden, num_hidden, 3)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.second(F.relu_(self.first(F.relu(h))))


class ResidualNet(nn.Module):
    """Convolutional conditioner: 3x3 convolution, residual blocks, 1x1 convolution to the outputs.

    Args:
        num_in: channels of the kept half.
        num_hidden: feature maps of every hidden layer.
        num_out: channels of the output, twice those of the changed half.
        num_blocks: residual blocks.
        generator: draws the initial weights.
    """

    def __init__(
        self,
        num_in: int,
        num_hidden: int,
        num_out: int,
        num_blocks: int,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.first = WeightNormConv2d(num_in, num_hidden, 3)
        self.blocks = nn.Sequential(*(ResidualBlock(num_hidden) for _ in range(num_blocks)))
        self.last = WeightNormConv2d(num_hidden, num_out, 1, gain=0.0)
        initialise(self, generator)
        nn.init.zeros_(self.last.bias)

    def forward(self, kept: Tensor) -> Tensor:
        kept = kept.contiguous(memory_format=torch.channels_last)  # faster convolutions
        h = self.blocks(self.first(kept))  # (B, num_hidden, H, W)
        # The hidden layers may compute in bfloat16 (autocast), s and t may not: where a background
        # pixel is magnified fifty times, three digits of t would blur its latent.
        with torch.autocast(h.device.type, enabled=False):
            return self.last(F.relu(h).to(self.last.weight.dtype))  # (B, num_out, H, W)
