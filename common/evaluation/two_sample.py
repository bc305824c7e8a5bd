"""Two-sample tests: are a model's samples and held-out data from one distribution?

Each statistic stands beside the same statistic between training and held-out data (`floor`), which
is what a perfect model would get at this sample size. All are invariant to the order of the samples.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from common.evaluation import classifier, pairs, slices
from common.evaluation.context import Context
from common.evaluation.measurement import Measurement
from common.evaluation.points import as_pair

MIN_SAMPLES = 10
Estimate = tuple[float, float]


def check_pair(x: Tensor, y: Tensor, names: tuple[str, str]) -> tuple[Tensor, Tensor]:
    """Both sets as (n, D) float64; EvaluationError for too few, unlike shapes or non-numbers."""
    return as_pair(x, y, names, least=MIN_SAMPLES, why="a statistic with a standard error")


def mmd(x: Tensor, y: Tensor, *, bandwidth: float | None = None) -> Estimate:
    """`pairs.mmd` of samples (n, *event) and data (m, *event), checked."""
    return pairs.mmd(*check_pair(x, y, SETS), bandwidth=bandwidth)


def energy_distance(x: Tensor, y: Tensor) -> Estimate:
    """`pairs.energy_distance` of samples (n, *event) and data (m, *event), checked."""
    return pairs.energy_distance(*check_pair(x, y, SETS))


def sliced_wasserstein(x: Tensor, y: Tensor, *, generator: torch.Generator) -> Estimate:
    """`slices.sliced_wasserstein` of samples (n, *event) and data (m, *event), checked."""
    return slices.sliced_wasserstein(*check_pair(x, y, SETS), generator=generator)


def classifier_accuracy(x: Tensor, y: Tensor, *, generator: torch.Generator) -> Estimate:
    """`classifier.classifier_accuracy` of samples (n, *event) and data (n, *event), checked."""
    return classifier.classifier_accuracy(*check_pair(x, y, SETS), generator=generator)


SETS = ("samples", "held-out examples")


def held_out_and_train(context: Context) -> tuple[Tensor, Tensor]:
    """As many held-out examples as training examples, (n, *data.shape) each, picked by the seed.

    On the training split itself the two are disjoint halves, not the same examples twice.
    """

    def draw() -> tuple[Tensor, Tensor]:
        x, train = context.x, context.data.train
        order = torch.randperm(len(train), generator=context.generator("training rows"))
        if context.split == "train":
            n = min(len(x), context.max_samples, len(train) // 2)
            rows = torch.randperm(len(x), generator=context.generator("held-out rows"))[:n]
            order = order[~torch.isin(order, rows)][:n]
        else:
            n = min(len(x), context.max_samples, len(train))
            rows = torch.randperm(len(x), generator=context.generator("held-out rows"))[:n]
            order = order[:n]
        # another seed: with the same, both splits would share the preprocessing's noise
        return x[rows], train.subset(order).tensor(seed=context.seed + 1).cpu()

    return context.once("held out and train", draw)


def beside_floor(
    name: str,
    statistic: Callable[[Tensor, Tensor], Estimate],
    protocol: str,
    context: Context,
) -> Measurement:
    """A statistic of the model's samples against held-out data, with that of training data."""
    held_out, train = held_out_and_train(context)
    n = len(held_out)
    value, error = statistic(context.samples(n), held_out)
    floor, floor_error = statistic(train, held_out)
    return Measurement(
        name,
        value,
        error,
        n,
        "",
        context.split,
        floor=floor,
        protocol=(
            f"{n} samples against {n} examples, {protocol}, seed {context.seed}; "
            f"floor: {n} training examples instead, standard error {floor_error:.2g}; "
            f"{context.noise}"
        ),
    )


def mmd_metric(context: Context) -> Measurement:
    """`mmd` of samples against held-out data."""
    protocol = "unbiased squared MMD, Gaussian kernels of 1/2, 1, 2 median distances"
    return beside_floor("mmd", mmd, protocol, context)


def energy_distance_metric(context: Context) -> Measurement:
    """`energy_distance` of samples against held-out data."""
    return beside_floor("energy_distance", energy_distance, "unbiased", context)


def sliced_wasserstein_metric(context: Context) -> Measurement:
    """`sliced_wasserstein` of samples against held-out data."""

    def statistic(samples: Tensor, held_out: Tensor) -> Estimate:
        return sliced_wasserstein(samples, held_out, generator=context.generator("projections"))

    protocol = f"{slices.NUM_PROJECTIONS} projections, standard error of the samples"
    return beside_floor("sliced_wasserstein", statistic, protocol, context)


def classifier_accuracy_metric(context: Context) -> Measurement:
    """`classifier_accuracy` of samples against held-out data."""

    def statistic(samples: Tensor, held_out: Tensor) -> Estimate:
        return classifier_accuracy(samples, held_out, generator=context.generator("classifier"))

    protocol = (
        f"{classifier.NUM_TREES} randomised trees, two halves crossed, standard error given them"
    )
    return beside_floor("classifier_accuracy", statistic, protocol, context)
