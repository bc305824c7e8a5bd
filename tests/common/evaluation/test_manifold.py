"""Precision, recall, density and coverage on sets whose overlap is known, and broken variants."""

import math

import pytest
import torch

from common.evaluation import EvaluationError, pairs
from common.evaluation.manifold import density_coverage, precision_recall
from tests.common.evaluation.models import normal, seeded


def brute_force(x, y, k, *, self_counts=False):
    """(P, R, D, C) from whole matrices; broken if each point is its own first neighbour."""

    def radius(v):
        return torch.cdist(v, v).sort(1).values[:, k - 1 if self_counts else k]

    apart = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
    in_data, in_samples = apart <= radius(y), apart <= radius(x)[:, None]
    counts = [in_data.any(1), in_samples.any(0), in_data.double().sum(1) / k, in_data.any(0)]
    return [count.double().mean().item() for count in counts]


def ours(x, y, k):
    return [*precision_recall(x, y, k=k), *density_coverage(x, y, k=k)]


def off_by_one(x, y, k):
    """Broken: k - 1 neighbours, for a point counts as its own."""
    return brute_force(x, y, k, self_counts=True)


def swapped(x, y, k):
    """Broken: samples and data in each other's place."""
    return ours(y, x, k)


def line(*values):
    """Points on a line, (n, 1)."""
    return torch.tensor(values, dtype=torch.float64)[:, None]


def check_line(statistics):
    """By hand, k = 2: the data's radii are 2 1 1 2 6 and the samples' 2 1 1 2 80."""
    data, samples = line(0, 1, 2, 3, 8), line(10, 11, 12, 13, 92)
    # Of the samples 10, 11, 12, 13 lie in the ball [2, 14] of 8; of the data 8 in [8, 12] of 10.
    assert statistics(samples, data, 2) == pytest.approx([4 / 5, 1 / 5, 4 / 10, 1 / 5])


def check_same_distribution(statistics):
    """E density = 1 and E coverage = 1 - prod (m - i) / (n + m - i): exact for any distribution."""
    n, m, k, runs = 15, 20, 3, 120
    found = torch.tensor(
        [statistics(normal(n, 2, 2 * r), normal(m, 2, 2 * r + 1), k)[2:] for r in range(runs)],
        dtype=torch.float64,
    )
    missed = math.prod((m - i) / (n + m - i) for i in range(1, k + 1))
    error = found.std(0) / math.sqrt(runs)
    assert abs(found[:, 0].mean() - 1) < 5 * error[0]
    assert abs(found[:, 1].mean() - (1 - missed)) < 5 * error[1]


LAWS = {"line": check_line, "same distribution": check_same_distribution}


@pytest.mark.parametrize("law", LAWS)
def test_known_values(law):
    LAWS[law](ours)


@pytest.mark.parametrize(
    ("broken", "law"),
    [(off_by_one, "line"), (off_by_one, "same distribution"), (swapped, "line")],
)
def test_the_laws_catch_broken_statistics(broken, law):
    with pytest.raises(AssertionError):
        LAWS[law](broken)


@pytest.mark.parametrize("block", [1, pairs.BLOCK])
@pytest.mark.parametrize(("n", "m", "d"), [(30, 40, 2), (40, 30, 17)])
def test_blocks_give_what_whole_matrices_give(block, n, m, d, monkeypatch):
    monkeypatch.setattr(pairs, "BLOCK", block)
    x, y = normal(n, d, 0), 0.8 * normal(m, d, 1, shift=0.1)
    for k in (1, 3, 5):
        assert ours(x, y, k) == pytest.approx(brute_force(x, y, k), abs=1e-12)


def test_disjoint_sets_have_nothing_in_common():
    assert ours(normal(40, 3, 0), normal(50, 3, 1, shift=100), 3) == [0, 0, 0, 0]


def test_equal_sets_have_all_in_common():
    x = normal(60, 3, 0)
    precision, recall, density, coverage = ours(x, x.flip(0), 3)
    assert precision == recall == coverage == 1
    assert density == pytest.approx(4 / 3)  # k others and oneself in each ball, over k


def test_a_subset_is_precise_and_lacks_recall():
    # Two clusters; the samples are from one of them.
    data = torch.cat([normal(50, 2, 0), normal(150, 2, 1, shift=100)])
    precision, recall = precision_recall(data[:50], data)
    assert (precision, recall) == (1, 0.25)
    assert density_coverage(data[:50], data)[1] == 0.25
    precision, recall = precision_recall(data, data[:50])
    assert (precision, recall) == (0.25, 1)


def test_half_an_overlap_is_half_of_each():
    shared = normal(100, 2, 0)
    samples = torch.cat([shared, normal(100, 2, 1, shift=100)])
    data = torch.cat([shared, normal(100, 2, 2, shift=-100)])
    assert precision_recall(samples, data) == (0.5, 0.5)
    density, coverage = density_coverage(samples, data)
    assert coverage == 0.5
    assert density == pytest.approx(0.5 * 6 / 5)  # in each shared ball, five others and oneself


def test_copies_of_each_point_leave_balls_of_no_radius_that_hold_their_centre():
    x = normal(20, 300, 0, shift=1000).repeat(4, 1)  # far away and equal: rounding would tell
    assert precision_recall(x, x.flip(0), k=3) == (1, 1)
    assert density_coverage(x, x.flip(0), k=3) == (4 / 3, 1)
    assert density_coverage(x + 1e-3, x, k=3) == (0, 0)


def test_order_scale_and_place_do_not_matter():
    x, y = normal(40, 3, 0), normal(50, 3, 1, shift=0.5)
    order = torch.randperm(40, generator=seeded())
    expected = ours(x, y, 3)
    for a, b in ((x[order], y), (10 * x + 5, 10 * y + 5), (x.numpy(), y.numpy())):
        assert ours(a, b, 3) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("statistic", [precision_recall, density_coverage])
def test_what_has_no_neighbours_is_told_why(statistic):
    x, bad = normal(20, 3, 0), normal(20, 3, 0)
    bad[4, 1] = math.inf
    for a, b, k, told in [
        (x[:3], x, 3, "samples: 3 of them, expected at least 4 for 3 neighbours each"),
        (x, x[:5], 5, "held-out examples: 5 of them, expected at least 6"),
        (x, x, 0, "k is 0, expected at least 1"),
        (bad, x, 3, "samples: 1 of 20 hold NaN or infinite values, the first is number 4"),
        (x, x[:, :2], 3, r"samples have shape \(3,\) and held-out examples \(2,\)"),
    ]:
        with pytest.raises(EvaluationError, match=told):
            statistic(a, b, k=k)
