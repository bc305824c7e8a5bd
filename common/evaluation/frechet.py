"""The Frechet distance between two sets of features, by symmetric eigenproblems in float64.

|m_x - m_y|^2 + tr S_x + tr S_y - 2 tr (S_x S_y)^(1/2): the squared Wasserstein-2 distance between
the Gaussians with the sets' moments (Dowson, Landau 1982), as a score of samples from Heusel et al.
2017, arXiv:1706.08500, Eq. (6).

With S_x = A^T A and S_y = B^T B, the trace is the nuclear norm of A B^T: the sum of its singular
values. Libraries take the eigenvalues of the product S_x S_y, which is not symmetric: several times
the work, complex numbers, and the small eigenvalues lost where a covariance is singular.
"""

import math

import numpy as np
import torch
from torch import Tensor

from common.evaluation.measurement import EvaluationError
from common.evaluation.points import Values, as_pair

ROWS = 2048  # centred at once
TOLERANCE = 1e-6  # of the distance: what the fast way may lose to rounding, by its own bound
WHY = "a covariance"


def frechet_distance(x: Values, y: Values) -> float:
    """The squared Frechet distance between the Gaussians with the moments of two sets.

    Covariances are divided by n - 1, as all implementations in use do. Fewer examples than
    dimensions are no special case: then the centred examples themselves are the factor.

    Args:
        x: (n, d) features, n at least 2.
        y: (m, d) features, m at least 2.

    Returns:
        A number of at least 0, the same if x and y change places, and biased upwards: that of two
        finite sets of one distribution is not 0. Compare at one sample size, beside a floor.

    Raises:
        EvaluationError: for fewer than two examples, NaN, or unlike dimensions.

    >>> frechet_distance(torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [5.0]]))
    9.0
    """
    x, y = as_pair(x, y, ("samples", "held-out examples"), least=2, why=WHY)
    if min(len(x), len(y)) > x.shape[1]:
        found = _fast(*moments(x), *moments(y))
        if found is not None:
            return found
    means, factors = zip(*map(mean_and_factor, (x, y)), strict=True)
    return _by_factors(*means, *factors)


def frechet_from_moments(mean_x: Values, cov_x: Values, mean_y: Values, cov_y: Values) -> float:
    """The same from means (d,) and covariances (d, d): see `frechet_distance`.

    A covariance holds the squares of the deviations: directions in which one set's spread is less
    than 1e-8 of its widest are rounding noise here, and not in `frechet_distance`.

    >>> frechet_from_moments(torch.zeros(1), torch.eye(1), torch.ones(1), 4 * torch.eye(1))  # 1 + (2 - 1)^2
    2.0
    """
    mean_x, cov_x, mean_y, cov_y = (
        torch.as_tensor(values).detach().cpu().double() for values in (mean_x, cov_x, mean_y, cov_y)
    )
    check_moments(mean_x, cov_x, "first")
    check_moments(mean_y, cov_y, "second")
    if mean_x.shape != mean_y.shape:
        raise EvaluationError(
            f"the means have {len(mean_x)} and {len(mean_y)} dimensions; expected the same."
        )
    found = _fast(mean_x, upper(cov_x), mean_y, upper(cov_y))
    if found is not None:
        return found
    return _by_factors(mean_x, mean_y, root(cov_x, "first"), root(cov_y, "second"))


def moments(x: Tensor) -> tuple[Tensor, np.ndarray]:
    """The mean (d,) of x (n, d) in float64, and the upper triangle of its covariance over n - 1.

    NumPy's and SciPy's, whose products are of one library: torch's threads and theirs, by turns,
    wait for each other.
    """
    from scipy.linalg import blas  # slow to import

    rows, (n, d) = x.numpy(), x.shape
    mean = rows.mean(0)
    triangle = np.zeros((d, d), order="F")
    centred = np.empty((min(ROWS, n), d))
    for start in range(0, n, ROWS):
        part = rows[start : start + ROWS]
        part = np.subtract(part, mean, out=centred[: len(part)])
        # one triangle of a symmetric product, half the work; torch has no such product
        triangle = blas.dsyrk(1 / (n - 1), part.T, beta=1.0, c=triangle, overwrite_c=True)
    return torch.from_numpy(mean), triangle


def upper(covariance: Tensor) -> np.ndarray:
    """The upper triangle (d, d) of a symmetric matrix, in the order of columns that LAPACK wants."""
    return np.tril(covariance.numpy()).T


