"""Laws of latent-variable models with a bound, judged against exact values by quadrature."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from tests.laws.base import assert_close, seeded
from tests.laws.enumeration import all_binary, string_counts
from tests.laws.latent import LatentModel
from tests.laws.statistics import ALPHA, chi_square_p_value, two_sample_p_value


class Bound(LatentModel):
    """elbo, log_weights, kl_divergence, log_likelihood and sample are those of one model.

    The model has a latent of one or two dimensions and offers ``elbo(x, *, num_samples,
    generator) -> (B,)``, ``log_weights(x, *, num_samples, generator) -> (num_samples, B)`` and
    ``sample``; the rest is read through the hooks of `LatentModel`. Tiny data: eight binary
    dimensions or four real ones are plenty.
    """

    num_examples = 4

    def test_elbo_is_the_evidence_lower_bound(self):
        model, x = self._model_and_examples()
        grid = self.grid(model, x)
        exact = grid.expectation(grid.log_weights)
        for num_samples, repeats in ((1, 5000), (5, 1000)):
            with torch.no_grad():
                rows = x.repeat_interleave(repeats, 0)
                estimate = model.elbo(rows, num_samples=num_samples, generator=seeded(70))
            assert estimate.shape == (len(rows),), (
                f"elbo of {len(rows)} examples has shape {tuple(estimate.shape)}, expected "
                f"({len(rows)},): one bound per example, averaged over samples of z only"
            )
            _assert_means(
                estimate.reshape(-1, repeats),
                exact,
                f"mean of elbo(x, num_samples={num_samples}) against E_q[log p(x,z) - log q(z|x)]",
                "the KL has the wrong sign or is missing, the likelihood is averaged over pixels "
                "or examples, or the noise is shared by the batch",
            )

    def test_log_weights_average_to_the_elbo(self):
        model, x = self._model_and_examples()
        grid = self.grid(model, x)
        _assert_means(
            self._log_weights(model, x, 10_000).T,
            grid.expectation(grid.log_weights),
            "log_weights(x).mean(0) against E_q[log p(x,z) - log q(z|x)]",
            "log q(z|x) added instead of subtracted, a missing log prior, or a missing constant",
        )

    def test_log_weights_estimate_the_exact_likelihood(self):
        """E_q[w] = p(x), in the form E_q[w / (p(x) + w)]: bounded, so its variance is finite."""
        model, x = self._model_and_examples()
        grid, log_evidence = self.grid(model, x), self.log_evidence(model, x)
        log_weights = self._log_weights(model, x, 10_000)
        _assert_means(
            torch.sigmoid(log_weights - log_evidence).T,
            grid.expectation(torch.sigmoid(grid.log_weights - log_evidence)),
            "mean of w / (p(x) + w), w the importance weights, against its exact value",
            "samples of z and log q(z|x) are of different distributions (a variance taken for a "
            "standard deviation), so log-mean-exp of log_weights does not tend to log p(x)",
        )

    def test_bounds_are_ordered(self):
        model, x = self._model_and_examples()
        log_evidence = self.log_evidence(model, x)
        log_weights = self._log_weights(model, x, 4096)
        with torch.no_grad():
            rows = x.repeat_interleave(4096, 0)
            elbo = model.elbo(rows, generator=seeded(71)).reshape(-1, 4096)  # (B, 4096)
        chain = [("elbo", elbo)]
        for k in (1, 4, 16, 64):  # the draws in groups of k: (4096 / k, k, B)
            grouped = log_weights.reshape(-1, k, len(x)).logsumexp(1) - math.log(k)
            chain.append((f"iwae_{k}", grouped.T))
        chain.append(("the exact log p", log_evidence[:, None].expand(-1, 2)))
        for (name, lower), (above, upper) in itertools.pairwise(chain):
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
        grid = self.grid(model, x)
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

    def test_analytic_kl_equals_monte_carlo(self):
        """The same in any number of latents, with draws of q(z|x)."""
        model, x = self._model_and_examples()
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(79)
            posterior = self.posterior(model, x)
            z = posterior.sample((5000,))  # (5000, B, d)
            terms = posterior.log_prob(z) - self.prior(model, z.shape[-1]).log_prob(z)
            claimed = self.analytic_kl(model, x)
        what = "Monte Carlo mean of log q(z|x) - log p(z) against the analytic KL"
        _assert_means(terms.T, claimed, what, "the analytic KL has a wrong sign, term or sum")

    def test_elbo_gradient_is_the_gradient_of_the_bound(self):
        model, x = self._model_and_examples()
        names, parameters = zip(*model.named_parameters(), strict=True)
        grid = self.grid(model, x, with_gradient=True)
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
            z = self.latent_draws(model, x, 1)
            with torch.no_grad():
                log_likelihood = self.log_likelihood(model, states, z.expand(len(states), -1))
            total, error = log_likelihood.exp().sum().item(), 1e-9
        else:
            z = self.latent_draws(model, x, 1).expand(5000, -1)
            _, weights = self.decoder_draws(model, x, z)
            total, error = weights.mean().item(), 5 * _standard_error(weights[None]).item() + 1e-9
        assert abs(total - 1) <= error, (
            f"p(x|z) sums or integrates to {total:.6g} over x, expected 1 within {error:.2g}. "
            "Likely cause: a mean over pixels, a missing -D/2 log(2 pi) or -log sigma, or data "
            "outside the decoder's support"
        )

    def test_samples_follow_the_model(self):
        model, x = self._model_and_examples()
        with torch.no_grad():
            draws = model.sample(20_000, generator=seeded(74)).flatten(1)  # (n, D)
        if self._event(model)[1] == "binary":
            states = self._states(model)
            masses = torch.cat([self.log_evidence(model, part) for part in states.split(8)]).exp()
            p_values = [chi_square_p_value(string_counts(draws, 2), masses.numpy())]
        else:
            # Other draws of p(x): 4 candidates for each z, of which one is taken by its weight.
            z = self.latent_draws(model, x, 20_000).repeat_interleave(4, 0)
            candidates, weights = self.decoder_draws(model, x, z)
            chosen = torch.multinomial(weights.reshape(-1, 4), 1, generator=seeded(80))
            expected = candidates.reshape(20_000, 4, -1)[torch.arange(20_000), chosen[:, 0]]
            columns = zip(draws.T.numpy(), expected.T.numpy(), strict=True)
            p_values = [two_sample_p_value(*pair) for pair in columns]
        alpha = ALPHA / len(p_values)
        assert min(p_values) >= alpha, (
            f"20000 samples do not follow p(x) = E_p(z)[p(x|z)]: p = {min(p_values):.2g} < "
            f"{alpha:.2g}. Likely cause: sample() returns or thresholds the decoder's means, uses "
            "another variance, shares one z, or draws z from another distribution than the prior"
        )

    def _model_and_examples(self) -> tuple[nn.Module, Tensor]:
        model = self.build()
        return model, self.inputs(self.num_examples, seeded(75), model)

    def _states(self, model: nn.Module) -> Tensor:
        shape, _ = self._event(model)
        return all_binary(math.prod(shape)).reshape(-1, *shape)

    def _log_weights(self, model: nn.Module, x: Tensor, num_samples: int) -> Tensor:
        with torch.no_grad():
            log_weights = model.log_weights(x, num_samples=num_samples, generator=seeded(76))
        assert log_weights.shape == (num_samples, len(x)), (
            f"log_weights(x, num_samples={num_samples}) of {len(x)} examples has shape "
            f"{tuple(log_weights.shape)}, expected ({num_samples}, {len(x)})"
        )
        return log_weights


def _standard_error(draws: Tensor) -> Tensor:
    return draws.std(1) / math.sqrt(draws.shape[1])


def _assert_means(draws: Tensor, exact: Tensor, what: str, cause: str) -> None:
    """Each row's mean of draws (B, n) is within five standard errors of exact (B,)."""
    mean, error = draws.mean(1), _standard_error(draws)
    distance = (mean - exact).abs()
    worst = int(torch.nan_to_num(distance / (error + 1e-9), nan=math.inf).argmax())
    assert bool((distance <= 5 * error + 1e-6).all()), (
        f"{what}: {mean[worst].item():.6g}, expected {exact[worst].item():.6g} (example {worst}; "
        f"standard error {error[worst].item():.2g}, five allowed). Likely cause: {cause}"
    )


def _gradient(value: Tensor, parameters: tuple[nn.Parameter, ...]) -> list[Tensor]:
    gradients = torch.autograd.grad(value, parameters, allow_unused=True)
    pairs = zip(gradients, parameters, strict=True)
    return [torch.zeros_like(p) if g is None else g for g, p in pairs]
