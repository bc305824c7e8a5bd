"""The U-Net of Ho, Jain and Abbeel 2020, Appendix B: residual blocks, attention, sinusoidal times.

Different from the paper: the number of groups of the group normalisation follows the width, an
image may be folded into patches first (which makes the network several times cheaper at equal
width), and images stay in the channels-last layout, in which attention needs no copies.

Shapes: B images of C channels, H x W pixels.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from common.training import initialise


def time_embedding(t: Tensor, width: int, dtype: torch.dtype) -> Tensor:
    """Give sines and cosines of t at geometrically spaced frequencies 1..1/10000, (B, width).

    Vaswani et al. 2017, Section 3.5, as Ho et al. take it for the time.
    """
    half = width // 2
    exponents = torch.arange(half, device=t.device, dtype=torch.float64) / max(half - 1, 1)
    angles = t.double()[:, None] * torch.exp(-math.log(10_000) * exponents)  # (B, half)
    return torch.cat([angles.sin(), angles.cos()], 1).to(dtype)


class GroupNorm(nn.GroupNorm):
    """Groups of at least four channels, at most 32 (the paper's number); in float32 or better.

    Below float32 the statistics would lose digits, and the CPU's kernel is four times slower.
    """

    def __init__(self, channels: int):
        groups = next(g for g in range(min(32, channels // 4 or 1), 0, -1) if channels % g == 0)
        super().__init__(groups, channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.to(self.weight.dtype)).to(x.dtype)


def zero(layer: nn.Module) -> nn.Module:
    """The layer with all its parameters at zero, so that a block begins as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class ResidualBlock(nn.Module):
    """GN, SiLU, conv, plus the time; GN, SiLU, dropout, conv; plus the input: (B, C', H, W)."""

    def __init__(self, channels: int, out_channels: int, time_width: int, dropout: float):
        super().__init__()
        self.first_norm = GroupNorm(channels)
        self.first = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.time = nn.Linear(time_width, out_channels)
        self.second_norm = GroupNorm(out_channels)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        same = channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.first(F.silu(self.first_norm(x)))
        h = h + self.time(time)[:, :, None, None]
        h = self.second(self.dropout(F.silu(self.second_norm(h))))
        return self.shortcut(x) + h


class Attention(nn.Module):
    """Every pixel attends to every other; plus the input: (B, C, H, W)."""

    def __init__(self, channels: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.norm = GroupNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        h = self.norm(x).permute(0, 2, 3, 1).flatten(1, 2)  # (B, HW, C), a view in channels-last
        q, k, v = self.qkv(h).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        with torch.autocast("cpu", enabled=False):  # whose bfloat16 kernel is slow on few pixels
            q, k, v = (part.to(self.norm.weight.dtype) for part in (q, k, v))
            h = F.scaled_dot_product_attention(q, k, v)  # (B, heads, HW, C / heads)
        h = self.out(h.transpose(1, 2).flatten(2))  # (B, HW, C)
        return x + h.unflatten(1, (height, width)).permute(0, 3, 1, 2)


class Stage(nn.ModuleDict):
    """A residual block and, at some resolutions, attention after it."""

    def __init__(self, block: ResidualBlock, attention: Attention | None):
        super().__init__({"block": block} | ({"attention": attention} if attention else {}))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        x = self["block"](x, time)
        return self["attention"](x) if "attention" in self else x


class UNet(nn.Module):
    """The network eps_theta(x_t, t), or that of another parameterisation.

    Args:
        shape: (C, H, W) of one image.
        out_channels: C, or 2 C where variances are learned too.
        width: channels of the finest resolution.
        multipliers: channels of each resolution as multiples of `width`; each halves the image.
        num_blocks: residual blocks at each resolution on the way down; one more on the way up.
        attention: the resolutions (image heights, after folding) that have attention, beside the
            coarsest, whose middle always has.
        num_heads: of the attention.
        dropout: in the residual blocks.
        patch_size: side of the squares that are folded into channels first; 1 is the paper's.
        generator: source of the initial weights.

    Raises:
        ValueError: where the image cannot be halved that often.

    Example:
        >>> network = UNet((1, 8, 8), 1, width=8, multipliers=(1, 2))
        >>> network(torch.zeros(5, 1, 8, 8), torch.tensor([1, 2, 3, 4, 5])).shape
        torch.Size([5, 1, 8, 8])
    """

    def __init__(
        self,
        shape: Sequence[int],
        out_channels: int,
        *,
        width: int = 128,
        multipliers: Sequence[int] = (1, 2, 2, 2),
        num_blocks: int = 2,
        attention: Sequence[int] = (16,),
        num_heads: int = 1,
        dropout: float = 0.0,
        patch_size: int = 1,
        generator: Generator | None = None,
    ):
        super().__init__()
        channels, *sides = shape
        fold = patch_size * 2 ** (len(multipliers) - 1)
        if any(side % fold for side in sides):
            raise ValueError(
                f"images of {sides[0]} x {sides[1]} cannot be divided by {fold}: with patch_size="
                f"{patch_size} expected fewer than {len(multipliers)} multipliers"
            )
        self.width, self.patch_size = width, patch_size
        time_width = 4 * width
        self.time = nn.Sequential(
            nn.Linear(width, time_width), nn.SiLU(), nn.Linear(time_width, time_width), nn.SiLU()
        )

        def stage(fan_in: int, fan_out: int, side: int) -> Stage:
            block = ResidualBlock(fan_in, fan_out, time_width, dropout)
            return Stage(block, Attention(fan_out, num_heads) if side in attention else None)

        side, fan = sides[0] // patch_size, width
        self.first = nn.Conv2d(channels * patch_size**2, width, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        kept = [fan]  # channels of what the way up will see again
        for level, multiplier in enumerate(multipliers):
            if level:
                self.down.append(nn.Conv2d(fan, fan, 3, stride=2, padding=1))
                kept.append(fan)
                side //= 2
            for _ in range(num_blocks):
                self.down.append(stage(fan, width * multiplier, side))
                fan = width * multiplier
                kept.append(fan)
        blocks = [ResidualBlock(fan, fan, time_width, dropout) for _ in range(2)]
        self.middle = nn.ModuleList(
            [Stage(blocks[0], Attention(fan, num_heads)), Stage(blocks[1], None)]
        )
        for level, multiplier in reversed(list(enumerate(multipliers))):
            for _ in range(num_blocks + 1):
                self.up.append(stage(fan + kept.pop(), width * multiplier, side))
                fan = width * multiplier
            if level:
                self.up.append(nn.Conv2d(fan, fan, 3, padding=1))
                side *= 2
        self.last_norm = GroupNorm(fan)
        self.last = nn.Conv2d(fan, out_channels * patch_size**2, 3, padding=1)
        self._initialise(generator)

    def _initialise(self, generator: Generator | None) -> None:
        """Torch's default values from the generator; each branch's last layer at zero."""
        if generator is not None:
            initialise(self, generator)
        zero(self.last)
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                zero(module.second)
            elif isinstance(module, Attention):
                zero(module.out)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Give the network's output for x (B, C, H, W) at times t, (B,) or (1,) for all alike."""
        time = self.time(time_embedding(t, self.width, x.dtype))
        x = F.pixel_unshuffle(x, self.patch_size) if self.patch_size > 1 else x
        x = self.first(x.contiguous(memory_format=torch.channels_last))
        kept = [x]
        for layer in self.down:
            x = layer(x, time) if isinstance(layer, Stage) else layer(x)
            kept.append(x)
        for layer in self.middle:
            x = layer(x, time)
        for layer in self.up:
            if isinstance(layer, Stage):
                x = layer(torch.cat([x, kept.pop()], 1), time)
            else:
                x = layer(F.interpolate(x, scale_factor=2, mode="nearest"))
        x = self.last(F.silu(self.last_norm(x)))
        return F.pixel_shuffle(x, self.patch_size) if self.patch_size > 1 else x
