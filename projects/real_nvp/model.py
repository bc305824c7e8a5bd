"""Real NVP: density estimation with affine coupling layers.

Dinh, Sohl-Dickstein, Bengio, "Density estimation using Real NVP", ICLR 2017 (arXiv:1605.08803), with
NICE (Dinh, Krueger, Bengio 2015) as its ancestor. A stack of bijections f carries data x to latents
z = f(x) with a standard normal prior, and the change of variables (Eqs. 2-3) gives

    log p(x) = log N(f(x); 0, I) + log |det df/dx|.

Order of the paper: coupling (Sec. 3.2-3.3), masks (3.4), squeezing and the multi-scale architecture
(3.5-3.6), batch normalisation (3.7, App. E). Different from it: a mask *gathers* its two halves
instead of multiplying by zeros, so no arithmetic is spent on hidden entries; the networks of a
checkerboard coupling therefore see the kept pixels packed at half the resolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from projects.real_nvp.networks import MLP, ResidualNet


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
        if not self.training:
            return self.mean, self.variance + self.eps
        variance, mean = torch.var_mean(x, [0, *range(2, x.ndim)], correction=0)
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
        changed, log_abs_det = changed * s.exp() + t, s.flatten(1).sum(1)
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


class RealNVP(nn.Module):
    """A stack of bijections with a standard normal prior: density, sampler, exact latents.

    Build one with :func:`vector_real_nvp` or :func:`image_real_nvp`.

    Args:
        shape: one example, (D,) or (C, H, W).
        flow: the bijection from data to latents.
    """

    def __init__(self, shape: Sequence[int], flow: nn.Module) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.flow = flow

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z = f(x), shaped like ``x`` (B, *shape), and log |det df/dx| (B,) in nats."""
        self._check(x)
        return self.flow(x)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """x = f^-1(z), shaped like ``z`` (B, *shape), and log |det df^-1/dz| (B,) in nats."""
        self._check(z)
        return self.flow.inverse(z)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) (B,) in nats of the space of ``x`` (B, *shape), Eq. 3."""
        z, log_abs_det = self(x)
        z = z.flatten(1)
        log_prior = -0.5 * (z.square().sum(1) + z.shape[1] * math.log(2 * math.pi))
        return log_prior + log_abs_det

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """``n`` independent draws (n, *shape): z from the prior, then x = f^-1(z)."""
        like = next(self.parameters())
        device = like.device if generator is None else generator.device
        z = torch.randn(n, *self.shape, generator=generator, dtype=like.dtype, device=device)
        return self.inverse(z.to(like.device))[0]

    def encode(self, x: Tensor) -> Tensor:
        """The latents z = f(x) (B, *shape), exact: there is no posterior to approximate."""
        return self(x)[0]

    def decode(self, z: Tensor) -> Tensor:
        """The data x = f^-1(z) (B, *shape)."""
        return self.inverse(z)[0]

    def _check(self, x: Tensor) -> None:
        if x.shape[1:] != self.shape:
            raise ValueError(
                f"expected a batch of shape (B, {', '.join(map(str, self.shape))}), "
                f"got {tuple(x.shape)}"
            )


def vector_real_nvp(
    num_dims: int,
    *,
    num_couplings: int,
    hidden_sizes: Sequence[int],
    batch_norm: bool = False,
    generator: torch.Generator,
) -> RealNVP:
    """Real NVP on vectors: couplings whose halves change roles at every layer.

    Args:
        num_dims: length D of one example, at least 2.
        num_couplings: coupling layers, at least 2 so that every dimension is changed.
        hidden_sizes: hidden widths of each fully connected conditioner.
        batch_norm: normalise each half after it was changed.
        generator: draws the initial weights.

    Example:
        >>> model = vector_real_nvp(
        ...     2, num_couplings=4, hidden_sizes=(8,), generator=torch.Generator().manual_seed(0)
        ... )
        >>> model.log_prob(torch.zeros(3, 2)).shape
        torch.Size([3])
    """
    if num_dims < 2 or num_couplings < 2:
        raise ValueError(
            f"a coupling needs two halves and a stack two couplings: expected num_dims >= 2 and "
            f"num_couplings >= 2, got {num_dims} and {num_couplings}"
        )
    halves = (num_dims // 2, num_dims - num_dims // 2)
    layers = []
    for i in range(num_couplings):
        num_kept, num_changed = halves[i % 2], halves[1 - i % 2]
        network = MLP((num_kept, *hidden_sizes, 2 * num_changed), generator=generator)
        norm = BatchNorm(num_changed) if batch_norm else None
        layers.append(AffineCoupling(network, num_changed, norm))
    return RealNVP((num_dims,), Couplings(ChannelMask(), layers))


def image_real_nvp(
    shape: Sequence[int],
    *,
    num_scales: int,
    num_hidden: int,
    num_blocks: int,
    batch_norm: bool = True,
    generator: torch.Generator,
) -> RealNVP:
    """The multi-scale architecture of Sec. 3.6, on images.

    At each scale but the last: three checkerboard couplings, a squeeze, three channel-wise
    couplings, and half of the dimensions factored out. At the last: four checkerboard couplings.

    Args:
        shape: one image (C, H, W); H and W divisible by 2 ** num_scales.
        num_scales: at least 1.
        num_hidden: feature maps of the first scale's conditioners; each scale has twice the last's.
        num_blocks: residual blocks of each conditioner.
        batch_norm: normalise each half after it was changed.
        generator: draws the initial weights.
    """
    channels, height, width = shape
    if num_scales < 1 or height % 2**num_scales or width % 2**num_scales:
        raise ValueError(
            f"num_scales={num_scales} halves an image {num_scales} times, and {height} x {width} "
            f"cannot be: use fewer scales, or pad the images"
        )

    def couplings(
        mask: ChannelMask | CheckerboardMask, n: int, half: int, num_hidden: int
    ) -> Couplings:
        layers = []
        for _ in range(n):
            network = ResidualNet(half, num_hidden, 2 * half, num_blocks, generator=generator)
            norm = BatchNorm(half) if batch_norm else None
            layers.append(AffineCoupling(network, half, norm))
        return Couplings(mask, layers)

    def scale(channels: int, num_scales: int, num_hidden: int) -> nn.Module:
        if num_scales == 1:
            return couplings(CheckerboardMask(), 4, 2 * channels, num_hidden)
        return Scale(
            fine=couplings(CheckerboardMask(), 3, 2 * channels, num_hidden),
            coarse=couplings(ChannelMask(), 3, 2 * channels, num_hidden),
            rest=scale(2 * channels, num_scales - 1, 2 * num_hidden),
        )

    return RealNVP(shape, scale(channels, num_scales, num_hidden))
