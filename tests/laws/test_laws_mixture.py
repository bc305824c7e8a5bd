"""The laws of mixtures hold for a plain one, and catch each broken one."""

import math

import pytest
import torch
from torch import nn

from tests import laws
from tests.laws import seeded
from tests.laws.broken import Break, parametrise


class Plain(nn.Module):
    """A mixture of diagonal Gaussians, three in the plane, as plain as can be."""

    def __init__(self, generator, num_components: int = 3) -> None:
        super().__init__()
        size = (num_components, 2)
        self.logits = nn.Parameter(torch.randn(num_components, generator=generator))
        self.means = nn.Parameter(torch.randn(size, generator=generator))
        self.log_std = nn.Parameter(0.3 * torch.randn(size, generator=generator))

    def of(self, num_components: int):
        return type(self)(seeded(1), num_components).double()

    @property
    def weights(self):
        return self.logits.softmax(0)

    @property
    def covariances(self):
        return torch.diag_embed((2 * self.log_std).exp())

    def log_joint(self, x):  # (B, K)
        if x.shape[1:] != (2,):
            raise ValueError(f"expected (B, 2), got {tuple(x.shape)}")
        z = (x[:, None] - self.means) / self.log_std.exp()
        log_normal = -0.5 * z.square().sum(2) - self.log_std.sum(1) - math.log(2 * math.pi)
        return self.logits.log_softmax(0) + log_normal

    def log_prob(self, x):
        return self.log_joint(x).logsumexp(1)

    def responsibilities(self, x):
        return self.log_joint(x).softmax(1)

    def sample_joint(self, n, *, generator=None):
        draws = {"dtype": self.means.dtype, "generator": generator}
        component = (torch.rand(n, 1, **draws) > self.weights.cumsum(0)).sum(1)
        noise = torch.randn(n, 2, **draws)
        return self.means[component] + self.log_std[component].exp() * noise, component

    def sample(self, n, *, generator=None):
        return self.sample_joint(n, generator=generator)[0]

    def soft_labels(self, x):
        return self.responsibilities(x)

    def variances(self, x, shares, means):
        return shares.T @ x.square() - means.square()

    @torch.no_grad()
    def em_step(self, x):
        value = self.log_prob(x).mean().item()
        labels = self.soft_labels(x)
        counts = labels.sum(0)
        shares = labels / counts
        means = shares.T @ x
        self.log_std.copy_(0.5 * self.variances(x, shares, means).log())
        self.means.copy_(means)
        self.logits.copy_(counts.log())
        return value


class TestPlain(laws.Mixture, laws.ContinuousDensity):
    def model(self):
        return Plain(seeded(0))

    def structured(self, covariance):
        return torch.diag(covariance.diagonal())


class OldMeans(Plain):
    """Covariances around twice the new means, a slip of the M-step."""

    def variances(self, x, shares, means):
        return super().variances(x, shares, means) + means.square()


class Frozen(Plain):
    """Computes everything and stores nothing."""

    def em_step(self, x):
        return self.log_prob(x).mean().item()


class Hard(Plain):
    """k-means in place of EM: each point belongs to one component."""

    def soft_labels(self, x):
        labels = self.responsibilities(x)
        return nn.functional.one_hot(labels.argmax(1), labels.shape[1]).to(x)


class NoWeights(Plain):
    """Bayes' rule without the prior."""

    def responsibilities(self, x):
        return (self.log_joint(x) - self.logits.log_softmax(0)).softmax(1)


class NotNormalised(Plain):
    def responsibilities(self, x):
        return self.log_joint(x).exp()


class Unbiased(Plain):
    """N - 1, which is not the maximum of the likelihood."""

    def variances(self, x, shares, means):
        return super().variances(x, shares, means) * len(x) / (len(x) - 1)


class NotInTheLogDomain(Plain):
    """0 / 0 for a point far from all means, and then a guess."""

    def responsibilities(self, x):
        density = self.log_joint(x).exp()
        total = density.sum(1, keepdim=True)
        return torch.where(total > 0, density / total, torch.full_like(density, 1 / 3))


MIXTURE = laws.Mixture
BREAKS = (
    Break(MIXTURE, "test_em_never_decreases_the_likelihood", OldMeans, "expected no fall"),
    Break(MIXTURE, "test_em_never_decreases_the_likelihood", Frozen, "changes nothing"),
    Break(MIXTURE, "test_em_stands_still_at_a_maximum", Hard, "a gradient"),
    Break(MIXTURE, "test_em_stands_still_at_a_maximum", Unbiased, "a gradient"),
    Break(
        MIXTURE,
        "test_responsibilities_are_the_share_of_the_draws",
        NoWeights,
        "without the weights",
    ),
    Break(
        MIXTURE, "test_responsibilities_are_the_share_of_the_draws", NotNormalised, "not normalised"
    ),
    Break(MIXTURE, "test_one_component_is_the_closed_form", Unbiased, r"N - 1"),
    Break(
        MIXTURE, "test_well_separated_data_are_recovered", NotInTheLogDomain, "in the log domain"
    ),
)


@parametrise(*BREAKS)
def test_a_broken_mixture_is_caught(case):
    case.check()


def test_a_mixture_without_em_is_told():
    class Case(laws.Mixture):
        def model(self):
            return nn.Linear(1, 1)

    with pytest.raises(AttributeError, match="em_step"):
        Case().em_step(nn.Linear(1, 1), torch.zeros(1, 1))
