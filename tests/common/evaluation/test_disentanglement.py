"""Laws of the representation metrics, closed forms, and variants that the laws catch."""

import itertools
import math

import numpy as np
import pytest
import torch

from common.data import Scale, load
from common.evaluation import EvaluationError, evaluate
from common.evaluation.disentanglement import (
    beta_vae_score,
    dci,
    factor_vae_score,
    importance,
    information,
    labelled,
    mutual_information_gap,
    pairs,
    separated,
    separated_attribute_predictability,
)
from tests.common.evaluation.models import seeded

NUM_VALUES = (3, 4, 5)
NUM_TREES = 10
CHANCE = np.mean([1 / v for v in NUM_VALUES])


def mig(codes, factors):
    return mutual_information_gap(codes, factors, NUM_VALUES)[0]


def beta(codes, factors):
    return beta_vae_score(codes, factors, NUM_VALUES, generator=seeded())[0]


def factor(codes, factors):
    return factor_vae_score(codes, factors, NUM_VALUES, generator=seeded())[0]


def sap(codes, factors):
    return separated_attribute_predictability(codes, factors, NUM_VALUES)[0]


def sap_by_thresholds(codes, factors):
    kinds = [False] * len(NUM_VALUES)
    return separated_attribute_predictability(codes, factors, NUM_VALUES, is_numeric=kinds)[0]


def forest(part):
    def score(codes, factors):
        found = dci(codes, factors, NUM_VALUES, generator=seeded(), num_trees=NUM_TREES)
        return getattr(found, part)

    return score


disentanglement, completeness, informativeness = map(
    forest, ("disentanglement", "completeness", "informativeness")
)
# each score: what codes equal to the factors reach, what random ones do
SCORES = {
    mig: (1, 0),
    beta: (1, 1 / 3),
    factor: (1, 1 / 3),
    sap: (1, 0),
    sap_by_thresholds: (1 - CHANCE, 0),
    disentanglement: (1, 0),
    completeness: (1, 0),
    informativeness: (1, CHANCE),
}
TOLERANCE = 0.1
every_score = pytest.mark.parametrize("score", SCORES)


@pytest.fixture(scope="module")
def factors():
    """All combinations, ten times each, in no order: (600, 3)."""
    rows = torch.cartesian_prod(*map(torch.arange, NUM_VALUES)).repeat(10, 1)
    return rows[torch.randperm(len(rows), generator=seeded(1))]


def noise(factors, *, width, seed=2):
    return torch.randn(len(factors), width, generator=seeded(seed), dtype=torch.float64)


def aligned(factors):
    """Codes that are the factors: as they are, permuted, flipped, scaled, with noise, idle ones."""
    codes = factors.double()
    yield codes
    yield -codes[:, [2, 0, 1]]
    yield codes * torch.tensor([1000.0, 1.0, 0.001])
    yield torch.cat([codes + 0.01 * noise(codes, width=3), noise(codes, width=1)], 1)
    yield (codes + 0.01 * noise(codes, width=3)) * torch.tensor([1e4, 1.0, 1e-4])


def law_of_the_factors(score, factors):
    best = SCORES.get(score, (1, 0))[0]
    for codes in aligned(factors):
        assert score(codes, factors) == pytest.approx(best, abs=TOLERANCE)


def law_of_chance(score, factors):
    chance = SCORES.get(score, (1, 0))[1]
    value = score(noise(factors, width=6), factors)
    assert value == pytest.approx(chance, abs=TOLERANCE)
    assert value > -1e-9


def law_of_rotation(score, factors):
    """The factors and an idle fourth code, turned so that each is in all four alike (Hadamard)."""
    codes = (factors - factors.double().mean(0)) / factors.double().std(0)
    codes = torch.cat([codes, noise(factors, width=1)], 1)
    turn = torch.tensor([[1.0, 1], [1, -1]], dtype=torch.float64) / math.sqrt(2)
    assert score(codes @ torch.kron(turn, turn), factors) < score(codes, factors) - 0.2


def law_of_order(score, factors):
    codes = factors.double() @ noise(factors[:3], width=3) + noise(factors, width=3)
    value = score(codes, factors)
    shuffled = torch.randperm(len(factors), generator=seeded(4))
    assert score(codes[shuffled], factors[shuffled]) == pytest.approx(value, abs=1e-9)
    assert score(codes[:, [1, 2, 0]], factors) == pytest.approx(value, abs=0.05)


def law_of_two_copies(score, factors):
    codes = factors.double()
    assert score(torch.cat([codes, codes], 1), factors) < 0.8 * score(codes, factors)


@every_score
def test_codes_that_are_the_factors_are_best(score, factors):
    law_of_the_factors(score, factors)


