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
    """Halves of dimension 1: entries of a vector, channels of an image (Fig. 3, right).

    Args:
        flipped: keep the second half and change the first, instead of the other way round.
    """

    def __init__(self, flipped: bool) -> None:
        self.flipped = flipped

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The kept and the changed half of ``x`` (B, C, ...): (B, ~C/2, ...) each."""
        first, second = x.tensor_split((x.shape[1] // 2,), dim=1)
        return (second, first) if self.flipped else (first, second)

    def merge(self, kept: Tensor, changed: Tensor) -> Tensor:
        """The inverse of ``split``."""
        return torch.cat((changed, kept) if self.flipped else (kept, changed), dim=1)


class CheckerboardMask:
    """Pixels whose coordinates have an even sum, and the others (Fig. 3, left).

    Args:
        flipped: keep the odd pixels and change the even ones, instead of the other way round.
    """

    def __init__(self, flipped: bool) -> None:
        self.flipped = flipped

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The kept and the changed pixels of ``x`` (B, C, H, W), packed: (B, 2C, H/2, W/2) each."""
        even = torch.cat((x[..., ::2, ::2], x[..., 1::2, 1::2]), dim=1)
        odd = torch.cat((x[..., ::2, 1::2], x[..., 1::2, ::2]), dim=1)
        return (odd, even) if self.flipped else (even, odd)

    def merge(self, kept: Tensor, changed: Tensor) -> Tensor:
        """The inverse of ``split``."""
        even, odd = (changed, kept) if self.flipped else (kept, changed)
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


