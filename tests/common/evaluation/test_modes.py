"""Mode counting: exact samples, dropped modes, and broken variants that the laws catch."""

import math
from dataclasses import astuple

import pytest
import torch
from torch import nn

from common.data import load
from common.data.densities import DENSITIES, Grid
from common.evaluation import EvaluationError, evaluate
from common.evaluation.modes import (
    ModeStatistics,
    kl_from_uniform,
    label_statistics,
    mode_statistics,
)
from tests.common.evaluation.models import Exact, seeded

MIXTURES = [name for name, density in DENSITIES.items() if density.modes is not None]
GOOD = 1 - math.exp(-4.5)  # P(two standard normals lie within radius 3)
NAMES = ["num_modes", "high_quality_fraction", "mode_kl_nats"]
EAST = torch.tensor([1.0, 0.0], dtype=torch.float64)


def nearest_of_all(samples, modes, std):
    """Broken: every sample counts for its nearest mode, good or not."""
    counts = torch.cdist(samples, modes).argmin(1).bincount(minlength=len(modes))
    share = mode_statistics(samples, modes, std).high_quality_fraction
    return ModeStatistics(int((counts > 0).sum()), share, kl_from_uniform(counts))


def reverse(samples, modes, std):
    """Broken: KL(uniform || found) over the modes that were found."""
    found = mode_statistics(samples, modes, std)
    shares = torch.cdist(samples, modes).argmin(1).bincount(minlength=len(modes)) / len(samples)
    kl = -(shares[shares > 0] * len(modes)).log().sum().item() / len(modes)
    return ModeStatistics(found.num_modes, found.high_quality_fraction, kl)


def one_deviation(samples, modes, std):
    """Broken: good within one standard deviation."""
    return mode_statistics(samples, modes, std / 3)


def check_exact(statistics):
    """Draws of the density itself: all modes, the chi distribution's share, hardly any KL."""
    density, n = Grid(), 5000
    x = density.sample(n, generator=seeded(), dtype=torch.float64)
    found = statistics(x, density.modes, density.std)
    assert found.num_modes == 25
    error = math.sqrt(GOOD * (1 - GOOD) / n)
    assert found.high_quality_fraction == pytest.approx(GOOD, abs=5 * error)
    assert found.kl_nats < 2 * 24 / (2 * n)  # the expected bias is (K - 1) / (2 n)


def check_dropped(statistics):
    """Equal shares of K - k modes, all samples good: KL = ln(K / (K - k))."""
    density = Grid()
    for dropped in (0, 1, 7, 24):
        x = density.modes[: 25 - dropped].repeat(4, 1) + 0.5 * density.std * EAST
        found = statistics(x, density.modes, density.std)
        assert found.num_modes == 25 - dropped
        assert found.high_quality_fraction == 1
        assert found.kl_nats == pytest.approx(math.log(25 / (25 - dropped)), abs=1e-12)


def check_unequal(statistics):
    """Shares 3/4 and 1/4 of two modes: 3/4 ln 3/2 + 1/4 ln 1/2."""
    modes = torch.stack([0 * EAST, EAST])
    x = modes[[0, 0, 0, 1]]
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert statistics(x, modes, 0.1).kl_nats == pytest.approx(expected, rel=1e-12)


def check_far(statistics):
    """A sample just inside of three deviations finds a mode, one just outside does not."""
    modes = torch.stack([0 * EAST, EAST, 2 * EAST])
    x = torch.stack([0.299 * EAST, 1.299 * EAST, 2.301 * EAST])
    found = statistics(x, modes, 0.1)
    assert found.num_modes == 2
    assert found.high_quality_fraction == pytest.approx(2 / 3)
    assert found.kl_nats == pytest.approx(math.log(3 / 2))


LAWS = {"exact": check_exact, "dropped": check_dropped, "unequal": check_unequal, "far": check_far}


@pytest.mark.parametrize("law", LAWS)
def test_known_statistics(law):
    LAWS[law](mode_statistics)


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (nearest_of_all, "far"),
        (reverse, "dropped"),
        (reverse, "unequal"),
        (one_deviation, "exact"),
        (one_deviation, "far"),
    ],
)
def test_the_laws_catch_broken_statistics(broken, law):
    with pytest.raises(AssertionError):
        LAWS[law](broken)


def test_without_a_good_sample_the_kl_is_the_worst_there_is():
    density = Grid()
    found = mode_statistics(density.modes + 10 * density.std * EAST, density.modes, density.std)
    assert found == ModeStatistics(0, 0.0, math.log(25))


def test_labels_are_counted_as_modes_are():
    found = label_statistics(torch.arange(900) % 300, 1000)
    assert found.num_modes == 300
    assert found.high_quality_fraction is None
    assert found.kl_nats == pytest.approx(math.log(1000 / 300), rel=1e-12)
    assert label_statistics(torch.arange(2000) % 1000, 1000).kl_nats == pytest.approx(0, abs=1e-12)


