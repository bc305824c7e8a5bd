"""Likelihoods and bounds against closed forms."""

import math
import subprocess
import sys

import pytest
import torch
from torch import nn

from common.data import Compose, Scale, UniformDequantisation, load
from common.evaluation import EvaluationError, evaluate, iwae
from common.evaluation.likelihood import per_example


class UnitGaussian(nn.Module):
    """N(mean, I) with an exact density and sampler."""

    def __init__(self, num_dims=2, mean=0.0):
        super().__init__()
        self.mean = nn.Parameter(torch.full((num_dims,), mean))

    def log_prob(self, x):
        square = (x.flatten(1) - self.mean).square().sum(1)
        return -0.5 * (square + x[0].numel() * math.log(2 * math.pi))

    def sample(self, n, *, generator=None):
        return torch.randn(n, len(self.mean), generator=generator) + self.mean


def normal(value, variance):
    """log N(value; 0, variance)."""
    return -0.5 * (value.square() / variance + math.log(2 * math.pi * variance))


class LinearGaussian(nn.Module):
    """z ~ N(0, 1), x | z ~ N(z, 1), so that p(x) = N(0, 2); the proposal is N(slope x, variance)."""

    def __init__(self, slope=0.5, variance=0.5):
        super().__init__()
        self.slope, self.variance = slope, variance
        self.unused = nn.Parameter(torch.zeros(()))

    def log_weights(self, x, *, num_samples, generator=None):
        x = x.flatten(1)[:, 0]
        eps = torch.randn(num_samples, len(x), generator=generator, dtype=x.dtype)
        z = self.slope * x + math.sqrt(self.variance) * eps
        log_joint = normal(z, 1.0) + normal(x - z, 1.0)
        return log_joint - normal(z - self.slope * x, self.variance)

    def elbo(self, x, *, num_samples=1, generator=None):
        return self.log_weights(x, num_samples=num_samples, generator=generator).mean(0)

    def log_marginal(self, x):
        x = x.flatten(1)[:, 0]
        return -0.5 * (x.square() / 2 + math.log(2 * math.pi * 2))


