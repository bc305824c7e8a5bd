"""Laws of the samplers of diffusion models, with denoisers that are known exactly."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from tests.laws.base import assert_close, seeded
from tests.laws.diffusion import DiffusionModel, Oracle, carry, ends

STEPS = (25, 50, 100, 200)


class DiffusionSampler(DiffusionModel):
    """Ancestral sampling and DDIM recover the data's moments, and at the rate that they should.

    A thousand steps, so that the order of convergence can be seen. Beyond what `DiffusionModel`
    says, the laws reach the samplers through three hooks.
    """

    orders = (0.7, 1.3)  # of a first-order method, over the step counts of STEPS

    def step(
        self, model: nn.Module, x: Tensor, t: int, s: int, eta: float
    ) -> tuple[Tensor, Tensor]:
        """Mean and variance of one DDIM step from time t to time s."""
        return model.ddim_step(x, t, s, eta=eta)

    def denoise(
        self, model, x: Tensor, num_steps: int | None, seed: int, eta: float = 0.0
    ) -> Tensor:
        """x_0 from x_T = x by DDIM of `num_steps`, by ancestral sampling where that is None."""
        states = model.denoise(x, num_steps=num_steps, eta=eta, generator=seeded(seed))
        return list(states)[-1]

    def invert(self, model: nn.Module, x: Tensor, num_steps: int) -> Tensor:
        """x_T from x_0 = x by deterministic DDIM backwards."""
        return model.invert(x, num_steps=num_steps)

    def test_ddim_at_eta_one_is_the_posterior(self):
        model = self.exact([-0.3, 0.6], [0.2, 0.1])
        x = self.normals(self.levels(5, model), 90)
        for t in (2, 3, model.schedule.num_steps // 2, model.schedule.num_steps):
            time = torch.full((1,), t)
            with torch.no_grad():
                mean, variance = self.step(model, x, t, t - 1, 1.0)
                x0, _ = model.predict(x, time)
                expected = model.schedule.posterior(x0, x, time)
            cause = "sigma of Eq. (16) without its first root, or eta on the wrong side"
            assert_close(mean, expected[0], 1e-7, f"DDIM's mean at t = {t}, eta 1", cause)
            assert_close(
                variance.reshape(1), expected[1].reshape(1), 1e-9, f"the variance at {t}", cause
            )

    def test_every_eta_keeps_the_marginals(self):
        """Song et al. 2021, Lemma 1: with the true x_0 a step leads from q(x_t|x_0) to q(x_s|x_0)."""
        model = self.model().double().eval()
        x0 = self.normals(self.levels(3, model), 91)
        eps, last = self.normals(x0, 92), model.schedule.num_steps
        model.network = Oracle(model, x0, eps)
        for t, s in ((last - 1, last // 2), (last // 2, last // 3), (last // 10, 1)):
            mean, variance = model.schedule.marginal(x0, torch.full((1,), t))
            x_t = mean + variance.sqrt() * eps
            wanted_mean, wanted = model.schedule.marginal(x0, torch.full((1,), s))
            for eta in (0.0, 0.4, 1.0):
                mean, variance = self.step(model, x_t, t, s, eta)
                carried = ((mean - wanted_mean) / eps).square()
                cause = "the noise that is added is not taken from the predicted noise's share"
                assert_close(
                    carried + variance,
                    wanted.expand_as(x0),
                    1e-6,
                    f"the variance of x_{s} from x_{t} at eta {eta}",
                    cause,
                )

    def test_deterministic_sampling_converges_to_the_flow_of_a_gaussian(self):
        """x_0 = m + s (x_T - sqrt(a) m) / sqrt(a s^2 + 1 - a) solves the differential equation."""
        mean, std = 0.3, 0.4
        model = self.exact([mean], [std])
        a = model.schedule.alphas_bar[-1]
        x = self.normals(self.levels(20, model), 93)
        exact = mean + std * (x - a.sqrt() * mean) / (a * std**2 + 1 - a).sqrt()
        with torch.no_grad():
            errors = [(self.denoise(model, x, n, 0) - exact).abs().max().item() for n in STEPS]
        self.must_converge(errors, "deterministic DDIM on a Gaussian", within=0.03)

    def test_deterministic_sampling_recovers_a_mixture(self):
        """The prior's quantiles become the mixture's: mean, variance and fourth moment agree."""
        model = self.exact(*MIXTURE)
        x, shape = quantiles(2000), model.event_shape
        z = x.view(-1, *(1,) * len(shape)).expand(-1, *shape)
        with torch.no_grad():
            found = moments(self.denoise(model, z, 200, 0).flatten(1)[:, 0])
        cause = "a step of the wrong length, or x_0 and eps of different times"
        assert_close(found, mixture_moments(*MIXTURE), 0.02, "moments of a mixture by DDIM", cause)

    def test_stochastic_sampling_converges_to_a_gaussian(self):
        """At eta 1 the mean and variance that a linear denoiser leads to are computed, not drawn."""
        mean, std = 0.3, 0.4
        model = self.exact([mean], [std])
        errors = [self.gaussian_error(model, mean, std, n) for n in STEPS]
        self.must_converge(errors, "DDIM at eta 1 on a Gaussian", within=0.03)

    def test_ancestral_sampling_recovers_a_gaussian(self):
        mean, std = 0.3, 0.4
        error = self.gaussian_error(self.exact([mean], [std]), mean, std, None)
        assert error < 0.02, (
            f"ancestral sampling misses the deviation of a Gaussian, or its mean, by {error:.3g}, "
            f"expected less than 0.02 of {std}. Likely cause: a mean of another step, or the noise "
            "has the standard deviation sigma^2"
        )

    def test_ancestral_sampling_recovers_a_mixture(self):
        model, n = self.exact(*MIXTURE), 1000
        x = torch.randn(n, *model.event_shape, generator=seeded(94), dtype=torch.float64)
        with torch.no_grad():
            draws = self.denoise(model, x, None, 95).flatten()
        wanted = mixture_moments(*MIXTURE)
        powers = torch.stack([draws, (draws - wanted[0]) ** 2, (draws - wanted[0]) ** 4])
        slack = 5 * powers.std(1) / math.sqrt(draws.numel()) + 0.02
        excess = (powers.mean(1) - wanted).abs()
        assert (excess <= slack).all(), (
            f"ancestral sampling gives a mixture the moments {powers.mean(1).tolist()}, expected "
            f"{wanted.tolist()}. Likely cause: noise that is missing or too large"
        )

    def test_inversion_comes_back(self):
        """The round trip's error shrinks with the steps, at least as a first-order method's."""
        model = self.exact(*MIXTURE)
        x = 0.9 * torch.tanh(self.normals(self.levels(50, model), 96))
        with torch.no_grad():
            back = [self.denoise(model, self.invert(model, x, n), n, 0) for n in STEPS]
        errors = [(b - x).square().mean().sqrt().item() for b in back]
        self.must_converge(errors, "the round trip through DDIM's inversion", within=0.03)

    def gaussian_error(self, model: nn.Module, mean: float, std: float, n: int | None) -> float:
        """How far mean or deviation of the samples are off; from q(x_T), by n steps or ancestral."""
        x, last = ends(model), model.schedule.num_steps
        times = [last * k // (n or last) for k in range(n or last, -1, -1)]
        a = model.schedule.alphas_bar[-1]
        centre, variance = a.sqrt() * mean, a * std**2 + 1 - a
        for t, s in itertools.pairwise(times):
            with torch.no_grad():
                if n is not None:
                    moved = self.step(model, x, t, s, 1.0)
                else:
                    means, log_variance = model.reverse(x, torch.full((1,), t))
                    moved = means, (s > 0) * log_variance.exp()
            centre, variance = carry(centre, variance, moved)
        return max((centre - mean).abs().max().item(), (variance.sqrt() - std).abs().max().item())

    def must_converge(self, errors: list[float], what: str, *, within: float) -> None:
        """Fail unless the errors at STEPS fall with the order of a first-order method."""
        logs = torch.tensor(errors, dtype=torch.float64).log()
        steps = torch.tensor(STEPS, dtype=torch.float64).log()
        order = (
            -((steps - steps.mean()) * (logs - logs.mean())).sum()
            / (steps - steps.mean()).square().sum()
        )
        low, high = self.orders
        as_it_should = low <= order <= high and errors[-1] <= within
        assert as_it_should, (
            f"{what}: errors {[f'{e:.2g}' for e in errors]} at {STEPS} steps, order {order:.2f}; "
            f"expected an order of {low} to {high} and at most {within} at the end. Likely cause: "
            "coefficients of the wrong time, or a limit that is not the data"
        )


MIXTURE = ([-0.5, 0.6], [0.2, 0.3])


def quantiles(n: int) -> Tensor:
    """(n,) standard normal quantiles at the middles of n equal shares."""
    return torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n)


def moments(x: Tensor) -> Tensor:
    """Mean, variance and fourth central moment."""
    centred = x - x.mean()
    return torch.stack([x.mean(), centred.square().mean(), centred.pow(4).mean()])


def mixture_moments(means: list[float], stds: list[float]) -> Tensor:
    """The same of an equal mixture of Gaussians."""
    m, s = torch.tensor([means, stds], dtype=torch.float64)
    d = m - m.mean()
    fourth = d**4 + 6 * d**2 * s**2 + 3 * s**4
    return torch.stack([m.mean(), (d**2 + s**2).mean(), fourth.mean()])
