"""Laws of latent-variable models with a bound, judged by quadrature over a 1-D or 2-D latent."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from tests.laws.base import assert_close, seeded
from tests.laws.discrete import all_binary
from tests.laws.module import Sampler
from tests.laws.statistics import ALPHA, chi_square_p_value


class Grid(NamedTuple):
    """The model on a grid of S latent points for B examples, all logarithms in nats."""

    log_likelihood: Tensor  # log p(x|z), (S, B)
    log_prior: Tensor  # log p(z), (S, 1)
    log_posterior: Tensor  # log q(z|x), (S, B)
    log_cell: float  # log of the volume of a cell

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


class Bound(Sampler):
    """elbo and log_weights are what they say, against the exact log p(x) of a tiny latent space.

    The model has a latent of one or two dimensions and offers ``elbo(x, *, num_samples,
    generator) -> (B,)``, ``log_weights(x, *, num_samples, generator) -> (num_samples, B)`` and
    ``sample``. How the law reads the rest of it is in the four hooks below: override those that
    differ.
    """

    noise = 0.2
    latent_range = 8.0  # the grid covers [-range, range] in each latent dimension
    num_examples = 4

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

    # The laws.

    def test_elbo_is_the_evidence_lower_bound(self):
        model, x = self._model_and_examples()
        grid = self._grid(model, x)
        exact = grid.expectation(grid.log_weights)
        for num_samples, repeats in ((1, 2000), (5, 400)):
            with torch.no_grad():
                rows = x.repeat_interleave(repeats, 0)
                estimate = model.elbo(rows, num_samples=num_samples, generator=seeded(70))
            assert estimate.shape == (len(rows),), (
                f"elbo of {len(rows)} examples has shape {tuple(estimate.shape)}, expected "
                f"({len(rows)},): one bound per example, averaged over samples of z only"
            )
            self._agree(
                estimate.reshape(-1, repeats),
                exact,
                f"mean of elbo(x, num_samples={num_samples}) against E_q[log p(x,z) - log q(z|x)]",
                "the KL has the wrong sign or is missing, the likelihood is averaged over pixels "
                "or examples, or the noise is shared by the batch",
            )

    def test_log_weights_average_to_the_elbo(self):
        model, x = self._model_and_examples()
        grid = self._grid(model, x)
        log_weights = self._log_weights(model, x, 4000)
        self._agree(
            log_weights.T,
            grid.expectation(grid.log_weights),
            "log_weights(x).mean(0) against E_q[log p(x,z) - log q(z|x)]",
            "log q(z|x) added instead of subtracted, a missing log prior, or a missing constant",
        )

    def test_log_weights_estimate_the_exact_likelihood(self):
        """E_q[w] = p(x), in the form E_q[w / (p(x) + w)]: bounded, so its variance is finite."""
        model, x = self._model_and_examples()
        grid = self._grid(model, x)
        log_evidence = grid.log_evidence
        log_weights = self._log_weights(model, x, 4000)
        self._agree(
            torch.sigmoid(log_weights - log_evidence).T,
            grid.expectation(torch.sigmoid(grid.log_weights - log_evidence)),
            "E[w / (p(x) + w)] of the importance weights w against its exact value",
            "samples of z and log q(z|x) come from different distributions (a variance taken for "
            "a standard deviation), so log-mean-exp of log_weights does not tend to log p(x)",
        )

    def test_bounds_are_ordered(self):
        model, x = self._model_and_examples()
        log_evidence = self._grid(model, x).log_evidence
        log_weights = self._log_weights(model, x, 4096)
        with torch.no_grad():
            rows = x.repeat_interleave(4096, 0)
            elbo = model.elbo(rows, generator=seeded(71)).reshape(-1, 4096)  # (B, 4096)
        chain = [("elbo", elbo)]
        for k in (1, 4, 16, 64):  # draws are split into groups of k: (4096 / k, k, B)
            grouped = log_weights.reshape(-1, k, len(x)).logsumexp(1) - math.log(k)
            chain.append((f"iwae_{k}", grouped.T))
        chain.append(("exact log p", log_evidence[:, None].expand(-1, 2)))
        for (name, lower), (above, upper) in zip(chain, chain[1:], strict=False):
            excess = lower.mean(1) - upper.mean(1)
            slack = 5 * (_standard_error(lower) ** 2 + _standard_error(upper) ** 2).sqrt() + 1e-6
            worst = int((excess - slack).argmax())
            assert bool((excess <= slack).all()), (
                f"{name} = {lower.mean(1)[worst].item():.5g} exceeds {above} = "
                f"{upper.mean(1)[worst].item():.5g} for example {worst} by more than five standard "
                f"errors ({slack[worst].item():.2g}); expected elbo <= iwae_k <= iwae_(k+1) <= log "
                "p(x). Likely cause: a KL with the wrong sign or a missing log q(z|x)"
            )

    def test_analytic_kl_equals_the_integral(self):
        model, x = self._model_and_examples()
        grid = self._grid(model, x)
        with torch.no_grad():
            claimed = self.analytic_kl(model, x)
        assert_close(
            claimed,
            grid.expectation(grid.log_posterior - grid.log_prior),
            1e-5,
            "the analytic KL(q(z|x) || p(z)) against its integral",
            "the wrong sign, a forgotten 1/2 or -1, a variance taken for a standard deviation, or "
            "KL(p || q)",
        )

    def test_elbo_gradient_is_the_gradient_of_the_bound(self):
        model, x = self._model_and_examples()
        names, parameters = zip(*model.named_parameters(), strict=True)
        grid = self._grid(model, x, with_gradient=True)
        exact = _gradient(grid.expectation(grid.log_weights).mean(), parameters)
        generator, estimates = seeded(72), []
        for _ in range(8):
            elbo = model.elbo(x.repeat_interleave(500, 0), generator=generator)
            estimates.append(_gradient(elbo.mean(), parameters))
        for name, truth, *draws in zip(names, exact, *estimates, strict=True):
            stacked = torch.stack(draws)
            error = (stacked.mean(0) - truth).norm().item()
            slack = 6 * (stacked.std(0).norm() / math.sqrt(len(draws))).item() + 1e-6
            assert error <= slack, (
                f"the gradient of elbo with respect to `{name}` is off by {error:.3g} in norm "
                f"(exact norm {truth.norm().item():.3g}, six standard errors {slack:.3g}). Likely "
                "cause: z is drawn without reparameterisation or detached"
            )

    def test_likelihood_is_normalised(self):
        model, x = self._model_and_examples()
        if self._event(model)[1] == "binary":
            states = self._states(model)
            z = torch.randn(1, self._latent_size(model, x), generator=seeded(73), dtype=x.dtype)
            with torch.no_grad():
                rows = z.expand(len(states), -1)
                total = self.log_likelihood(model, states, rows).exp().sum()[None]
            error = torch.full_like(total, 1e-9)
        else:
            weights = self._joint_weights(model, x)[1]
            total, error = weights.mean()[None], 6 * _standard_error(weights[None])
        assert abs(total - 1) <= error, (
            f"p(x|z) sums or integrates to {total.item():.6g} over x, expected 1 within "
            f"{error.item():.2g}. Likely cause: a mean over pixels, a missing -D/2 log(2 pi) or "
            "-log sigma, or values outside the decoder's support"
        )

    def test_samples_follow_the_model(self):
        model, x = self._model_and_examples()
        with torch.no_grad():
            draws = model.sample(20_000, generator=seeded(74)).flatten(1)  # (n, D)
        if self._event(model)[1] == "binary":
            self._assert_binary_samples(model, draws)
            return
        proposals, weights = self._joint_weights(model, x)
        proposals = proposals.flatten(1)
        for power in (1, 2):
            expected = weights[:, None] * proposals**power
            self._agree(
                (draws**power).T,
                expected.mean(0),
                f"mean of x^{power} over samples against its exact value",
                "sample() returns the decoder's mean, or draws with another variance",
                extra=_standard_error(expected.T),
            )

    # How the laws get their numbers.

    def _assert_binary_samples(self, model: nn.Module, draws: Tensor) -> None:
        states = self._states(model)
        log_evidence = self._grid(model, states, coarse=True).log_evidence
        places = 2 ** torch.arange(draws.shape[1] - 1, -1, -1)
        codes = (draws.long() * places).sum(1)
        counts = np.bincount(codes.numpy(), minlength=len(states))
        p_value = chi_square_p_value(counts, log_evidence.exp().numpy())
        assert p_value >= ALPHA, (
            f"20000 samples do not follow p(x) = E_p(z)[p(x|z)]: chi-square p = {p_value:.2g} < "
            f"{ALPHA:g}. Likely cause: sample() thresholds the decoder's means, shares one z, or "
            "draws z from another distribution than the prior"
        )

    def _model_and_examples(self) -> tuple[nn.Module, Tensor]:
        model = self.build()
        return model, self.inputs(self.num_examples, seeded(75), model)

    def _states(self, model: nn.Module) -> Tensor:
        shape, _ = self._event(model)
        return all_binary(math.prod(shape)).reshape(-1, *shape)

    def _latent_size(self, model: nn.Module, x: Tensor) -> int:
        with torch.no_grad():
            return self.posterior(model, x).event_shape.numel()

    def _log_weights(self, model: nn.Module, x: Tensor, num_samples: int) -> Tensor:
        with torch.no_grad():
            log_weights = model.log_weights(x, num_samples=num_samples, generator=seeded(76))
        assert log_weights.shape == (num_samples, len(x)), (
            f"log_weights(x, num_samples={num_samples}) of {len(x)} examples has shape "
            f"{tuple(log_weights.shape)}, expected ({num_samples}, {len(x)})"
        )
        return log_weights

    def _grid(self, model, x: Tensor, *, coarse=False, with_gradient=False) -> Grid:
        size = self._latent_size(model, x)
        if size > 2:
            raise ValueError(f"a latent of {size} dimensions: quadrature needs one or two")
        points = {1: (2001, 401), 2: (161, 61)}[size][coarse]
        axis = torch.linspace(-self.latent_range, self.latent_range, points, dtype=torch.float64)
        z = torch.cartesian_prod(*[axis] * size).reshape(-1, size)  # (S, d)
        log_cell = size * math.log((axis[1] - axis[0]).item())
        with torch.set_grad_enabled(with_gradient):
            rows = x.repeat(len(z), *[1] * (x.ndim - 1))  # (S * B, *event)
            pairs = z.repeat_interleave(len(x), 0)  # (S * B, d)
            log_likelihood = self.log_likelihood(model, rows, pairs).reshape(len(z), len(x))
            log_posterior = self.posterior(model, x).log_prob(z[:, None])  # (S, B)
            log_prior = self.prior(model, size).log_prob(z)[:, None]  # (S, 1)
        grid = Grid(log_likelihood, log_prior, log_posterior, log_cell)
        covered = grid.expectation(torch.ones_like(log_posterior)).detach()
        if not coarse and not bool(((covered - 1).abs() < 1e-6).all()):
            raise ValueError(
                f"q(z|x) integrates to {covered.tolist()} on the grid: set latent_range (now "
                f"{self.latent_range:g}) or noise (now {self.noise:g}) so that the grid covers it"
            )
        return grid

    def _joint_weights(self, model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        """Proposals x from a wide Gaussian and p(x|z) / r(x) with z from the prior; E = 1."""
        generator, n = seeded(77), 100_000
        with torch.no_grad():
            draws = model.sample(2000, generator=generator)
            wide = Normal(draws.mean(0), 2 * draws.std(0) + 0.1)
            noise = torch.randn(n, *draws.shape[1:], generator=generator, dtype=x.dtype)
            proposals = wide.mean + wide.stddev * noise
            torch_state = torch.get_rng_state()
            torch.manual_seed(78)
            z = self.prior(model, self._latent_size(model, x)).sample((n,))
            torch.set_rng_state(torch_state)
            log_ratio = wide.log_prob(proposals).flatten(1).sum(1)
            return proposals, (self.log_likelihood(model, proposals, z) - log_ratio).exp()

    def _agree(self, draws: Tensor, exact: Tensor, what: str, cause: str, extra=0.0) -> None:
        """Each row's mean of draws (B, n) is within five standard errors of exact (B,)."""
        mean, error = draws.mean(1), (_standard_error(draws) ** 2 + extra**2) ** 0.5
        distance = (mean - exact).abs()
        worst = int(torch.nan_to_num(distance / (error + 1e-9), nan=math.inf).argmax())
        assert bool((distance <= 5 * error + 1e-6).all()), (
            f"{what}: {mean[worst].item():.6g}, expected {exact[worst].item():.6g} (entry {worst}; "
            f"standard error {error[worst].item():.2g}, five allowed). Likely cause: {cause}"
        )


def _standard_error(draws: Tensor) -> Tensor:
    return draws.std(1) / math.sqrt(draws.shape[1])


def _gradient(value: Tensor, parameters) -> list[Tensor]:
    gradients = torch.autograd.grad(value, parameters, allow_unused=True)
    pairs = zip(gradients, parameters, strict=True)
    return [torch.zeros_like(p) if g is None else g for g, p in pairs]