@pytest.fixture
def x():
    return torch.randn(50, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_nll_of_a_known_gaussian_is_its_closed_form_and_its_error_that_of_the_mean():
    data = load("ring")
    found = evaluate(UnitGaussian(), data, metrics=["nll_nats"])["nll_nats"]
    values = 0.5 * data.test.x.square().sum(1) + math.log(2 * math.pi)
    assert found.value == pytest.approx(values.mean().item(), rel=1e-6)
    assert found.standard_error == pytest.approx(values.std().item() / math.sqrt(len(values)))
    assert (found.n, found.unit, found.split) == (len(data.test), "nats", "test")


def test_a_uniform_density_costs_exactly_log2_of_the_levels():
    class Uniform(nn.Module):
        def log_prob(self, x):
            return torch.zeros(len(x))

    data = load("digits", preprocess=Compose([UniformDequantisation(), Scale(17)]))
    found = evaluate(Uniform(), data, metrics=["bits_per_dim"])["bits_per_dim"]
    assert found.value == pytest.approx(math.log2(17), rel=1e-6)


def test_kl_of_the_exact_density_is_zero_and_of_another_its_closed_form():
    class Exact(nn.Module):
        def __init__(self, density, shift):
            super().__init__()
            self.density, self.shift = density, shift

        def log_prob(self, x):
            return self.density.log_prob(x) - self.shift

    data = load("ring")
    for shift in (0.0, 0.25):  # an unnormalised density off by a constant is seen as that constant
        model = Exact(data.density, shift)
        found = evaluate(model, data, metrics=["kl_data_model_nats"], num_fresh_samples=1000)
        assert found["kl_data_model_nats"].value == pytest.approx(shift, abs=1e-5)


def test_iwae_with_the_exact_posterior_is_the_marginal_for_any_k(x):
    model = LinearGaussian()
    for k in (1, 7):
        bound = iwae(model, x, num_samples=k, generator=seeded())
        torch.testing.assert_close(bound, model.log_marginal(x))


def test_iwae_stays_below_the_marginal_and_rises_with_k(x):
    model = LinearGaussian(slope=0.2, variance=1.0)
    x = x.repeat(200, 1)
    means = [iwae(model, x, num_samples=k, generator=seeded(k)).mean() for k in (1, 10, 100)]
    marginal = model.log_marginal(x).mean()
    assert means[0] < means[1] < means[2] < marginal + 0.01
    assert marginal - means[2] < 0.01


def test_iwae_does_not_depend_on_the_chunks():
    class Table:
        """Log-weights that were drawn before, handed out in order."""

        def __init__(self, weights):
            self.rows = iter(weights)

        def log_weights(self, x, *, num_samples, generator=None):
            return torch.stack([next(self.rows) for _ in range(num_samples)])

    weights = 30 * torch.randn(12, 5, generator=seeded(), dtype=torch.float64)
    expected = torch.logsumexp(weights, 0) - math.log(12)
    for chunk in (1, 5, 12, 100):
        bound = iwae(Table(weights), torch.zeros(5, 1), num_samples=12, chunk=chunk)
        torch.testing.assert_close(bound, expected)


def test_5000_samples_need_bounded_memory():
    code = (
        "import resource, torch\n"
        "from common.evaluation import iwae\n"
        "from projects.vae.model import VAE\n"
        "model = VAE((784,), 50, (200, 200), generator=torch.Generator().manual_seed(0))\n"
        "x = torch.rand(100, 784, generator=torch.Generator().manual_seed(0)).round()\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "iwae(model, x, num_samples=10, generator=torch.Generator().manual_seed(0))\n"
        "before = peak()\n"
        "iwae(model, x, num_samples=5000, generator=torch.Generator().manual_seed(0))\n"
        "print(before, peak())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = (int(text) / 1024 for text in done.stdout.split())  # MiB
    assert after < 2048
    assert after - before < 256  # all at once, the logits of 100 images alone would be 1.5 GiB


def test_each_metric_alone_gives_the_number_it_gives_among_others():
    data, model = load("ring"), UnitGaussian()
    together = evaluate(model, data, max_samples=200, num_fresh_samples=500)
    assert set(together) == {
        "nll_nats",
        "kl_data_model_nats",
        "mmd",
        "energy_distance",
        "sliced_wasserstein",
        "classifier_accuracy",
    }
    for name, value in together.items():
        alone = evaluate(model, data, metrics=[name], max_samples=200, num_fresh_samples=500)
        assert alone[name] == value


def test_evaluating_leaves_mode_gradients_and_the_global_generator_alone():
    model = LinearGaussian().train()
    before = torch.random.get_rng_state()
    evaluate(model, load("ring"), max_examples=20, num_importance_samples=2)
    assert model.training
    assert model.unused.grad is None
    assert torch.equal(before, torch.random.get_rng_state())


def test_an_average_over_the_batch_is_refused(x):
    with pytest.raises(EvaluationError, match=r"expected one value an example, \(50,\)"):
        per_example(lambda batch: batch.mean(), x, batch_size=100)


def test_values_that_are_not_numbers_are_refused_with_their_place():
    class Diverged(UnitGaussian):
        def log_prob(self, x):
            values = super().log_prob(x)
            values[3] = float("nan")
            return values

    with pytest.raises(EvaluationError, match="the first is nan at example 3"):
        evaluate(Diverged(), load("ring"), metrics=["nll_nats"], max_examples=10)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"split": "tset"}, "it has: train, valid, test"),
        ({"metrics": ["nll"]}, "there are: nll_nats"),
        ({"metrics": ["nll_iwae_nats"]}, "needs the capability 'importance'"),
        ({"metrics": ["bits_per_dim"]}, "has no meaning on ring"),
    ],
)
def test_what_cannot_be_measured_is_told_why(options, told):
    with pytest.raises(EvaluationError, match=told):
        evaluate(UnitGaussian(), load("ring"), **options)
