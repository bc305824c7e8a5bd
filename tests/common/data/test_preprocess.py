"""Every step inverts, and its log-determinant is that of its Jacobian."""

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
)

DEQUANTISED = [
    [UniformDequantisation()],
    [UniformDequantisation(), Scale(17)],
    [UniformDequantisation(), Scale(17), Logit(1e-3)],
    [UniformDequantisation(), Scale(17), Logit(0.05), Flatten((1, 2, 3))],
    [Flatten((1, 2, 3)), UniformDequantisation(), Scale(17), Logit(0.0)],
    [Pad((1, 0, 2, 1)), UniformDequantisation(), Scale(17), Logit(1e-6)],
    [StaticBinarisation(0.5, 17), UniformDequantisation(), Scale(2), Logit(0.1)],
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def levels(num=17, n=8, shape=(1, 2, 3)):
    return torch.randint(num, (n, *shape), generator=generator(), dtype=torch.uint8)


@pytest.mark.parametrize("steps", DEQUANTISED, ids=lambda s: "-".join(type(t).__name__ for t in s))
def test_the_log_determinant_is_that_of_the_autograd_jacobian(steps):
    """From x + u, where the map is smooth, to y; padding and binarisation come before."""
    smooth = Compose([s for s in steps if isinstance(s, Scale | Logit | Flatten)])
    x = 2.0 * torch.rand(3, 1, 2, 3, dtype=torch.float64, generator=generator())
    y = smooth(x)
    found = smooth.log_abs_det(y)
    for row, expected in zip(x, found, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda v: smooth(v[None]).flatten(), row)
        matrix = jacobian.reshape(6, 6)
        assert math.isclose(torch.linalg.slogdet(matrix)[1].item(), expected.item(), abs_tol=1e-9)


@pytest.mark.parametrize(
    "steps", DEQUANTISED[:-1], ids=lambda s: "-".join(type(t).__name__ for t in s)
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_inverse_gives_the_levels_back(steps, dtype):
    x = levels()
    steps = Compose(steps)
    y = steps(x.to(dtype), generator=generator())
    assert y.dtype == dtype
    assert y.shape[1:] == steps.output_shape((1, 2, 3))
    assert torch.isfinite(y).all()
    assert torch.equal(steps.inverse(y), x.to(dtype))


def test_256_levels_survive_the_logit():
    """All of them in float64; in float32 but for noise within a rounding of the next level."""
    x = torch.arange(256).repeat(1000, 1).reshape(1000, 1, 16, 16)
    steps = Compose([UniformDequantisation(), Scale(256), Logit(1e-6)])
    double = steps.inverse(steps(x.double(), generator=generator()))
    assert torch.equal(double, x.double())
    wrong = (steps.inverse(steps(x, generator=generator())) - x).abs()
    assert wrong.max() <= 1
    assert wrong.mean() < 1e-4


def test_dequantisation_never_reaches_the_next_level():
    """255 + u rounds to 256 in float32 for the largest u."""

    x = torch.full((200_000, 8), 255, dtype=torch.uint8)
    y = UniformDequantisation()(x, generator=generator())
    assert y.max() < 256
    assert (255 + torch.rand(x.shape, generator=generator())).max() == 256  # the trap is real


def test_dequantisation_noise_is_uniform():
    from scipy.stats import kstest

    y = UniformDequantisation()(torch.full((20_000, 1), 7), generator=generator())
    assert kstest((y[:, 0] - 7).numpy(), "uniform").pvalue > 1e-3


def test_logit_is_exact_near_black_and_white():
    """Against float64 on the whole range, float32 keeps its seven digits."""
    x = torch.cat([torch.linspace(0, 1, 1001), 1 - torch.logspace(-7, -1, 50)])[:, None]
    single, double = Logit(1e-6)(x), Logit(1e-6)(x.double())
    assert torch.allclose(single.double(), double, rtol=1e-5, atol=1e-5)


def test_dynamic_binarisation_has_the_right_means_and_is_drawn_anew():
    x = torch.arange(17).repeat(20_000, 1)
    y = DynamicBinarisation(17)(x, generator=generator())
    assert set(y.unique().tolist()) == {0.0, 1.0}
    p = torch.arange(17) / 16
    deviation = (y.mean(0) - p).abs() / (p * (1 - p) / 20_000).sqrt().clamp(min=1e-12)
    assert deviation.max() < 4.5
    assert y[:, 0].max() == 0
    assert y[:, 16].min() == 1
    assert not torch.equal(y, DynamicBinarisation(17)(x, generator=generator(1)))


def test_static_binarisation_thresholds():
    x = torch.tensor([[0, 127, 128, 255]])
    assert StaticBinarisation(0.5, 256)(x).tolist() == [[0, 0, 1, 1]]
    assert StaticBinarisation(0.0, 256)(x).tolist() == [[0, 1, 1, 1]]


@pytest.mark.parametrize("step", [StaticBinarisation(0.5, 17), DynamicBinarisation(17)])
def test_the_inverse_of_a_binarisation_is_a_right_inverse(step):
    y = torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    assert step.inverse(y).tolist() == [[0, 16, 16, 0]]
    assert torch.equal(step(step.inverse(y), generator=generator()), y)
    assert step.is_binary
    assert Compose([Pad(1), step, Flatten()]).is_binary
    assert not Compose([step, UniformDequantisation(), Scale(2)]).is_binary


def test_pad_frames_and_crops():
    x = levels().float()
    y = Pad((1, 2, 0, 3), value=5)(x)
    assert y.shape == (8, 1, 5, 6)
    assert torch.equal(y[:, :, :2, 1:4], x)
    assert y.sum() == x.sum() + 5 * 8 * (30 - 6)
    assert torch.equal(Pad((1, 2, 0, 3), value=5).inverse(y), x)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([Scale(4), UniformDequantisation()], "UniformDequantisation cannot follow Scale"),
        ([UniformDequantisation(), Scale(4), Pad(1)], "Pad cannot follow Scale"),
        ([UniformDequantisation(), Pad(1)], "Pad cannot follow UniformDequantisation"),
        ([Scale(4), StaticBinarisation()], "StaticBinarisation cannot follow Scale"),
        ([UniformDequantisation(), Logit()], "put Scale"),
        ([Scale(4), Scale(4)], "Scale cannot follow Scale"),
        ([Scale(4), Logit(), Logit()], "Logit cannot follow Logit"),
    ],
)
def test_an_order_with_wrong_numbers_is_refused(steps, message):
    with pytest.raises(ValueError, match=message):
        Compose(steps)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Scale(1), "num_levels"),
        (lambda: Logit(0.5), "alpha"),
        (lambda: Logit(-1e-9), "alpha"),
        (lambda: StaticBinarisation(1.0), "threshold"),
        (lambda: Pad(-1), "amount"),
        (lambda: Pad((1, 2)), "amount"),
        (lambda: Scale()(torch.zeros(1, 2)), "num_levels=256"),
        (lambda: Pad(1).output_shape((4,)), "pad before Flatten"),
        (lambda: Flatten().inverse(torch.zeros(1, 2)), "no shape"),
        (lambda: UniformDequantisation()(torch.zeros(1, 2)), "pass generator="),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_open_parameters_are_taken_from_the_data():
    steps = Compose([Pad(1), DynamicBinarisation(), UniformDequantisation(), Scale(), Flatten()])
    bound = steps.bind((1, 8, 8), 17)
    assert bound.steps[1].num_levels == 17
    assert bound.steps[3].num_levels == 2  # of the binarised data
    assert bound.steps[4].shape == (1, 10, 10)
    assert bound.output_shape((1, 8, 8)) == (100,)
