"""Kernel distance: brute force, its exact expectation, its standard error, broken variants."""

import math

import pytest
import torch

from common.evaluation import EvaluationError, pairs
from common.evaluation.kernel import kernel_distance
from tests.common.evaluation.models import normal, seeded


def cubic(a, b):
    """(a.b / d + 1)^3 of all pairs of rows, (n, m)."""
    return (a @ b.T / a.shape[1] + 1) ** 3


def brute_force(x, y):
    """Over all different pairs, from whole matrices."""
    n, m = len(x), len(y)
    xx, yy = cubic(x, x), cubic(y, y)
    within = (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1))
    return (within - 2 * cubic(x, y).mean()).item()


def biased(x, y):
    """Broken: every example is paired with itself too."""
    return (cubic(x, x).mean() + cubic(y, y).mean() - 2 * cubic(x, y).mean()).item()


def without_one(x, y):
    """Broken: the kernel without its + 1, which forgets the means' and the spreads' share."""
    kernel = lambda products: (products / x.shape[1]) ** 3  # noqa: E731
    return pairs.u_statistic(kernel, x, y, pairs.inner_products)[0]


# Two distributions on a few points: expectations are sums.
POINTS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 2.0], [2.0, 2.0]], dtype=torch.float64)
P = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
Q = torch.tensor([0.2, 0.2, 0.2, 0.4], dtype=torch.float64)
NUM, RUNS = 12, 600


def draws(weights, seed):
    """(RUNS, NUM, 2) independent draws of a distribution on POINTS."""
    index = torch.multinomial(weights, RUNS * NUM, replacement=True, generator=seeded(seed))
    return POINTS[index].reshape(RUNS, NUM, 2)


def check_unbiased(distance, p, q):
    """The mean over many small draws lies within five standard errors of the exact value."""
    gap = p - q
    exact = gap @ cubic(POINTS, POINTS) @ gap  # E k(x, x') + E k(y, y') - 2 E k(x, y)
    values = torch.tensor(
        [distance(x, y) for x, y in zip(draws(p, 0), draws(q, 1), strict=True)],
        dtype=torch.float64,
    )
    assert abs(values.mean() - exact) < 5 * values.std() / math.sqrt(RUNS)


@pytest.fixture(params=[1, pairs.BLOCK], ids=["blocks of a row", "one block"])
def block(request, monkeypatch):
    monkeypatch.setattr(pairs, "BLOCK", request.param)


@pytest.mark.usefixtures("block")
def test_it_is_the_sum_over_different_pairs():
    x, y = normal(11, 5, 0), normal(14, 5, 1, shift=0.5)
    assert kernel_distance(x, y)[0] == pytest.approx(brute_force(x, y), rel=1e-12)


@pytest.mark.parametrize("q", [P, Q], ids=["one distribution", "two distributions"])
def test_it_is_unbiased(q):
    check_unbiased(lambda x, y: kernel_distance(x, y)[0], P, q)


@pytest.mark.parametrize(("broken", "q"), [(biased, P), (biased, Q), (without_one, Q)])
def test_the_law_catches_a_broken_distance(broken, q):
    with pytest.raises(AssertionError):
        check_unbiased(broken, P, q)


# Between equal distributions the estimated projections are noise, which cannot be below zero.
@pytest.mark.parametrize(("q", "most"), [(P, 1.5), (Q, 1.2)], ids=["at zero", "away from zero"])
def test_the_standard_error_is_the_spread_over_repetitions(q, most):
    runs = []
    for k in range(200):
        x, y = (
            POINTS[torch.multinomial(w, 100, replacement=True, generator=seeded(2 * k + side))]
            for side, w in enumerate((P, q))
        )
        runs.append(kernel_distance(x, y))
    values, errors = torch.tensor(runs, dtype=torch.float64).T
    assert 0.85 < errors.mean() / values.std() < most  # the spread is known to 5 %


def test_far_means_are_the_difference_of_their_kernels():
    # Constant sets: k(x, x) + k(y, y) - 2 k(x, y) with no error.
    x, y = torch.full((10, 2), 2.0), torch.full((12, 2), 3.0)
    value, error = kernel_distance(x, y)
    assert value == pytest.approx(5**3 + 10**3 - 2 * 7**3, rel=1e-12)
    assert error == pytest.approx(0, abs=1e-4)


def test_symmetry_and_order():
    x, y, order = normal(30, 4, 0), normal(30, 4, 1), torch.randperm(30, generator=seeded())
    expected = kernel_distance(x, y)
    for a, b in ((y, x), (x[order], y), (x, y[order]), (x.numpy(), y.numpy())):
        assert kernel_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_what_has_no_distance_is_told_why():
    x, bad = normal(20, 3, 0), normal(20, 3, 0)
    bad[4, 1] = math.nan
    for a, b, told in [
        (
            x[:9],
            x,
            "samples: 9 of them, expected at least 10 for a statistic with a standard error",
        ),
        (bad, x, "samples: 1 of 20 hold NaN or infinite values, the first is number 4"),
        (x, x[:, :2], r"samples have shape \(3,\) and held-out examples \(2,\)"),
    ]:
        with pytest.raises(EvaluationError, match=told):
            kernel_distance(a, b)
