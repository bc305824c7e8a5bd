"""Likelihoods, bits and divergences against closed forms."""

import math

import pytest
import torch
from torch import nn

from common.data import Compose, Scale, StaticBinarisation, UniformDequantisation, load
from common.evaluation import EvaluationError, evaluate
from tests.common.evaluation.models import Exact, UnitGaussian


def test_nll_of_a_known_gaussian_is_its_closed_form_and_its_error_that_of_the_mean():
    data = load("ring")
    found = evaluate(UnitGaussian(), data, metrics=["nll_nats"])["nll_nats"]
    values = 0.5 * data.test.x.square().sum(1) + math.log(2 * math.pi)
    assert found.value == pytest.approx(values.mean().item(), rel=1e-6)
    assert found.standard_error == pytest.approx(values.std().item() / math.sqrt(len(values)))
    assert (found.n, found.unit, found.split) == (len(data.test), "nats", "test")
    assert found.protocol == "no preprocessing"


def test_nll_does_not_depend_on_the_batches():
    numbers = {
        evaluate(UnitGaussian(), load("ring"), metrics=["nll_nats"], batch_size=size)["nll_nats"]
        for size in (7, 500)
    }
    assert len({round(number.value, 9) for number in numbers}) == 1


class Uniform(nn.Module):
    """The uniform density on the unit cube."""

    def log_prob(self, x):
        return torch.zeros(len(x))


def test_a_uniform_density_costs_exactly_log2_of_the_levels():
    data = load("digits", preprocess=Compose([UniformDequantisation(), Scale(17)]))
    found = evaluate(Uniform(), data)
    assert set(found) == {"nll_nats", "bits_per_dim"}
    assert found["bits_per_dim"].value == pytest.approx(math.log2(17), rel=1e-6)
    assert "17 levels" in found["bits_per_dim"].protocol
    assert "noise drawn once with seed 0" in found["bits_per_dim"].protocol


def test_binary_data_have_nats_and_no_bits():
    data = load("digits", preprocess=StaticBinarisation(num_levels=17))
    assert set(evaluate(Uniform(), data)) == {"nll_nats"}


@pytest.mark.parametrize("shift", [0.0, 0.25])
def test_kl_of_the_exact_density_is_zero_and_off_by_a_constant_that_constant(shift):
    data = load("ring")
    found = evaluate(
        Exact(data.density, shift=shift),
        data,
        metrics=["kl_data_model_nats"],
        num_fresh_samples=1000,
    )["kl_data_model_nats"]
    assert found.value == pytest.approx(shift, abs=1e-5)
    assert found.n == 1000


def test_kl_between_ring_and_gaussian_is_that_of_quadrature():
    data = load("ring")
    found = evaluate(
        UnitGaussian(), data, metrics=["kl_data_model_nats"], num_fresh_samples=20_000
    )["kl_data_model_nats"]
    ticks = torch.linspace(-4, 4, 401, dtype=torch.float64)
    points = torch.cartesian_prod(ticks, ticks)
    log_p = data.density.log_prob(points)
    log_q = -0.5 * points.square().sum(1) - math.log(2 * math.pi)
    exact = (log_p.exp() * (log_p - log_q)).sum().item() * (ticks[1] - ticks[0]).item() ** 2
    assert found.value == pytest.approx(exact, abs=4 * found.standard_error)
    assert found.standard_error < 0.01


def test_fresh_samples_are_not_those_of_the_split():
    data = load("ring")
    model = Exact(data.density)
    seen = []
    model.log_prob = lambda x: seen.append(x) or data.density.log_prob(x)
    evaluate(model, data, metrics=["kl_data_model_nats"], num_fresh_samples=50)
    fresh = torch.cat(seen)
    for split in data.splits.values():
        assert torch.cdist(fresh, split.x).min() > 0


def test_an_average_over_the_batch_is_refused():
    class Averaged(UnitGaussian):
        def log_prob(self, x):
            return super().log_prob(x).mean()

    with pytest.raises(EvaluationError, match=r"gave shape \(\) for 500 examples; expected one"):
        evaluate(Averaged(), load("ring"), metrics=["nll_nats"])


def test_values_that_are_not_numbers_are_refused_with_their_place():
    class Diverged(UnitGaussian):
        def log_prob(self, x):
            values = super().log_prob(x)
            values[3] = float("nan")
            return values

    with pytest.raises(EvaluationError, match="the first is nan at example 3"):
        evaluate(Diverged(), load("ring"), metrics=["nll_nats"], max_examples=10)
