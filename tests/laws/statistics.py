"""The tests by which samples are held against a density."""

from __future__ import annotations

import numpy as np
from scipy import stats

ALPHA = 1e-4  # chance that a correct sampler fails, for one seed; the laws' seeds are fixed


def chi_square_p_value(counts: np.ndarray, probabilities: np.ndarray) -> float:
    """p-value of Pearson's chi-square test of ``counts`` against ``probabilities``.

    Cells are pooled, least probable first, until each expects at least five draws: the
    chi-square approximation needs that. A draw in a cell of probability zero gives 0.

    >>> float(chi_square_p_value(np.array([50, 50]), np.array([0.5, 0.5])))
    1.0
    """
    counts = np.asarray(counts, dtype=float)
    expected = np.asarray(probabilities, dtype=float) * counts.sum()
    if (counts[expected <= 0] > 0).any():
        return 0.0
    order = np.argsort(expected, kind="stable")
    pooled_counts, pooled_expected = [], []
    count = expectation = 0.0
    for cell in order:
        count, expectation = count + counts[cell], expectation + expected[cell]
        if expectation >= 5:
            pooled_counts.append(count)
            pooled_expected.append(expectation)
            count = expectation = 0.0
    if not pooled_counts:
        raise ValueError(f"{counts.sum():.0f} draws are too few: no pooled cell expects five")
    pooled_counts[-1] += count
    pooled_expected[-1] += expectation
    if len(pooled_counts) < 2:
        raise ValueError("one cell holds nearly all the mass: the chi-square test has no freedom")
    observed, wanted = np.array(pooled_counts), np.array(pooled_expected)
    statistic = ((observed - wanted) ** 2 / wanted).sum()
    return float(stats.chi2.sf(statistic, len(observed) - 1))


def uniform_p_value(values: np.ndarray) -> float:
    """p-value of the Kolmogorov-Smirnov test that ``values`` are uniform on [0, 1].

    >>> uniform_p_value(np.linspace(0.0005, 0.9995, 1000)) > 0.99
    True
    """
    return float(stats.kstest(values, "uniform").pvalue)


def two_sample_p_value(first: np.ndarray, second: np.ndarray) -> float:
    """p-value of the Kolmogorov-Smirnov test that two samples have one distribution.

    >>> two_sample_p_value(np.arange(0, 1000, 2), np.arange(1, 1000, 2)) > 0.99
    True
    """
    return float(stats.ks_2samp(first, second, method="asymp").pvalue)
