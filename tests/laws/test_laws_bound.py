"""The laws of bounds hold for a correct autoencoder and catch each broken one."""

import torch
from torch.distributions import Independent, Normal

from tests import laws
from tests.laws.broken import Break, parametrise
from tests.laws.reference import TinyVAE, normal_log_prob


class TestLine(laws.Bound):
    def model(self):
        return TinyVAE(laws.seeded(0), num_dims=5)


class TestPlane(laws.Bound):
    def model(self):
        return TinyVAE(laws.seeded(1), latent_size=2)


class TestGaussian(laws.Bound):
    def model(self):
        return TinyVAE(laws.seeded(2), binary=False)


class WidePrior(TinyVAE):
    """p(z) = N(0, 4)."""

    def kl_divergence(self, x):
        mean, std = self.encode(x)
        return 0.5 * (mean**2 / 4 + std**2 / 4 - 1) - (std / 2).log()

    def log_weights(self, x, *, num_samples, generator=None):
        mean, std = self.encode(x)
        z = self.latent(mean, std, self.eps(x, num_samples, generator))
        log_prior = Normal(0.0, 2.0).log_prob(z).sum(-1)
        return self.log_likelihood(x, z) + log_prior - Normal(mean, std).log_prob(z).sum(-1)

    @torch.no_grad()
    def sample(self, n, *, generator=None):
        z = 2 * self.eps(self.encoder_in.new_zeros(n, self.num_dims), 1, generator)[0]
        return self.emit(self.decode(z), generator)


class TestPriorThroughTheHook(laws.Bound):
    def model(self):
        return WidePrior(laws.seeded(3))

    def prior(self, model, latent_size):
        zeros = torch.zeros(latent_size, dtype=torch.float64)
        return Independent(Normal(zeros, zeros + 2), 1)


class PlusKL(TinyVAE):
    """The KL added to the likelihood."""

    def elbo(self, x, *, num_samples=1, generator=None):
        return super().elbo(x, num_samples=num_samples, generator=generator) + 2 * (
            self.kl_divergence(x).sum(1)
        )


class NoKL(TinyVAE):
    """The likelihood alone: an autoencoder."""

    def elbo(self, x, *, num_samples=1, generator=None):
        return super().elbo(x, num_samples=num_samples, generator=generator) + (
            self.kl_divergence(x).sum(1)
        )


class PixelAverage(TinyVAE):
    """The likelihood averaged over the pixels, and so weighed less against the KL."""

    def elbo(self, x, *, num_samples=1, generator=None):
        kl = self.kl_divergence(x).sum(1)
        elbo = super().elbo(x, num_samples=num_samples, generator=generator)
        return (elbo + kl) / self.num_dims - kl


class BatchAverage(TinyVAE):
    """The mean over the batch."""

    def elbo(self, x, *, num_samples=1, generator=None):
        return super().elbo(x, num_samples=num_samples, generator=generator).mean()


class BatchAverageKL(TinyVAE):
    """Each example pays the mean KL of the batch."""

    def elbo(self, x, *, num_samples=1, generator=None):
        kl = self.kl_divergence(x).sum(1)
        return super().elbo(x, num_samples=num_samples, generator=generator) + kl - kl.mean()


class SharedNoise(TinyVAE):
    """One eps for the whole batch."""

    def eps(self, x, num_samples, generator):
        return super().eps(x[:1], num_samples, generator).expand(-1, len(x), -1)


class PlusLogPosterior(TinyVAE):
    """log q(z|x) added."""

    def log_weights(self, x, *, num_samples, generator=None):
        mean, std = self.encode(x)
        eps = self.eps(x, num_samples, generator)
        z = self.latent(mean, std, eps)
        log_posterior = normal_log_prob(eps) - std.log().sum(1)
        return self.log_likelihood(x, z) + normal_log_prob(z) + log_posterior


