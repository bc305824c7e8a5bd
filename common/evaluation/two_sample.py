"""Two-sample tests: are a model's samples and held-out data from one distribution?

Each statistic stands beside the same statistic between training and held-out data (`floor`), which
is what a perfect model would get at this sample size. All are invariant to the order of the samples.
"""

import math
from collections.abc import Callable

import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from common.data import Dataset
from common.evaluation.measurement import EvaluationError, Measurement

MIN_SAMPLES = 10
BANDWIDTHS = (0.5, 1.0, 2.0)  # of the median distance
NUM_PROJECTIONS = 256
Estimate = tuple[float, float | None]


def check_pair(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both sets as (n, D) float64; EvaluationError for too few, unlike shapes or non-numbers."""
    for name, values in (("first", x), ("second", y)):
        if len(values) < MIN_SAMPLES:
            raise EvaluationError(
                f"the {name} set has {len(values)} samples, expected at least {MIN_SAMPLES}."
            )
        if not torch.isfinite(values).all():
            raise EvaluationError(f"the {name} set holds NaN or infinite values, expected numbers.")
    if x.shape[1:] != y.shape[1:]:
        raise EvaluationError(
            f"samples have shapes {tuple(x.shape[1:])} and {tuple(y.shape[1:])}, expected the same."
        )
    return x.flatten(1).double(), y.flatten(1).double()


def u_statistic(xx: Tensor, yy: Tensor, xy: Tensor) -> Estimate:
    """E k(x,x') + E k(y,y') - 2 E k(x,y) without the diagonals, and its standard error.

    This is the unbiased estimator of Gretton et al. (2012), Lemma 6, from kernel matrices
    (n, n), (m, m) and (n, m). Its variance is that of the first projections, whose estimates carry
    noise that is subtracted, and that of the kernel's remainder, which is all there is when both
    sets are from one distribution.
    """
    n, m = xy.shape
    # (n,), (m,), (n,), (m,): the mean of each row or column without itself
    rows_x = (xx.sum(1) - xx.diagonal()) / (n - 1)
    rows_y = (yy.sum(1) - yy.diagonal()) / (m - 1)
    cross_x, cross_y = xy.mean(1), xy.mean(0)
    value = rows_x.mean() + rows_y.mean() - 2 * xy.mean()
    rest_xx, rest_yy = remainder(xx, rows_x, rows_x), remainder(yy, rows_y, rows_y)
    rest_xy = remainder(xy, cross_x, cross_y)
    first_x = ((rows_x - cross_x).var() - rest_xx / n - rest_xy / m).clamp_min(0)
    first_y = ((rows_y - cross_y).var() - rest_yy / m - rest_xy / n).clamp_min(0)
    variance = 4 * first_x / n + 4 * first_y / m
    variance = variance + 2 * rest_xx / n**2 + 2 * rest_yy / m**2 + 4 * rest_xy / (n * m)
    return value.item(), variance.sqrt().item()


def remainder(kernel: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The variance of a kernel matrix that its row and column means do not explain."""
    rest = kernel - rows[:, None] - columns[None, :] + rows.mean()
    if kernel.shape[0] == kernel.shape[1] and rows is columns:
        rest = rest[~torch.eye(len(rows), dtype=torch.bool)]
    return rest.square().mean()


def mmd(x: Tensor, y: Tensor) -> Estimate:
    """Squared maximum mean discrepancy, unbiased, with its standard error (Gretton et al. 2012).

    The kernel is the mean of Gaussian kernels whose bandwidths are 1/2, 1 and 2 times the median
    distance within y.

    Args:
        x: (n, *event) samples.
        y: (m, *event) held-out data.
    """
    x, y = check_pair(x, y)
    yy = torch.cdist(y, y)
    median = yy[torch.triu(torch.ones_like(yy), 1).bool()].median()
    if median == 0:
        raise EvaluationError("most held-out examples are equal, so there is no kernel bandwidth.")

    def kernel(distance: Tensor) -> Tensor:
        scaled = (distance / median).square()
        return sum(torch.exp(-0.5 * scaled / s**2) for s in BANDWIDTHS) / len(BANDWIDTHS)

    return u_statistic(kernel(torch.cdist(x, x)), kernel(yy), kernel(torch.cdist(x, y)))


def energy_distance(x: Tensor, y: Tensor) -> Estimate:
    """2 E|x - y| - E|x - x'| - E|y - y'|, unbiased, with its standard error (Szekely, Rizzo 2013).

    Args:
        x: (n, *event) samples.
        y: (m, *event) held-out data.
    """
    x, y = check_pair(x, y)
    return u_statistic(-torch.cdist(x, x), -torch.cdist(y, y), -torch.cdist(x, y))


def sliced_wasserstein(x: Tensor, y: Tensor, *, generator: torch.Generator) -> Estimate:
    """Mean Wasserstein-1 distance of random one-dimensional projections (Bonneel et al. 2015).

    The standard error is over the projections.

    Args:
        x: (n, *event) samples.
        y: (n, *event) held-out data, as many.
        generator: source of the directions.
    """
    x, y = check_pair(x, y)
    if len(x) != len(y):
        raise EvaluationError(f"{len(x)} samples against {len(y)}: expected as many of both.")
    directions = torch.randn(NUM_PROJECTIONS, x.shape[1], generator=generator, dtype=torch.float64)
    directions /= directions.norm(dim=1, keepdim=True)
    projected_x = (x @ directions.T).sort(0).values  # (n, projections)
    projected_y = (y @ directions.T).sort(0).values
    distances = (projected_x - projected_y).abs().mean(0)
    return distances.mean().item(), (distances.std() / math.sqrt(NUM_PROJECTIONS)).item()


def classifier_accuracy(x: Tensor, y: Tensor) -> Estimate:
    """How often a nearest-neighbour vote tells samples from data (Lopez-Paz and Oquab 2017).

    Leave-one-out accuracy of sqrt(n) neighbours, ties counting one half: 0.5 if the two are alike,
    1 if they are apart.

    Args:
        x: (n, *event) samples.
        y: (n, *event) held-out data, as many.
    """
    x, y = check_pair(x, y)
    if len(x) != len(y):
        raise EvaluationError(f"{len(x)} samples against {len(y)}: expected as many of both.")
    points = torch.cat([x, y]).numpy()
    labels = torch.cat([torch.zeros(len(x)), torch.ones(len(y))])
    neighbours = max(1, math.isqrt(len(x))) | 1
    index = NearestNeighbors(n_neighbors=neighbours).fit(points).kneighbors(return_distance=False)
    votes = labels[torch.from_numpy(index)].mean(1)
    correct = torch.where(votes == 0.5, 0.5, ((votes > 0.5) == (labels > 0.5)).double())
    return correct.mean().item(), (correct.std() / math.sqrt(len(correct))).item()


def beside_floor(
    name: str,
    statistic: Callable[[Tensor, Tensor], Estimate],
    protocol: str,
    model,
    data: Dataset,
    x: Tensor,
    context,
) -> Measurement:
    """A statistic of the model's samples against x, with that of training data as its floor."""
    n = min(len(x), context.max_samples, len(data.train))
    held_out = x[subset(len(x), n, context)]
    samples = context.samples(model, n).to(held_out)
    train = data.train.subset(subset(len(data.train), n, context))
    train = train.tensor(seed=context.seed + 1).to(held_out)
    value, error = statistic(samples, held_out)
    floor, _ = statistic(train, held_out)
    return Measurement(
        name,
        value,
        error,
        n,
        "",
        context.split,
        floor=floor,
        protocol=f"{n} samples against {n} examples, {protocol}, seed {context.seed}",
    )


def subset(size: int, n: int, context) -> Tensor:
    """(n,) indices without repetition."""
    return torch.randperm(size, generator=context.generator("subset"))[:n]


def mmd_metric(model, data, x, context) -> Measurement:
    """`mmd` of samples against held-out data."""
    protocol = "unbiased squared MMD, Gaussian kernels of 1/2, 1, 2 median distances"
    return beside_floor("mmd", mmd, protocol, model, data, x, context)


def energy_distance_metric(model, data, x, context) -> Measurement:
    """`energy_distance` of samples against held-out data."""
    return beside_floor("energy_distance", energy_distance, "unbiased", model, data, x, context)


def sliced_wasserstein_metric(model, data, x, context) -> Measurement:
    """`sliced_wasserstein` of samples against held-out data."""

    def statistic(samples: Tensor, held_out: Tensor) -> Estimate:
        return sliced_wasserstein(samples, held_out, generator=context.generator("projections"))

    protocol = f"{NUM_PROJECTIONS} projections, error over projections"
    return beside_floor("sliced_wasserstein", statistic, protocol, model, data, x, context)


def classifier_accuracy_metric(model, data, x, context) -> Measurement:
    """`classifier_accuracy` of samples against held-out data."""
    protocol = "leave-one-out nearest neighbours"
    return beside_floor(
        "classifier_accuracy", classifier_accuracy, protocol, model, data, x, context
    )
