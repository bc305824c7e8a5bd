"""The laws of a bound that judge the decoder, p(x|z), and samples of it."""

import math

import torch

from tests import laws
from tests.laws.broken import Break, parametrise
from tests.laws.reference import TinyVAE


class PixelAverageLikelihood(TinyVAE):
    def log_likelihood(self, x, z):
        return self.terms(x, z).mean(-1)


class Gaussian(TinyVAE):
    def __init__(self, generator):
        super().__init__(generator, binary=False)


class NoGaussianConstant(Gaussian):
    """A squared error that forgets the normaliser of the Gaussian."""

    def terms(self, x, z):
        return super().terms(x, z) + 0.5 * math.log(2 * math.pi)


class NoLogSigma(Gaussian):
    """The likelihood of a Gaussian without -log sigma."""

    def terms(self, x, z):
        return super().terms(x, z) + self.decode(z).chunk(2, -1)[1]


class MostProbable(TinyVAE):
    """Samples are the decoder's rounded means."""

    def emit(self, parameters, generator):
        return (parameters > 0).to(parameters.dtype)


class Means(Gaussian):
    """Samples are the decoder's means."""

    def emit(self, parameters, generator):
        return parameters.chunk(2, -1)[0]


class NarrowNoise(Gaussian):
    """Samples with the variance where the standard deviation belongs."""

    def emit(self, parameters, generator):
        mean, log_std = parameters.chunk(2, -1)
        return super().emit(torch.cat([mean, 2 * log_std], -1), generator)


class NarrowPrior(TinyVAE):
    """Samples start from z ~ N(0, 1/16)."""

    @torch.no_grad()
    def sample(self, n, *, generator=None):
        z = self.eps(self.encoder_in.new_zeros(n, self.num_dims), 1, generator)[0]
        return self.emit(self.decode(z / 4), generator)


BOUND = laws.Bound
BREAKS = (
    Break(BOUND, "test_likelihood_is_normalised", PixelAverageLikelihood, "mean over pixels"),
    Break(BOUND, "test_likelihood_is_normalised", NoGaussianConstant, r"log\(2 pi\)"),
    Break(BOUND, "test_likelihood_is_normalised", NoLogSigma, "log sigma"),
    Break(BOUND, "test_samples_follow_the_model", MostProbable, "thresholds the decoder's means"),
    Break(BOUND, "test_samples_follow_the_model", NarrowPrior, "another distribution than the"),
    Break(BOUND, "test_samples_follow_the_model", Means, "the decoder's means"),
    Break(BOUND, "test_samples_follow_the_model", NarrowNoise, "another variance"),
)


@parametrise(*BREAKS)
def test_caught(case):
    case.check()
