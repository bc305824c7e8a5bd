"""Frechet distance: closed forms, another algorithm's number, and broken variants the laws catch."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from common.evaluation import EvaluationError, frechet
from common.evaluation.frechet import frechet_distance, frechet_from_moments
from tests.common.evaluation.models import normal, seeded


def covariance(d, seed):
    """A positive definite (d, d)."""
    a = normal(3 * d, d, seed) * torch.linspace(0.2, 2.0, d)
    return a.T @ a / (3 * d)


def with_moments(mean, cov, n, seed):
    """(n, d) whose sample mean and covariance are exactly these."""
    x = normal(n, len(mean), seed)
    x = x - x.mean(0)
    whiten = torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (n - 1)))
    return x @ whiten.T @ torch.linalg.cholesky(cov).T + mean


def moments(x):
    """Mean (d,) and covariance (d, d)."""
    return x.double().mean(0), torch.atleast_2d(x.double().T.cov())


def no_trace_term(x, y):
    """Broken: the means alone."""
    return (x.mean(0) - y.mean(0)).square().sum().item()


def no_root(x, y):
    """Broken: tr S_x S_y instead of the root."""
    (a, s), (b, t) = moments(x), moments(y)
    return ((a - b).square().sum() + (s + t).trace() - 2 * (s @ t).trace()).item()


def roots_of_each(x, y):
    """Broken unless covariances commute: tr S_x^(1/2) S_y^(1/2)."""
    (a, s), (b, t) = moments(x), moments(y)
    root = lambda c: torch.from_numpy(sqrtm(c.numpy()).real)  # noqa: E731
    return ((a - b).square().sum() + (s + t).trace() - 2 * (root(s) @ root(t)).trace()).item()


def exact(x, y):
    """The way that never squares a spread."""
    means, factors = zip(*map(frechet.mean_and_factor, (x, y)), strict=True)
    return frechet._by_factors(*means, *factors)


def check_one_dimension(distance):
    """(m - m')^2 + (s - s')^2."""
    x = with_moments(torch.tensor([1.0]), torch.tensor([[4.0]], dtype=torch.float64), 20, 0)
    y = with_moments(torch.tensor([3.0]), torch.tensor([[0.09]], dtype=torch.float64), 30, 1)
    assert distance(x, y) == pytest.approx(4 + 1.7**2, rel=1e-12)


def check_commuting(distance):
    """Sum of (s_k - s'_k)^2 where both covariances are diagonal in one basis."""
    basis = torch.linalg.qr(normal(5, 5, 0)).Q
    s, t = torch.linspace(0.5, 2.0, 5).double(), torch.linspace(3.0, 0.1, 5).double()
    x = with_moments(torch.zeros(5).double(), basis @ torch.diag(s**2) @ basis.T, 40, 1)
    y = with_moments(torch.ones(5).double(), basis @ torch.diag(t**2) @ basis.T, 50, 2)
    assert distance(x, y) == pytest.approx(5 + (s - t).square().sum().item(), rel=1e-11)


def check_general(distance):
    """scipy's matrix square root of the product, with complex numbers and without symmetry."""
    s, t = covariance(6, 0), covariance(6, 1).flip(0, 1)
    x = with_moments(torch.zeros(6).double(), s, 40, 2)
    y = with_moments(torch.linspace(0, 1, 6).double(), t, 50, 3)
    root = sqrtm((s @ t).numpy()).real.trace()
    expected = torch.linspace(0, 1, 6).double().square().sum() + (s + t).trace() - 2 * root
    assert distance(x, y) == pytest.approx(expected.item(), rel=1e-10)


LAWS = {
    "one dimension": check_one_dimension,
    "commuting covariances": check_commuting,
    "covariances in general": check_general,
}


@pytest.mark.parametrize("law", LAWS)
def test_the_distance_of_gaussians_is_its_closed_form(law):
    LAWS[law](frechet_distance)


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (no_trace_term, "one dimension"),
        (no_trace_term, "commuting covariances"),
        (no_root, "one dimension"),
        (no_root, "covariances in general"),
        (roots_of_each, "covariances in general"),
    ],
)
def test_the_laws_catch_a_broken_distance(broken, law):
    with pytest.raises(AssertionError):
        LAWS[law](broken)


