"""Small models whose likelihoods and bounds are known in closed form."""

import math

import torch
from torch import nn


class UnitGaussian(nn.Module):
    """N(mean, I) with an exact density and sampler."""

    def __init__(self, num_dims=2, mean=0.0):
        super().__init__()
        self.mean = nn.Parameter(torch.full((num_dims,), mean))

    def log_prob(self, x):
        square = (x.flatten(1) - self.mean).square().sum(1)
        return -0.5 * (square + x[0].numel() * math.log(2 * math.pi))

    def sample(self, n, *, generator=None):
        return torch.randn(n, len(self.mean), generator=generator) + self.mean


class Exact(nn.Module):
    """A data set's own density and sampler, scaled or off by a constant if asked."""

    def __init__(self, density, *, shift=0.0, scale=1.0):
        super().__init__()
        self.density, self.shift, self.scale = density, shift, scale

    def log_prob(self, x):
        return self.density.log_prob(x) - self.shift

    def sample(self, n, *, generator=None):
        return self.scale * self.density.sample(n, generator=generator)


class LinearGaussian(nn.Module):
    """z ~ N(0, 1), x | z ~ N(z, 1), so that p(x) = N(0, 2); the proposal is N(slope x, variance).

    The exact posterior is the default, N(x / 2, 1 / 2).
    """

    def __init__(self, slope=0.5, variance=0.5):
        super().__init__()
        self.slope, self.variance = slope, variance
        self.unused = nn.Parameter(torch.zeros(()))

    def log_weights(self, x, *, num_samples, generator=None):
        x = x.flatten(1)[:, 0]
        eps = torch.randn(num_samples, len(x), generator=generator, dtype=x.dtype)
        z = self.slope * x + math.sqrt(self.variance) * eps  # (K, B)
        log_joint = log_normal(z, 1.0) + log_normal(x - z, 1.0)
        return log_joint - log_normal(z - self.slope * x, self.variance)

    def elbo(self, x, *, num_samples=1, generator=None):
        return self.log_weights(x, num_samples=num_samples, generator=generator).mean(0)

    def log_marginal(self, x):
        return log_normal(x.flatten(1)[:, 0], 2.0)


def log_normal(x, variance):
    """log N(x; 0, variance)."""
    return -0.5 * (x.square() / variance + math.log(2 * math.pi * variance))


def seeded(seed=0):
    """A generator of its own."""
    return torch.Generator().manual_seed(seed)


def normal(n, num_dims, seed, shift=0.0):
    """(n, num_dims) draws from N(shift, I), float64."""
    return torch.randn(n, num_dims, generator=seeded(seed), dtype=torch.float64) + shift
