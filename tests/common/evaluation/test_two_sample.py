"""Two-sample statistics against brute force, closed forms and their null distribution."""

import math

import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import nn

from common.data import load
from common.evaluation import EvaluationError, evaluate
from common.evaluation.two_sample import (
    BANDWIDTHS,
    classifier_accuracy,
    energy_distance,
    mmd,
    sliced_wasserstein,
)


def normal(n, d, seed, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64) + shift


def slices(x, y):
    return sliced_wasserstein(x, y, generator=torch.Generator().manual_seed(0))


STATISTICS = {
    "mmd": mmd,
    "energy": energy_distance,
    "slices": slices,
    "classifier": classifier_accuracy,
}


def test_mmd_is_the_unbiased_sum_over_pairs():
    x, y = normal(11, 2, 0), normal(12, 2, 1, shift=0.5)
    distances = [(y[i] - y[j]).norm() for i in range(12) for j in range(i)]
    median = torch.stack(distances).median()

    def kernel(a, b):
        square = ((a - b).norm() / median) ** 2
        return sum(math.exp(-0.5 * square / s**2) for s in BANDWIDTHS) / len(BANDWIDTHS)

    xx = sum(kernel(x[i], x[j]) for i in range(11) for j in range(11) if i != j) / (11 * 10)
    yy = sum(kernel(y[i], y[j]) for i in range(12) for j in range(12) if i != j) / (12 * 11)
    xy = sum(kernel(a, b) for a in x for b in y) / (11 * 12)
    assert mmd(x, y)[0] == pytest.approx(xx + yy - 2 * xy, rel=1e-9)


@pytest.mark.parametrize("statistic", [mmd, energy_distance])
def test_unbiased_statistics_are_zero_on_average_for_one_distribution(statistic):
    values = torch.tensor(
        [statistic(normal(60, 3, 2 * k), normal(60, 3, 2 * k + 1))[0] for k in range(200)]
    )
    error = values.std() / math.sqrt(len(values))
    assert values.mean().abs() < 4 * error
    assert (values < 0).any()  # a biased V-statistic never is


@pytest.mark.parametrize("statistic", [mmd, energy_distance])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_the_standard_error_is_the_spread_over_repetitions(statistic, shift):
    pairs = [statistic(normal(80, 2, 2 * k), normal(80, 2, 2 * k + 1, shift)) for k in range(150)]
    values, errors = torch.tensor(pairs).T
    assert 0.7 < errors.mean() / values.std() < 1.4


def test_energy_distance_of_two_gaussians_is_its_closed_form():
    # In one dimension E|N(m, 2)| = 2/sqrt(pi) e^(-m^2/4) + m erf(m/2).
    value, error = energy_distance(normal(3000, 1, 0), normal(3000, 1, 1, shift=1.0))
    between = 2 / math.sqrt(math.pi) * math.exp(-0.25) + math.erf(0.5)
    assert value == pytest.approx(2 * between - 2 * 2 / math.sqrt(math.pi), abs=4 * error)


def test_in_one_dimension_slices_are_the_exact_wasserstein_distance():
    x, y = normal(50, 1, 0), normal(50, 1, 1, shift=2.0)
    exact = wasserstein_distance(x[:, 0].numpy(), y[:, 0].numpy())
    assert slices(x, y)[0] == pytest.approx(exact, rel=1e-9)


def test_a_classifier_cannot_tell_one_distribution_and_tells_separated_ones():
    value, error = classifier_accuracy(normal(500, 2, 0), normal(500, 2, 1))
    assert abs(value - 0.5) < 4 * error
    assert classifier_accuracy(normal(100, 2, 0), normal(100, 2, 1, shift=20.0))[0] == 1.0


@pytest.mark.parametrize("name", STATISTICS)
def test_order_does_not_matter(name):
    x, y = normal(40, 3, 0), normal(40, 3, 1, shift=0.3)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    expected = STATISTICS[name](x, y)
    assert STATISTICS[name](x[order], y) == pytest.approx(expected, rel=1e-9)
    assert STATISTICS[name](x, y[order]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", STATISTICS)
def test_what_cannot_be_compared_is_told_why(name):
    good = normal(40, 3, 0)
    bad = good.clone()
    bad[0, 0] = float("nan")
    for x, y, told in [
        (good[:3], good, "has 3 samples, expected at least 10"),
        (bad, good, "NaN or infinite"),
        (good[:, :2], good, "expected the same"),
    ]:
        with pytest.raises(EvaluationError, match=told):
            STATISTICS[name](x, y)


def test_a_perfect_sampler_is_at_the_floor_and_a_wrong_one_is_above_it():
    class Exact(nn.Module):
        def __init__(self, density, scale):
            super().__init__()
            self.density, self.scale = density, scale

        def sample(self, n, *, generator=None):
            return self.scale * self.density.sample(n, generator=generator)

    data = load("ring")
    right = evaluate(Exact(data.density, 1.0), data, max_samples=500)
    wrong = evaluate(Exact(data.density, 0.8), data, max_samples=500)
    for name in ("mmd", "energy_distance", "classifier_accuracy"):
        assert right[name].value - right[name].floor < 5 * right[name].standard_error
        assert wrong[name].value - wrong[name].floor > 5 * wrong[name].standard_error
    slices_name = "sliced_wasserstein"
    assert right[slices_name].value < 2 * right[slices_name].floor < wrong[slices_name].value
