"""Laws of diffusion models in discrete time: the forward process, the network's output, the bound."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from tests.laws.base import Law, assert_close, seeded


class DiffusionModel(Law):
    """What the laws of diffusion models stand on. The model offers

    - ``schedule`` with ``num_steps``, ``alphas_bar`` (T + 1,), ``transition(x, t)``, ``marginal(x0,
      t)`` and ``posterior(x0, x_t, t)``, each giving mean and variance; t counts 1..T, 0 is data;
    - ``network(x_t, t)``, which the laws replace by what is known exactly, ``target(x0, eps, t)``,
      what its output should be, ``predict(x_t, t) -> (x0, eps)``, without clipping, and
      ``reverse(x_t, t) -> (mean, log_variance)`` of p(x_{t-1} | x_t);
    - ``event_shape``, ``num_levels`` and ``scale(levels)`` to [-1, 1];
    - ``bound_term(levels, t, eps) -> (B,)``, ``bound_terms(levels, *, generator) -> (B, T + 1)``
      from L_0 to L_T, and ``elbo(levels, *, num_samples, generator) -> (B,)``.

    A network with more channels out than in learns variances too; the laws give it zeros for them.
    """

    def exact(self, means: list[float], stds: list[float]) -> nn.Module:
        """The model with the exact denoiser of an equal mixture of Gaussians, in every dimension."""
        model = self.model().double().eval()
        model.network = MixtureDenoiser(model, means, stds)
        return model

    def levels(self, n: int, model: nn.Module, seed: int = 60) -> Tensor:
        """(n, *event_shape) random levels, in float64."""
        size = (n, *model.event_shape)
        return torch.randint(model.num_levels, size, generator=seeded(seed)).double()

    def inputs(self, n: int, generator: torch.Generator, model: nn.Module | None = None) -> Tensor:
        model = self.model() if model is None else model
        size = (n, *model.event_shape)
        return torch.randint(model.num_levels, size, generator=generator).double()

    def normals(self, x: Tensor, seed: int) -> Tensor:
        """Standard normal numbers like x."""
        return torch.randn(x.shape, generator=seeded(seed), dtype=x.dtype)


class Diffusion(DiffusionModel):
    """The forward process, what the network's output means, and the variational bound.

    A hundred steps are plenty. `gap_nats` is what the bound may lose a dimension to the variances
    of the reverse process, where its means are exact.
    """

    gap_nats = 0.1

    def test_one_step_marginals_are_those_of_many_steps(self):
        schedule = self.model().double().schedule
        x0 = torch.tensor([-1.0, 0.3, 1.0], dtype=torch.float64).view(3, 1, 1, 1)
        mean, variance = x0, torch.zeros_like(x0)
        for t in range(1, schedule.num_steps + 1):
            time = torch.full((3,), t)
            slope = schedule.transition(x0 + 1, time)[0] - schedule.transition(x0, time)[0]
            mean, added = schedule.transition(mean, time)
            variance = slope**2 * variance + added
            found = schedule.marginal(x0, time)
            cause = "alpha_bar is not the product of 1 - beta, is off by one step, or is float32"
            assert_close(found[0], mean, 1e-10, f"the mean of q(x_{t} | x_0)", cause)
            assert_close(found[1].expand_as(x0), variance, 1e-10, f"the variance at {t}", cause)

    def test_posterior_is_that_of_bayes(self):
        schedule = self.model().double().schedule
        x0, before, after = torch.randn(3, 50, 1, 1, 1, generator=seeded(61), dtype=torch.float64)
        for t in {2, 3, schedule.num_steps // 2, schedule.num_steps - 1}:
            time = torch.full((50,), t)
            bayes = (
                normal_log_prob(after, *schedule.transition(before, time))
                + normal_log_prob(before, *schedule.marginal(x0, time - 1))
                - normal_log_prob(after, *schedule.marginal(x0, time))
            )
            found = normal_log_prob(before, *schedule.posterior(x0, after, time))
            cause = "beta taken for beta-tilde, or the weights of x_0 and x_t exchanged"
            assert_close(found, bayes, 1e-8, f"log q(x_{t - 1} | x_{t}, x_0)", cause)

    def test_prediction_is_what_the_output_stands_for(self):
        """An output that equals its target gives back the x_0 and the noise, whatever it is of."""
        model = self.model().double().eval()
        x0 = self.normals(torch.zeros(15, *model.event_shape, dtype=torch.float64), 62)
        eps = self.normals(x0, 63)
        for t in (1, model.schedule.num_steps // 2, 3 * model.schedule.num_steps // 4):
            time = torch.full((len(x0),), t)
            mean, variance = model.schedule.marginal(x0, time)
            model.network = Oracle(model, x0, eps)
            found = model.predict(mean + variance.sqrt() * eps, time)
            cause = "target and predict belong to different parameterisations, or clip is on"
            assert_close(found[0], x0, 1e-6, f"the predicted x_0 at t = {t}", cause)
            assert_close(found[1], eps, 1e-6, f"the predicted eps at t = {t}", cause)

    def test_network_tells_the_times_apart(self):
        model = self.build()
        times = torch.arange(1, model.schedule.num_steps + 1)
        x = self.normals(torch.zeros(1, *model.event_shape, dtype=torch.float64), 64)
        with torch.no_grad():
            outputs = model.network(x.expand(len(times), *x.shape[1:]), times).flatten(1)
        distances = torch.cdist(outputs, outputs).fill_diagonal_(math.inf)
        worst = int(distances.argmin())
        i, j = divmod(worst, len(times))
        assert distances.min() > 1e-9, (
            f"the network gives the same output at t = {i + 1} and t = {j + 1}. Likely cause: the "
            "time is not embedded, is rounded, or its frequencies alias"
        )

    def test_bound_term_is_the_divergence(self):
        """KL(q || p) = E_q[log q - log p], with 20,000 draws of q(x_{t-1} | x_t, x_0)."""
        model, n = self.build(), 20_000
        x = self.levels(1, model)
        eps, x0 = self.normals(x, 65), model.scale(x)
        for t in (2, model.schedule.num_steps // 3, model.schedule.num_steps):
            time = torch.full((1,), t)
            with torch.no_grad():
                mean, variance = model.schedule.marginal(x0, time)
                x_t = mean + variance.sqrt() * eps
                mean, variance = model.schedule.posterior(x0, x_t, time)
                draws = mean + variance.sqrt() * self.normals(x.expand(n, *x.shape[1:]), 66)
                log_q = normal_log_prob(draws, mean, variance)
                p_mean, p_log_variance = model.reverse(x_t, time)
                ratio = log_q - normal_log_prob(draws, p_mean, p_log_variance.exp())
                claimed = model.bound_term(x, time, eps)
            assert claimed.shape == (1,), f"bound_term of one example: {tuple(claimed.shape)}"
            sums = ratio.flatten(1).sum(1)
            assert_within(
                claimed, sums, f"L_{t - 1}", "KL(p || q), averaged pixels, a forgotten 1/2"
            )

    def test_first_term_is_a_mass_of_levels(self):
        """The masses exp(-L_0) of all images, at one x_1, sum to one."""
        model = self.build()
        num_dims = math.prod(model.event_shape)
        assert model.num_levels**num_dims <= 100_000, "take fewer levels or pixels for this law"
        states = itertools.product(range(model.num_levels), repeat=num_dims)
        x = torch.tensor(list(states), dtype=torch.float64).view(-1, *model.event_shape)
        time = torch.ones(len(x), dtype=torch.long)
        x_1 = self.normals(x[:1], 67)
        mean, variance = model.schedule.marginal(model.scale(x), time)
        with torch.no_grad():
            total = (-model.bound_term(x, time, (x_1 - mean) / variance.sqrt())).exp().sum()
        assert_close(
            total[None],
            torch.ones(1),
            1e-9,
            "the sum of the masses of all levels given x_1",
            "a density instead of a mass, bins of the wrong width, or closed bins at the ends",
        )

    def test_bound_weighs_the_error_of_the_noise(self):
        """Eq. (12) of Ho et al.: beta^2 / (2 sigma^2 alpha (1 - alpha_bar)) ||eps - eps_theta||^2."""
        model = self.model().double().eval()
        x = self.levels(4, model)
        x0, eps, error = model.scale(x), self.normals(x, 68), self.normals(x, 69)
        for t in (2, model.schedule.num_steps // 2, model.schedule.num_steps - 1):
            time = torch.full((4,), t)
            signal, noise = (a.sqrt() for a in self.parts(model, t))
            x_t = signal * x0 + noise * eps
            terms = []
            for wrong in (eps + error, eps):
                model.network = Oracle(model, (x_t - noise * wrong) / signal, wrong)
                terms.append(model.bound_term(x, time, eps))
            beta = 1 - model.schedule.alphas_bar[t] / model.schedule.alphas_bar[t - 1]
            variance = model.reverse(x_t, time)[1].exp()
            weight = beta**2 / (2 * variance * (1 - beta) * noise**2)
            expected = (weight * error.square()).flatten(1).sum(1)
            cause = "the mean of p is not the posterior's at the predicted x_0 (Eq. 11)"
            assert_close(
                terms[0] - terms[1], expected, 1e-6, f"the price of an error at {t}", cause
            )

    def test_terms_of_the_bound_sum_to_minus_the_elbo(self):
        model, n = self.build(), 1000
        x = self.levels(1, model).expand(n, *model.event_shape)
        with torch.no_grad():
            terms = model.bound_terms(x[:200], generator=seeded(70))
            assert terms.shape == (200, model.schedule.num_steps + 1), f"{tuple(terms.shape)}"
            for num_samples in (1, 3):
                elbo = model.elbo(x, num_samples=num_samples, generator=seeded(71))
                assert elbo.shape == (n,), f"{tuple(elbo.shape)}: one number per example"
                assert_within(
                    -terms.sum(1).mean()[None],
                    elbo,
                    f"the elbo of {num_samples} draws of t",
                    "a factor T or a probability of t that is missing, or a term that is",
                    error=standard_error(terms.sum(1)),
                )

    def test_bound_is_below_the_exact_likelihood(self):
        """With a linear denoiser every x_t is Gaussian, and log P(x) is known."""
        for mean, std in ((0.2, 0.5), (-0.4, 0.2)):
            model = self.exact([mean], [std])
            x = self.levels(4, model)
            typical = mean + std * self.normals(x[:2], 83)
            x[:2] = (
                ((typical + 1) * (model.num_levels - 1) / 2).round().clamp(0, model.num_levels - 1)
            )
            exact = linear_gaussian_log_prob(model, x)
            rows = x.repeat_interleave(20, 0)
            with torch.no_grad():
                bound = -model.bound_terms(rows, generator=seeded(84)).sum(1).view(4, 20)
            slack = 5 * bound.std(1) / math.sqrt(20) + 1e-6
            assert (bound.mean(1) <= exact + slack).all(), (
                f"the bound {bound.mean(1).tolist()} exceeds log P {exact.tolist()}. Likely cause: "
                "a KL with the wrong sign, or a mass of a level that is too large"
            )
            gap = (exact - bound.mean(1) - slack)[:2] / math.prod(model.event_shape)
            assert (gap < self.gap_nats).all(), (
                f"with the exact denoiser of the data's Gaussian the bound of typical data lies "
                f"{gap.max():.3g} nats a dimension below log P, expected at most {self.gap_nats}. "
                "Likely cause: a term that is counted twice, or L_T of another prior"
            )

    @staticmethod
    def parts(model: nn.Module, t: int) -> tuple[Tensor, Tensor]:
        """alpha_bar_t and 1 - alpha_bar_t."""
        alpha_bar = model.schedule.alphas_bar[t]
        return alpha_bar, 1 - alpha_bar


class Oracle(nn.Module):
    """A network whose output is the target for a given x_0 and noise, whatever it is shown."""

    def __init__(self, model: nn.Module, x0: Tensor, eps: Tensor):
        super().__init__()
        self.known = lambda t: model.target(x0, eps, t)
        self.pad = padding(model)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.pad(self.known(t))


class MixtureDenoiser(nn.Module):
    """E[x_0 | x_t] of independent pixels, each from an equal mixture of Gaussians, as an output."""

    def __init__(self, model: nn.Module, means: list[float], stds: list[float]):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, dtype=torch.float64))  # says dtype and device
        self.means, self.stds = means, stds
        self.alphas_bar, self.target, self.pad = self.tables(model), model.target, padding(model)

    @staticmethod
    def tables(model: nn.Module):
        values = model.schedule.alphas_bar
        return lambda t: values[t]

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        a = self.alphas_bar(t).view(-1, *(1,) * (x.ndim - 1)).to(x)
        parts = []
        for mean, std in zip(self.means, self.stds, strict=True):
            variance = a * std**2 + 1 - a
            log_weight = normal_log_prob(x, a.sqrt() * mean, variance)
            parts.append((log_weight, mean + a.sqrt() * std**2 / variance * (x - a.sqrt() * mean)))
        weights = torch.stack([part[0] for part in parts]).softmax(0)
        x0 = (weights * torch.stack([part[1] for part in parts])).sum(0)
        eps = (x - a.sqrt() * x0) / (1 - a).sqrt()
        return self.pad(self.target(x0, eps, t))


def padding(model: nn.Module):
    """What adds zeros for the variances to an output, where the model's own network learns them."""
    x = torch.zeros(1, *model.event_shape, dtype=torch.float64)
    with torch.no_grad():
        extra = model.network(x, torch.ones(1, dtype=torch.long)).shape[1] - x.shape[1]

    def pad(output: Tensor) -> Tensor:
        zeros = output.new_zeros(len(output), extra, *output.shape[2:])
        return torch.cat([output, zeros], 1) if extra else output

    return pad


