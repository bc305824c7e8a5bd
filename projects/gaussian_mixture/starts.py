"""Where EM begins: k-means++ centres (Arthur and Vassilvitskii 2007), or points drawn at random.

EM climbs to the nearest maximum, so the start decides which one. Either way all components begin with
the same weight and the same covariance. Shapes: N points, K components, D dimensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

if TYPE_CHECKING:
    from projects.gaussian_mixture.model import GaussianMixture

STARTS = ("k-means++", "random")
BLOCK = 2**14  # points at once


@torch.no_grad()
def start(
    model: GaussianMixture,
    x: Tensor,
    *,
    method: str = "k-means++",
    lloyd: int = 10,
    floor: float = 1e-6,
    generator: Generator,
) -> None:
    """Put the components where EM may begin.

    Args:
        model: changed in place.
        x: (N, *shape), N at least K.
        method: "k-means++": spread centres, then `lloyd` rounds of k-means; the covariance is that
            within the clusters. "random": K different points; the covariance is that of the data.
        lloyd: rounds of k-means after k-means++.
        floor: the least variance.
        generator: decides the centres; on the CPU or the model's device.

    Raises:
        ValueError: for an unknown method, or fewer points than components.
    """
    x, num = model.flat(x), model.num_components
    if method not in STARTS:
        raise ValueError(f"start {method!r} is not one of {', '.join(STARTS)}")
    if len(x) < num:
        raise ValueError(f"got {len(x)} points for {num} components, expected at least as many")
    if method == "random":
        order = torch.randperm(len(x), generator=generator, device=generator.device)
        centres = x[order[:num].to(x.device)]
        around = x.mean(0, keepdim=True)
    else:
        centres = k_means(x, k_means_plus_plus(x, num, generator), lloyd)
        around = centres
    covariance = model.covariance.reduce(scatter(x, around).expand(num, -1, -1) / len(x))
    if model.covariance.kind == "tied":
        covariance = covariance / num
    elif model.covariance.kind == "spherical":
        covariance = covariance / model.num_dims
    model.covariance.assign(covariance, floor)
    model.means.copy_(centres)
    model.logits.zero_()


def k_means_plus_plus(x: Tensor, num: int, generator: Generator) -> Tensor:
    """`num` points of x (N, D), each drawn with a chance in proportion to its squared distance from
    the nearest one drawn before; (num, D)."""

    def uniform() -> Tensor:
        return torch.rand((), generator=generator, device=generator.device).to(x)

    nearest = torch.full_like(x[:, 0], torch.inf)
    row = (uniform() * len(x)).long().clamp(max=len(x) - 1)
    centres = [x[row]]
    for _ in range(num - 1):
        away = [(part - centres[-1]).square().sum(1) for part in x.split(BLOCK)]
        nearest = torch.minimum(nearest, torch.cat(away))
        ends = nearest.double().cumsum(0)
        row = torch.searchsorted(ends, uniform().double() * ends[-1], right=True)
        centres.append(x[row.clamp(max=len(x) - 1)])
    return torch.stack(centres)


def k_means(x: Tensor, centres: Tensor, rounds: int) -> Tensor:
    """Lloyd's rounds: each centre (K, D) moves to the mean of the points that are nearest to it."""
    for _ in range(rounds):
        sums, counts = torch.zeros_like(centres), centres.new_zeros(len(centres))
        for part in x.split(BLOCK):
            label = torch.cdist(part, centres).argmin(1)
            sums.index_add_(0, label, part)
            counts.index_add_(0, label, torch.ones_like(part[:, 0]))
        moved = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    return centres


def scatter(x: Tensor, centres: Tensor) -> Tensor:
    """sum_n (x_n - c)(x_n - c)^T, (D, D), with c the centre (K, D) that is nearest to x_n."""
    total = x.new_zeros(x.shape[1], x.shape[1])
    for part in x.split(BLOCK):
        away = part - centres[torch.cdist(part, centres).argmin(1)]
        total += away.T @ away
    return total
