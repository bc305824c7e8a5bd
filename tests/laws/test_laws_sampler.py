"""The laws of every sampler catch each broken one."""

import torch

from tests import laws
from tests.laws.broken import Break, parametrise
from tests.laws.reference import Chain


class IgnoresGenerator(Chain):
    """Draws from the global generator."""

    def sample(self, n, *, generator=None):
        return super().sample(n)


class OwnSeed(Chain):
    """Seeds itself: the same samples for ever."""

    def sample(self, n, *, generator=None):
        return super().sample(n, generator=laws.seeded(7))


class OwnSeedByDefault(Chain):
    def sample(self, n, *, generator=None):
        return super().sample(n, generator=generator or laws.seeded(7))


class CopiesGenerator(Chain):
    """Uses the generator's initial seed, and leaves the generator where it was."""

    def sample(self, n, *, generator=None):
        seed = None if generator is None else laws.seeded(generator.initial_seed())
        return super().sample(n, generator=seed)


class SqueezedSample(Chain):
    def sample(self, n, *, generator=None):
        return super().sample(n, generator=generator).squeeze(0)


class NoEmptySample(Chain):
    def sample(self, n, *, generator=None):
        one = super().sample(1, generator=generator)
        return torch.stack([one[0]] * n)


class OneRowRepeated(Chain):
    """One draw for the whole batch."""

    def sample(self, n, *, generator=None):
        return super().sample(1, generator=generator).expand(n, -1)


SAMPLER = laws.Sampler
BREAKS = (
    Break(SAMPLER, "test_same_seed_same_numbers", IgnoresGenerator, r"`sample\(\.\.\.\)`"),
    Break(SAMPLER, "test_global_random_state_is_left_alone", IgnoresGenerator, "sample drew"),
    Break(SAMPLER, "test_same_generator_same_draws", IgnoresGenerator, "ignores its generator"),
    Break(SAMPLER, "test_different_generators_different_draws", OwnSeed, "with a fixed seed"),
    Break(SAMPLER, "test_one_generator_moves_on", CopiesGenerator, "seeds a copy"),
    Break(SAMPLER, "test_sample_shapes", SqueezedSample, r"sample\(1\) gave shape \(5,\)"),
    Break(SAMPLER, "test_sample_shapes", NoEmptySample, r"sample\(0\) raised RuntimeError"),
    Break(SAMPLER, "test_samples_are_distinct_rows", OneRowRepeated, "one noise vector"),
    Break(SAMPLER, "test_generator_may_be_left_out", OwnSeedByDefault, "a seed fixed inside"),
)


@parametrise(*BREAKS)
def test_caught(case):
    case.check()
