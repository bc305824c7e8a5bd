"""How a law reads a latent-variable model, and its exact quantities by quadrature over z."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from tests.laws.base import seeded
from tests.laws.sampler import Sampler


class Grid(NamedTuple):
    """The model at S latent points for B examples; all logarithms in nats."""

    log_likelihood: Tensor  # log p(x|z), (S, B)
    log_prior: Tensor  # log p(z), (S, 1)
    log_posterior: Tensor  # log q(z|x), (S, B)
    log_cell: float  # log of the volume that a point stands for

    @property
    def log_evidence(self) -> Tensor:
        """log p(x) = log of the integral of p(x|z) p(z), (B,)."""
        return (self.log_likelihood + self.log_prior).logsumexp(0) + self.log_cell

    @property
    def log_weights(self) -> Tensor:
        """log p(x, z) - log q(z|x), (S, B)."""
        return self.log_likelihood + self.log_prior - self.log_posterior

    def expectation(self, values: Tensor) -> Tensor:
        """Mean under q(z|x) of values (S, B), (B,)."""
        return ((self.log_posterior + self.log_cell).exp() * values).sum(0)


class LatentModel(Sampler):
    """A model with a latent z of one or two dimensions, read through four hooks.

    Override the hooks that differ, each in a line: ``return Independent(Normal(mean, std), 1)``
    for an encoder that returns something else, or another prior.
    """

    max_rows = 2_000_000  # of pairs (x, z) on a grid

    def prior(self, model: nn.Module, latent_size: int) -> Distribution:
        """p(z); the default is N(0, I)."""
        zeros = torch.zeros(latent_size, dtype=torch.float64)
        return Independent(Normal(zeros, torch.ones_like(zeros)), 1)

    def posterior(self, model: nn.Module, x: Tensor) -> Distribution:
        """q(z|x) with batch shape (B,); the default is N(mean, std^2) of encode(x)."""
        return Independent(Normal(*model.encode(x)), 1)

    def log_likelihood(self, model: nn.Module, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) row by row, (B,), for x (B, *event) and z (B, d)."""
        return model.log_likelihood(x, z)

    def analytic_kl(self, model: nn.Module, x: Tensor) -> Tensor:
        """KL(q(z|x) || p(z)) as the model computes it, (B,); kl_divergence may be per latent."""
        return model.kl_divergence(x).flatten(1).sum(1)

    def evaluate(self, model, x):
        z = self.posterior(model, x).mean
        return self.log_likelihood(model, x, z) - self.analytic_kl(model, x)

    def loss(self, model, x, generator):
        return -model.elbo(x, generator=generator).mean()

    def entries(self, model):
        return super().entries(model) | {"encode": model.encode}

    def latent_size(self, model: nn.Module, x: Tensor) -> int:
        with torch.no_grad():
            return self.posterior(model, x).event_shape.numel()

    def grid(self, model: nn.Module, x: Tensor, *, with_gradient: bool = False) -> Grid:
        """The trapezoidal rule on a box that holds prior and posteriors, as fine as they need.

        For a Gaussian of standard deviation sigma its error with step sigma is about exp(-20).
        """
        z, log_cell = self._points(model, x)
        if len(z) * len(x) > self.max_rows:
            raise ValueError(
                f"the grid needs {len(z)} latent points for each of {len(x)} examples: a posterior "
                "is too narrow or too far away for quadrature; lower the test's `noise` (now "
                f"{self.noise:g}) or give it a smaller model"
            )
        with torch.set_grad_enabled(with_gradient):
            rows = x.repeat(len(z), *[1] * (x.ndim - 1))  # (S * B, *event)
            pairs = z.repeat_interleave(len(x), 0)  # (S * B, d)
            log_likelihood = self.log_likelihood(model, rows, pairs).reshape(len(z), len(x))
            log_posterior = self.posterior(model, x).log_prob(z[:, None])  # (S, B)
            log_prior = self.prior(model, z.shape[1]).log_prob(z)[:, None]  # (S, 1)
        return Grid(log_likelihood, log_prior, log_posterior, log_cell)

    def _points(self, model: nn.Module, x: Tensor) -> tuple[Tensor, float]:
        with torch.no_grad():
            posterior = self.posterior(model, x)
            prior = self.prior(model, posterior.event_shape.numel())
        size = posterior.event_shape.numel()
        if size > 2:
            raise ValueError(f"a latent of {size} dimensions: quadrature needs one or two")
        mean = torch.cat([posterior.mean, prior.mean[None]])  # (B + 1, d)
        std = torch.cat([posterior.stddev, prior.stddev[None]])
        axes, log_cell = [], 0.0
        for d in range(size):
            low, high = (mean - 7.5 * std)[:, d].min().item(), (mean + 7.5 * std)[:, d].max().item()
            # The likelihood may have kinks, so even a wide posterior gets a fine grid.
            step = min(std[:, d].min().item(), 0.02 if size == 1 else 0.125)
            axes.append(torch.arange(low, high + step, step, dtype=torch.float64))
            log_cell += math.log(step)
        return torch.cartesian_prod(*axes).reshape(-1, size), log_cell  # (S, d)

    def prior_draws(self, model: nn.Module, x: Tensor, n: int) -> Tensor:
        """n draws of z from the prior hook, whose ``sample`` knows no generator, (n, d)."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(78)
            return self.prior(model, self.latent_size(model, x)).sample((n,))

    def joint_weights(self, model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        """Proposals x from a wide Gaussian r, and weights p(x|z) / r(x) with z from the prior.

        The weights average to the integral of p(x), and weighted proposals to means under p.
        """
        generator, n = seeded(77), 50_000
        with torch.no_grad():
            draws = model.sample(2000, generator=generator)
            wide = Normal(draws.mean(0), 2 * draws.std(0) + 0.1)
            noise = torch.randn(n, *draws.shape[1:], generator=generator, dtype=x.dtype)
            proposals = wide.mean + wide.stddev * noise
            log_proposal = wide.log_prob(proposals).flatten(1).sum(1)
            log_likelihood = self.log_likelihood(model, proposals, self.prior_draws(model, x, n))
        return proposals, (log_likelihood - log_proposal).exp()
