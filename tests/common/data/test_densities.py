"""Densities integrate to one and samples have them; those without a closed form say so."""

import math

import pytest
import torch
from scipy.stats import chisquare

from common.data import load
from common.data.densities import (
    DENSITIES,
    Checkerboard,
    Density,
    Grid,
    Moons,
    Pinwheel,
    Ring,
    SwissRoll,
    ThinRing,
)

EXACT = [
    Ring(),
    Ring(num_modes=3, radius=1.0, std=0.5),
    Grid(std=0.2),
    Grid(num_per_side=3, spacing=1.0, std=0.1),
    ThinRing(std=0.1),
    Pinwheel(),
    Pinwheel(num_arms=3, rate=1.0, scale=1.0),
    Checkerboard(),
    Checkerboard(num_per_side=2, square=1.0),
]


def lattice(density: Density, num: int = 480) -> tuple[torch.Tensor, float]:
    """Midpoints of num x num cells over a window with room, and the area of a cell."""
    half = 1.5 * density.half_width
    step = 2 * half / num
    axis = (torch.arange(num, dtype=torch.float64) + 0.5) * step - half
    return torch.cartesian_prod(axis, axis), step**2


def mass(density: Density) -> float:
    points, area = lattice(density)
    return (density.log_prob(points).exp().sum() * area).item()


def fit(density: Density, n: int = 50_000) -> float:
    """p-value of a chi-square test of samples against the integrated density in 20 x 20 cells."""
    points, area = lattice(density)
    half = 1.5 * density.half_width

    def cell(x):
        row, column = ((x + half) / (2 * half) * 20).long().clamp(0, 19).unbind(1)
        return row * 20 + column

    expected = torch.zeros(400, dtype=torch.float64)
    expected.index_add_(0, cell(points), density.log_prob(points).exp() * area * n)
    x = density.sample(n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    observed = torch.bincount(cell(x), minlength=400).double()
    rare = expected < 5
    o = torch.cat([observed[~rare], observed[rare].sum()[None]])
    e = torch.cat([expected[~rare], expected[rare].sum()[None]]) + 1e-9
    return float(chisquare(o.numpy(), (e * o.sum() / e.sum()).numpy()).pvalue)


@pytest.mark.parametrize("density", EXACT, ids=repr)
def test_the_density_integrates_to_one(density):
    assert mass(density) == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("density", EXACT, ids=repr)
def test_samples_have_the_density(density):
    assert fit(density) > 1e-3


class TwiceRing(Ring):
    def _log_prob(self, x):
        return super()._log_prob(x) + math.log(2)


class WideRing(Ring):
    def _log_prob(self, x):
        return Ring(std=1.1 * self.std)._log_prob(x)


class ClassicPinwheel(Pinwheel):
    """Turns by the first coordinate, as in Johnson et al.: not area-preserving."""

    def _swirl(self, a):
        return self.rate * a[:, 0].exp()


def test_these_tests_catch_a_wrong_density():
    assert mass(TwiceRing()) == pytest.approx(2, abs=1e-2)
    assert fit(WideRing()) < 1e-6
    assert fit(ClassicPinwheel(rate=0.5)) < 1e-6


def test_the_swirl_of_the_pinwheel_keeps_areas():
    density = Pinwheel(rate=0.7)
    a = torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def swirl(point):
        angle = density._swirl(point[None])[0]
        cos, sin = angle.cos(), angle.sin()
        return torch.stack([cos * point[0] - sin * point[1], sin * point[0] + cos * point[1]])

    for point in a:
        jacobian = torch.autograd.functional.jacobian(swirl, point)
        assert torch.linalg.det(jacobian).item() == pytest.approx(1, abs=1e-12)


def test_the_ring_is_the_one_of_the_goals():
    modes = Ring().modes
    assert modes.shape == (8, 2)
    assert torch.allclose(modes.norm(dim=1), torch.full((8,), 2.0, dtype=torch.float64))
    peak = -math.log(8) - math.log(2 * math.pi * 0.04)
    assert Ring().log_prob(modes).tolist() == pytest.approx([peak] * 8, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "modes", "length", "std"),
    [
        ("thin_ring", 8, 1.0, 0.01),  # Lin et al. 2018, radius
        ("eight_gaussians", 8, 2 / 1.414, 0.02 / 1.414),  # Gulrajani et al. 2017, radius
        ("grid", 25, 2.0, 0.05),  # Lin et al. 2018, step
        ("twenty_five_gaussians", 25, 2 / 2.828, 0.05 / 2.828),  # Gulrajani et al. 2017, step
    ],
)
def test_the_mixtures_are_those_of_the_papers(name, modes, length, std):
    density = load(name).density
    assert density.modes.shape == (modes, 2)
    is_ring = modes == 8
    distance = torch.pdist(density.modes).min() if not is_ring else density.modes[0].norm()
    assert distance.item() == pytest.approx(length)
    # single precision resolves the narrowest mode: samples stand 1 std from it in each direction
    x = load(name).train.x.double()
    nearest = density.modes[torch.cdist(x, density.modes).argmin(1)]
    assert (x - nearest).std().item() == pytest.approx(std, rel=0.01)


