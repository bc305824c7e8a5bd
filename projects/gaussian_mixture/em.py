"""Expectation-maximisation: Dempster, Laird and Rubin (1977), Eqs. (2.2) and (2.3), for mixtures.

The E-step computes which component made which point, and sums up what the M-step needs to know: the
expected counts, first and second moments. Both moments are taken in each component's own whitened
coordinates z = L^-1 (x - mu), where they are of order one however thin the component is. The points
go through in blocks, so that a million of them need the memory of one block.

Different from the paper: eigenvalues of a covariance that fall below a floor are raised to it, which
maximises the same expected log-likelihood over a smaller set, so Theorem 1 (the likelihood never
decreases) still holds; and a component without points stays where it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from projects.gaussian_mixture.missing import completions, log_joint_of_observed, patterns

if TYPE_CHECKING:
    from projects.gaussian_mixture.model import GaussianMixture

CPU_BLOCK, GPU_BLOCK = 2**17, 2**25  # numbers in one block of whitened points: a cache, a launch


@dataclass
class Statistics:
    """Sums over points, in float64, in the whitened coordinates of the present parameters.

    Attributes:
        num_points: N.
        log_likelihood: sum_n log p(x_n) in nats.
        counts: (K,) sum_n r_nk, the expected number of points of each component.
        first: (K, D) sum_n r_nk z_nk.
        second: sum_n r_nk z_nk z_nk^T, as much as the covariance's structure needs.
    """

    num_points: Tensor
    log_likelihood: Tensor
    counts: Tensor
    first: Tensor
    second: Tensor

    def tensors(self) -> tuple[Tensor, ...]:
        """All of them, to be summed over processes in place."""
        return self.num_points, self.log_likelihood, self.counts, self.first, self.second

    def add(self, log_joint: Tensor, z: Tensor, model: GaussianMixture) -> Tensor:
        """Add a block's sums, for log_joint (K, b) and z (K, b, D); returns r (K, b)."""
        log_prob = log_joint.logsumexp(0)
        weights = torch.exp(log_joint - log_prob)
        self.num_points += len(log_prob)
        self.log_likelihood += log_prob.double().sum()
        self.counts += weights.double().sum(1)
        self.first += (weights[:, None] @ z)[:, 0]
        self.second += model.covariance.second_moments(z, weights)
        return weights


@torch.no_grad()
def expectation(
    model: GaussianMixture,
    x: Tensor,
    observed: Tensor | None = None,
    *,
    block_size: int | None = None,
) -> Statistics:
    """The E-step: the expected sufficient statistics of the complete data, Eq. (2.2).

    Args:
        model: with the parameters to take the expectation under.
        x: (N, *shape).
        observed: (N, *shape) bool, False where a value is missing; None if none is.
        block_size: points at once; None for as many as keep a block within the cache (CPU) or
            within some hundred megabytes (GPU).
    """
    x = model.flat(x)
    if observed is not None:
        return expectation_of_observed(model, x, model.flat(observed, "observed"), block_size)
    totals, covariance = zeros(model), model.covariance
    inverse = covariance.inverse()
    for part in x.split(block_size or default_block(model)):
        z = covariance.whiten(part, model.means, inverse)
        totals.add(model.log_joint_of_whitened(z), z, model)
    return totals


def expectation_of_observed(
    model: GaussianMixture, x: Tensor, observed: Tensor, block_size: int | None = None
) -> Statistics:
    """The E-step where values are missing, (N, D) both: moments of the completed points.

    Second moments gain the covariance that the observed part leaves to the missing one.
    """
    totals, covariance = zeros(model), model.covariance
    factors = covariance.factors()
    for rows, seen, lost in patterns(observed):
        for part in rows.split(block_size or default_block(model)):
            log_joint = log_joint_of_observed(model, x[part], observed[part])
            completed, rest = completions(model, x[part], seen, lost)
            centred = (completed - model.means[:, None]).mT  # (K, D, b)
            z = torch.linalg.solve_triangular(factors, centred, upper=False).mT
            weights = totals.add(log_joint, z.contiguous(), model)
            spread = torch.zeros_like(factors)
            spread[:, lost[:, None], lost] = rest
            inner = torch.linalg.solve_triangular(factors, spread, upper=False)
            inner = torch.linalg.solve_triangular(factors, inner.mT, upper=False)
            totals.second += covariance.reduce(weights.sum(1)[:, None, None] * inner)
    return totals


@torch.no_grad()
def maximisation(
    model: GaussianMixture, statistics: Statistics, *, floor: float = 1e-6, added: float = 0.0
) -> None:
    """The M-step: the parameters that maximise the expected log-likelihood, Eq. (2.3).

    Args:
        model: changed in place; `statistics` must be its own `expectation`.
        floor: the least variance of a component in any direction.
        added: a variance added to every covariance, as other programs do. With it the likelihood
            may decrease.

    Raises:
        ValueError: where a covariance is singular and the floor is 0.
    """
    counts = statistics.counts
    least = 10 * torch.finfo(counts.dtype).eps
    alive = counts > least
    counts = counts.clamp(min=least)
    shift = torch.where(alive[:, None], statistics.first / counts[:, None], 0.0)
    covariances = model.covariance.estimate(statistics.second, shift, counts)
    if added:
        covariances = model.covariance.added(covariances, added)
    means = model.means + model.covariance.scale(shift.to(model.means))
    model.covariance.assign(covariances, floor, alive)
    model.means.copy_(means)
    model.logits.copy_((counts / counts.sum()).log())


def em_step(
    model: GaussianMixture,
    x: Tensor,
    observed: Tensor | None = None,
    *,
    floor: float = 1e-6,
    added: float = 0.0,
) -> float:
    """One iteration; returns the mean log-likelihood in nats *before* it. Arguments as above."""
    statistics = expectation(model, x, observed)
    maximisation(model, statistics, floor=floor, added=added)
    return (statistics.log_likelihood / statistics.num_points).item()


def fit(
    model: GaussianMixture,
    x: Tensor,
    observed: Tensor | None = None,
    *,
    iterations: int = 100,
    tolerance: float | None = None,
    floor: float = 1e-6,
    added: float = 0.0,
) -> list[float]:
    """Iterate, until an iteration raises the mean log-likelihood by less than `tolerance` nats.

    Args:
        iterations: at most so many.
        tolerance: None to do all of them.

    Returns:
        The mean log-likelihood in nats before each iteration, and after the last one.
    """
    history: list[float] = []
    for _ in range(iterations):
        history.append(em_step(model, x, observed, floor=floor, added=added))
        if tolerance is not None and len(history) > 1 and history[-1] - history[-2] < tolerance:
            break
    last = expectation(model, x, observed)
    return [*history, (last.log_likelihood / last.num_points).item()]


def zeros(model: GaussianMixture) -> Statistics:
    """The statistics of no point."""
    like = {"dtype": torch.float64, "device": model.means.device}
    means = torch.zeros(model.means.shape, **like)
    second = torch.zeros(model.covariance.shape(), **like)
    nothing = torch.zeros((), **like)
    return Statistics(nothing, nothing.clone(), means.sum(1), means, second)


def default_block(model: GaussianMixture) -> int:
    """Points whose whitened copies, one a component, make a block of a good size."""
    size = CPU_BLOCK if model.means.device.type == "cpu" else GPU_BLOCK
    return max(64, size // model.means.numel())
