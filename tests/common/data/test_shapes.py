"""The rendered shapes: every combination once, no two alike, factors that mean what they say."""

import math

import torch

from common.data import load
from common.data.shapes import render_all


def test_every_combination_is_there_once_and_in_one_split():
    data = load("shapes")
    sizes = [len(values) for values in data.info.factors.values()]
    factors = torch.cat([split.factors for split in data.splits.values()])
    assert len(factors.unique(dim=0)) == len(factors) == math.prod(sizes)
    assert factors.amax(0).tolist() == [size - 1 for size in sizes]
    assert torch.equal(data.train.y, data.train.factors[:, 0])


def test_no_two_images_are_alike():
    """Otherwise a factor could not be read off: orientation stops below the square's symmetry."""
    images, _ = render_all()
    assert len({image.numpy().tobytes() for image in images}) == len(images)


def test_x_and_y_are_the_centre_and_scale_the_size():
    images, factors = render_all()
    values = load("shapes").info.factors
    weight = images[:, 0].double()
    axis = torch.arange(32, dtype=torch.float64) + 0.5
    area = weight.sum((1, 2))
    centre_x = (weight.sum(1) * axis).sum(1) / area
    centre_y = (weight.sum(2) * axis).sum(1) / area
    for centre, column, name in ((centre_x, 3, "x"), (centre_y, 4, "y")):
        expected = torch.tensor(values[name], dtype=torch.float64)[factors[:, column]]
        assert (centre - expected).abs().max() < 0.35  # a triangle's rendered centroid is near
    scale = torch.tensor(values["scale"], dtype=torch.float64)[factors[:, 1]]
    closed_form = [2 * 7.5**2, math.pi * 7.5**2 / 2, 0.75 * math.sqrt(3) * 7.5**2]
    expected = torch.tensor(closed_form, dtype=torch.float64)[factors[:, 0]] * scale.square()
    assert (area / 255 / expected - 1).abs().max() < 0.05


def test_orientation_turns_the_shape():
    """Second moments of the ellipse point along its angle."""
    images, factors = render_all()
    chosen = (
        (factors[:, 0] == 1) & (factors[:, 1] == 3) & (factors[:, 3] == 5) & (factors[:, 4] == 5)
    )
    axis = torch.arange(32, dtype=torch.float64)
    for image, factor in zip(images[chosen, 0].double(), factors[chosen], strict=True):
        p = image / image.sum()
        x, y = (p.sum(0) * axis).sum(), (p.sum(1) * axis).sum()
        xx = (p.sum(0) * (axis - x) ** 2).sum()
        yy = (p.sum(1) * (axis - y) ** 2).sum()
        xy = (p * (axis - y)[:, None] * (axis - x)).sum()
        angle = 0.5 * torch.atan2(2 * xy, xx - yy) * 180 / math.pi
        assert abs(angle - 11.25 * factor[2]) < 1.0


def test_edges_are_grey_and_the_border_is_empty():
    images, _ = render_all()
    assert ((images > 0) & (images < 255)).flatten(1).any(1).all()
    frame = torch.ones(32, 32, dtype=torch.bool)
    frame[1:-1, 1:-1] = False
    assert images[:, 0, frame].float().mean() < 1
    assert images.dtype == torch.uint8