def test_commuting_covariances_do_not_tell_roots_of_each():
    check_commuting(roots_of_each)  # which is why there is a law for covariances in general


def test_moments_give_what_features_give():
    x, y = normal(60, 7, 0), 2 * normal(50, 7, 1, shift=0.3)
    given = (x.mean(0), x.T.cov(), y.mean(0), y.T.cov())
    expected = frechet_distance(x, y)
    assert frechet_from_moments(*given) == pytest.approx(expected, rel=1e-10)
    assert frechet_from_moments(*(m.numpy() for m in given)) == pytest.approx(expected, rel=1e-10)


def test_a_translation_adds_its_square_and_shared_ones_add_nothing():
    x, y, shift = normal(60, 4, 0), normal(50, 4, 1), torch.tensor([3.0, 0.0, -4.0, 0.0]).double()
    assert frechet_distance(x, x + shift) == pytest.approx(25, rel=1e-12)
    apart = frechet_distance(x - x.mean(0), y - y.mean(0))
    moved = frechet_distance(x - x.mean(0), y - y.mean(0) + shift)
    assert moved == pytest.approx(apart + 25, rel=1e-12)
    assert frechet_distance(x + 100, y + 100) == pytest.approx(frechet_distance(x, y), rel=1e-9)


@pytest.mark.parametrize(("n", "m", "d"), [(60, 50, 4), (6, 50, 20), (6, 8, 20), (20, 20, 20)])
def test_symmetric_and_zero_for_equal_sets_at_any_shape(n, m, d):
    x, y = normal(n, d, 0), 3 * normal(m, d, 1)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x), rel=1e-12)
    assert frechet_distance(x, x.flip(0)) == pytest.approx(0, abs=1e-12 * x.square().sum().item())
    assert frechet_distance(x, x) >= 0


def test_fewer_samples_than_dimensions_are_exact():
    # 5 points span 4 dimensions: rotating those into 40 changes no distance.
    x, y = normal(5, 4, 0), normal(6, 4, 1, shift=0.5)
    wide = torch.linalg.qr(normal(40, 4, 2)).Q.T
    assert frechet_distance(x @ wide, y @ wide) == pytest.approx(frechet_distance(x, y), rel=1e-12)


@pytest.mark.parametrize("n", [100, 6])
def test_orthogonal_subspaces_share_nothing(n):
    # The trace term is zero, where the root of a rounding error would be 1e-8 a dimension.
    zeros = torch.zeros(n, 30, dtype=torch.float64)
    x, y = torch.cat([normal(n, 30, 0), zeros], 1), torch.cat([zeros, normal(n, 30, 1)], 1)
    spread = sum(v.var(0).sum() + v.mean(0).square().sum() for v in (x, y)).item()
    assert frechet_distance(x, y) == pytest.approx(spread, rel=1e-13)


@pytest.mark.parametrize(("dead", "is_fast"), [(0, True), (3, False)])
def test_dead_features_take_the_exact_way_and_live_ones_the_fast_one(dead, is_fast):
    x, y = normal(100, 8, 0), normal(90, 8, 1, shift=0.2)
    x[:, :dead] = y[:, :dead] = 0
    found = frechet._fast(*frechet.moments(x), *frechet.moments(y))
    assert (found is not None) == is_fast
    assert frechet_distance(x, y) == pytest.approx(exact(x, y), rel=1e-10)
    live = frechet_distance(x[:, dead:], y[:, dead:])
    assert frechet_distance(x, y) == pytest.approx(live, rel=1e-10)


