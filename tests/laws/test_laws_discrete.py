"""The laws of binary models hold for a correct one and catch each broken one."""

import torch
from torch.nn import functional as F

from tests import laws
from tests.laws.broken import Break, parametrise
from tests.laws.reference import Chain, check
from tests.laws.statistics import ALPHA, chi_square_p_value


class TestChain(laws.BinaryMass, laws.Autoregressive, laws.CachedSampler):
    every_dependency = True

    def model(self):
        return Chain(laws.seeded(0))


class PixelAverage(Chain):
    """The mean over the dimensions in place of the sum."""

    def log_prob(self, x):
        return super().log_prob(x) / self.num_dims


class SwappedSign(Chain):
    """nll under the name of log_prob."""

    def log_prob(self, x):
        return -super().log_prob(x)


class SeesItself(Chain):
    """The mask shifted by one: >= where > belongs in the output layer."""

    def mask(self):
        return self.ordering[None, :] <= self.ordering[:, None]


class SeesTooLittle(Chain):
    """The mask shifted the other way: the dimension just before is hidden as well."""

    def mask(self):
        return self.ordering[None, :] < self.ordering[:, None] - 1


class OneDependencyMissing(Chain):
    """The last of the chain does not see the first."""

    def mask(self):
        gap = self.ordering[:, None] - self.ordering[None, :]
        return (gap > 0) & (gap < self.num_dims - 1)


class OtherOrdering(Chain):
    """Masks for one ordering, reported and sampled in another."""

    def mask(self):
        return self.ordering[None, :] > self.ordering[:, None]


class HiddenLeak(Chain):
    """Each conditional sees the rounded mean of all dimensions, through which no gradient flows."""

    def conditional_logits(self, x):
        return super().conditional_logits(x) + (x.mean(1, keepdim=True) > 0.5).to(x.dtype)


class RepeatedPosition(Chain):
    def __init__(self, generator):
        super().__init__(generator)
        self.ordering[self.ordering == 1] = 0


class Temperature(Chain):
    """Samples from sharpened conditionals."""

    def step(self, x, d, logit, generator):
        super().step(x, d, 2 * logit, generator)


class Threshold(Chain):
    """Most probable values instead of draws, except for the first of the chain."""

    def step(self, x, d, logit, generator):
        first = int(self.ordering[d]) == 0
        super().step(x, d, logit if first else 1e6 * logit, generator)


class Probabilities(Chain):
    """Returns means."""

    def step(self, x, d, logit, generator):
        super().step(x, d, logit, generator)
        x[:, d] = torch.sigmoid(logit)


class SamplesBackwards(Chain):
    """Draws the last of the chain first."""

    def sample(self, n, *, generator=None):
        return super().sample(n, generator=generator).flip(1)


class CacheOneLate(Chain):
    """Adds the column of each drawn dimension one step too late."""

    def sample(self, n, *, generator=None):
        x = self.weight.detach().new_zeros(n, self.num_dims)
        logits, late = self.bias.detach().repeat(n, 1), 0.0
        for d in self.ordering.argsort().tolist():
            self.step(x, d, logits[:, d], generator)
            logits = logits + late
            late = x[:, d, None] * (self.weight * self.mask()).detach()[:, d]
        return x


class CacheInHalfPrecision(Chain):
    def update(self, logits, drawn_bit, column):
        return super().update(logits, drawn_bit, column).bfloat16().to(logits.dtype)


class NoiseInAnotherOrder(Chain):
    """The naive sampler draws noise for all dimensions at once."""

    def sample_naive(self, n, *, generator=None):
        x = self.weight.new_zeros(n, self.num_dims)
        noise = torch.rand(n, self.num_dims, generator=generator, dtype=x.dtype)
        for d in self.ordering.argsort().tolist():
            x[:, d] = (noise[:, d] < torch.sigmoid(self.conditional_logits(x)[:, d])).to(x.dtype)
        return x


