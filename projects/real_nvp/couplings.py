"""The bijections that Real NVP is made of: masks, squeezing, couplings, batch normalisation, scales.

Dinh, Sohl-Dickstein, Bengio 2017, Sec. 3.2-3.7. Each bijection has ``forward`` and ``inverse``, and both
return the new value and log |det| of their own direction, (B,) in nats.

Different from the paper: a mask *gathers* its two halves instead of multiplying by zeros, so no
arithmetic is spent on hidden entries; the networks of a checkerboard coupling therefore see the kept
pixels packed at half the resolution. Batch normalisation follows a coupling on the half that it
changed; the other half was normalised when it was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from common.training import batch_var_mean


class ChannelMask:
    """Halves of dimension 1: entries of a vector, channels of an image (Fig. 3, right)."""

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, ...) -> (B, C // 2, ...) and the rest."""
        half = x.shape[1] // 2
        first, second = x.split((half, x.shape[1] - half), dim=1)
        return first, second

    def merge(self, first: Tensor, second: Tensor) -> Tensor:
        """The inverse of ``split``."""
        return torch.cat((first, second), dim=1)


class CheckerboardMask:
    """Pixels whose coordinates have an even sum, and the others (Fig. 3, left)."""

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> the even and the odd pixels, packed: (B, 2C, H/2, W/2) each."""
        even = torch.cat((x[..., ::2, ::2], x[..., 1::2, 1::2]), dim=1)
        odd = torch.cat((x[..., ::2, 1::2], x[..., 1::2, ::2]), dim=1)
        return even, odd

    def merge(self, even: Tensor, odd: Tensor) -> Tensor:
        """The inverse of ``split``."""
        (top_left, bottom_right), (top_right, bottom_left) = even.chunk(2, 1), odd.chunk(2, 1)
        return unsqueeze(torch.cat((top_left, top_right, bottom_left, bottom_right), dim=1))


def squeeze(x: Tensor) -> Tensor:
    """Trade space for channels (Sec. 3.6): (B, C, H, W) -> (B, 4C, H/2, W/2).

    The four positions of a 2x2 block become four groups of C channels, in reading order, so that
    halves of the result are rows of the image and not redundant with the checkerboard.
    """
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4)  # (B, 2, 2, C, H/2, W/2)
    return x.reshape(b, 4 * c, h // 2, w // 2)


def unsqueeze(x: Tensor) -> Tensor:
    """The inverse of ``squeeze``: (B, 4C, H, W) -> (B, C, 2H, 2W)."""
    b, c, h, w = x.shape
    x = x.reshape(b, 2, 2, c // 4, h, w).permute(0, 3, 4, 1, 5, 2)  # (B, C, H, 2, W, 2)
    return x.reshape(b, c // 4, 2 * h, 2 * w)


def per_channel(values: Tensor, like: Tensor) -> Tensor:
    """``values`` (C,) shaped to broadcast along dimension 1 of ``like`` (B, C, ...)."""
    return values.view(-1, *(1 for _ in like.shape[2:]))


class BatchNorm(nn.Module):
    """Batch normalisation as a bijection: (x - mu) / sqrt(sigma^2 + eps)  (Sec. 3.7).

    While training, the statistics are a weighted average of the running ones and the batch's, and
    the gradient goes through the batch's alone (App. E). In evaluation they are the running ones,
    fixed, so each example has its own exact density. ``inverse`` always uses the running ones.

    Args:
        num_channels: size of dimension 1; each entry of it has its own statistics.
        momentum: weight of the running statistics.
        eps: added to the variance.
    """

    def __init__(self, num_channels: int, *, momentum: float = 0.9, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.register_buffer("mean", torch.zeros(num_channels))
        self.register_buffer("variance", torch.ones(num_channels))

    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (C,) and variance + eps (C,) that ``forward`` uses, the running ones updated."""
        if not self.training or len(x) == 0:  # an empty batch has no statistics
            return self.mean, self.variance + self.eps
        variance, mean = batch_var_mean(x, [0, *range(2, x.ndim)])
        mean = torch.lerp(mean, self.mean, self.momentum)
        variance = torch.lerp(variance, self.variance, self.momentum)
        self.mean.copy_(mean.detach())
        self.variance.copy_(variance.detach())
        return mean, variance + self.eps

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The normalised ``x`` (B, C, ...) and log |det| (B,), one value for all."""
        mean, variance = self.statistics(x)
        log_abs_det = -0.5 * math.prod(x.shape[2:]) * variance.log().sum()
        y = (x - per_channel(mean, x)) * per_channel(variance.rsqrt(), x)
        return y, log_abs_det.expand(len(x))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The ``x`` (B, C, ...) of a normalised ``y``, and log |det| (B,) of the way back."""
        variance = self.variance + self.eps
        log_abs_det = 0.5 * math.prod(y.shape[2:]) * variance.log().sum()
        x = y * per_channel(variance.sqrt(), y) + per_channel(self.mean, y)
        return x, log_abs_det.expand(len(y))