class NoLogPosterior(TinyVAE):
    """The joint density under the name of a weight, log q(z|x) left out."""

    def log_weights(self, x, *, num_samples, generator=None):
        z = self.latent(*self.encode(x), self.eps(x, num_samples, generator))
        return self.log_likelihood(x, z) + normal_log_prob(z) + 4.0


class TransposedWeights(TinyVAE):
    def log_weights(self, x, *, num_samples, generator=None):
        return super().log_weights(x, num_samples=num_samples, generator=generator).T


class VarianceForStd(TinyVAE):
    """z = mean + std^2 eps."""

    def latent(self, mean, std, eps):
        return mean + std**2 * eps


class KLWithoutHalf(TinyVAE):
    def kl_divergence(self, x):
        mean, std = self.encode(x)
        return (mean**2 + std**2 - 1) - std.log()


class KLSign(TinyVAE):
    def kl_divergence(self, x):
        return -super().kl_divergence(x)


class KLOtherWay(TinyVAE):
    """KL(p || q)."""

    def kl_divergence(self, x):
        mean, std = self.encode(x)
        return 0.5 * ((1 + mean**2) / std**2 - 1) + std.log()


class Detached(TinyVAE):
    """z without reparameterisation: right values, no gradient to the encoder through z."""

    def latent(self, mean, std, eps):
        return super().latent(mean, std, eps).detach()


BOUND = laws.Bound
BREAKS = (
    Break(BOUND, "test_elbo_is_the_evidence_lower_bound", PlusKL, "KL has the wrong sign"),
    Break(BOUND, "test_elbo_is_the_evidence_lower_bound", NoKL, "missing"),
    Break(BOUND, "test_elbo_is_the_evidence_lower_bound", PixelAverage, "averaged over pixels"),
    Break(BOUND, "test_elbo_is_the_evidence_lower_bound", BatchAverage, "one bound per example"),
    Break(BOUND, "test_elbo_is_the_evidence_lower_bound", BatchAverageKL, "or examples"),
    Break(BOUND, "test_elbo_is_the_evidence_lower_bound", SharedNoise, "shared by the batch"),
    Break(BOUND, "test_elbo_is_the_evidence_lower_bound", VarianceForStd, "expected"),
    Break(BOUND, "test_log_weights_average_to_the_elbo", PlusLogPosterior, "added instead"),
    Break(
        BOUND, "test_log_weights_average_to_the_elbo", TransposedWeights, r"expected \(10000, 4\)"
    ),
    Break(
        BOUND,
        "test_log_weights_estimate_the_exact_likelihood",
        VarianceForStd,
        "does not tend to log p",
    ),
    Break(
        BOUND,
        "test_log_weights_estimate_the_exact_likelihood",
        NoLogPosterior,
        "against its exact value",
    ),
    Break(BOUND, "test_bounds_are_ordered", PlusKL, r"elbo = .* exceeds iwae_1"),
    Break(BOUND, "test_bounds_are_ordered", NoLogPosterior, r"iwae_\d+ = .* exceeds the exact"),
    Break(BOUND, "test_analytic_kl_equals_the_integral", KLWithoutHalf, "forgotten 1/2"),
    Break(BOUND, "test_analytic_kl_equals_the_integral", KLSign, "wrong sign"),
    Break(BOUND, "test_analytic_kl_equals_the_integral", KLOtherWay, r"KL\(p \|\| q\)"),
    Break(BOUND, "test_analytic_kl_equals_monte_carlo", KLWithoutHalf, "Monte Carlo mean"),
    Break(BOUND, "test_analytic_kl_equals_monte_carlo", KLSign, "Monte Carlo mean"),
    Break(
        BOUND,
        "test_elbo_gradient_is_the_gradient_of_the_bound",
        Detached,
        "`encoder_.*without reparameterisation or detached",
    ),
)


@parametrise(*BREAKS)
def test_caught(case):
    case.check()
