"""Real NVP: density estimation with affine coupling layers.

Dinh, Sohl-Dickstein, Bengio, "Density estimation using Real NVP", ICLR 2017 (arXiv:1605.08803), with
NICE (Dinh, Krueger, Bengio 2015) as its ancestor. A stack of bijections f carries data x to latents
z = f(x) with a standard normal prior, and the change of variables (Eqs. 2-3) gives

    log p(x) = log N(f(x); 0, I) + log |det df/dx|.

The bijections are in couplings.py, the networks s and t inside them in networks.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from projects.real_nvp.couplings import (
    AffineCoupling,
    BatchNorm,
    ChannelMask,
    CheckerboardMask,
    Couplings,
    Scale,
)
from projects.real_nvp.networks import MLP, ResidualNet


class RealNVP(nn.Module):
    """A stack of bijections with a standard normal prior: density, sampler, exact latents.

    Build one with :func:`vector_real_nvp` or :func:`image_real_nvp`. With batch normalisation an
    example has a density of its own in evaluation mode alone, so call ``eval()`` after training: in
    training mode, which a new model is in, it depends on the batch, and each pass from data to
    latents moves the running statistics (App. E).

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
        dtype = next(self.parameters()).dtype
        if x.dtype != dtype:
            raise ValueError(f"expected {dtype}, the dtype of the weights, got {x.dtype}")


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
        num_hidden: feature maps of the first scale's conditioners, at least 1; each scale has twice
            the last's.
        num_blocks: residual blocks of each conditioner, 0 or more.
        batch_norm: normalise each half after it was changed.
        generator: draws the initial weights.
    """
    channels, height, width = shape
    if num_scales < 1 or num_hidden < 1 or num_blocks < 0:
        raise ValueError(
            f"expected num_scales >= 1, num_hidden >= 1 and num_blocks >= 0, got {num_scales}, "
            f"{num_hidden} and {num_blocks}"
        )
    if height % 2**num_scales or width % 2**num_scales:
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