class AffineCoupling(nn.Module):
    """One half scales and shifts the other: y_2 = x_2 * exp(s(x_1)) + t(x_1)  (Eqs. 4-5).

    Its Jacobian is triangular, so log |det| is the sum of s (Eq. 6), and its inverse (Eq. 8) costs
    the same as itself. s is a learned scale times a hyperbolic tangent (Sec. 4.1).

    Args:
        network: maps the kept half to raw scale and shift, stacked in dimension 1.
        num_changed: entries or channels of the changed half.
        batch_norm: normalises the changed half afterwards (Sec. 3.7), or None.
    """

    def __init__(
        self, network: nn.Module, num_changed: int, batch_norm: BatchNorm | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.scale = nn.Parameter(torch.ones(num_changed))
        self.batch_norm = batch_norm

    def scale_and_shift(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        """s and t for the changed half, from the kept one."""
        raw, shift = self.network(kept).chunk(2, dim=1)
        return per_channel(self.scale, raw) * torch.tanh(raw), shift

    def forward(self, kept: Tensor, changed: Tensor) -> tuple[Tensor, Tensor]:
        """The changed half's new value and log |det| (B,)."""
        s, t = self.scale_and_shift(kept)
        changed = torch.addcmul(t, changed, s.exp())  # t + changed * exp(s), in one pass
        log_abs_det = s.flatten(1).sum(1)
        if self.batch_norm is None:
            return changed, log_abs_det
        changed, log_abs_det_norm = self.batch_norm(changed)
        return changed, log_abs_det + log_abs_det_norm

    def inverse(self, kept: Tensor, changed: Tensor) -> tuple[Tensor, Tensor]:
        """The changed half's old value and log |det| (B,) of the way back."""
        log_abs_det = 0.0
        if self.batch_norm is not None:
            changed, log_abs_det = self.batch_norm.inverse(changed)
        s, t = self.scale_and_shift(kept)
        return (changed - t) * (-s).exp(), log_abs_det - s.flatten(1).sum(1)


class Couplings(nn.Module):
    """Couplings one after the other, the two halves of a mask taking turns (Sec. 3.4-3.5).

    The halves are gathered once, before the first coupling, and put back after the last.

    Args:
        mask: how an example falls into halves; the first coupling keeps the first.
        layers: the couplings.
    """

    def __init__(
        self, mask: ChannelMask | CheckerboardMask, layers: Sequence[AffineCoupling]
    ) -> None:
        super().__init__()
        self.mask = mask
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        halves, total = list(self.mask.split(x)), x.new_zeros(len(x))
        for i, layer in enumerate(self.layers):
            kept, changed = i % 2, 1 - i % 2
            halves[changed], log_abs_det = layer(halves[kept], halves[changed])
            total = total + log_abs_det
        return self.mask.merge(*halves), total

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        halves, total = list(self.mask.split(z)), z.new_zeros(len(z))
        for i, layer in reversed(list(enumerate(self.layers))):
            kept, changed = i % 2, 1 - i % 2
            halves[changed], log_abs_det = layer.inverse(halves[kept], halves[changed])
            total = total + log_abs_det
        return self.mask.merge(*halves), total


class Scale(nn.Module):
    """One scale of the multi-scale architecture (Sec. 3.6), and all coarser ones inside it.

    Checkerboard couplings, a squeeze, channel-wise couplings, and half of the dimensions factored
    out: ``rest`` transforms the first half of the channels, the other is finished (Eqs. 14-16).
    Finished dimensions go back to their places, so x and z have one shape, (B, C, H, W).

    Args:
        fine: couplings at (C, H, W).
        coarse: couplings at (4C, H/2, W/2).
        rest: the coarser scales, at (2C, H/2, W/2).
    """

    def __init__(self, fine: Couplings, coarse: Couplings, rest: nn.Module) -> None:
        super().__init__()
        self.fine, self.coarse, self.rest = fine, coarse, rest

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h, log_abs_det_fine = self.fine(x)
        h, log_abs_det_coarse = self.coarse(squeeze(h))  # (B, 4C, H/2, W/2)
        h, finished = h.chunk(2, dim=1)  # (B, 2C, H/2, W/2) each
        h, log_abs_det_rest = self.rest(h)
        z = unsqueeze(torch.cat((h, finished), dim=1))  # (B, C, H, W)
        return z, log_abs_det_fine + log_abs_det_coarse + log_abs_det_rest

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        h, finished = squeeze(z).chunk(2, dim=1)  # (B, 2C, H/2, W/2) each
        h, log_abs_det_rest = self.rest.inverse(h)
        h, log_abs_det_coarse = self.coarse.inverse(torch.cat((h, finished), dim=1))
        x, log_abs_det_fine = self.fine.inverse(unsqueeze(h))  # (B, C, H, W)
        return x, log_abs_det_rest + log_abs_det_coarse + log_abs_det_fine