@pytest.mark.parametrize("density", [Moons(), SwissRoll()], ids=repr)
def test_a_curve_with_noise_has_no_closed_form(density):
    assert not density.has_log_prob
    with pytest.raises(ValueError, match="no closed-form density"):
        density.log_prob(torch.zeros(1, 2))


def test_moons_lie_on_two_half_circles():
    x = Moons(noise=1e-9).sample(1000, generator=torch.Generator().manual_seed(0)).double()
    upper = (x - torch.tensor([-0.5, -0.25])).norm(dim=1)
    lower = (x - torch.tensor([0.5, 0.25])).norm(dim=1)
    assert torch.minimum((upper - 1).abs(), (lower - 1).abs()).max() < 1e-6
    assert 400 < (upper - 1).abs().lt(1e-6).sum() < 600


def test_the_swiss_roll_lies_on_its_spiral():
    x = SwissRoll(noise=1e-9).sample(1000, generator=torch.Generator().manual_seed(0)).double()
    t = 7.5 * x.norm(dim=1)
    assert torch.allclose(7.5 * x, torch.stack([t * t.cos(), t * t.sin()], 1), atol=1e-4)
    assert 1.5 * math.pi - 1e-3 < t.min() < t.max() < 4.5 * math.pi + 1e-3


@pytest.mark.parametrize("name", DENSITIES)
def test_the_window_of_a_plot_shows_nearly_all(name):
    data = load(name)
    inside = (data.test.x.abs() < data.density.half_width).all(1).double().mean()
    assert inside > 0.995


@pytest.mark.parametrize("name", DENSITIES)
def test_sampling_is_the_generators_in_any_dtype(name):
    density = load(name).density
    draw = lambda dtype: density.sample(  # noqa: E731
        64, generator=torch.Generator().manual_seed(7), dtype=dtype
    )
    assert torch.equal(draw(torch.float64).float(), draw(torch.float32))
    assert draw(None).dtype == torch.get_default_dtype()
    if density.has_log_prob:
        x = load(name).train.x
        assert torch.isfinite(density.log_prob(x)).all()
        assert density.log_prob(x[:1].double()).dtype == torch.float64


def test_far_away_is_a_small_number_and_not_a_nan():
    x = torch.tensor([[1e3, -1e3], [0.0, 1e4]])
    for name in ("ring", "grid", "pinwheel"):
        assert (load(name).density.log_prob(x) < -1000).all()
    assert (Checkerboard().log_prob(x) == -math.inf).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ring(std=0), "std must be positive, got 0"),
        (lambda: Grid(num_per_side=0), "num_per_side"),
        (lambda: Checkerboard(num_per_side=3), "even"),
        (lambda: Ring().log_prob(torch.zeros(2)), r"\(B, 2\), got \(2,\)"),
        (lambda: Ring().sample(0, generator=torch.Generator()), "n must be at least 1"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
