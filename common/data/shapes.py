"""Rendered shapes with known generative factors: the full factorial, drawn by formula.

Factors (dSprites with fewer values): shape, scale, orientation, x, y. A pixel is the part of it
that the shape covers, approximated by its signed distance to the edge: grey only at the edge.
"""

import math

import torch
from torch import Tensor

from common.data.digits import RawSplit, hash_order
from common.data.embedded import SHAPES

_SIZE = 32
_RADIUS = 7.5  # pixels, of the circle round a shape of scale 1


def make_shapes() -> dict[str, RawSplit]:
    """Every combination of the factors, in three fixed splits; x uint8, y the kind of shape."""
    images, factors = render_all()
    order = hash_order(len(images), "shapes")
    splits: dict[str, RawSplit] = {}
    start = 0
    for name, size in SHAPES.splits.items():
        index = order[start : start + size].sort().values
        splits[name] = (images[index], factors[index, 0].clone(), factors[index])
        start += size
    return splits


def render_all() -> tuple[Tensor, Tensor]:
    """All images (N, 1, 32, 32) uint8 and the indices of their factors (N, 5) int64."""
    values = SHAPES.factors
    counts = [len(v) for v in values.values()]
    patches = _patches(values["scale"], values["orientation"])  # (3, S, O, 16, 16)
    side = patches.shape[-1]
    canvas = torch.zeros(*counts, _SIZE, _SIZE, dtype=torch.uint8)
    for i, x in enumerate(values["x"]):
        for j, y in enumerate(values["y"]):
            left, top = x - side // 2, y - side // 2
            canvas[..., i, j, top : top + side, left : left + side] = patches
    grids = torch.meshgrid(*[torch.arange(n) for n in counts], indexing="ij")
    factors = torch.stack([g.flatten() for g in grids], 1)
    return canvas.reshape(-1, 1, _SIZE, _SIZE), factors


def _patches(scales: tuple, degrees: tuple) -> Tensor:
    """Each shape at each scale and orientation, centred: (3, S, O, 16, 16) uint8."""
    axis = torch.arange(16, dtype=torch.float64) - 7.5
    v, u = torch.meshgrid(axis, axis, indexing="ij")
    angle = torch.tensor(degrees, dtype=torch.float64)[:, None, None] * (math.pi / 180)
    # turning the shape by the angle is turning the pixels back
    p = angle.cos() * u + angle.sin() * v  # (O, 16, 16)
    q = -angle.sin() * u + angle.cos() * v
    per_shape = []
    for distance in (_square, _ellipse, _triangle):
        per_scale = [distance(p, q, _RADIUS * scale) for scale in scales]
        per_shape.append(torch.stack(per_scale))
    coverage = (0.5 - torch.stack(per_shape)).clamp(0, 1)
    return (255 * coverage).round().to(torch.uint8)


def _square(p: Tensor, q: Tensor, radius: float) -> Tensor:
    """Signed distance in pixels to a square with this circumradius, negative inside."""
    return torch.maximum(p.abs(), q.abs()) - radius / math.sqrt(2)


def _ellipse(p: Tensor, q: Tensor, radius: float) -> Tensor:
    """First-order signed distance to an ellipse with half axes radius and radius / 2."""
    a, b = radius, radius / 2
    level = ((p / a).square() + (q / b).square()).sqrt()
    gradient = ((p / a**2).square() + (q / b**2).square()).sqrt() / level
    return (level - 1) / gradient


def _triangle(p: Tensor, q: Tensor, radius: float) -> Tensor:
    """Signed distance to an equilateral triangle with this circumradius."""
    sides = [math.pi * (0.5 + 2 * k / 3) for k in range(3)]
    planes = [math.cos(a) * p + math.sin(a) * q for a in sides]
    return torch.stack(planes).amax(0) - radius / 2
