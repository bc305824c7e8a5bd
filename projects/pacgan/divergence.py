"""What packing does to a divergence: total variation and Jensen-Shannon of m-fold products, exactly.

Section 3 of Lin et al. (2018): two generators may be equally far from the data in total variation,
one of them without a mode and the other not, and packing moves the first one further away. For
densities that are constant on a few pieces the products are sums over how many of the m samples
fall on each piece.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def product_divergence(
    p: Sequence[float], q: Sequence[float], m: int, divergence: Callable[[Tensor, Tensor], Tensor]
) -> float:
    """Divergence of p^m and q^m, masses of K pieces, by the counts of each piece among m samples.

    Args:
        p, q: (K,) masses.
        m: samples in a pack.
        divergence: `total_variation` or `jensen_shannon`, or any other f-divergence.

    >>> round(product_divergence([0.5, 0.5], [1.0, 0.0], 2, total_variation), 3)  # 1 - 1/4
    0.75
    """
    if m < 1 or len(p) != len(q):
        raise ValueError(f"m is {m} and there are {len(p)} and {len(q)} masses; expected m >= 1")
    masses = torch.tensor([p, q], dtype=torch.float64)  # (2, K)
    counts = torch.tensor(
        [split for split in itertools.product(range(m + 1), repeat=len(p)) if sum(split) == m],
        dtype=torch.float64,
    )  # (N, K)
    ways = math.lgamma(m + 1) - torch.lgamma(counts + 1).sum(1)  # log multinomial coefficients
    log_masses = torch.special.xlogy(counts, masses[:, None]).sum(2) + ways  # (2, N)
    return float(divergence(*log_masses.exp()))


def total_variation(p: Tensor, q: Tensor) -> Tensor:
    """Half the sum of |p - q|, from 0 to 1."""
    return (p - q).abs().sum() / 2


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """JS(p, q) in nats, from 0 to log 2: what a discriminator's loss at best is made of."""
    middle = (p + q) / 2
    return sum(torch.special.xlogy(side, side / middle).nansum() for side in (p, q)) / 2


# The example of Section 3: uniform data on [0, 1]; a generator without the first fifth; and one
# that has too little on the first half. Pieces: [0, 0.2], [0.2, 0.5], [0.5, 1].
DATA = (0.2, 0.3, 0.5)
COLLAPSED = (0.0, 0.375, 0.625)  # density 1.25 on [0.2, 1]
UNEVEN = (0.12, 0.18, 0.7)  # density 0.6 on [0, 0.5], 1.4 on [0.5, 1]