@every_score
def test_random_codes_are_at_chance(score, factors):
    law_of_chance(score, factors)


@pytest.mark.parametrize("score", [s for s in SCORES if s is not informativeness])
def test_rotated_codes_are_worse(score, factors):
    law_of_rotation(score, factors)


@every_score
def test_order_of_examples_and_of_dimensions_does_not_matter(score, factors):
    law_of_order(score, factors)


@pytest.mark.parametrize("score", [mig, sap, sap_by_thresholds, completeness])
def test_a_factor_in_two_codes_costs_what_asks_for_one(score, factors):
    law_of_two_copies(score, factors)


@pytest.mark.parametrize("score", [s for s in SCORES if s is not sap])  # R^2 wants a line
def test_monotone_transformations_do_not_matter(score, factors):
    codes = factors.double() + 0.01 * noise(factors, width=3)
    assert score(codes.exp(), factors) == pytest.approx(score(codes, factors), abs=0.01)


def best_alone(scores):
    return float(scores.max(0).mean())


def natural_entropy(rows):
    p = rows / rows.sum(1, keepdims=True)
    return -(p * np.log(np.where(p > 0, p, 1))).sum(1)


BROKEN = {
    "no second best in MIG": (information, "gap", best_alone, mig, law_of_two_copies),
    "no second best in SAP": (separated, "gap", best_alone, sap, law_of_two_copies),
    "differences with a sign": (
        *(pairs, "difference", lambda z, other: (z - other).mean(1)),
        *(beta, law_of_the_factors),
    ),
    "codes not scaled": (pairs, "scaled_to_one", lambda z: z, factor, law_of_the_factors),
    "trees that see one code": (
        *(importance, "MAX_FEATURES", 1),
        *(disentanglement, law_of_the_factors),
    ),
    "entropy in nats": (
        *(importance, "normalised_entropy", natural_entropy),
        *(disentanglement, law_of_chance),
    ),
    "pairs as they came": (
        *(labelled, "own_order", lambda codes, factors: np.arange(len(codes))),
        *(beta, law_of_order),
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_the_laws_catch(broken, factors, monkeypatch):
    module, name, variant, score, law = BROKEN[broken]
    monkeypatch.setattr(module, name, variant)
    with pytest.raises(AssertionError):
        law(score, factors)


def test_the_laws_catch_one_number_for_all_codes(factors):
    with pytest.raises(AssertionError):
        law_of_rotation(lambda codes, factors: 1.0, factors)


def test_the_gap_in_closed_form():
    """Two fair bits, each sent through a channel of its own that flips 1/8 and 1/4 of them."""
    rows = itertools.product(range(2), range(2), range(8), range(4))
    table = np.array([((a ^ (e == 0), b ^ (f == 0)), (a, b)) for a, b, e, f in rows])
    lost = [-(p * math.log2(p) + (1 - p) * math.log2(1 - p)) for p in (1 / 8, 1 / 4)]
    value, _ = mutual_information_gap(table[:, 0], table[:, 1], (2, 2))
    assert value == pytest.approx(1 - sum(lost) / 2, rel=1e-9)


def test_attribute_predictability_in_closed_form():
    """Codes v + w and v of two signs: R^2 of v is 1/2 and 1, of w 1/2 and 0."""
    factors = np.array(list(itertools.product(range(2), range(2)))).repeat(30, 0)
    codes = np.stack([factors.sum(1), factors[:, 0]], 1)
    value, _ = separated_attribute_predictability(codes, factors, (2, 2))
    assert value == pytest.approx(((1 - 1 / 2) + (1 / 2 - 0)) / 2)


def test_disentanglement_and_completeness_of_known_importances():
    table = np.array([[1.0, 0.5], [0.0, 0.5]])  # the second code matters to the second factor alone
    mixed = 1 + (2 / 3 * math.log2(2 / 3) + 1 / 3 * math.log2(1 / 3))
    assert importance.disentanglement(table) == pytest.approx(0.75 * mixed + 0.25)
    assert importance.completeness(table) == pytest.approx((1 + 0) / 2)
    assert importance.disentanglement(np.ones((4, 3))) == pytest.approx(0, abs=1e-12)
    assert importance.completeness(np.eye(3)) == 1


def test_the_jackknife_of_a_mean_is_its_standard_error():
    groups = np.random.default_rng(0).normal(size=20)
    value, error = labelled.jackknife(groups[:, None], lambda total: total[0])
    spread = groups.std(ddof=1) * math.sqrt(20)  # of the sum of all twenty
    assert value == pytest.approx(groups.sum())
    assert error == pytest.approx(spread * 19 / 20, rel=0.06)
    mean = labelled.jackknife(np.stack([groups, np.ones(20)], 1), lambda total: total[0] / total[1])
    assert mean == pytest.approx((groups.mean(), groups.std(ddof=1) / math.sqrt(20)))


@pytest.mark.parametrize("score", [mutual_information_gap, separated_attribute_predictability])
def test_standard_errors_are_the_spread_over_data_sets(score):
    rng, found = np.random.default_rng(0), []
    for _ in range(60):
        factors = rng.integers(4, size=(400, 2))
        codes = factors @ np.array([[1.0, 0.4], [0.2, 1.0]]) + rng.normal(size=(400, 2))
        found.append(score(codes, factors, (4, 4)))
    values, errors = np.array(found).T
    assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.35)


def test_constant_dimensions_are_harmless(factors):
    codes = torch.cat([factors.double(), torch.ones(len(factors), 1)], 1)
    for score in SCORES:
        assert score(codes, factors) == pytest.approx(SCORES[score][0], abs=TOLERANCE)


BAD = {
    "30 examples, expected at least 100": lambda c, f: (c[:30], f[:30]),
    "600 codes and the factors of 599": lambda c, f: (c, f[:-1]),
    "1 of 600 codes hold NaN": lambda c, f: (c.index_fill(0, torch.tensor(7), math.nan), f),
    "the first is number 7": lambda c, f: (c.index_fill(0, torch.tensor(7), math.inf), f),
    "all 3 dimensions of the codes are constant": lambda c, f: (torch.ones_like(c), f),
    "factor 0 reaches from 1 to 3": lambda c, f: (c, f + 1),
    "factor 0 has the value 0 in all": lambda c, f: (c, f * torch.tensor([0, 1, 1])),
    "2 factors and 3 numbers of values": lambda c, f: (c, f[:, :2]),
    "factors are float64": lambda c, f: (c, f.double()),
    "codes have shape .600,.": lambda c, f: (c[:, 0], f),
}


@pytest.mark.parametrize("message", BAD)
@pytest.mark.parametrize("score", [mig, beta, factor, sap, informativeness])
def test_what_cannot_be_measured_is_told(score, message, factors):
    codes, bad = BAD[message](factors.double(), factors)
    with pytest.raises(EvaluationError, match=message):
        score(codes, bad)


def test_one_kind_for_each_factor(factors):
    with pytest.raises(EvaluationError, match="1 entries for 3 factors"):
        separated_attribute_predictability(factors.double(), factors, NUM_VALUES, is_numeric=[True])


class Moments:
    """Tells where a shape is and how large: three of its five factors, and no more."""

    def encode(self, x):
        mass = x.flatten(1).sum(1)
        ticks = torch.arange(32.0)
        across, down = ((x.sum(d).squeeze(1) @ ticks / mass) for d in (2, 3))
        return torch.stack([across, down, mass], 1), "what else a posterior has"

    def decode(self, z):
        raise NotImplementedError


REPRESENTATION = [
    *("mig", "beta_vae_score", "factor_vae_score", "sap"),
    *("dci_disentanglement", "dci_completeness", "dci_informativeness"),
]


def test_a_model_with_codes_is_judged_on_data_with_factors(monkeypatch):
    monkeypatch.setattr(importance, "NUM_TREES", NUM_TREES)
    shapes = load("shapes", preprocess=Scale())
    found = evaluate(Moments(), shapes)
    assert list(found) == REPRESENTATION
    factors = shapes.test.factors
    codes = Moments().encode(shapes.test.tensor())[0]
    values = [len(v) for v in shapes.info.factors.values()]
    assert found["mig"].value == mutual_information_gap(codes, factors, values)[0]
    assert found["mig"].value > 0.35  # two of five, and some of the scale
    alone = evaluate(Moments(), shapes, metrics=["dci_informativeness"])
    assert alone["dci_informativeness"] == found["dci_informativeness"]
    assert "chance 1/5" in found["factor_vae_score"].protocol
    assert "thresholds for shape" in found["sap"].protocol


def test_codes_without_known_factors_are_not_judged():
    with pytest.raises(EvaluationError, match="mig has no meaning on digits"):
        evaluate(Moments(), load("digits"), metrics=["mig"])


def test_codes_that_are_not_codes_are_told(monkeypatch):
    monkeypatch.setattr(Moments, "encode", lambda self, x: x.flatten(1).sum(1))
    with pytest.raises(EvaluationError, match=r"Moments.encode gave \(120,\) for 120 examples"):
        evaluate(Moments(), load("shapes", preprocess=Scale()), metrics=["mig"], batch_size=120)
