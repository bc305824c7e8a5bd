"""Two-sample statistics against brute force, closed forms and their null distribution."""

import math

import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import nn

from common.data import load
from common.evaluation import EvaluationError, evaluate, pairs
from common.evaluation.two_sample import (
    classifier_accuracy,
    energy_distance,
    mmd,
    sliced_wasserstein,
)
from tests.common.evaluation.models import Exact, UnitGaussian, normal, seeded


def slices(x, y):
    return sliced_wasserstein(x, y, generator=seeded())


def classifier(x, y):
    return classifier_accuracy(x, y, generator=seeded())


STATISTICS = {
    "mmd": mmd,
    "energy": energy_distance,
    "slices": slices,
    "classifier": classifier,
}


def brute_force(kernel, x, y):
    """E k(x, x') + E k(y, y') - 2 E k(x, y), one pair after the other."""
    n, m = len(x), len(y)
    xx = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return (xx + yy - 2 * sum(kernel(a, b) for a in x for b in y) / (n * m)).item()


@pytest.fixture(params=[1, pairs.BLOCK], ids=["blocks of a row", "one block"])
def block(request, monkeypatch):
    monkeypatch.setattr(pairs, "BLOCK", request.param)


@pytest.mark.usefixtures("block")
def test_mmd_is_the_unbiased_sum_over_pairs():
    x, y = normal(11, 2, 0), normal(12, 2, 1, shift=0.5)
    distances = [(y[i] - y[j]).norm() for i in range(12) for j in range(i)]
    median = torch.stack(distances).median()

    def kernel(a, b):
        square = ((a - b).norm() / median) ** 2
        return sum(torch.exp(-0.5 * square / s**2) for s in (0.5, 1.0, 2.0)) / 3

    assert mmd(x, y)[0] == pytest.approx(brute_force(kernel, x, y), rel=1e-6)


@pytest.mark.usefixtures("block")
def test_energy_distance_is_the_unbiased_sum_over_pairs():
    x, y = normal(11, 3, 0), normal(12, 3, 1, shift=0.5)
    expected = brute_force(lambda a, b: -(a - b).norm(), x, y)
    assert energy_distance(x, y)[0] == pytest.approx(expected, rel=1e-9)


def test_the_error_is_that_of_the_whole_matrices():
    x, y = normal(9, 2, 0), normal(8, 2, 1)
    xx, yy, xy = (-torch.cdist(a, b) for a, b in ((x, x), (y, y), (x, y)))
    found = pairs.within(lambda squared: -squared.sqrt(), x)
    rest = xx - found.rows[:, None] - found.rows + found.rows.mean()
    off = rest[~torch.eye(9, dtype=torch.bool)]
    assert pairs.rest_within(found).item() == pytest.approx(off.square().mean().item())
    found = pairs.between(lambda squared: -squared.sqrt(), x, y)
    rest = xy - xy.mean(1, keepdim=True) - xy.mean(0) + xy.mean()
    assert pairs.rest_between(found).item() == pytest.approx(rest.square().mean().item())
    assert yy.shape == (8, 8)


@pytest.mark.parametrize("statistic", [mmd, energy_distance])
def test_unbiased_statistics_are_zero_on_average_for_one_distribution(statistic):
    values = torch.tensor(
        [statistic(normal(40, 3, 2 * k), normal(40, 3, 2 * k + 1))[0] for k in range(150)]
    )
    error = values.std() / math.sqrt(len(values))
    assert values.mean().abs() < 4 * error
    assert (values < 0).any()  # a biased V-statistic never is


@pytest.mark.parametrize("shift", [0.0, 1.0])
@pytest.mark.parametrize("name", ["mmd", "energy", "slices"])
def test_the_standard_error_is_the_spread_over_repetitions(name, shift):
    runs = [
        STATISTICS[name](normal(60, 2, 2 * k), normal(60, 2, 2 * k + 1, shift)) for k in range(100)
    ]
    values, errors = torch.tensor(runs).T
    # between equal distributions the potentials of optimal transport are noise: too wide by a half
    assert 0.75 < errors.mean() / values.std() < (1.8 if name == "slices" else 1.5)


def test_energy_distance_of_two_gaussians_is_its_closed_form():
    # In one dimension E|N(m, 2)| = 2/sqrt(pi) e^(-m^2/4) + m erf(m/2).
    value, error = energy_distance(normal(1000, 1, 0), normal(900, 1, 1, shift=1.0))
    apart = 2 / math.sqrt(math.pi) * math.exp(-0.25) + math.erf(0.5)
    assert value == pytest.approx(2 * apart - 2 * 2 / math.sqrt(math.pi), abs=4 * error)
    assert error < 0.1


