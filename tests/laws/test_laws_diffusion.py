"""The laws of diffusion models hold for a plain one of two pixels and catch each broken one."""

import itertools
import math

import torch
from torch import nn

from tests import laws
from tests.laws.broken import Break, parametrise
from tests.laws.diffusion import normal_log_prob

LEVELS = 33


class Table:
    """A forward process whose betas grow linearly, with t = 0..T."""

    def __init__(self, num_steps):
        self.num_steps = num_steps
        self.betas = torch.linspace(0.1, 20, num_steps, dtype=torch.float64) / num_steps
        self.betas = torch.cat([torch.zeros(1, dtype=torch.float64), self.betas])
        self.alphas_bar = (1 - self.betas).cumprod(0)

    def transition(self, x, t):
        beta = wide(self.betas[t])
        return (1 - beta).sqrt() * x, beta

    def marginal(self, x0, t):
        a = wide(self.alphas_bar[t])
        return a.sqrt() * x0, 1 - a

    def posterior(self, x0, x_t, t):
        """The product of two Gaussians in x_{t-1}: precisions add."""
        beta, a = wide(self.betas[t]), wide(self.alphas_bar[t - 1])
        variance = 1 / (1 / (1 - a) + (1 - beta) / beta)
        mean = a.sqrt() / (1 - a) * x0 + (1 - beta).sqrt() / beta * x_t
        return torch.where(a == 1, x0, variance * mean), variance


def wide(values):
    return values.view(-1, 1, 1, 1)


class TimedConv(nn.Module):
    """A 1 x 1 convolution whose bias depends on the time."""

    def __init__(self, rng):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(1, generator=rng))

    def forward(self, x, t):
        return self.scale * x + wide((0.05 * t).cos() + 0.001 * t)


class Plain(nn.Module):
    """Noise prediction with the posterior's variance; one term of the bound at a time."""

    num_levels, event_shape, num_steps = LEVELS, (1, 1, 2), 100

    def __init__(self, rng):
        super().__init__()
        self.network, self.schedule = TimedConv(rng), Table(self.num_steps)

    def scale(self, levels):
        return 2 * levels / (LEVELS - 1) - 1

    def target(self, x0, eps, t):
        return eps

    def predict(self, x, t):
        a, eps = wide(self.schedule.alphas_bar[t]), self.network(x, t)
        return (x - (1 - a).sqrt() * eps) / a.sqrt(), eps

    def reverse(self, x, t):
        mean, _ = self.schedule.posterior(self.predict(x, t)[0], x, t)
        _, variance = self.schedule.posterior(x, x, t.clamp(min=2))
        return mean, variance.log()

    def bound_term(self, x, t, eps):
        x0 = self.scale(x)
        mean, variance = self.schedule.marginal(x0, t)
        x_t = mean + variance.sqrt() * eps
        return (self.last(x, x_t) if t[0] == 1 else self.kl(x0, x_t, t)).flatten(1).sum(1)

    def kl(self, x0, x_t, t):
        mean, variance = self.schedule.posterior(x0, x_t, t)
        other, log_variance = self.reverse(x_t, t)
        ratio = variance / log_variance.exp()
        return 0.5 * (ratio - 1 - ratio.log() + (mean - other) ** 2 / log_variance.exp())

    def last(self, x, x_1):
        mean, log_variance = self.reverse(x_1, torch.ones(1, dtype=torch.long))
        edges = [
            (self.scale(x + side) - mean) * (-0.5 * log_variance).exp() for side in (-0.5, 0.5)
        ]
        below = torch.where(x == 0, 0.0, torch.special.ndtr(edges[0]))
        above = torch.where(x == LEVELS - 1, 1.0, torch.special.ndtr(edges[1]))
        return -(above - below).clamp(min=1e-300).log()

    def bound_terms(self, x, *, generator):
        terms = []
        for t in range(1, self.schedule.num_steps + 1):
            eps = torch.randn(x.shape, generator=generator, dtype=x.dtype)
            terms.append(self.bound_term(x, torch.full((1,), t), eps))
        return torch.stack([*terms, self.prior(x)], 1)

    def prior(self, x):
        mean, variance = self.schedule.marginal(self.scale(x), torch.full((1,), self.num_steps))
        return (0.5 * (mean**2 + variance - variance.log() - 1)).flatten(1).sum(1)

    def elbo(self, x, *, num_samples=1, generator=None):
        """Every term for every example: slow, and plain."""
        runs = [self.bound_terms(x, generator=generator).sum(1) for _ in range(num_samples)]
        return -torch.stack(runs).mean(0)


