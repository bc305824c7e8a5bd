"""Tiny correct models, one of each kind, that the laws' own tests pass and then break."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F


def drawn(generator: Generator, *shape: int) -> nn.Parameter:
    """A parameter of standard normals over two."""
    return nn.Parameter(0.5 * torch.randn(*shape, generator=generator))


def normal_log_prob(x: Tensor) -> Tensor:
    """Log-density of independent standard normals, (..., D) -> (...)."""
    return -0.5 * (x.square() + math.log(2 * math.pi)).sum(-1)


def check(x: Tensor, num_dims: int) -> None:
    if tuple(x.shape[1:]) != (num_dims,):
        raise ValueError(f"x has shape {tuple(x.shape)}, expected (B, {num_dims})")


class Chain(nn.Module):
    """A logistic autoregression: logit_d = b_d + sum of W_dj x_j over j before d in the ordering."""

    def __init__(self, generator: Generator, num_dims: int = 5) -> None:
        super().__init__()
        self.num_dims = num_dims
        self.weight = drawn(generator, num_dims, num_dims)
        self.bias = drawn(generator, num_dims)
        self.register_buffer("ordering", torch.randperm(num_dims, generator=generator))

    def mask(self) -> Tensor:
        return self.ordering[None, :] < self.ordering[:, None]  # (D, D)

    def conditional_logits(self, x: Tensor) -> Tensor:
        check(x, self.num_dims)
        return x @ (self.weight * self.mask()).T + self.bias  # (B, D)

    def log_prob(self, x: Tensor) -> Tensor:
        logits = self.conditional_logits(x)
        return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)

    def step(self, x: Tensor, d: int, logit: Tensor, generator: Generator | None) -> None:
        noise = torch.rand(len(x), generator=generator, dtype=x.dtype)
        x[:, d] = (noise < torch.sigmoid(logit)).to(x.dtype)

    @torch.no_grad()
    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Add each drawn dimension's column of W to logits that are kept, (n, D)."""
        x = self.weight.new_zeros(n, self.num_dims)
        logits = self.bias.repeat(n, 1)
        columns = self.weight * self.mask()
        for d in self.ordering.argsort().tolist():
            self.step(x, d, logits[:, d], generator)
            logits = self.update(logits, x[:, d], columns[:, d])
        return x

    def update(self, logits: Tensor, drawn_bit: Tensor, column: Tensor) -> Tensor:
        return logits + drawn_bit[:, None] * column

    @torch.no_grad()
    def sample_naive(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """The whole model again for every dimension, (n, D)."""
        x = self.weight.new_zeros(n, self.num_dims)
        for d in self.ordering.argsort().tolist():
            self.step(x, d, self.conditional_logits(x)[:, d], generator)
        return x


class Coupling(nn.Module):
    """Affine coupling: y_b = x_b exp(s(x_a)) + t(x_a), the halves swapped if ``flipped``."""

    def __init__(self, generator: Generator, num_dims: int, flipped: bool) -> None:
        super().__init__()
        self.flipped, self.half = flipped, num_dims // 2
        kept = num_dims - self.half if flipped else self.half
        self.inner = drawn(generator, 8, kept)
        self.bias = drawn(generator, 8)
        self.outer = drawn(generator, 2 * (num_dims - kept), 8)

    def halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first, second = x[:, : self.half], x[:, self.half :]
        return (second, first) if self.flipped else (first, second)

    def whole(self, kept: Tensor, changed: Tensor) -> Tensor:
        return torch.cat((changed, kept) if self.flipped else (kept, changed), 1)

    def scale_and_shift(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        s, t = (torch.tanh(kept @ self.inner.T + self.bias) @ self.outer.T).chunk(2, 1)
        return torch.tanh(s), t

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, changed = self.halves(x)
        s, t = self.scale_and_shift(kept)
        return self.whole(kept, changed * s.exp() + t), s.sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        kept, changed = self.halves(y)
        s, t = self.scale_and_shift(kept)
        return self.whole(kept, (changed - t) * (-s).exp()), -s.sum(1)


class TinyFlow(nn.Module):
    """Two affine couplings to a standard normal."""

    def __init__(self, generator: Generator, num_dims: int = 2) -> None:
        super().__init__()
        self.num_dims = num_dims
        layers = [Coupling(generator, num_dims, flipped) for flipped in (False, True)]
        self.couplings = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        check(x, self.num_dims)
        total = x.new_zeros(len(x))
        for coupling in self.couplings:
            x, log_abs_det = coupling(x)
            total = total + log_abs_det
        return x, total

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        check(z, self.num_dims)
        total = z.new_zeros(len(z))
        for coupling in reversed(self.couplings):
            z, log_abs_det = coupling.inverse(z)
            total = total + log_abs_det
        return z, total

    def log_prob(self, x: Tensor) -> Tensor:
        z, log_abs_det = self.forward(x)
        return normal_log_prob(z) + log_abs_det

    def noise(self, n: int, generator: Generator | None) -> Tensor:
        dtype = self.couplings[0].bias.dtype
        return torch.randn(n, self.num_dims, generator=generator, dtype=dtype)

    @torch.no_grad()
    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        return self.inverse(self.noise(n, generator))[0]


class TinyVAE(nn.Module):
    """One tanh layer each way; p(z) = N(0, I), q(z|x) diagonal, Bernoulli or Gaussian p(x|z)."""

    def __init__(
        self, generator: Generator, num_dims: int = 4, latent_size: int = 1, binary: bool = True
    ) -> None:
        super().__init__()
        self.num_dims, self.latent_size, self.binary = num_dims, latent_size, binary
        self.encoder_in = drawn(generator, 8, num_dims)
        self.encoder_out = drawn(generator, 2 * latent_size, 8)
        self.decoder_in = drawn(generator, 8, latent_size)
        self.decoder_out = drawn(generator, num_dims * (1 if binary else 2), 8)
        self.bias = drawn(generator, num_dims * (1 if binary else 2))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        check(x, self.num_dims)
        mean, log_std = (torch.tanh(x @ self.encoder_in.T) @ self.encoder_out.T).chunk(2, 1)
        return mean, log_std.exp()

    def decode(self, z: Tensor) -> Tensor:
        return torch.tanh(z @ self.decoder_in.T) @ self.decoder_out.T + self.bias

    def terms(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x_d|z) of every dimension, (..., B, D)."""
        parameters = self.decode(z)
        if self.binary:
            target = x.expand_as(parameters)
            return -F.binary_cross_entropy_with_logits(parameters, target, reduction="none")
        mean, log_std = parameters.chunk(2, -1)
        return normal_log_prob(((x - mean) / log_std.exp())[..., None]) - log_std

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        return self.terms(x, z).sum(-1)

    def kl_divergence(self, x: Tensor) -> Tensor:
        mean, std = self.encode(x)
        return 0.5 * (mean**2 + std**2 - 1) - std.log()  # (B, d)

    def eps(self, x: Tensor, num_samples: int, generator: Generator | None) -> Tensor:
        shape = (num_samples, len(x), self.latent_size)
        return torch.randn(shape, generator=generator, dtype=x.dtype)

    def latent(self, mean: Tensor, std: Tensor, eps: Tensor) -> Tensor:
        return mean + std * eps  # (K, B, d)

    def elbo(self, x: Tensor, *, num_samples: int = 1, generator: Generator | None = None):
        z = self.latent(*self.encode(x), self.eps(x, num_samples, generator))
        return self.log_likelihood(x, z).mean(0) - self.kl_divergence(x).sum(1)

    def log_weights(self, x: Tensor, *, num_samples: int, generator: Generator | None = None):
        mean, std = self.encode(x)
        eps = self.eps(x, num_samples, generator)
        z = self.latent(mean, std, eps)
        log_posterior = normal_log_prob(eps) - std.log().sum(1)
        return self.log_likelihood(x, z) + normal_log_prob(z) - log_posterior

    @torch.no_grad()
    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        dtype = self.decoder_in.dtype
        z = torch.randn(n, self.latent_size, generator=generator, dtype=dtype)
        return self.emit(self.decode(z), generator)

    def emit(self, parameters: Tensor, generator: Generator | None) -> Tensor:
        if self.binary:
            return torch.bernoulli(torch.sigmoid(parameters), generator=generator)
        mean, log_std = parameters.chunk(2, -1)
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
        return mean + log_std.exp() * noise