def test_mmd_of_two_gaussians_is_its_closed_form():
    # E k = s / sqrt(s^2 + 2) exp(-m^2 / (2 (s^2 + 2))) for a Gaussian kernel of bandwidth s.
    value, error = mmd(normal(1000, 1, 0), normal(900, 1, 1, shift=1.0), bandwidth=1.0)
    scales = (0.5, 1.0, 2.0)
    mean = lambda m: sum(  # noqa: E731
        s / math.sqrt(s**2 + 2) * math.exp(-0.5 * m**2 / (s**2 + 2)) / 3 for s in scales
    )
    assert value == pytest.approx(2 * mean(0.0) - 2 * mean(1.0), abs=4 * error)
    assert error < 0.02


@pytest.mark.parametrize("m", [50, 37])
def test_in_one_dimension_slices_are_the_exact_wasserstein_distance(m):
    x, y = normal(50, 1, 0), normal(m, 1, 1, shift=0.3)
    exact = wasserstein_distance(x[:, 0].numpy(), y[:, 0].numpy())
    assert slices(x, y)[0] == pytest.approx(exact, rel=1e-9)


def test_slices_of_a_shift_are_its_mean_projection():
    # E|<direction, shift>| = |shift| 2 / pi in the plane
    x = normal(400, 2, 0)
    value, _ = slices(x, x + torch.tensor([3.0, 4.0]))
    assert value == pytest.approx(5 * 2 / math.pi, rel=0.1)


def test_a_classifier_cannot_tell_one_distribution_and_tells_separated_ones():
    value, error = classifier(normal(200, 2, 0), normal(200, 2, 1))
    assert abs(value - 0.5) < 5 * error
    assert classifier(normal(50, 2, 0), normal(50, 2, 1, shift=20.0))[0] == 1.0


def test_a_classifier_is_not_fooled_by_samples_that_are_near_to_everything():
    # Shrunken samples lie nearer to all data than the data themselves: neighbours' votes see 0.5.
    x, y = 0.5 * normal(150, 40, 0), normal(150, 40, 1)
    assert classifier(x, y)[0] > 0.8


@pytest.mark.parametrize("name", STATISTICS)
def test_order_does_not_matter(name):
    x, y = normal(40, 3, 0).round(decimals=1), normal(40, 3, 1, shift=0.3).round(decimals=1)
    order = torch.randperm(40, generator=seeded())
    expected = STATISTICS[name](x, y)
    assert STATISTICS[name](x[order], y) == pytest.approx(expected, rel=1e-9)
    assert STATISTICS[name](x, y[order]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", STATISTICS)
def test_what_cannot_be_compared_is_told_why(name):
    good = normal(40, 3, 0)
    bad = good.clone()
    bad[7, 0] = float("nan")
    for x, y, told in [
        (good[:3], good, "samples: 3 of them, expected at least 10"),
        (bad, good, "samples: 1 of 40 hold NaN or infinite values, the first is number 7"),
        (good, bad, "held-out examples: 1 of 40 hold NaN"),
        (good[:, :2], good, r"samples have shape \(2,\).*expected the same"),
    ]:
        with pytest.raises(EvaluationError, match=told):
            STATISTICS[name](x, y)


def test_equal_examples_have_no_bandwidth_and_unequal_sets_no_accuracy():
    with pytest.raises(EvaluationError, match=r"bandwidth is 0\.0, expected a positive"):
        mmd(normal(20, 2, 0), torch.zeros(20, 2))
    with pytest.raises(EvaluationError, match="20 samples against 30 examples"):
        classifier(normal(20, 2, 0), normal(30, 2, 0))


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_perfect_sampler_is_at_the_floor_and_a_wrong_one_is_above_it(split):
    data = load("ring")
    right = evaluate(Exact(data.density), data, split=split, metrics=NAMES, max_samples=400)
    wrong = evaluate(
        Exact(data.density, scale=0.6), data, split=split, metrics=NAMES, max_samples=400
    )
    for name in NAMES:
        assert abs(right[name].value - right[name].floor) < 5 * right[name].standard_error
        assert wrong[name].value - wrong[name].floor > 4 * wrong[name].standard_error
        assert right[name].floor == wrong[name].floor  # the floor knows nothing of the model
        assert right[name].n == 400


NAMES = ["mmd", "energy_distance", "sliced_wasserstein", "classifier_accuracy"]


def test_samples_of_another_shape_are_refused():
    class Wide(nn.Module):
        def sample(self, n, *, generator=None):
            return torch.zeros(n, 3)

    with pytest.raises(EvaluationError, match=r"gave shape \(50, 3\); expected \(50, 2\)"):
        evaluate(Wide(), load("ring"), metrics=["mmd"], max_samples=50)


def test_a_sampler_that_diverged_is_refused():
    model = UnitGaussian(mean=float("nan"))
    with pytest.raises(EvaluationError, match="samples: 50 of 50 hold NaN"):
        evaluate(model, load("ring"), metrics=["mmd"], max_samples=50)
