"""Points of which only a part is known: marginals, conditionals, and the E-step that needs neither.

Dempster, Laird and Rubin (1977), Section 4.1: with o observed and m missing, given the component,

    E[x_m | x_o] = mu_m + Sigma_mo Sigma_oo^-1 (x_o - mu_o)
    Cov[x_m | x_o] = Sigma_mm - Sigma_mo Sigma_oo^-1 Sigma_om,

and a mixture's conditional is again a mixture, whose weights are the responsibilities of x_o. Points
are grouped by what of them is observed, so that each pattern is factorised once.

Shapes: B points, K components, D dimensions of which `o` are observed and `m` missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from projects.gaussian_mixture.covariances import log_normaliser, symmetric

if TYPE_CHECKING:
    from projects.gaussian_mixture.model import GaussianMixture


def patterns(observed: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Each pattern of a mask (B, D): the rows that have it, the dimensions observed, and missing."""
    kinds, kind = torch.unique(observed, dim=0, return_inverse=True)
    for i, mask in enumerate(kinds):
        yield (kind == i).nonzero()[:, 0], mask.nonzero()[:, 0], (~mask).nonzero()[:, 0]


def log_joint_of_observed(model: GaussianMixture, x: Tensor, observed: Tensor) -> Tensor:
    """log pi_k + log N(x_o; mu_o, Sigma_oo), (K, B), for x and observed (B, D)."""
    log_weights, covariances = model.logits.log_softmax(0)[:, None], model.covariances
    joint = x.new_empty(model.num_components, len(x))
    for rows, seen, _ in patterns(observed):
        values = log_weights.expand(-1, len(rows))
        if len(seen):
            factor = torch.linalg.cholesky(covariances[:, seen[:, None], seen])  # (K, o, o)
            centred = x[rows[:, None], seen] - model.means[:, seen][:, None]  # (K, b, o)
            z = torch.linalg.solve_triangular(factor, centred.mT, upper=False)  # (K, o, b)
            log_det = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)[:, None]
            values = values - 0.5 * z.square().sum(1) - log_det - log_normaliser(len(seen))
        joint = joint.index_copy(1, rows, values)
    return joint


def completions(
    model: GaussianMixture, x: Tensor, seen: Tensor, lost: Tensor
) -> tuple[Tensor, Tensor]:
    """What each component expects of the missing part of points of one pattern.

    Args:
        x: (b, D), with anything where it is missing.
        seen, lost: (o,) and (m,) the dimensions observed and missing.

    Returns:
        The points completed with E_k[x_m | x_o], (K, b, D), and Cov_k[x_m | x_o], (K, m, m).
    """
    covariances, means = model.covariances, model.means
    completed = x.expand(model.num_components, -1, -1).clone()
    factor = torch.linalg.cholesky(covariances[:, seen[:, None], seen])
    gain = torch.cholesky_solve(covariances[:, seen[:, None], lost], factor)  # (K, o, m)
    centred = x[:, seen] - means[:, seen][:, None]  # (K, b, o)
    completed[..., lost] = means[:, lost][:, None] + centred @ gain
    rest = covariances[:, lost[:, None], lost] - covariances[:, lost[:, None], seen] @ gain
    return completed, symmetric(rest)


def marginal(model: GaussianMixture, dims: Tensor) -> GaussianMixture:
    """The density of some dimensions (d,) alone: a mixture of K full Gaussians on R^d."""
    covariances = model.covariances[:, dims[:, None], dims]
    return model.from_moments(
        model.weights.detach(), model.means[:, dims].detach(), covariances.detach()
    )


@torch.no_grad()
def condition(model: GaussianMixture, x: Tensor, observed: Tensor) -> GaussianMixture:
    """The density of the missing part of one point given the rest: a mixture on R^m.

    Args:
        x: (*shape), with anything where it is missing.
        observed: (*shape) bool, with at least one entry False.

    Raises:
        ValueError: where nothing is missing, or a shape or dtype is another.
    """
    flat, mask = model.flat(x[None]), model.flat(observed[None], "observed")
    seen, lost = mask[0].nonzero()[:, 0], (~mask[0]).nonzero()[:, 0]
    if not len(lost):
        raise ValueError(f"observed has all {model.num_dims} dimensions, expected one missing")
    completed, rest = completions(model, flat, seen, lost)
    weights = log_joint_of_observed(model, flat, mask)[:, 0].softmax(0)
    return model.from_moments(weights, completed[:, 0, lost], rest)


@torch.no_grad()
def impute(model: GaussianMixture, x: Tensor, observed: Tensor) -> Tensor:
    """x (B, *shape) with E[x_m | x_o] in place of what is missing."""
    flat, mask = model.flat(x), model.flat(observed, "observed")
    weights = log_joint_of_observed(model, flat, mask).softmax(0)  # (K, B)
    result = flat.clone()
    for rows, seen, lost in patterns(mask):
        if len(lost):
            completed, _ = completions(model, flat[rows], seen, lost)
            mean = torch.einsum("kb,kbm->bm", weights[:, rows], completed[..., lost])
            result[rows[:, None], lost] = mean
    return result.view_as(x)
