"""Inception score: closed forms, its standard error, and broken variants that the laws catch."""

import math

import numpy as np
import pytest
import torch

from common.evaluation import EvaluationError
from common.evaluation.inception import inception_score
from tests.common.evaluation.models import normal, seeded


def one_hot(labels, num_classes):
    """Log-probabilities of certainty, (n, K)."""
    return torch.nn.functional.one_hot(labels, num_classes).double().log()


def entropy_of_mixture(logits):
    """Broken: exp H(p(y)) without the conditional entropy."""
    p = logits.double().softmax(1).mean(0)
    return (-torch.special.xlogy(p, p).sum()).exp().item()


def conditional_entropy(logits):
    """Broken: 1 / exp E H(p(y | x)) without the mixture's."""
    p = logits.double().softmax(1)
    return torch.special.xlogy(p, p).sum(1).mean().exp().item()


def reverse(logits):
    """Broken: KL(p(y) || p(y | x))."""
    log_p = logits.double().log_softmax(1)
    mixture = log_p.exp().mean(0)
    return (mixture * (mixture.log() - log_p)).sum(1).mean().exp().item()


def ours(logits):
    return inception_score(logits)[0]


def check_blind(score):
    """Predictions that do not depend on x score 1, whatever they are."""
    assert score(normal(1, 7, 0).expand(20, 7)) == pytest.approx(1, rel=1e-12)


def check_certain(score):
    """Certain and balanced predictions score the number of classes."""
    assert score(one_hot(torch.arange(40) % 8, 8)) == pytest.approx(8, rel=1e-12)


def check_unbalanced(score):
    """Certain predictions score exp of the entropy of the classes."""
    shares = torch.tensor([0.5, 0.25, 0.25]).double()
    labels = torch.tensor([0, 0, 1, 2] * 10)
    expected = (-torch.special.xlogy(shares, shares).sum()).exp().item()
    assert score(one_hot(labels, 3)) == pytest.approx(expected, rel=1e-12)


def check_half_sure(score):
    """Two classes seen as (q, 1 - q) and (1 - q, q): ln 2 - H(q)."""
    q = 0.8
    rows = torch.tensor([[q, 1 - q], [1 - q, q]], dtype=torch.float64).log().repeat(10, 1)
    divergence = math.log(2) + q * math.log(q) + (1 - q) * math.log(1 - q)
    assert score(rows) == pytest.approx(math.exp(divergence), rel=1e-12)


LAWS = {
    "blind": check_blind,
    "certain": check_certain,
    "unbalanced": check_unbalanced,
    "half sure": check_half_sure,
}


@pytest.mark.parametrize("law", LAWS)
def test_closed_forms(law):
    LAWS[law](ours)


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (entropy_of_mixture, "blind"),
        (entropy_of_mixture, "half sure"),
        (conditional_entropy, "certain"),
        (conditional_entropy, "unbalanced"),
        (reverse, "half sure"),
    ],
)
def test_the_laws_catch_a_broken_score(broken, law):
    with pytest.raises(AssertionError):
        LAWS[law](broken)


def test_dropped_classes_are_told():
    logits = one_hot(torch.arange(60) % 6, 10)
    assert ours(logits) == pytest.approx(6, rel=1e-12)


def test_logits_and_log_probabilities_and_arrays_give_the_same():
    logits = 3 * normal(50, 6, 0)
    expected = inception_score(logits)
    assert inception_score(logits + 100 * normal(50, 1, 1)) == pytest.approx(expected, rel=1e-9)
    assert inception_score(logits.log_softmax(1)) == pytest.approx(expected, rel=1e-9)
    assert inception_score(logits.numpy()) == pytest.approx(expected, rel=1e-12)


def test_order_does_not_matter():
    logits = 3 * normal(50, 6, 0)
    order = torch.randperm(50, generator=seeded())
    assert inception_score(logits[order]) == pytest.approx(inception_score(logits), rel=1e-12)


def test_the_standard_error_is_the_spread_over_repetitions():
    runs = [inception_score(2 * normal(200, 5, k)) for k in range(200)]
    values, errors = np.array(runs).T
    assert errors.mean() / values.std(ddof=1) == pytest.approx(1, abs=0.2)  # spread known to 5 %


def test_the_range_is_one_to_the_number_of_classes():
    for k in range(20):
        score, _ = inception_score(10 * normal(30, 4, k))
        assert 1 <= score <= 4


def test_what_has_no_score_is_told_why():
    good = normal(20, 3, 0)
    for change, told in [
        (lambda v: v[:9], "samples: 9 of them, expected at least 10"),
        (lambda v: v[:, 0], r"logits have shape \(20,\), expected \(n, K\)"),
        (lambda v: v[:, :1], r"logits have shape \(20, 1\), expected \(n, K\) with K at least 2"),
        (lambda v: v.index_fill(0, torch.tensor([5]), math.nan), "1 of 20 .* first is number 5"),
        (lambda v: v.index_fill(0, torch.tensor([5]), -math.inf), "1 of 20 .* first is number 5"),
        (lambda v: v.index_fill(1, torch.tensor([2]), math.inf), "20 of 20 .* first is number 0"),
    ]:
        with pytest.raises(EvaluationError, match=told):
            inception_score(change(good))
