"""Walks between codes, neighbourhoods and midpoints: closed forms, and variants they catch."""

import math

import pytest
import torch

from common.evaluation import EvaluationError, latent_space
from common.evaluation.latent_space import (
    local_lipschitz,
    midpoint_realism,
    neighbourhoods,
    paths,
    perceptual_path_length,
    slerp,
)
from tests.common.evaluation.models import normal, seeded

MATRIX = normal(5, 3, 7).T  # (3, 5): codes of three dimensions, data of five
START, END = normal(40, 3, 1), normal(40, 3, 2)


def linear(z):
    return z @ MATRIX


def circle(z):
    """An angle in radians, (n, 1) -> (n, 2)."""
    return torch.cat([z.cos(), z.sin()], 1)


def law_of_lines():
    """A linear decoder: the length is that of the one vector, at constant speed, straight."""
    found = paths(linear, START, END, steps=7)
    torch.testing.assert_close(found.length, (linear(END) - linear(START)).norm(dim=1))
    torch.testing.assert_close(found.straightness, torch.ones(40, dtype=torch.float64))
    torch.testing.assert_close(found.largest_step, torch.ones(40, dtype=torch.float64))


def law_of_the_step():
    """The squared speed of a linear decoder, whatever eps."""
    speed = (linear(END) - linear(START)).square().sum(1)
    for eps in (1e-3, 0.2):
        value, error = perceptual_path_length(linear, START, END, generator=seeded(), eps=eps)
        assert value == pytest.approx(speed.mean().item())
        assert error == pytest.approx((speed.std() / math.sqrt(40)).item())


def law_of_folds_and_tears():
    """Two clusters laid on each other are not to be trusted; one torn apart is not continuous."""
    near = normal(120, 2, 3)
    far = near + torch.tensor([[0.0, 50.0]]) * (torch.arange(120) % 2)[:, None]
    trust, continuity = neighbourhoods(far, near)
    assert trust < 0.9
    assert continuity > 0.94
    trust, continuity = neighbourhoods(near, far)
    assert trust > 0.94
    assert continuity < 0.9


@pytest.mark.parametrize("law", [law_of_lines, law_of_the_step, law_of_folds_and_tears])
def test_the_law_holds(law):
    law()


def swapped(x, codes, *, n_neighbors):
    return trustworthiness_of(codes, x, n_neighbors=n_neighbors)


def trustworthiness_of(x, codes, *, n_neighbors):
    from sklearn.manifold._t_sne import trustworthiness

    return trustworthiness(x, codes, n_neighbors=n_neighbors)


def quadratic(start, end, weight, spherical):
    return torch.lerp(start, end, weight**2)


@pytest.mark.parametrize(
    ("place", "name", "variant", "law"),
    [
        (latent_space, "between", quadratic, law_of_lines),
        (latent_space, "between", quadratic, law_of_the_step),
        ("sklearn.manifold", "trustworthiness", swapped, law_of_folds_and_tears),
    ],
    ids=["a walk of uneven speed", "speed not measured", "the spaces exchanged"],
)
def test_the_laws_catch(place, name, variant, law, monkeypatch):
    if isinstance(place, str):
        monkeypatch.setattr(f"{place}.{name}", variant)
    else:
        monkeypatch.setattr(place, name, variant)
    with pytest.raises(AssertionError):
        law()


def test_an_arc_is_longer_than_its_chord():
    angle, steps = 2.0, 12
    found = paths(circle, torch.zeros(1, 1).double(), torch.full((1, 1), angle).double(), steps=12)
    length = 2 * steps * math.sin(angle / (2 * steps))
    assert found.length.item() == pytest.approx(length)
    assert found.straightness.item() == pytest.approx(2 * math.sin(angle / 2) / length)
    assert found.largest_step.item() == pytest.approx(1)


def test_a_jump_is_one_step():
    found = paths(lambda z: (z > 0.3).float(), torch.zeros(1, 1), torch.ones(1, 1), steps=8)
    assert found.largest_step.item() == pytest.approx(8)
    still = paths(torch.zeros_like, torch.zeros(2, 1), torch.ones(2, 1))
    assert still.length.tolist() == [0, 0]
    assert still.straightness.tolist() == still.largest_step.tolist() == [1, 1]


