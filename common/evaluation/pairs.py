"""Two-sample statistics that are sums over pairs: kernel MMD and energy distance.

The pairs are visited in blocks of rows, so that memory grows with the number of samples and not
with its square.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from common.evaluation.measurement import EvaluationError

BANDWIDTHS = (0.5, 1.0, 2.0)  # of the median distance; each twice the one before, see `kernel`
BLOCK = 2**20  # float64 elements at once: 8 MiB
Estimate = tuple[float, float]


def mmd(x: Tensor, y: Tensor, *, bandwidth: float | None = None) -> Estimate:
    """Squared maximum mean discrepancy, unbiased, with its standard error (Gretton et al. 2012).

    MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y) (Lemma 6), where k is the mean of the Gaussian
    kernels exp(-|x - y|^2 / (2 (s b)^2)) for s = 1/2, 1, 2.

    Args:
        x: (n, D) samples, float64.
        y: (m, D) held-out data, float64.
        bandwidth: b > 0; the median distance between the examples of y if None.

    Returns:
        The estimate, which may be negative, and its standard error: see `u_statistic`.
    """
    scale = median_distance(y) if bandwidth is None else bandwidth
    if not scale > 0:
        raise EvaluationError(
            f"the kernel's bandwidth is {scale}, expected a positive distance. "
            f"If most held-out examples are equal, the median is 0: pass another bandwidth."
        )
    widest = BANDWIDTHS[-1] * scale

    def kernel(squared: Tensor) -> Tensor:
        wide = squared.mul_(-0.5 / widest**2).exp_()
        middle = wide**4  # half the bandwidth: the fourth power
        return wide.add_(middle).add_(middle**4).div_(3)

    return u_statistic(kernel, *near_origin(x, y))


def energy_distance(x: Tensor, y: Tensor) -> Estimate:
    """2 E|x - y| - E|x - x'| - E|y - y'|, unbiased, with its standard error (Szekely, Rizzo 2013).

    Args:
        x: (n, D) samples, float64.
        y: (m, D) held-out data, float64.

    Returns:
        The estimate, which may be negative, and its standard error: see `u_statistic`.
    """
    return u_statistic(lambda squared: squared.sqrt_().neg_(), *near_origin(x, y))


def near_origin(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both sets shifted by the mean of y: there squared distances lose the fewest digits."""
    centre = y.mean(0)
    return x - centre, y - centre


def median_distance(y: Tensor) -> float:
    """The exact median of the distances between all pairs of rows of y (m, D)."""
    m = len(y)
    squared, filled = np.empty(m * (m - 1) // 2, dtype=np.float32), 0
    for start, block in blocks(y, y):
        for i, row in enumerate(block.numpy(), start):
            squared[filled : filled + i] = row[:i]
            filled += i
    squared.partition((len(squared) - 1) // 2)
    return float(squared[(len(squared) - 1) // 2]) ** 0.5


def blocks(x: Tensor, y: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Squared distances (b, m) between b rows of x at a time and all of y: first row, block."""
    x_norms, y_norms = x.square().sum(1), y.square().sum(1)
    size = max(1, BLOCK // len(y))
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        block = x_norms[rows, None] + y_norms  # (b, m)
        yield start, block.addmm_(x[rows], y.T, alpha=-2).clamp_min_(0)


def inner_products(x: Tensor, y: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Inner products (b, m) of b rows of x at a time with all of y: first row, block."""
    size = max(1, BLOCK // len(y))
    for start in range(0, len(x), size):
        yield start, x[start : start + size] @ y.T


Blocks = Callable[[Tensor, Tensor], Iterator[tuple[int, Tensor]]]


@dataclass(frozen=True)
class PairSums:
    """Means over the pairs of a kernel matrix: each row's, each column's, and of the squares."""

    rows: Tensor
    columns: Tensor
    square: Tensor

    @property
    def mean(self) -> Tensor:
        """The mean over all pairs."""
        return self.rows.mean()


def between(
    kernel: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, of: Blocks = blocks
) -> PairSums:
    """Over all pairs (x_i, y_j)."""
    rows, columns, square = x.new_zeros(len(x)), x.new_zeros(len(y)), x.new_zeros(())
    for start, values in of(x, y):
        block = kernel(values)
        rows[start : start + len(block)] = block.mean(1)
        columns += block.sum(0)
        square += block.square_().sum()
    return PairSums(rows, columns / len(x), square / (len(x) * len(y)))


def within(kernel: Callable[[Tensor], Tensor], x: Tensor, of: Blocks = blocks) -> PairSums:
    """Over the pairs (x_i, x_j) with i != j."""
    n = len(x)
    rows, square = x.new_zeros(n), x.new_zeros(())
    for start, values in of(x, x):
        block = kernel(values)
        block.diagonal(start).zero_()
        rows[start : start + len(block)] = block.sum(1) / (n - 1)
        square += block.square_().sum()
    return PairSums(rows, rows, square / (n * (n - 1)))


def u_statistic(
    kernel: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, of: Blocks = blocks
) -> Estimate:
    """E k(x, x') + E k(y, y') - 2 E k(x, y) over different pairs, and its standard error.

    By Hoeffding's decomposition the variance is that of the first projections,
    4 zeta_x / n + 4 zeta_y / m, and of the remainders, 2 r_xx / n^2 + 2 r_yy / m^2 + 4 r_xy / (nm),
    which are all there is when both sets are from one distribution. The variance of the observed
    projections contains the remainders' noise, which is subtracted.

    Args:
        kernel: what `of` gives of pairs (b, m) -> values (b, m); may overwrite its argument.
        x: (n, D), float64.
        y: (m, D), float64.
        of: `blocks` for kernels of squared distances, or `inner_products`.
    """
    n, m = len(x), len(y)
    xx, yy, xy = within(kernel, x, of), within(kernel, y, of), between(kernel, x, y, of)
    value = xx.mean + yy.mean - 2 * xy.mean
    rest_xx, rest_yy, rest_xy = rest_within(xx), rest_within(yy), rest_between(xy)
    zeta_x = ((xx.rows - xy.rows).var() - rest_xx / n - rest_xy / m).clamp_min(0)
    zeta_y = ((yy.rows - xy.columns).var() - rest_yy / m - rest_xy / n).clamp_min(0)
    variance = 4 * zeta_x / n + 4 * zeta_y / m
    variance = variance + 2 * rest_xx / n**2 + 2 * rest_yy / m**2 + 4 * rest_xy / (n * m)
    return value.item(), variance.sqrt().item()


def rest_between(sums: PairSums) -> Tensor:
    """The mean square of k_ij - row_i - column_j + mean."""
    explained = sums.rows.square().mean() + sums.columns.square().mean() - sums.mean.square()
    return (sums.square - explained).clamp_min(0)


def rest_within(sums: PairSums) -> Tensor:
    """The mean square of k_ij - row_i - row_j + mean over i != j."""
    n, mean_square = len(sums.rows), sums.rows.square().mean()
    spread = mean_square - sums.mean.square()
    return (sums.square - mean_square - (1 + 2 / (n - 1)) * spread).clamp_min(0)