@pytest.mark.parametrize("dead", [1, 7])
def test_features_that_only_one_set_has_are_exact_too(dead):
    x, y = normal(100, 8, 0), normal(90, 8, 1, shift=0.2)
    y[:, :dead] = 0
    for a, b in ((x, y), (y, x)):
        assert frechet_distance(a, b) == pytest.approx(exact(a, b), rel=1e-12)


@pytest.mark.parametrize("power", [1, 2, 4, 8])
def test_spreads_that_fall_off_steeply_keep_their_digits(power):
    spread = torch.arange(1, 13, dtype=torch.float64) ** -power
    x = normal(40, 12, 0)
    x = math.sqrt(39) * torch.linalg.qr(x - x.mean(0)).Q * spread  # covariance diag(spread^2)
    rotation = torch.linalg.qr(normal(12, 12, 1)).Q
    expected = (0.1 * spread).square().sum().item()
    assert frechet_distance(x @ rotation, 1.1 * x @ rotation) == pytest.approx(expected, rel=1e-10)


def test_order_does_not_matter():
    x, y, order = normal(60, 5, 0), normal(60, 5, 1), torch.randperm(60, generator=seeded())
    assert frechet_distance(x[order], y) == pytest.approx(frechet_distance(x, y), rel=1e-12)


def test_single_precision_and_arrays_are_lifted_to_double():
    x, y = (normal(60, 5, k).float() + 50 for k in (0, 1))
    expected = frechet_distance(x.double(), y.double())
    assert frechet_distance(x, y) == expected == frechet_distance(x.numpy(), y.numpy())


@pytest.mark.parametrize("rows", [1, 7, 60])
def test_moments_by_blocks_of_rows_are_the_triangle_of_the_covariance(rows, monkeypatch):
    monkeypatch.setattr(frechet, "ROWS", rows)
    x, y = normal(60, 8, 0), normal(50, 8, 1)
    mean, triangle = frechet.moments(x)
    assert torch.allclose(mean, x.mean(0), rtol=0, atol=1e-14)
    assert torch.allclose(torch.from_numpy(triangle), x.T.cov().triu(), rtol=0, atol=1e-14)
    assert np.array_equal(frechet.upper(x.T.cov()), x.T.cov().triu().numpy())
    assert frechet.symmetric_norm(triangle) == pytest.approx(x.T.cov().norm().item(), rel=1e-14)
    assert frechet_distance(x, y) == pytest.approx(exact(x, y), rel=1e-11)


def test_what_has_no_distance_is_told_why():
    x, bad = normal(20, 3, 0), normal(20, 3, 0)
    bad[4, 1] = math.inf
    for a, b, told in [
        (x[:1], x, "samples: 1 of them, expected at least 2 for a covariance"),
        (bad, x, "samples: 1 of 20 hold NaN or infinite values, the first is number 4"),
        (x, bad, "held-out examples: 1 of 20 hold NaN"),
        (x[:, :2], x, r"samples have shape \(2,\) and held-out examples \(3,\)"),
        (x[:, 0], x, r"samples have shape \(20,\), expected \(n, \*event\)"),
        (x[:, :0], x[:, :0], r"examples of no dimension"),
    ]:
        with pytest.raises(EvaluationError, match=told):
            frechet_distance(a, b)


def test_what_are_no_moments_is_told_why():
    mean, eye = torch.zeros(3), torch.eye(3)
    skew = eye.clone()
    skew[0, 1] = 0.5
    for given, told in [
        ((mean, eye[:2], mean, eye), r"first moments have shapes \(3,\) and \(2, 3\)"),
        ((mean, eye, mean, eye * math.nan), "second moments hold NaN"),
        ((mean, eye, torch.zeros(2), torch.eye(2)), "means have 3 and 2 dimensions"),
        ((mean, eye, mean, skew), r"second covariance differs from its transpose by 0\.5"),
        ((mean, -eye, mean, eye), "first covariance has the eigenvalue -1 and the largest is -1"),
        ((mean, eye, mean, -eye), "second covariance has the eigenvalue -1"),
    ]:
        with pytest.raises(EvaluationError, match=told):
            frechet_from_moments(*given)