def test_features_are_where_lengths_are_measured():
    found = paths(linear, START, END, features=lambda x: 3 * x)
    torch.testing.assert_close(found.length, 3 * paths(linear, START, END).length)


def test_great_circles_have_the_speed_of_their_angle():
    start, end = torch.tensor([[1.0, 0, 0]] * 2).double(), torch.tensor([[0, 1.0, 0]] * 2).double()
    eps = 1e-2
    value, _ = perceptual_path_length(
        lambda z: z, start, end, generator=seeded(), eps=eps, spherical=True
    )
    assert value == pytest.approx((2 * math.sin(math.pi / 4 * eps) / eps) ** 2)
    halfway = slerp(start, end, torch.tensor(0.5))
    torch.testing.assert_close(halfway[0], torch.tensor([0.5, 0.5, 0]).double().sqrt())


def test_the_slope_of_a_similarity_is_its_scale():
    turn = torch.linalg.qr(normal(3, 3, 5)).Q
    found = local_lipschitz(lambda z: 2.5 * z @ turn, START, generator=seeded())
    torch.testing.assert_close(found, torch.full((40,), 2.5).double())


def test_the_slope_comes_near_the_largest_singular_value_from_below():
    largest = torch.linalg.svdvals(MATRIX)[0]
    found = local_lipschitz(linear, START, generator=seeded(), num_directions=200)
    assert (found <= largest + 1e-6).all()
    assert (found > 0.9 * largest).all()


def test_neighbourhoods_survive_similarities_and_not_chance():
    x = normal(100, 4, 0)
    assert neighbourhoods(x, -3 * x + 1) == (1, 1)
    for value in neighbourhoods(x, normal(100, 2, 1)):
        assert 0.4 < value < 0.65


def test_trustworthiness_by_its_definition():
    n, k = 30, 3
    x, codes = normal(n, 3, 0), normal(n, 2, 1)
    in_x, in_codes = (torch.cdist(v, v).argsort(1)[:, 1:] for v in (x, codes))
    total = 0
    for i in range(n):
        for j in in_codes[i, :k].tolist():
            rank = in_x[i].tolist().index(j) + 1
            total += max(0, rank - k)
    expected = 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * total
    assert neighbourhoods(x, codes, k=k)[0] == pytest.approx(expected)


def test_halfway_round_a_circle_is_real_and_halfway_across_is_not():
    """Data on a circle: codes that are angles have real midpoints, coordinates have not."""
    angles = 2 * math.pi * torch.rand(2000, 1, generator=seeded(), dtype=torch.float64)
    data = circle(angles)
    held_out, train = data[:200], data[200:]
    start, end = angles[:100], angles[:100] + 2  # two radians apart
    found = midpoint_realism(circle, start, end, held_out, train)
    assert found.distance == pytest.approx(found.floor, rel=0.3)
    assert found.blend == pytest.approx(1 - math.cos(1), abs=0.01)
    across = midpoint_realism(lambda z: z, circle(start), circle(end), held_out, train)
    assert across.distance == pytest.approx(1 - math.cos(1), abs=0.01)
    around = midpoint_realism(
        lambda z: z, circle(start), circle(end), held_out, train, spherical=True
    )
    assert around.distance == pytest.approx(found.distance, abs=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paths(linear, START, END[:3]), r"start has shape \(40, 3\) and end \(3, 3\)"),
        (lambda: paths(linear, START, END, steps=0), "steps is 0"),
        (lambda: paths(lambda z: z / 0, START, END), "decoded values: 680 of 680 hold NaN"),
        (
            lambda: perceptual_path_length(linear, START, END, generator=seeded(), eps=1.5),
            "eps is 1.5",
        ),
        (
            lambda: perceptual_path_length(linear, START[:1], END[:1], generator=seeded()),
            "1 walk, expected two or more",
        ),
        (lambda: local_lipschitz(linear, START, generator=seeded(), radius=0), "radius is 0"),
        (lambda: neighbourhoods(START[:20], END[:20]), "expected at least 21"),
        (lambda: neighbourhoods(START, END[:30]), "40 examples and 30 codes"),
        (lambda: neighbourhoods(START, END, k=0), "k is 0"),
        (
            lambda: midpoint_realism(linear, START[:1], END[:1], START, END),
            "1 walk, expected two or more",
        ),
    ],
)
def test_what_cannot_be_measured_is_told(call, message):
    with pytest.raises(EvaluationError, match=message):
        call()
