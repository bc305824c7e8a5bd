"""Fidelity and variety apart, by balls around the examples that reach to the k-th neighbour.

Precision and recall are Kynkaanniemi et al. 2019, arXiv:1904.06991, Section 2; density and
coverage Naeem et al. 2020, arXiv:2002.09797, Section 3. A ball contains its surface. The
radii come from scikit-learn's brute-force neighbours, which are exact and as fast as a matrix
product; that each point has a radius of its own, no library asks in blocks.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from common.evaluation import pairs
from common.evaluation.measurement import EvaluationError
from common.evaluation.points import Values, as_pair

NAMES = ("samples", "held-out examples")
SLACK = 1e-12  # of the mean square norm: equal distances stay equal in spite of rounding


def precision_recall(samples: Values, data: Values, *, k: int = 3) -> tuple[float, float]:
    """The share of samples in a ball of the data, and of the data in a ball of the samples.

    Args:
        samples: (n, d) features, n more than k.
        data: (m, d) features, m more than k; take m = n, for both shares depend on the sizes.
        k: which neighbour a ball reaches to, at least 1.

    Returns:
        Precision and recall, each in [0, 1].

    Raises:
        EvaluationError: for k below 1, k examples or fewer, NaN, or unlike dimensions.
    """
    samples, data = check(samples, data, k)
    of_samples, of_data = squared_radii(samples, k), squared_radii(data, k)
    good, found = [], torch.zeros(len(data), dtype=torch.bool)
    for rows, squared in pairs_with_slack(samples, data):
        good.append((squared <= of_data).any(1))
        found |= (squared <= of_samples[rows, None]).any(0)
    return torch.cat(good).double().mean().item(), found.double().mean().item()


def density_coverage(samples: Values, data: Values, *, k: int = 5) -> tuple[float, float]:
    """How many balls of the data a sample lies in, over k, and the share of balls with a sample.

    Where both sets are from one distribution the density is 1 in expectation, and the coverage
    1 - prod_i (m - i) / (n + m - i), i = 1 ... k; without outliers' radii spoiling it as they spoil
    precision, and without balls of samples.

    Args:
        samples: (n, d) features, n more than k.
        data: (m, d) features, m more than k.
        k: which neighbour a ball reaches to, at least 1.

    Returns:
        The density, at least 0 and more than 1 where samples crowd, and the coverage in [0, 1].

    Raises:
        EvaluationError: for k below 1, k examples or fewer, NaN, or unlike dimensions.
    """
    samples, data = check(samples, data, k)
    radii, count, covered = squared_radii(data, k), 0, torch.zeros(len(data), dtype=torch.bool)
    for _, squared in pairs_with_slack(samples, data):
        inside = squared <= radii
        count += inside.sum().item()
        covered |= inside.any(0)
    return count / (k * len(samples)), covered.double().mean().item()


def check(samples: Values, data: Values, k: int) -> tuple[Tensor, Tensor]:
    """Both sets as (n, d) float64 near the origin; EvaluationError for what has no k neighbours."""
    if k < 1:
        raise EvaluationError(f"k is {k}, expected at least 1: the neighbour a ball reaches to.")
    samples, data = as_pair(samples, data, NAMES, least=k + 1, why=f"{k} neighbours each")
    return pairs.near_origin(samples, data)


def squared_radii(x: Tensor, k: int) -> Tensor:
    """(n,) squared distance of each row of x (n, d) to its k-th neighbour, itself not counted."""
    from sklearn.neighbors import NearestNeighbors  # slow to import

    neighbours = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(x.numpy())
    return torch.from_numpy(neighbours.kneighbors()[0][:, -1]).square()


def pairs_with_slack(samples: Tensor, data: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Rows and squared distances (b, m), less what rounding may have added to equal ones."""
    slack = SLACK * (samples.square().sum(1).mean() + data.square().sum(1).mean())
    for start, squared in pairs.blocks(samples, data):
        yield slice(start, start + len(squared)), squared.sub_(slack)