def normal_log_prob(x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """log N(x; mean, variance) of every element."""
    return -0.5 * ((x - mean) ** 2 / variance + (2 * math.pi * variance).log())


def ends(model: nn.Module) -> Tensor:
    """(2, *event_shape) zeros and ones: a linear step is known from where it takes them."""
    values = torch.tensor([0.0, 1.0], dtype=torch.float64)
    return values.view(2, *(1,) * len(model.event_shape)).expand(2, *model.event_shape)


def carry(mean: Tensor, variance: Tensor, step: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and variance after a linear step, whose means and variance at `ends` are given."""
    slope, intercept = step[0][1:] - step[0][:1], step[0][:1]
    return slope * mean + intercept, slope**2 * variance + step[1].expand_as(step[0])[:1]


@torch.no_grad()
def linear_gaussian_log_prob(model: nn.Module, levels: Tensor) -> Tensor:
    """(B,) exact log P(levels) of a model whose denoiser is linear and the same in every pixel."""
    x = ends(model)
    mean, variance = x[:1], x[1:]
    for t in range(model.schedule.num_steps, 0, -1):
        centre, log_variance = model.reverse(x, torch.full((1,), t))
        mean, variance = carry(mean, variance, (centre, log_variance.exp()))
    half, top = 1 / (model.num_levels - 1), model.num_levels - 1
    centre, scale = 2 * levels / top - 1, variance.sqrt()
    upper = torch.where(levels == top, torch.inf, (centre + half - mean) / scale)
    lower = torch.where(levels == 0, -torch.inf, (centre - half - mean) / scale)
    mass = torch.special.ndtr(upper) - torch.special.ndtr(lower)
    return mass.log().flatten(1).sum(1)


def standard_error(values: Tensor) -> float:
    """s / sqrt(n)."""
    return values.std().item() / math.sqrt(len(values))


def assert_within(
    claimed: Tensor, draws: Tensor, what: str, cause: str, *, error: float = 0.0
) -> None:
    """Fail unless the claim lies within five standard errors of the draws' mean."""
    slack = 5 * math.hypot(standard_error(draws), error) + 1e-9
    assert abs(claimed.item() - draws.mean().item()) <= slack, (
        f"{what}: {claimed.item():.6g} claimed, {draws.mean().item():.6g} ± {slack / 5:.2g} by "
        f"{len(draws)} draws. Likely cause: {cause}"
    )