def mean_and_factor(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (d,) and A (min(n, d), d) with A^T A the covariance of x (n, d), never squared."""
    mean = x.mean(0)
    factor = (x - mean) / math.sqrt(len(x) - 1)
    return mean, factor if len(x) <= x.shape[1] else torch.linalg.qr(factor, mode="r").R


def root(covariance: Tensor, name: str) -> Tensor:
    """A (d, d) with A^T A = covariance, whose eigenvalues may be negative by rounding only."""
    values, vectors = torch.linalg.eigh(covariance)
    if values[0] < -1e-6 * values[-1].abs():
        raise EvaluationError(
            f"the {name} covariance has the eigenvalue {values[0].item():.3g} and the largest is "
            f"{values[-1].item():.3g}; expected none below zero. Is it a covariance?"
        )
    return values.clamp_min(0).sqrt()[:, None] * vectors.T


def _by_factors(mean_x: Tensor, mean_y: Tensor, a: Tensor, b: Tensor) -> float:
    """|m_x - m_y|^2 + |A|^2 + |B|^2 - 2 |A B^T|_*, each singular value to full precision."""
    shared = torch.linalg.svdvals(a @ b.T).sum()
    spread = a.square().sum() + b.square().sum()
    return _distance(mean_x, mean_y, spread, shared)


def _fast(mean_x: Tensor, cov_x: np.ndarray, mean_y: Tensor, cov_y: np.ndarray) -> float | None:
    """By one Cholesky factor S_x = L L^T and the eigenvalues of L^T S_y L; None if inexact.

    The covariances are upper triangles, which are overwritten.

    The singular values are the roots of these eigenvalues, which rounding moves by up to
    sqrt(d) eps |S_x| |S_y| (Higham, Mary 2019: rounding errors average out). Exact enough are
    eigenvalues that all stand out of this noise, if what it can do to their roots adds up to no
    more than TOLERANCE of the distance; the bound is wide, the error measured a millionth of it.
    """
    from scipy.linalg import lapack  # slow to import

    eps = np.finfo(cov_x.dtype).eps
    noise = math.sqrt(len(cov_x)) * eps * symmetric_norm(cov_x) * symmetric_norm(cov_y)
    spread = torch.tensor(cov_x.trace() + cov_y.trace())
    factor, failed = lapack.dpotrf(cov_x, lower=0, clean=0, overwrite_a=1)  # U = L^T
    if failed:
        return None
    product, _ = lapack.dsygst(cov_y, factor, itype=2, lower=0, overwrite_a=1)  # U S_y U^T
    values = torch.linalg.eigvalsh(torch.from_numpy(product.T))  # the lower triangle
    if values[0] <= noise:
        return None
    lost = ((values + noise).sqrt() - (values - noise).sqrt()).sum()
    found = _distance(mean_x, mean_y, spread, values.sqrt().sum())
    return found if 2 * lost <= TOLERANCE * found else None


def symmetric_norm(triangle: np.ndarray) -> float:
    """The Frobenius norm of the symmetric matrix with this triangle, zeros in the other."""
    squares = np.einsum("ij,ij->", triangle.T, triangle.T)  # transposed: in the order of storage
    return math.sqrt(2 * squares - np.square(triangle.diagonal()).sum())


def _distance(mean_x: Tensor, mean_y: Tensor, spread: Tensor, shared: Tensor) -> float:
    """Exactly, 2 |A B^T|_* <= |A|^2 + |B|^2: what is below zero is rounding, and 0 is the answer."""
    return ((mean_x - mean_y).square().sum() + (spread - 2 * shared).clamp_min(0)).item()


def check_moments(mean: Tensor, covariance: Tensor, name: str) -> None:
    """EvaluationError unless these are numbers of fitting shapes and the covariance symmetric."""
    d = mean.numel()
    if mean.dim() != 1 or d == 0 or covariance.shape != (d, d):
        raise EvaluationError(
            f"the {name} moments have shapes {tuple(mean.shape)} and {tuple(covariance.shape)}; "
            f"expected (d,) and (d, d)."
        )
    if not math.isfinite(mean.sum() + covariance.sum()):
        raise EvaluationError(f"the {name} moments hold NaN or infinite values; expected numbers.")
    skew = largest(covariance - covariance.T)
    if skew > 1e-6 * largest(covariance):
        raise EvaluationError(
            f"the {name} covariance differs from its transpose by {skew:.3g}; expected a symmetric "
            f"matrix."
        )


def largest(values: Tensor) -> float:
    """The largest absolute value, without a copy."""
    low, high = values.aminmax()
    return max(-low.item(), high.item())
