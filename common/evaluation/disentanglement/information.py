"""Mutual information gap."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from common.evaluation.disentanglement.labelled import (
    NUM_GROUPS,
    Estimate,
    gap,
    jackknife,
    labelled,
)

NUM_BINS = 20


def mutual_information_gap(
    codes: ArrayLike, factors: ArrayLike, num_values: Sequence[int], *, num_bins: int = NUM_BINS
) -> Estimate:
    """The mean over factors of (I(z_1st; v) - I(z_2nd; v)) / H(v) (Chen et al. 2018, Eq. 6).

    z_1st and z_2nd are the two code dimensions that tell most of the factor v. Information is that
    of the table of counts, without correction of its bias, which is nearly the same for both. A
    dimension with more than `num_bins` values is cut into as many bins of equally many examples,
    so that a monotone transformation of a code changes nothing. (Chen et al. average over the
    posterior q(z | x) instead; Locatello et al. 2019, whose 20 bins these are, cut the range into
    equal widths, which an outlier can empty.)

    Args:
        codes: (n, d), n >= 100.
        factors: (n, F) integers.
        num_values: of each factor.
        num_bins: at least 2.

    Returns:
        The gap, from 0 to 1, and its jackknife standard error over examples.

    Raises:
        EvaluationError: see `labelled`.

    >>> import numpy as np
    >>> factors = np.stack(np.divmod(np.arange(120), 12), 1)  # 10 x 12 values, all combinations
    >>> round(mutual_information_gap(factors, factors, (10, 12))[0], 6)
    1.0
    """
    data = labelled(codes, factors, num_values)
    bins = np.stack([binned(column, num_bins) for column in data.codes.T], 1)
    return jackknife(counts(bins, data.factors, data.groups, num_bins), information_gap)


def binned(column: np.ndarray, num_bins: int) -> np.ndarray:
    """(n,) the values numbered if they are few, else bins of equally many examples."""
    from scipy.stats import rankdata  # slow to import

    values, index = np.unique(column, return_inverse=True)
    if len(values) <= num_bins:
        return index
    return ((rankdata(column) - 0.5) * num_bins / len(column)).astype(np.int64)


def counts(bins: np.ndarray, factors: np.ndarray, groups: np.ndarray, num_bins: int) -> np.ndarray:
    """(G, d, F, B, V) how often code i is in bin b while factor k is v, in each group."""
    num_values = factors.max() + 1
    table = np.empty((NUM_GROUPS, bins.shape[1], factors.shape[1], num_bins * num_values), np.int32)
    cells = NUM_GROUPS * num_bins * num_values
    for i, code in enumerate(bins.T):
        for k, factor in enumerate(factors.T):
            cell = (groups * num_bins + code) * num_values + factor
            table[:, i, k] = np.bincount(cell, minlength=cells).reshape(NUM_GROUPS, -1)
    return table.reshape(*table.shape[:3], num_bins, num_values)


def information_gap(table: np.ndarray) -> float:
    """The mean normalised gap of counts (d, F, B, V)."""
    of_bins, of_values = entropy(table.sum(-1)), entropy(table.sum(-2))  # (d, F) each
    information = of_bins + of_values - entropy(table.reshape(*table.shape[:2], -1))
    return gap(np.clip(information / of_values, 0, 1))


def entropy(table: np.ndarray) -> np.ndarray:
    """Nats of the distributions that counts (..., m) make."""
    p = table / table.sum(-1, keepdims=True)
    return -(p * np.log(np.where(p > 0, p, 1))).sum(-1)
