"""The laws of densities and flows hold for a correct one and catch each broken one."""

import pytest
import torch
from torch import nn
from torch.distributions import Uniform
from torch.nn import functional as F

from tests import laws
from tests.laws.broken import Break, parametrise
from tests.laws.reference import Coupling, TinyFlow, check, drawn, normal_log_prob
from tests.laws.statistics import ALPHA, uniform_p_value


class TestTinyFlow(laws.ContinuousDensity, laws.Flow):
    def model(self):
        return TinyFlow(laws.seeded(0))


class TestFlowOfThreeDimensions(laws.Flow, laws.Sampler):
    def model(self):
        return TinyFlow(laws.seeded(1), num_dims=3)


class ToLogistic(nn.Module):
    """z = (x - b) exp(s) with logistic noise: one dimension, another base distribution."""

    def __init__(self, generator):
        super().__init__()
        self.shift, self.log_scale = drawn(generator, 1), drawn(generator, 1)

    def forward(self, x):
        check(x, 1)
        return (x - self.shift) * self.log_scale.exp(), self.log_scale.expand(len(x))

    def inverse(self, z):
        check(z, 1)
        return z * (-self.log_scale).exp() + self.shift, -self.log_scale.expand(len(z))

    def log_prob(self, x):
        z, log_abs_det = self.forward(x)
        return logistic_log_prob(z)[:, 0] + log_abs_det

    @torch.no_grad()
    def sample(self, n, *, generator=None):
        u = torch.rand(n, 1, generator=generator, dtype=self.shift.dtype)
        return self.inverse(torch.logit(u, eps=1e-12))[0]


def logistic_log_prob(z):
    return -2 * F.softplus(-z) - z


class TestFlowToTheLogistic(laws.ContinuousDensity, laws.Flow):
    box = ((-60.0, 60.0),)
    overfit_batch = 1  # a bell cannot follow four points

    def model(self):
        return ToLogistic(laws.seeded(2))

    def base_log_prob(self, z):
        return logistic_log_prob(z).sum(1)

    def base_cdf(self, z):
        return torch.sigmoid(z)


class NoLogDet(TinyFlow):
    """The log-determinant dropped from log_prob."""

    def log_prob(self, x):
        return normal_log_prob(self.forward(x)[0])


class MinusLogDet(TinyFlow):
    """The log-determinant subtracted."""

    def log_prob(self, x):
        z, log_abs_det = self.forward(x)
        return normal_log_prob(z) - log_abs_det


class NoConstant(TinyFlow):
    """The base density without -D/2 log(2 pi)."""

    def log_prob(self, x):
        z, log_abs_det = self.forward(x)
        return -0.5 * z.square().sum(1) + log_abs_det


class Temperature(TinyFlow):
    """Samples from base noise of standard deviation 0.9."""

    def noise(self, n, generator):
        return 0.9 * super().noise(n, generator)


class UniformNoise(TinyFlow):
    """Noise with the right mean and variance, and the wrong distribution."""

    def noise(self, n, generator):
        normal = super().noise(n, generator)
        return Uniform(-(3**0.5), 3**0.5).icdf(torch.special.ndtr(normal))


class ForgetsALayer(TinyFlow):
    """log_abs_det of the last coupling only."""

    def forward(self, x):
        z, _ = super().forward(x)
        before, _ = self.couplings[0](x)
        return z, self.couplings[1](before)[1]


class MeanLogDet(TinyFlow):
    """log_abs_det averaged over the dimensions."""

    def forward(self, x):
        z, log_abs_det = super().forward(x)
        return z, log_abs_det / self.num_dims


class BatchLogDet(TinyFlow):
    """One log_abs_det for the whole batch."""

    def forward(self, x):
        z, log_abs_det = super().forward(x)
        return z, log_abs_det.mean()


