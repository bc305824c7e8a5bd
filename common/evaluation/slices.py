"""Sliced Wasserstein distance: optimal transport on random lines."""

import torch
from torch import Tensor

NUM_PROJECTIONS = 256
BLOCK = 2**19  # float64 elements at once: 4 MiB


def sliced_wasserstein(
    x: Tensor,
    y: Tensor,
    *,
    generator: torch.Generator,
    num_projections: int = NUM_PROJECTIONS,
) -> tuple[float, float]:
    """Mean Wasserstein-1 distance of one-dimensional projections (Bonneel et al. 2015).

    W1 = integral |F - G| on each line, for any numbers of samples. It is not zero for two finite
    sets of one distribution: read it beside its floor. The standard error is that of the samples,
    by the delta method: W1 changes with the weight of a sample by the Kantorovich potential there,
    whose derivative is the sign of F - G.

    Args:
        x: (n, D) samples, float64.
        y: (m, D) held-out data, float64.
        generator: source of the directions, uniform on the sphere.
        num_projections: lines, at least 1.

    Returns:
        The mean over the lines, in the unit of the data, and its standard error.
    """
    n, m = len(x), len(y)
    points = torch.cat([x, y])
    directions = torch.randn(num_projections, x.shape[1], generator=generator, dtype=torch.float64)
    directions = (directions / directions.norm(dim=1, keepdim=True)).T  # (D, P)
    total, potential = x.new_zeros(()), x.new_zeros(n + m)
    for part in directions.split(max(1, BLOCK // (n + m)), dim=1):
        distance, slope = line_distances(points @ part, n)
        total += distance.sum()
        potential += slope.sum(1)
    potential /= num_projections
    variance = potential[:n].var() / n + potential[n:].var() / m
    return (total / num_projections).item(), variance.sqrt().item()


def line_distances(points: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """W1 on each line between the first n points and the others, and the potential of each point.

    Args:
        points: (n + m, P), P lines.

    Returns:
        (P,) distances, and (n + m, P) potentials up to a constant.
    """
    m = len(points) - n
    ordered, order = points.sort(0)
    # n m (F - G) after each point, in integers so that its sign is exact
    steps = torch.where(order < n, m, -n).cumsum(0)[:-1]
    gaps = ordered.diff(dim=0)  # (n + m - 1, P)
    distances = (steps.abs() * gaps).sum(0) / (n * m)
    slopes = (steps.sign() * gaps).flip(0).cumsum(0).flip(0)
    slopes = torch.cat([slopes, slopes.new_zeros(1, slopes.shape[1])])
    return distances, torch.empty_like(slopes).scatter_(0, order, slopes)