class SwappedCrossEntropy(Chain):
    """Log-probability of the flipped bits."""

    def log_prob(self, x):
        check(x, self.num_dims)
        logits = self.conditional_logits(x)
        return -F.binary_cross_entropy_with_logits(logits, 1 - x, reduction="none").sum(1)


BREAKS = (
    Break(laws.BinaryMass, "test_mass_sums_to_one", PixelAverage, "average over pixels"),
    Break(laws.BinaryMass, "test_mass_sums_to_one", SwappedSign, "never above one"),
    Break(laws.BinaryMass, "test_mass_sums_to_one", SeesItself, "sums to .* expected 1"),
    Break(laws.BinaryMass, "test_mass_sums_to_one", HiddenLeak, "sums to .* expected 1"),
    Break(laws.BinaryMass, "test_samples_follow_the_mass", Temperature, "chi-square p = "),
    Break(laws.BinaryMass, "test_samples_follow_the_mass", Threshold, "chi-square p = "),
    Break(laws.BinaryMass, "test_samples_follow_the_mass", Probabilities, "not probabilities"),
    Break(laws.BinaryMass, "test_samples_follow_the_mass", SamplesBackwards, "chi-square p = "),
    Break(laws.BinaryMass, "test_samples_follow_the_mass", SwappedCrossEntropy, "chi-square p"),
    Break(laws.BinaryMass, "test_samples_follow_the_mass", CacheOneLate, "chi-square p = "),
    Break(
        laws.Autoregressive, "test_ordering_is_a_permutation", RepeatedPosition, "not a permutation"
    ),
    Break(
        laws.Autoregressive,
        "test_jacobian_is_zero_where_the_ordering_forbids",
        SeesItself,
        "expected exactly 0: dimension 0 has position",
    ),
    Break(
        laws.Autoregressive,
        "test_jacobian_is_zero_where_the_ordering_forbids",
        OtherOrdering,
        "masks built for another ordering",
    ),
    Break(
        laws.Autoregressive,
        "test_flipped_bits_do_not_reach_earlier_conditionals",
        HiddenLeak,
        "a leak that the gradient does not see",
    ),
    Break(
        laws.Autoregressive,
        "test_jacobian_is_not_zero_where_the_ordering_allows",
        SeesTooLittle,
        "only 0 of the 4 conditionals",
    ),
    Break(
        laws.Autoregressive,
        "test_log_prob_is_the_sum_of_the_conditionals",
        PixelAverage,
        "mean over pixels",
    ),
    Break(
        laws.Autoregressive,
        "test_log_prob_is_the_sum_of_the_conditionals",
        SwappedCrossEntropy,
        "logits and data",
    ),
    Break(
        laws.CachedSampler,
        "test_cached_sampler_equals_naive_sampler",
        CacheOneLate,
        "one step late",
    ),
    Break(
        laws.CachedSampler,
        "test_cached_sampler_equals_naive_sampler",
        CacheInHalfPrecision,
        "entries differ",
    ),
    Break(
        laws.CachedSampler,
        "test_cached_sampler_equals_naive_sampler",
        NoiseInAnotherOrder,
        "noise drawn in another order",
    ),
)


@parametrise(*BREAKS)
def test_caught(case):
    case.check()


def test_every_dependency_is_asked_for_only_on_request():
    class Strict(laws.Autoregressive):
        every_dependency = True

    Break(
        Strict,
        "test_jacobian_is_not_zero_where_the_ordering_allows",
        OneDependencyMissing,
        r"\(i, j\) in \[\[",
    ).check()


def test_chi_square_pools_rare_cells_and_refuses_impossible_draws():
    assert chi_square_p_value([500, 480, 20, 0], [0.5, 0.48, 0.019, 0.001]) > 0.5
    assert chi_square_p_value([400, 580, 20, 0], [0.5, 0.48, 0.019, 0.001]) < ALPHA
    assert chi_square_p_value([500, 499, 1], [0.5, 0.5, 0.0]) == 0.0