class AffineCoupling(nn.Module):
    """One half scales and shifts the other: y_2 = x_2 * exp(s(x_1)) + t(x_1)  (Eqs. 4-5).

    Its Jacobian is triangular, so log |det| is the sum of s (Eq. 6), and its inverse (Eq. 8) costs
    the same as itself. s is a learned scale times a hyperbolic tangent (Sec. 4.1).

    Args:
        mask: which half is kept.
        network: maps the kept half to raw scale and shift, stacked in dimension 1.
        scale_shape: shape of the learned scale, to be broadcast against the changed half.
    """

    def __init__(
        self,
        mask: ChannelMask | CheckerboardMask,
        network: nn.Module,
        scale_shape: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.mask = mask
        self.network = network
        self.scale = nn.Parameter(torch.ones(scale_shape))

    def scale_and_shift(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        """s and t for the changed half, from the kept one."""
        # The network may compute in bfloat16 (autocast); what enters log-determinants may not.
        raw, shift = self.network(kept).to(kept.dtype).chunk(2, dim=1)
        return self.scale * torch.tanh(raw), shift

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, changed = self.mask.split(x)
        s, t = self.scale_and_shift(kept)
        return self.mask.merge(kept, changed * s.exp() + t), s.flatten(1).sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        kept, changed = self.mask.split(y)
        s, t = self.scale_and_shift(kept)
        return self.mask.merge(kept, (changed - t) * (-s).exp()), -s.flatten(1).sum(1)


class BatchNorm(nn.Module):
    """Batch normalisation as a bijection: (x - mu) / sqrt(sigma^2 + eps)  (Sec. 3.7, Eq. 13).

    While training, the statistics are a weighted average of the running ones and the batch's, and
    the gradient goes through the batch's alone (App. E). In evaluation they are the running ones,
    fixed, so each example has its own exact density. ``inverse`` always uses the running ones.

    Args:
        shape: one example, (D,) or (C, H, W); statistics are for each D or C.
        momentum: weight of the running statistics.
        eps: added to the variance.
    """

    def __init__(self, shape: Sequence[int], *, momentum: float = 0.9, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.num_positions = math.prod(shape[1:])
        self.register_buffer("mean", torch.zeros(shape[0], *(1 for _ in shape[1:])))
        self.register_buffer("variance", torch.ones(shape[0], *(1 for _ in shape[1:])))

    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance + eps, one for each channel."""
        if not self.training:
            return self.mean, self.variance + self.eps
        dims = [0, *range(2, x.ndim)]
        variance, mean = torch.var_mean(x, dims, correction=0, keepdim=True)
        mean = torch.lerp(mean[0], self.mean, self.momentum)
        variance = torch.lerp(variance[0], self.variance, self.momentum)
        self.mean.copy_(mean.detach())
        self.variance.copy_(variance.detach())
        return mean, variance + self.eps

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = self.statistics(x)
        log_abs_det = -0.5 * self.num_positions * variance.log().sum()
        return (x - mean) * variance.rsqrt(), log_abs_det.expand(len(x))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        variance = self.variance + self.eps
        log_abs_det = 0.5 * self.num_positions * variance.log().sum()
        return y * variance.sqrt() + self.mean, log_abs_det.expand(len(y))


class Stack(nn.Sequential):
    """Bijections one after the other: outputs compose, log-determinants add (Sec. 3.5)."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(len(x))
        for bijection in self:
            x, log_abs_det = bijection(x)
            total = total + log_abs_det
        return x, total

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        total = z.new_zeros(len(z))
        for bijection in reversed(self):
            z, log_abs_det = bijection.inverse(z)
            total = total + log_abs_det
        return z, total


class Squeezed(nn.Module):
    """Channel-wise couplings at half the resolution, then half of the dimensions factored out.

    ``rest`` transforms the first half of the channels; the second is finished, Gaussian (Eqs. 14-16).
    The result is un-squeezed, so x and z always have one shape.

    Args:
        couplings: act on (4C, H/2, W/2).
        rest: the coarser scales, acting on (2C, H/2, W/2).
    """

    def __init__(self, couplings: nn.Module, rest: nn.Module) -> None:
        super().__init__()
        self.couplings, self.rest = couplings, rest

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h, log_abs_det = self.couplings(squeeze(x))  # (B, 4C, H/2, W/2)
        h, finished = h.chunk(2, dim=1)  # (B, 2C, H/2, W/2) each
        h, log_abs_det_rest = self.rest(h)
        return unsqueeze(torch.cat((h, finished), dim=1)), log_abs_det + log_abs_det_rest

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        h, finished = squeeze(z).chunk(2, dim=1)  # (B, 2C, H/2, W/2) each
        h, log_abs_det_rest = self.rest.inverse(h)
        x, log_abs_det = self.couplings.inverse(torch.cat((h, finished), dim=1))
        return unsqueeze(x), log_abs_det + log_abs_det_rest


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
        batch_norm: follow each coupling by a :class:`BatchNorm`.
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
    layers: list[nn.Module] = []
    for i in range(num_couplings):
        flipped = i % 2 == 1
        halves = (num_dims // 2, num_dims - num_dims // 2)
        num_kept, num_changed = reversed(halves) if flipped else halves
        network = MLP((num_kept, *hidden_sizes, 2 * num_changed), generator=generator)
        layers.append(AffineCoupling(ChannelMask(flipped), network, (num_changed,)))
        if batch_norm:
            layers.append(BatchNorm((num_dims,)))
    return RealNVP((num_dims,), Stack(*layers))


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
        batch_norm: follow each coupling by a :class:`BatchNorm`.
        generator: draws the initial weights.
    """
    channels, height, width = shape
    if num_scales < 1 or height % 2**num_scales or width % 2**num_scales:
        raise ValueError(
            f"num_scales={num_scales} halves an image {num_scales} times, and {height} x {width} "
            f"cannot be: use fewer scales, or pad the images"
        )

    def couplings(mask: type, n: int, shape: tuple[int, int, int], num_hidden: int) -> Stack:
        c, h, w = shape
        c = 2 * c if mask is CheckerboardMask else c // 2  # channels of each half
        layers: list[nn.Module] = []
        for i in range(n):
            network = ResidualNet(c, num_hidden, 2 * c, num_blocks, generator=generator)
            layers.append(AffineCoupling(mask(i % 2 == 1), network, (c, 1, 1)))
            if batch_norm:
                layers.append(BatchNorm(shape))
        return Stack(*layers)

    def scale(shape: tuple[int, int, int], num_scales: int, num_hidden: int) -> Stack:
        c, h, w = shape
        if num_scales == 1:
            return couplings(CheckerboardMask, 4, shape, num_hidden)
        fine = couplings(CheckerboardMask, 3, shape, num_hidden)
        coarse = couplings(ChannelMask, 3, (4 * c, h // 2, w // 2), num_hidden)
        rest = scale((2 * c, h // 2, w // 2), num_scales - 1, 2 * num_hidden)
        return Stack(*fine, Squeezed(coarse, rest))

    return RealNVP(shape, scale((channels, height, width), num_scales, num_hidden))
