"""Bits per dimension: on a uniform density exactly the entropy, however preprocessed."""

import math

import pytest
import torch

from common.data import (
    Compose,
    DynamicBinarisation,
    Flatten,
    Logit,
    Pad,
    Scale,
    StaticBinarisation,
    UniformDequantisation,
    bits_per_dim,
    load,
)

SHAPE = (1, 4, 4)
CONTINUOUS = [
    [UniformDequantisation()],
    [UniformDequantisation(), Flatten()],
    [UniformDequantisation(), Scale()],
    [UniformDequantisation(), Scale(), Logit(0.0)],
    [UniformDequantisation(), Scale(), Logit(1e-6)],
    [UniformDequantisation(), Scale(), Logit(0.05), Flatten()],
    [Flatten(), UniformDequantisation(), Scale(), Logit(0.05)],
    [Pad(2), UniformDequantisation()],
    [Pad(2), UniformDequantisation(), Scale()],
    [Pad((0, 1, 2, 3)), UniformDequantisation(), Scale(), Logit(1e-6)],
    [Pad(1), Flatten(), UniformDequantisation(), Scale(), Logit(0.05)],
]
DISCRETE = [
    None,
    [Flatten()],
    [Scale()],
    [Pad(2), Flatten()],
    [Pad(1), Scale()],
]


def names(steps):
    return "-".join(type(step).__name__ for step in steps or []) or "none"


def uniform_levels(num_levels, n=32):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(num_levels, (n, *SHAPE), generator=generator).double()


def exact_nll(steps, y, num_levels, num_padded):
    """-ln p(y) of the uniform raw levels pushed through the steps, without their log-determinants.

    A dequantised raw pixel is uniform on [0, L), a padded one on [0, 1); the density of one
    output is that times the derivative of its raw value, found by autograd on the inverse.
    """
    y = y.clone().requires_grad_()
    raw = y
    for step in reversed([s for s in steps.steps if isinstance(s, Scale | Logit)]):
        raw = step.inverse(raw)
    (derivative,) = torch.autograd.grad(raw.sum(), y)
    num_raw = math.prod(SHAPE)
    assert y[0].numel() == num_raw + num_padded
    return -derivative.abs().log().flatten(1).sum(1) + num_raw * math.log(num_levels)


@pytest.mark.parametrize("num_levels", [2, 17, 256])
@pytest.mark.parametrize("steps", CONTINUOUS, ids=names)
def test_a_uniform_density_costs_the_entropy(steps, num_levels):
    """The model that knows the distribution pays log2 L bits a dimension, also behind a frame."""
    steps = Compose(steps).bind(SHAPE, num_levels)
    y = steps(uniform_levels(num_levels), generator=torch.Generator().manual_seed(1))
    nll = exact_nll(steps, y, num_levels, y[0].numel() - math.prod(SHAPE))
    bits = bits_per_dim(nll, math.prod(SHAPE), steps, y=y)
    assert bits.shape == (32,)
    assert torch.allclose(bits, torch.full_like(bits, math.log2(num_levels)), atol=1e-9)


@pytest.mark.parametrize("num_levels", [2, 17, 256])
@pytest.mark.parametrize("steps", DISCRETE, ids=names)
def test_a_uniform_mass_costs_the_entropy(steps, num_levels):
    """Without dequantisation the model gives a mass, which no invertible map changes."""
    steps = steps and Compose(steps).bind(SHAPE, num_levels)
    nll = torch.full((3,), math.prod(SHAPE) * math.log(num_levels), dtype=torch.float64)
    bits = bits_per_dim(nll, math.prod(SHAPE), steps)
    assert torch.allclose(bits, torch.full_like(bits, math.log2(num_levels)), atol=1e-12)


@pytest.mark.parametrize("binarisation", [StaticBinarisation(), DynamicBinarisation()])
def test_a_fair_coin_costs_one_bit(binarisation):
    steps = Compose([binarisation, Flatten()]).bind(SHAPE, 256)
    nll = torch.full((3,), 16 * math.log(2), dtype=torch.float64)
    assert torch.allclose(bits_per_dim(nll, 16, steps), torch.ones(3, dtype=torch.float64))


def test_a_model_that_does_not_know_the_frame_pays_for_it():
    """Uniform on all of the padded space: log2 L for every padded dimension too."""
    steps = Compose([Pad(2), UniformDequantisation(), Scale()]).bind(SHAPE, 256)
    y = steps(uniform_levels(256), generator=torch.Generator().manual_seed(1))
    bits = bits_per_dim(torch.zeros(32, dtype=torch.float64), 16, steps, y=y)
    assert torch.allclose(bits, torch.full_like(bits, 8 * 64 / 16))


def test_nats_on_the_unit_interval():
    """The usual formula: bits = log2 256 - log p / (D ln 2)."""
    steps = Compose([UniformDequantisation(), Scale(256)])
    bits = bits_per_dim(torch.tensor([-1980.50]), 784, steps, y=torch.rand(1, 784))
    assert bits.item() == pytest.approx(8 - 1980.50 / (784 * math.log(2)), abs=1e-5)


class DroppedLogit(Logit):
    def log_abs_det(self, y):
        return torch.zeros(len(y), dtype=y.dtype)


class NegatedLogit(Logit):
    def log_abs_det(self, y):
        return -super().log_abs_det(y)


class PerImageScale(Scale):
    def log_abs_det(self, y):
        return super().log_abs_det(y) / y[0].numel()


@pytest.mark.parametrize(
    "broken",
    [
        [UniformDequantisation(), Scale(), DroppedLogit(0.05)],
        [UniformDequantisation(), Scale(), NegatedLogit(0.05)],
        [UniformDequantisation(), PerImageScale()],
    ],
    ids=names,
)
def test_the_law_catches_a_broken_log_determinant(broken):
    with pytest.raises(AssertionError):
        test_a_uniform_density_costs_the_entropy(broken, 17)


def test_no_dequantised_density_beats_the_entropy_of_the_data():
    """A Gaussian fitted to digits stays above log2 of the number of different images."""
    data = load("digits", preprocess=Compose([UniformDequantisation(), Scale(), Logit(0.05)]))
    y = data.train.tensor().double().flatten(1)
    model = torch.distributions.MultivariateNormal(
        y.mean(0), y.T.cov() + 1e-6 * torch.eye(64, dtype=torch.float64)
    )
    bits = bits_per_dim(-model.log_prob(y), data.num_dims, data.preprocess, y=y)
    assert math.log2(len(y)) / 64 < bits.mean() < math.log2(17)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nll_nats": torch.zeros(2), "num_dims": 0}, "num_dims"),
        ({"nll_nats": torch.tensor(1.0), "num_dims": 4}, r"shape \(B,\)"),
        ({"nll_nats": torch.zeros(2), "num_dims": 4, "preprocess": UniformDequantisation()}, "y="),
        (
            {
                "nll_nats": torch.zeros(2),
                "num_dims": 4,
                "preprocess": UniformDequantisation(),
                "y": torch.zeros(3, 4),
            },
            "has 2 examples, y has 3",
        ),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        bits_per_dim(**arguments)
