"""Laws of mixtures fitted by expectation-maximisation: its ascent, its closed forms, Bayes' rule."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from tests.laws.base import assert_close, seeded
from tests.laws.sampler import Sampler

ROUNDING = 1e-9  # nats a point by which a sum in another order may differ


class Mixture(Sampler):
    """EM climbs, one component is the closed form, separate clusters are recovered.

    The model offers `responsibilities(x)` (B, K), `weights` (K,), `means` (K, D), `covariances`
    (K, D, D), and `sample_joint(n, generator=)`, points with their components. Hooks: `em_step` and
    `mixture`, for which the model's own methods stand in.
    """

    values = "real"
    iterations = 40

    def em_step(self, model: nn.Module, x: Tensor) -> float:
        """One iteration of EM on x (N, *shape); the mean log-likelihood in nats before it."""
        return model.em_step(x)

    def mixture(self, num_components: int) -> nn.Module:
        """A model like `model()` with this many components, in float64."""
        return self.model().double().of(num_components)

    def structured(self, covariance: Tensor) -> Tensor:
        """The part of a covariance (D, D) that the model's structure can hold; all of it here."""
        return covariance

    def entries(self, model):
        return super().entries(model) | {"responsibilities": model.responsibilities}

    def test_em_never_decreases_the_likelihood(self):
        """Dempster, Laird, Rubin (1977), Theorem 1, on data that the model did not make."""
        model = self.build()
        x = self.clusters(model, spread=2.0)[0]
        values = [self.em_step(model, x) for _ in range(self.iterations)]
        falls = [b - a for a, b in pairwise(values)]
        assert min(falls) >= -ROUNDING, (
            f"iteration {falls.index(min(falls)) + 1} of EM changed the mean log-likelihood by "
            f"{min(falls):.3g} nats, expected no fall. Likely cause: the M-step mixes old and new "
            "parameters (a covariance around the old means), or something is added to the "
            "covariances that the likelihood does not have"
        )
        assert values[-1] - values[0] > 1e-3, (
            f"{self.iterations} iterations of EM changed the mean log-likelihood by "
            f"{values[-1] - values[0]:.3g} nats. Likely cause: the M-step changes nothing"
        )

    def test_em_stands_still_at_a_maximum(self):
        """At a fixed point the gradient of the likelihood vanishes: EM and autograd agree."""
        model = self.build()
        x = self.clusters(model, spread=4.0)[0]
        for _ in range(10 * self.iterations):
            self.em_step(model, x)
        loss = -model.log_prob(x).mean()
        parameters = [p for p in model.parameters() if p.requires_grad]
        gradients = torch.autograd.grad(loss, parameters)
        worst = max(gradient.abs().max().item() for gradient in gradients)
        assert worst < 1e-4, (
            f"where EM stands still, a gradient of the mean log-likelihood is {worst:.3g}, expected "
            "0. Likely cause: the M-step maximises something else, or log_prob is of another model"
        )

    def test_responsibilities_are_the_share_of_the_draws(self):
        """Inference is sampling backwards: r_k(x) averages to how often k made the points."""
        model = self.build()
        with torch.no_grad():
            x, component = model.sample_joint(20_000, generator=seeded(60))
            found = model.responsibilities(x)
        made = torch.nn.functional.one_hot(component, found.shape[1]).to(found)
        assert_close(
            found.sum(1),
            torch.ones(len(x), dtype=found.dtype),
            1e-9,
            "the sum of a point's responsibilities",
            "they are not normalised over the components",
        )
        for name, test in (("all points", torch.ones_like(x.flatten(1)[:, 0])), ("x", x)):
            difference = (made - found)[:, :, None] * test.reshape(len(x), 1, -1)
            score = difference.mean(0) * len(x) ** 0.5 / difference.std(0).clamp(min=1e-12)
            worst = score.abs().max().item()
            assert worst < 5, (
                f"the responsibilities, weighted with {name}, are {worst:.1f} standard errors from "
                "the components that made the points. Likely cause: Bayes' rule without the "
                "weights or without the determinants, or sample_joint names another component"
            )

    def test_one_component_is_the_closed_form(self):
        """One Gaussian: the mean and the covariance of the data, after one iteration."""
        model = self.mixture(1)
        x = self.inputs(50, seeded(61), model) * 1.5 + 2.0
        with torch.no_grad():
            self.em_step(model, x)
        flat = x.flatten(1)
        mean, covariance = flat.mean(0), torch.cov(flat.T, correction=0)
        expected = {"means": mean, "covariances": self.structured(covariance.view(len(mean), -1))}
        for name, value in expected.items():
            assert_close(
                getattr(model, name)[0],
                value,
                1e-9,
                f"{name} of one component after one iteration",
                "moments of another normalisation (N - 1), or around something else than the mean",
            )

    def test_well_separated_data_are_recovered(self):
        """Clusters far apart, means that begin far from them: EM ends at the moments of each.

        At the start every point is a hundred standard deviations from its nearest mean, where
        every density is 0 in float64, and its logarithm is not.
        """
        model = self.mixture(3)
        x, label, centres = self.clusters(model, spread=1000.0)
        with torch.no_grad():
            away = 100 * torch.randn(centres.shape, generator=seeded(62), dtype=torch.float64)
            model.means.copy_(centres + away)
            for _ in range(self.iterations):
                self.em_step(model, x)
        flat = x.flatten(1)
        share = torch.bincount(label, minlength=3) / len(x)
        means = torch.stack([flat[label == k].mean(0) for k in range(3)])
        cause = "responsibilities are wrong far from the means: normalise them in the log domain"
        assert_close(model.weights, share.double(), 1e-6, "the weights of clusters", cause)
        assert_close(model.means, means, 1e-6, "the means of clusters far apart", cause)

    def clusters(self, model: nn.Module, spread: float) -> tuple[Tensor, Tensor, Tensor]:
        """Three correlated clusters of 60, 30 and 10 points: points, labels and centres (3, D)."""
        shape, _ = self._event(model)
        generator = seeded(63)
        noise = torch.randn(100, *shape, generator=generator, dtype=torch.float64)
        flat = noise.flatten(1)
        flat = flat + 0.5 * flat.roll(1, 1)
        centres = torch.zeros(3, flat.shape[1], dtype=torch.float64)
        centres[1, 0], centres[2, -1] = spread, -spread
        label = torch.arange(3).repeat_interleave(torch.tensor([60, 30, 10]))
        return (flat + centres[label]).view(100, *shape), label, centres