class Thousand(Plain):
    """A thousand steps, and the samplers."""

    num_steps = 1000

    def ddim_step(self, x, t, s, *, eta):
        a, b = self.schedule.alphas_bar[t], self.schedule.alphas_bar[s]
        x0, eps = self.predict(x, torch.full((1,), t))
        variance = eta**2 * (1 - b) / (1 - a) * (1 - a / b)
        return self.centre(x0, eps, a, b, variance), variance

    def centre(self, x0, eps, a, b, variance):
        return b.sqrt() * x0 + (1 - b - variance).sqrt() * eps

    def denoise(self, x, *, num_steps, eta, generator):
        if num_steps is None:
            return self.ancestral(x, generator)
        times = [self.num_steps * k // num_steps for k in range(num_steps, -1, -1)]
        for t, s in itertools.pairwise(times):
            x, _ = self.ddim_step(x, t, s, eta=0)
        return [x]

    def ancestral(self, x, generator):
        for t in range(self.num_steps, 0, -1):
            x, log_variance = self.reverse(x, torch.full((1,), t))
            noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
            x = x + (t > 1) * self.width(log_variance) * noise
        return [x]

    def width(self, log_variance):
        return (0.5 * log_variance).exp()

    def invert(self, x, *, num_steps):
        times = [self.num_steps * k // num_steps for k in range(num_steps + 1)]
        for s, t in itertools.pairwise(times):
            a, b = self.schedule.alphas_bar[s], self.schedule.alphas_bar[t]
            eps = self.predict(x, torch.full((1,), max(s, 1)))[1]
            x = b.sqrt() * (x - (1 - a).sqrt() * eps) / a.sqrt() + (1 - b).sqrt() * eps
        return x


class TestPlain(laws.Diffusion):
    gap_nats = 1.0  # the posterior's variance is that of data which are points

    def model(self):
        return Plain(laws.seeded(0))


class TestThousand(laws.DiffusionSampler):
    def model(self):
        return Thousand(laws.seeded(0))


def with_table(kind, **methods):
    """A model whose forward process has other methods."""

    class Other(kind):
        def __init__(self, rng):
            super().__init__(rng)
            self.schedule = type("Broken", (Table,), methods)(self.num_steps)

    return Other


class MarginalOfTheStepBefore(
    with_table(Plain, marginal=lambda self, x0, t: Table.marginal(self, x0, t - 1))
):
    pass


class PosteriorWithBeta(
    with_table(
        Plain,
        posterior=lambda self, x0, x, t: (Table.posterior(self, x0, x, t)[0], wide(self.betas[t])),
    )
):
    pass


class TargetOfAnother(Plain):
    """Learns x_0, and reads the output as noise."""

    def target(self, x0, eps, t):
        return x0


class Clipped(Plain):
    def predict(self, x, t):
        x0, eps = super().predict(x, t)
        return x0.clamp(-1, 1), eps


class Timeless(Plain):
    """The time is not embedded."""

    def __init__(self, rng):
        super().__init__(rng)
        conv = self.network.forward
        self.network.forward = lambda x, t: conv(x, torch.zeros_like(t))


class ReversedKL(Plain):
    def kl(self, x0, x_t, t):
        mean, variance = self.schedule.posterior(x0, x_t, t)
        other, log_variance = self.reverse(x_t, t)
        ratio = log_variance.exp() / variance * 1.5
        return 0.5 * (ratio - 1 - ratio.log() + (mean - other) ** 2 / variance)


class AveragedPixels(Plain):
    def bound_term(self, x, t, eps):
        return super().bound_term(x, t, eps) / math.prod(self.event_shape)


class Density(Plain):
    """The density at the level's centre in place of the mass of its bin."""

    def last(self, x, x_1):
        mean, log_variance = self.reverse(x_1, torch.ones(1, dtype=torch.long))
        return -normal_log_prob(self.scale(x), mean, log_variance.exp())


class DeterministicMean(Plain):
    """The mean of DDIM with the variance of the ancestral step."""

    def reverse(self, x, t):
        x0, eps = self.predict(x, t)
        b = wide(self.schedule.alphas_bar[t - 1])
        return b.sqrt() * x0 + (1 - b).sqrt() * eps, super().reverse(x, t)[1]


class ForgottenT(Plain):
    """One random term in place of the sum, without the factor T."""

    def elbo(self, x, *, num_samples=1, generator=None):
        return super().elbo(x, num_samples=num_samples, generator=generator) / self.num_steps


class HalfTheTerms(Plain):
    """Every other term is left out: no bound any more."""

    def bound_terms(self, x, *, generator):
        terms = super().bound_terms(x, generator=generator)
        terms[:, 2::2] = -5.0
        return terms


class TwiceTheTerms(Plain):
    def bound_terms(self, x, *, generator):
        return 2 * super().bound_terms(x, generator=generator)


class RootOfSigma(Thousand):
    def ddim_step(self, x, t, s, *, eta):
        mean, variance = super().ddim_step(x, t, s, eta=eta)
        return mean, variance**0.5


class NoiseOnTop(Thousand):
    """The predicted noise keeps its full share although fresh noise is added."""

    def centre(self, x0, eps, a, b, variance):
        return b.sqrt() * x0 + (1 - b).sqrt() * eps


class NoiseOfTheOldTime(Thousand):
    def centre(self, x0, eps, a, b, variance):
        return b.sqrt() * x0 + 0.9 * (1 - b - variance).sqrt() * eps


class NoNoise(Thousand):
    def width(self, log_variance):
        return 0.0


class VarianceAsDeviation(Thousand):
    """sigma^4 in place of sigma^2."""

    def reverse(self, x, t):
        mean, log_variance = super().reverse(x, t)
        return mean, 2 * log_variance


class InverseOfAnother(Thousand):
    """Adds the noise of the wrong end."""

    def invert(self, x, *, num_steps):
        return super().invert(x, num_steps=num_steps) * 1.3


DIFFUSION, SAMPLER = laws.Diffusion, laws.DiffusionSampler
BREAKS = (
    Break(
        DIFFUSION,
        "test_one_step_marginals_are_those_of_many_steps",
        MarginalOfTheStepBefore,
        "off by one step",
    ),
    Break(DIFFUSION, "test_posterior_is_that_of_bayes", PosteriorWithBeta, "beta taken"),
    Break(
        DIFFUSION,
        "test_prediction_is_what_the_output_stands_for",
        TargetOfAnother,
        "the predicted x_0 at t = 1",
    ),
    Break(DIFFUSION, "test_prediction_is_what_the_output_stands_for", Clipped, "or clip is on"),
    Break(DIFFUSION, "test_network_tells_the_times_apart", Timeless, "t = 1 and t = 2"),
    Break(DIFFUSION, "test_bound_term_is_the_divergence", ReversedKL, "L_1: "),
    Break(DIFFUSION, "test_bound_term_is_the_divergence", AveragedPixels, "averaged pixels"),
    Break(DIFFUSION, "test_first_term_is_a_mass_of_levels", Density, "a density instead"),
    Break(
        DIFFUSION,
        "test_bound_weighs_the_error_of_the_noise",
        DeterministicMean,
        r"the price of an error at 2",
    ),
    Break(DIFFUSION, "test_terms_of_the_bound_sum_to_minus_the_elbo", ForgottenT, "a factor T"),
    Break(DIFFUSION, "test_bound_is_below_the_exact_likelihood", HalfTheTerms, "exceeds log P"),
    Break(DIFFUSION, "test_bound_is_below_the_exact_likelihood", TwiceTheTerms, "counted twice"),
    Break(SAMPLER, "test_ddim_at_eta_one_is_the_posterior", RootOfSigma, "the variance at 2"),
    Break(SAMPLER, "test_every_eta_keeps_the_marginals", NoiseOnTop, "at eta 0.4"),
    Break(
        SAMPLER,
        "test_deterministic_sampling_converges_to_the_flow_of_a_gaussian",
        NoiseOfTheOldTime,
        "deterministic DDIM on a Gaussian: errors",
    ),
    Break(
        SAMPLER,
        "test_deterministic_sampling_recovers_a_mixture",
        NoiseOfTheOldTime,
        "moments of a mixture by DDIM",
    ),
    Break(
        SAMPLER,
        "test_stochastic_sampling_converges_to_a_gaussian",
        NoiseOnTop,
        "DDIM at eta 1 on a Gaussian",
    ),
    Break(
        SAMPLER,
        "test_ancestral_sampling_recovers_a_gaussian",
        VarianceAsDeviation,
        "misses the deviation of a Gaussian",
    ),
    Break(
        SAMPLER,
        "test_ancestral_sampling_recovers_a_mixture",
        NoNoise,
        "ancestral sampling gives a mixture",
    ),
    Break(SAMPLER, "test_inversion_comes_back", InverseOfAnother, "the round trip"),
)


@parametrise(*BREAKS)
def test_caught(case):
    case.check()
