"""Entropy and distances between densities on the line, by quadrature: the first lesson's numbers.

Every function takes densities as tables: log p at the points of one equally spaced grid. What lies
outside the grid is not seen, so it must hold all of the mass that matters. The definitions are those of
Cover and Thomas (2006), Sections 2.3 and 8.1, and of Villani (2009), Section 6, for Wasserstein.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def entropy(log_p: Tensor, step: float) -> float:
    """-int p log p, in nats."""
    return -_integral(log_p.exp() * log_p, step)


def kl(log_p: Tensor, log_q: Tensor, step: float) -> float:
    """KL(p || q) = int p log(p / q), in nats; infinite where p has mass and q has none."""
    p = log_p.exp()
    return _integral(torch.where(p > 0, p * (log_p - log_q), 0.0), step)


def jensen_shannon(log_p: Tensor, log_q: Tensor, step: float) -> float:
    """The mean KL from p and from q to their average, in nats; at most ln 2."""
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    return 0.5 * (kl(log_p, log_m, step) + kl(log_q, log_m, step))


def total_variation(log_p: Tensor, log_q: Tensor, step: float) -> float:
    """1/2 int |p - q|: the most by which the two can differ on the probability of an event."""
    return 0.5 * _integral((log_p.exp() - log_q.exp()).abs(), step)


def wasserstein(log_p: Tensor, log_q: Tensor, step: float) -> float:
    """W1 = int |P - Q| with the distribution functions P and Q, in the unit of x."""
    difference = (log_p.exp() - log_q.exp()).cumsum(0) * step
    return _integral(difference.abs(), step)


def _integral(values: Tensor, step: float) -> float:
    return (values.double().sum() * step).item()