class SignOfInverse(TinyFlow):
    """inverse returns forward's log_abs_det."""

    def inverse(self, z):
        x, log_abs_det = super().inverse(z)
        return x, -log_abs_det


class SameOrderBack(TinyFlow):
    """inverse undoes the couplings in forward's order."""

    def inverse(self, z):
        for coupling in self.couplings:
            z, _ = coupling.inverse(z)
        return z, z.new_zeros(len(z))


class ShiftBeforeScale(TinyFlow):
    """inverse divides before it subtracts."""

    def __init__(self, generator):
        super().__init__(generator)
        for coupling in self.couplings:
            coupling.__class__ = _ShiftBeforeScale


class _ShiftBeforeScale(Coupling):
    def inverse(self, y):
        kept, changed = self.halves(y)
        s, t = self.scale_and_shift(kept)
        return self.whole(kept, changed * (-s).exp() - t), -s.sum(1)


class Clamped(TinyFlow):
    """forward clamps its output, as against overflow."""

    def forward(self, x):
        z, log_abs_det = super().forward(x)
        return z.clamp(-1.5, 1.5), log_abs_det


DENSITY, FLOW = laws.ContinuousDensity, laws.Flow
BREAKS = (
    Break(DENSITY, "test_density_integrates_to_one", NoLogDet, "integrates to .*log-determinant"),
    Break(DENSITY, "test_density_integrates_to_one", MinusLogDet, "wrong sign"),
    Break(DENSITY, "test_density_integrates_to_one", NoConstant, r"log\(2 pi\)"),
    Break(DENSITY, "test_samples_follow_the_density", Temperature, "chi-square p = "),
    Break(DENSITY, "test_samples_follow_the_density", UniformNoise, "chi-square p = "),
    Break(DENSITY, "test_samples_follow_the_density", SameOrderBack, "does not invert"),
    Break(FLOW, "test_inverse_undoes_forward", SameOrderBack, "applies in forward's order"),
    Break(FLOW, "test_inverse_undoes_forward", ShiftBeforeScale, r"inverse\(forward\(x\)\)"),
    Break(FLOW, "test_inverse_undoes_forward", BatchLogDet, r"expected \(16,\): one log-det"),
    Break(FLOW, "test_forward_undoes_inverse", Clamped, "clamped"),
    Break(FLOW, "test_forward_undoes_inverse", ShiftBeforeScale, r"forward\(inverse\(z\)\)"),
    Break(FLOW, "test_log_abs_det_is_that_of_the_jacobian", ForgetsALayer, "a term left out"),
    Break(FLOW, "test_log_abs_det_is_that_of_the_jacobian", MeanLogDet, "a mean or a sum"),
    Break(FLOW, "test_inverse_log_abs_det_is_minus_forward", SignOfInverse, "forward's sign"),
    Break(FLOW, "test_log_prob_is_the_change_of_variables", NoLogDet, "dropped or subtracted"),
    Break(FLOW, "test_log_prob_is_the_change_of_variables", NoConstant, "lacks its constant"),
    Break(FLOW, "test_samples_map_back_to_base_noise", Temperature, "temperature on the noise"),
    Break(FLOW, "test_samples_map_back_to_base_noise", UniformNoise, "Kolmogorov-Smirnov p"),
)


@parametrise(*BREAKS)
def test_caught(case):
    case.check()


def test_quadrature_asks_for_one_or_two_dimensions():
    class Wide(laws.ContinuousDensity):
        def model(self):
            return TinyFlow(laws.seeded(0), num_dims=3)

    with pytest.raises(AssertionError, match=r"\(n, 1\) or \(n, 2\), got \(2048, 3\)"):
        Wide().test_density_integrates_to_one()


def test_uniform_p_value_tells_a_shift():
    grid = (torch.arange(2000) + 0.5) / 2000
    assert uniform_p_value(grid.numpy()) > 0.99
    assert uniform_p_value((grid**1.2).numpy()) < ALPHA
