"""Copying: fresh draws, copies, the standard error, and broken variants that the laws catch."""

import math

import pytest
import torch

from common.evaluation import EvaluationError
from common.evaluation.copying import copying, nearest_neighbours, rank_statistic
from tests.common.evaluation.models import normal, seeded


def without_ties(samples, held_out, train):
    """Broken: ties are no copies."""
    a, b = (nearest_neighbours(x, train)[0] for x in (samples, held_out))
    return (a[:, None] < b).double().mean().item(), 0.0


def farther(samples, held_out, train):
    """Broken: the probability that a sample is farther."""
    value, error = copying(samples, held_out, train)
    return 1 - value, error


def check_fresh(statistic):
    """Samples, held-out and training examples of one distribution: 1/2, exactly in the mean."""
    values = torch.tensor(
        [
            statistic(normal(20, 2, 3 * k), normal(25, 2, 3 * k + 1), normal(30, 2, 3 * k + 2))[0]
            for k in range(200)
        ],
        dtype=torch.float64,
    )
    assert abs(values.mean() - 0.5) < 5 * values.std() / math.sqrt(200)


def check_copies(statistic):
    """Training examples themselves: 1."""
    train = normal(100, 20, 0)
    assert statistic(train[:40], normal(50, 20, 1), train)[0] == 1


def check_mixed(statistic):
    """A share c of copies: c + (1 - c) / 2, for the rest is as fresh as the held-out examples."""
    train, fresh = normal(100, 20, 0), normal(40, 20, 1)
    samples = torch.cat([train[:60], fresh])
    assert statistic(samples, fresh, train)[0] == pytest.approx(0.6 + 0.4 / 2)


def check_all_copies(statistic):
    """Where held-out examples are in the training set too, all distances are zero: 1/2."""
    train = normal(100, 20, 0, shift=100)
    assert statistic(train[:40], train[40:], train)[0] == 0.5


def check_poor(statistic):
    """Samples far from all data: 0, which is no copying but no quality either."""
    assert statistic(normal(20, 3, 0, shift=50), normal(20, 3, 1), normal(50, 3, 2))[0] == 0


LAWS = {
    "fresh": check_fresh,
    "copies": check_copies,
    "mixed": check_mixed,
    "all copies": check_all_copies,
    "poor": check_poor,
}


@pytest.mark.parametrize("law", LAWS)
def test_known_values(law):
    LAWS[law](copying)


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (without_ties, "mixed"),
        (without_ties, "all copies"),
        (farther, "copies"),
        (farther, "mixed"),
        (farther, "poor"),
    ],
)
def test_the_laws_catch_a_broken_statistic(broken, law):
    with pytest.raises(AssertionError):
        LAWS[law](broken)


def test_nearest_neighbours_are_those_of_the_whole_matrix():
    samples, train = normal(30, 2, 0), normal(70, 2, 1)
    distances, indices = nearest_neighbours(samples.reshape(30, 1, 2), train.reshape(70, 1, 2))
    expected = torch.cdist(samples, train).min(1)
    assert torch.equal(indices, expected.indices)
    assert distances.tolist() == pytest.approx(expected.values.tolist(), rel=1e-12)


def test_copies_are_at_distance_zero_in_single_precision_and_far_from_the_origin():
    train = (normal(50, 200, 0) + 1000).float()
    distances, indices = nearest_neighbours(train[10:20], train)
    assert distances.tolist() == [0.0] * 10
    assert indices.tolist() == list(range(10, 20))


def test_the_rank_statistic_is_the_mean_over_pairs():
    x, y = (normal(n, 1, n)[:, 0].round(decimals=1) for n in (40, 50))
    pairs = (x[:, None] < y).double() + 0.5 * (x[:, None] == y)
    assert rank_statistic(x, y)[0] == pytest.approx(pairs.mean().item(), rel=1e-12)
    assert rank_statistic(x, y)[0] + rank_statistic(y, x)[0] == pytest.approx(1, rel=1e-12)
    assert rank_statistic(x, y)[1] == pytest.approx(rank_statistic(y, x)[1], rel=1e-12)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_the_standard_error_is_the_spread_over_repetitions(shift):
    runs = [
        rank_statistic(normal(40, 1, 2 * k)[:, 0], normal(50, 1, 2 * k + 1, shift)[:, 0])
        for k in range(300)
    ]
    values, errors = torch.tensor(runs, dtype=torch.float64).T
    assert errors.mean() / values.std() == pytest.approx(1, abs=0.15)  # spread known to 4 %


def test_order_does_not_matter():
    samples, held_out, train = normal(30, 3, 0), normal(40, 3, 1), normal(50, 3, 2)
    expected = copying(samples, held_out, train)
    order = torch.randperm(30, generator=seeded())
    assert copying(samples[order], held_out, train) == pytest.approx(expected, rel=1e-12)
    assert copying(samples, held_out.flip(0), train.flip(0)) == pytest.approx(expected, rel=1e-12)
    assert copying(samples.numpy(), held_out.numpy(), train.numpy()) == expected


def test_what_cannot_be_compared_is_told_why():
    x, bad = normal(20, 3, 0), normal(20, 3, 0)
    bad[4, 1] = math.nan
    for sets, told in [
        ((x[:9], x, x), "samples: 9 of them, expected at least 10"),
        ((x, x[:9], x), "held-out examples: 9 of them, expected at least 10"),
        ((x, x, x[:0]), "training examples: 0 of them, expected at least 1"),
        ((x, x, bad), "training examples: 1 of 20 hold NaN"),
        ((bad, x, x), "samples: 1 of 20 hold NaN or infinite values, the first is number 4"),
        ((x, x, x[:, :2]), r"samples have shape \(3,\) and training examples \(2,\)"),
        ((x, x[:, :2], x), r"samples have shape \(3,\) and held-out examples \(2,\)"),
    ]:
        with pytest.raises(EvaluationError, match=told):
            copying(*sets)
