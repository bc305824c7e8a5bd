"""Are samples copies of training examples? Nearest neighbours, and a rank statistic of them."""

import math

import numpy as np
import torch
from torch import Tensor

from common.evaluation import pairs
from common.evaluation.points import Values, as_pair

MIN_SAMPLES = 10
WHY = "a statistic with a standard error"


def nearest_neighbours(samples: Values, train: Values) -> tuple[Tensor, Tensor]:
    """The training example nearest to each sample, exactly, by scikit-learn's brute force.

    The distance to it is then computed from the difference, so that a copy is at distance 0 and not
    at the root of a rounding error.

    Args:
        samples: (n, *event).
        train: (m, *event).

    Returns:
        (n,) Euclidean distances, float64, and (n,) indices into train.

    Raises:
        EvaluationError: for no examples, NaN, or unlike shapes.
    """
    from sklearn.neighbors import NearestNeighbors  # slow to import

    names = ("samples", "training examples")
    samples, train = as_pair(samples, train, names, least=1, why="a nearest neighbour")
    samples, train = pairs.near_origin(samples, train)
    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(train.numpy())
    index = torch.from_numpy(search.kneighbors(samples.numpy(), return_distance=False)[:, 0])
    return (samples - train[index]).norm(dim=1), index


def copying(samples: Values, held_out: Values, train: Values) -> tuple[float, float]:
    """P(a sample is nearer to the training set than a held-out example is), ties by half.

    1/2 for samples as fresh as held-out examples, 1 for copies of training examples, and below 1/2
    for samples that lie farther from the training set than real examples do: poor ones. Read it
    beside a metric of quality.

    The Mann-Whitney statistic U / (n m) of the distances to the nearest training example. Meehan et
    al. 2020, arXiv:2004.05675, standardise U under the null hypothesis, count what is farther and
    average over cells of a partition of the space, so that copying in one cell is not hidden by
    poor samples in another; this one number has no cells, and stays a probability. The standard
    error is that of the two placement means (DeLong et al. 1988) given the training set.

    Args:
        samples: (n, *event), n at least 10.
        held_out: (m, *event), m at least 10.
        train: (N, *event) what the model was trained on.

    Returns:
        The share of pairs in [0, 1] and its standard error.

    Raises:
        EvaluationError: for too few examples, NaN, or unlike shapes.
    """
    names = ("samples", "held-out examples")
    samples, held_out = as_pair(samples, held_out, names, least=MIN_SAMPLES, why=WHY)
    of_samples = nearest_neighbours(samples, torch.as_tensor(train).flatten(1))[0]
    of_held_out = nearest_neighbours(held_out, torch.as_tensor(train).flatten(1))[0]
    return rank_statistic(of_samples, of_held_out)


def rank_statistic(x: Tensor, y: Tensor) -> tuple[float, float]:
    """P(x < y) + P(x = y) / 2 over all pairs of x (n,) and y (m,), and its standard error."""
    of_x = 1 - placements(x, y)  # (n,) share of y above each x
    of_y = placements(y, x)  # (m,) share of x below each y
    variance = of_x.var(ddof=1) / len(x) + of_y.var(ddof=1) / len(y)
    return float(of_x.mean()), math.sqrt(variance)


def placements(x: Tensor, y: Tensor) -> np.ndarray:
    """(n,) share of y below each x, ties by half."""
    x, ordered = x.numpy(), np.sort(y.numpy())
    below, up_to = (np.searchsorted(ordered, x, side=side) for side in ("left", "right"))
    return (below + up_to) / (2 * len(ordered))
