"""The torch-free tables say what common.evaluation and common.data say."""

import pytest
import torch

from common.course.checks import vocabulary
from common.data.catalogue import CATALOGUE
from common.data.densities import DENSITIES
from common.evaluation import METRICS
from common.evaluation.capabilities import CAPABILITIES


def test_capabilities_are_those_of_the_evaluation():
    assert set(vocabulary.CAPABILITIES) == set(CAPABILITIES)


def test_metrics_and_what_they_need_are_those_of_the_evaluation():
    known = {name: m.capability for name, m in vocabulary.METRICS.items() if m.capability}
    assert known == {name: metric.capability for name, metric in METRICS.items()}


def test_data_sets_and_their_levels_are_those_of_the_catalogue():
    levels = {name: info.num_levels for name, info in CATALOGUE.items()}
    assert levels == vocabulary.NUM_LEVELS


def test_the_sets_of_symbols_are_those_of_the_catalogue():
    """Text, and voices, whose levels are pitches: sequences of more than on and off."""
    symbols = {name for name, i in CATALOGUE.items() if i.is_sequence and (i.num_levels or 0) > 2}
    assert set(vocabulary.SYMBOLS) == symbols


def test_every_exact_density_has_its_entropy():
    exact = {name for name, density in DENSITIES.items() if density.has_log_prob}
    assert set(vocabulary.ENTROPY_NATS) == exact


@pytest.mark.parametrize("name", vocabulary.ENTROPY_NATS)
def test_entropies_are_those_of_the_densities_rounded_down(name):
    density = DENSITIES[name]()
    x = density.sample(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    nll = -density.log_prob(x)
    error = nll.std().item() / len(nll) ** 0.5
    distance = nll.mean().item() - vocabulary.ENTROPY_NATS[name]
    assert -4 * error <= distance <= 4 * error + 0.002
