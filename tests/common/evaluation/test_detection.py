"""AUROC, AUPR and FPR95: closed forms, laws, and variants that the laws catch."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from common.evaluation import EvaluationError
from common.evaluation.detection import QUANTITIES, detection
from tests.common.evaluation.models import normal, seeded

RESAMPLES = 20


def detect(inside, outside):
    return detection(inside, outside, generator=seeded(), num_resamples=RESAMPLES)


def values(found):
    return [found[key][0] for key in QUANTITIES]


def pair(shift=1.0, n=150, m=100):
    return normal(n, 1, 0, shift).flatten(), normal(m, 1, 1).flatten()


def law_of_two_gaussians(detect):
    """N(d, 1) against N(0, s^2): AUROC is Phi(d / sqrt(1 + s^2)), FPR95 Phi((z_0.95 - d) / s)."""
    d, s = 1.5, 2.0
    inside, outside = pair(d, 4000, 3000)
    found = detect(inside, s * outside)
    exact = {"auroc": norm.cdf(d / math.hypot(1, s)), "fpr95": norm.cdf((norm.ppf(0.95) - d) / s)}
    for key, expected in exact.items():
        value, error = found[key]
        assert 0 < error < 0.03
        assert abs(value - expected) < 4 * error


def law_of_extremes(detect):
    low, high = torch.arange(20.0), torch.arange(20.0, 60.0)
    assert values(detect(high, low)) == pytest.approx([1, 1, 1, 0])
    worst = dict(zip(QUANTITIES, values(detect(low, high)), strict=True))
    assert worst["auroc"] == 0
    assert worst["fpr95"] == 1
    assert worst["aupr_in"] < 20 / 60
    assert worst["aupr_out"] < 40 / 60


def law_of_ties(detect):
    """Scores that are all equal are chance, and nothing can be let through without all."""
    assert values(detect(torch.zeros(30), torch.zeros(10))) == pytest.approx([0.5, 0.75, 0.25, 1])


def law_of_monotone_scores(detect):
    inside, outside = pair()
    found = values(detect(inside, outside))
    assert values(detect(inside.exp(), outside.exp())) == found
    far = [torch.where(x < -1, -math.inf, x) for x in (inside, outside)]
    near = [torch.where(x < -1, -5.0, x) for x in (inside, outside)]
    assert values(detect(*far)) == values(detect(*near))


def law_of_exchange(detect):
    """Outside for inside: the score with its sign changed."""
    inside, outside = pair()
    found, exchanged = detect(inside, outside), detect(-outside, -inside)
    assert exchanged["auroc"][0] == pytest.approx(found["auroc"][0])
    assert exchanged["aupr_in"][0] == pytest.approx(found["aupr_out"][0])
    assert detect(outside, inside)["auroc"][0] == pytest.approx(1 - found["auroc"][0])


LAWS = [
    *(law_of_two_gaussians, law_of_extremes, law_of_ties),
    *(law_of_monotone_scores, law_of_exchange),
]


def swapped(inside, outside):
    return detect(outside, inside)


def with_auroc(compute):
    """The rest as it is."""
    return lambda inside, outside: detect(inside, outside) | {
        "auroc": (float(compute(inside[:, None], outside)), 0.01)
    }


def threshold_of_the_outside(inside, outside):
    """The 95 % of the wrong set: how many of the inside are lost, not how many others pass."""
    passed = (inside < outside.double().quantile(0.95)).double().mean().item()
    return detect(inside, outside) | {"fpr95": (passed, 0.01)}


def both_ways(inside, outside):
    return detect(inside, outside) | {"aupr_out": detect(inside, outside)["aupr_in"]}


BROKEN = {
    "inside and outside swapped": (swapped, law_of_extremes),
    "ties won": (with_auroc(lambda a, b: (a >= b).double().mean()), law_of_ties),
    "a normal distribution assumed": (
        with_auroc(
            lambda a, b: norm.cdf(
                (a.mean() - b.mean()) / (a.double().var() + b.double().var()).sqrt()
            )
        ),
        law_of_monotone_scores,
    ),
    "the threshold of the outside": (threshold_of_the_outside, law_of_two_gaussians),
    "AUPR in twice": (both_ways, law_of_exchange),
}


@pytest.mark.parametrize("law", LAWS)
def test_detection_obeys(law):
    law(detect)


@pytest.mark.parametrize("broken", BROKEN)
def test_the_laws_catch(broken):
    variant, law = BROKEN[broken]
    with pytest.raises(AssertionError):
        law(variant)


def test_the_area_is_the_share_of_pairs_in_order():
    inside = torch.tensor([0.0, 1, 1, 2, 3, 3, 4, 5, 6, 7])
    outside = torch.tensor([0.0, 0, 1, 1, 2, 2, 3, 3, 3, 9, 9])
    won = (inside[:, None] > outside).double() + 0.5 * (inside[:, None] == outside)
    assert detect(inside, outside)["auroc"][0] == pytest.approx(won.mean().item())


def test_order_does_not_matter():
    inside, outside = pair()
    assert values(detect(inside.flip(0), outside.flip(0))) == values(detect(inside, outside))


def test_the_curves_are_those_of_scikit_learn():
    from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

    inside, outside = (x.mul(2).round() for x in pair())  # with ties
    scores = torch.cat([inside, outside]).numpy()
    labels = np.repeat([1, 0], [len(inside), len(outside)])
    false, true, _ = roc_curve(labels, scores)
    assert values(detect(inside, outside)) == pytest.approx(
        [
            roc_auc_score(labels, scores),
            average_precision_score(labels, scores),
            average_precision_score(1 - labels, -scores),
            false[(true >= 0.95).argmax()],
        ]
    )


def test_average_precision_by_hand():
    """From above: in, out, then ties of one each, then in: precisions 1, 2/4, 3/5 at new recalls."""
    inside = torch.tensor([9.0, 5.0, 1.0] * 10)
    outside = torch.tensor([7.0, 5.0] * 10)
    found = detect(inside, outside)["aupr_in"][0]
    assert found == pytest.approx((1 + 2 / 4 + 3 / 5) / 3)


def test_standard_errors_are_the_spread_over_samples():
    rng, found = np.random.default_rng(0), []
    for _ in range(150):
        scores = rng.normal(1.2, 1, 150), rng.normal(0, 1, 100)
        found.append([detect(*scores)[key] for key in QUANTITIES])
    spread = np.array(found)[:, :, 0].std(0, ddof=1)
    stated = np.array(found)[:, :, 1].mean(0)
    np.testing.assert_allclose(stated[:3] / spread[:3], 1, atol=0.2)
    assert 0.7 < stated[3] / spread[3] < 1.4  # of a quantile, which a bootstrap knows less well


@pytest.mark.parametrize(
    ("inside", "outside", "message"),
    [
        (torch.zeros(9), torch.zeros(10), r"scores inside have shape \(9,\)"),
        (torch.zeros(10), torch.zeros(10, 2), r"scores outside have shape \(10, 2\)"),
        (torch.full((12,), math.nan), torch.zeros(10), "12 of 12 scores inside are NaN"),
    ],
)
def test_what_cannot_be_measured_is_told(inside, outside, message):
    with pytest.raises(EvaluationError, match=message):
        detect(inside, outside)


def test_a_bootstrap_needs_two():
    with pytest.raises(EvaluationError, match="num_resamples is 1"):
        detection(range(10), range(10), generator=seeded(), num_resamples=1)
