"""The number beside ours is itself right."""

import math
from dataclasses import replace

import pytest
import torch

from common.data import (
    Compose,
    Dataset,
    Scale,
    Split,
    StaticBinarisation,
    UniformDequantisation,
    load,
)
from common.evaluation import baseline
from common.evaluation.baselines import bernoulli_nll, gaussian_nll


def test_independent_bernoulli_pixels_are_counted():
    train = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
    nll = bernoulli_nll(train, torch.tensor([[1.0, 1.0]]))
    assert nll.item() == pytest.approx(-math.log(4 / 5) - math.log(2 / 5))


def test_the_gaussian_is_the_maximum_likelihood_one():
    generator = torch.Generator().manual_seed(0)
    train = torch.randn(500, 3, generator=generator, dtype=torch.float64) * torch.tensor([1, 2, 3])
    expected = torch.distributions.MultivariateNormal(
        train.mean(0), torch.cov(train.T, correction=0)
    )
    torch.testing.assert_close(
        gaussian_nll(train, train), -expected.log_prob(train), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize(
    ("name", "preprocess", "metric", "unit"),
    [
        ("digits", StaticBinarisation(num_levels=17), "nll_nats", "nats"),
        ("digits", Compose([UniformDequantisation(), Scale(17)]), "bits_per_dim", "bits/dim"),
        ("ring", None, "nll_nats", "nats"),
        ("moons", None, "nll_nats", "nats"),
    ],
)
def test_each_kind_of_data_has_a_baseline(name, preprocess, metric, unit):
    found = baseline(load(name, preprocess=preprocess))
    assert (found.name, found.unit, found.split) == (metric, unit, "test")
    assert math.isfinite(found.value)
    assert found.protocol


def test_the_floor_of_an_exact_density_is_its_entropy():
    found = baseline(load("grid"))
    density = load("grid").density
    fresh = density.sample(200_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    entropy = -density.log_prob(fresh).mean().item()
    assert found.value == pytest.approx(entropy, abs=4 * found.standard_error)


def test_text_has_the_frequencies_of_its_symbols():
    """By hand: nats of each validation character but the given ones, at Laplace's frequencies."""
    data = load("shakespeare_excerpt").windows(20, given=1)
    found = baseline(data, "valid")
    train, valid = data.origin.train.x, data.origin.valid.x[1:]
    valid = valid[: len(valid) // 20 * 20]
    counts = torch.stack([(train == symbol).sum() for symbol in range(65)]) + 1.0
    wanted = -(counts / counts.sum()).log()[valid].mean().item()
    assert found.value == pytest.approx(wanted, rel=1e-5)
    assert (found.unit, found.n) == ("nats/step", len(valid) // 20)
    assert 3.0 < found.value < 3.6


def test_padding_is_no_symbol():
    info = replace(
        load("shakespeare_excerpt").info, vocabulary=("a", "b"), shape=(3,), num_levels=2
    )
    x, lengths = torch.tensor([[1, 1, 0], [1, 0, 0]]), torch.tensor([2, 1])
    splits = {name: Split(name, x, lengths=lengths) for name in ("train", "valid")}
    found = baseline(Dataset(info, splits), "valid")
    assert found.value == pytest.approx(-math.log(4 / 5))  # b three times, and one more of each