def test_order_does_not_matter():
    density = Grid()
    x = density.sample(300, generator=seeded(), dtype=torch.float64)
    order = torch.randperm(300, generator=seeded())
    expected = mode_statistics(x, density.modes, density.std)
    assert mode_statistics(x[order], density.modes, density.std) == expected
    other = mode_statistics(x.numpy(), density.modes.flip(0), density.std)
    assert astuple(other) == pytest.approx(astuple(expected), rel=1e-12)


def test_what_cannot_be_counted_is_told_why():
    modes, bad = torch.zeros(3, 2), torch.zeros(4, 2)
    bad[1, 0] = math.nan
    for x, std, told in [
        (torch.zeros(0, 2), 1.0, "samples: 0 of them, expected at least 1 for counting modes"),
        (bad, 1.0, "samples: 1 of 4 hold NaN or infinite values, the first is number 1"),
        (torch.zeros(4, 3), 1.0, "samples have 3 dimensions and modes 2"),
        (torch.zeros(4, 2), 0.0, r"std is 0\.0, expected a positive"),
        (torch.zeros(4, 2), math.nan, "std is nan, expected a positive"),
    ]:
        with pytest.raises(EvaluationError, match=told):
            mode_statistics(x, modes, std)
    for labels, told in [
        (torch.tensor([0, 3]), "labels go from 0 to 3, expected 0 to 2"),
        (torch.tensor([-1, 2]), "labels go from -1 to 2, expected 0 to 2"),
        (torch.tensor([0.0]), r"type torch\.float32; expected \(n,\) integers"),
        (torch.zeros(0, dtype=torch.int64), r"shape \(0,\)"),
    ]:
        with pytest.raises(EvaluationError, match=told):
            label_statistics(labels, 3)


@pytest.mark.parametrize("name", MIXTURES)
def test_a_perfect_model_is_at_the_floor(name):
    data = load(name)
    found = evaluate(Exact(data.density), data, metrics=NAMES, max_samples=2500)
    num = len(data.density.modes)
    assert found["num_modes"].value == found["num_modes"].floor == num
    share = found["high_quality_fraction"]
    assert share.value == pytest.approx(GOOD, abs=5 * share.standard_error)
    assert share.floor == pytest.approx(GOOD, abs=5 * share.standard_error)
    for kl in (found["mode_kl_nats"].value, found["mode_kl_nats"].floor):
        assert 0 < kl < 3 * (num - 1) / (2 * 2500)
    for measured in found.values():
        assert f"of one of {num} modes" in measured.protocol
        assert measured.n == 2500


def test_data_without_modes_have_no_mode_metrics():
    moons = load("moons")
    with pytest.raises(EvaluationError, match="num_modes has no meaning on moons"):
        evaluate(Exact(moons.density), moons, metrics=["num_modes"])


class Dropper(nn.Module):
    """Samples of the first `keep` modes of the grid, in turn, from the mode's centre."""

    def __init__(self, *keeps):
        super().__init__()
        self.keeps = keeps

    @property
    def replicates(self):
        return [Dropper(keep) for keep in self.keeps] if len(self.keeps) > 1 else [self]

    def sample(self, n, *, generator=None):
        return Grid().modes[torch.arange(n) % self.keeps[0]].float()


def test_an_ensemble_is_the_mean_of_its_replicates():
    found = evaluate(Dropper(25, 20, 15), load("grid"), metrics=NAMES, max_samples=300)
    modes, kl = found["num_modes"], found["mode_kl_nats"]
    assert modes.value == pytest.approx(20)
    assert modes.standard_error == pytest.approx(5 / math.sqrt(3))
    assert "mean of 3 replicates" in modes.protocol
    expected = torch.tensor([math.log(25 / k) for k in (25, 20, 15)])
    assert kl.value == pytest.approx(expected.mean().item(), rel=1e-6)
    assert kl.standard_error == pytest.approx(expected.std().item() / math.sqrt(3), rel=1e-6)
    alone = evaluate(Dropper(20), load("grid"), metrics=NAMES, max_samples=300)
    assert alone["num_modes"].value == 20
    assert alone["num_modes"].standard_error is None


def test_replicates_draw_with_noise_of_their_own():
    density = load("grid").density

    class Twins(nn.Module):
        replicates = (Exact(density), Exact(density))
        sample = Exact(density).sample

    found = evaluate(Twins(), load("grid"), metrics=NAMES, max_samples=200)
    assert found["mode_kl_nats"].standard_error > 0


def test_an_empty_ensemble_is_told():
    class Empty(nn.Module):
        replicates = ()
        sample = Dropper(1).sample

    with pytest.raises(EvaluationError, match="the Empty has no replicates"):
        evaluate(Empty(), load("grid"), metrics=["num_modes"])
