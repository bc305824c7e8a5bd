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
    """The model at S latent points around q(z|x) of each of B examples; logarithms in nats."""

    log_likelihood: Tensor  # log p(x|z), (S, B)
    log_prior: Tensor  # log p(z), (S, B)
    log_posterior: Tensor  # log q(z|x), (S, B)
    log_cell: Tensor  # log of the volume that a point stands for, (B,)

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

    overfit_nats = 0.5  # less than elsewhere: one or two latents, and a bound, cost nats

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
        """p(x|z), p(z) and q(z|x) where q(z|x) has its mass: for expectations under q(z|x)."""
        with torch.no_grad():
            z, log_cell = _points(self.posterior(model, x))
        with torch.set_grad_enabled(with_gradient):
            return Grid(
                self._log_likelihoods(model, x, z),
                self.prior(model, z.shape[2]).log_prob(z),
                self.posterior(model, x).log_prob(z),
                log_cell,
            )

    def log_evidence(self, model: nn.Module, x: Tensor) -> Tensor:
        """log p(x) = log of the integral of p(x|z) p(z), where p(z) has its mass, (B,)."""
        with torch.no_grad():
            prior = self.prior(model, self.latent_size(model, x)).expand((len(x),))
            z, log_cell = _points(prior)
            joint = self._log_likelihoods(model, x, z) + prior.log_prob(z)  # (S, B)
        return joint.logsumexp(0) + log_cell

    def _log_likelihoods(self, model: nn.Module, x: Tensor, z: Tensor) -> Tensor:
        rows = x.repeat(len(z), *[1] * (x.ndim - 1))  # (S * B, *event)
        return self.log_likelihood(model, rows, z.flatten(0, 1)).reshape(z.shape[:2])

    def latent_draws(self, model: nn.Module, x: Tensor, n: int) -> Tensor:
        """n draws of z from the prior hook, whose ``sample`` knows no generator, (n, d)."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(78)
            return self.prior(model, self.latent_size(model, x)).sample((n,))

    def decoder_draws(self, model: nn.Module, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """For real data, draws (n, D) near p(x|z), one for each z, and weights p(x|z) / r(x|z).

        r is the Gaussian of log p(x|z)'s mode and curvature, so for a Gaussian decoder the draws
        are exact and the weights are one; for any decoder the weights' mean is the integral.
        """
        shape, dims = (len(z), *x.shape[1:]), x[0].numel()
        mode = torch.zeros(len(z), dims, dtype=x.dtype)

        def log_likelihood(flat: Tensor) -> Tensor:
            return self.log_likelihood(model, flat.reshape(shape), z)

        for _ in range(6):  # Newton's method, that needs one step for a Gaussian
            gradient, curvature = _derivatives(log_likelihood, mode)
            scale, info = torch.linalg.cholesky_ex(-curvature)  # (n, D, D)
            assert int(info.max()) == 0, (
                "log p(x|z) is not concave in x, so p(x|z) is no density around a mode. Likely "
                "cause: a likelihood of binary data (a cross-entropy) for real data, or a sign; "
                "for a decoder with another shape override decoder_draws"
            )
            move = torch.cholesky_solve(gradient[..., None], scale)[..., 0]
            mode = mode + move
            if move.abs().max() < 1e-9:
                break
        eps = torch.randn(mode.shape, generator=seeded(77), dtype=x.dtype)
        draws = mode + torch.linalg.solve_triangular(scale.mT, eps[..., None], upper=True)[..., 0]
        log_det = scale.diagonal(dim1=1, dim2=2).log().sum(1)
        log_proposal = -0.5 * (eps.square() + math.log(2 * math.pi)).sum(1) + log_det
        with torch.no_grad():
            return draws, (log_likelihood(draws) - log_proposal).exp()


def _points(centre: Distribution) -> tuple[Tensor, Tensor]:
    """The trapezoidal rule around each of B distributions: z (S, B, d) and log of the cell (B,).

    Its error for a Gaussian is far below rounding; the fine step is for kinks of the likelihood.
    """
    size = centre.event_shape.numel()
    if size > 2:
        raise ValueError(f"a latent of {size} dimensions: quadrature needs one or two")
    step = 0.02 if size == 1 else 0.125  # in standard deviations
    axis = torch.arange(-7.5, 7.5 + step, step, dtype=torch.float64)
    eps = torch.cartesian_prod(*[axis] * size).reshape(-1, 1, size)  # (S, 1, d)
    return centre.mean + centre.stddev * eps, (centre.stddev * step).log().sum(-1)


def _derivatives(function, x: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient (n, D) and Hessian (n, D, D) of a function that maps rows (n, D) to (n,)."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
    if not gradient.requires_grad:  # linear in x
        return gradient, x.new_zeros(*x.shape, x.shape[1])
    columns = [torch.autograd.grad(g.sum(), x, retain_graph=True)[0] for g in gradient.unbind(1)]
    return gradient.detach(), torch.stack(columns, 1)
