"""How good samples look and how much they cover: FID and its relatives in one feature space.

Each number stands beside what a perfect model would get at this sample size (`floor`), and names the
feature net with its hash: without them it means nothing.
"""

import math
from collections.abc import Callable
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from common.data import Dataset
from common.evaluation import frechet, inception, kernel
from common.evaluation.context import Context
from common.evaluation.features.space import Space, get_space
from common.evaluation.measurement import EvaluationError, Measurement
from common.evaluation.points import as_points
from common.evaluation.two_sample import MIN_SAMPLES, SETS, held_out_and_train

GROUPS = 10  # of the jackknife
Estimate = tuple[float, float | None]
TRAIN: WeakKeyDictionary[Dataset, dict[tuple, Tensor]] = WeakKeyDictionary()  # features


def space(context: Context) -> Space:
    """The space of this evaluation."""
    return context.once("space", lambda: get_space(context.data, context.feature_net))


def of_samples(context: Context) -> Tensor:
    """(n, d) features of as many samples as there are held-out examples."""

    def compute() -> Tensor:
        samples = context.samples(len(held_out_and_train(context)[0]))
        return space(context).embed(samples, progress=context.progress)

    return context.once("features of samples", compute)


def of_held_out(context: Context) -> Tensor:
    """(n, d) features of held-out examples; EvaluationError if n is below MIN_SAMPLES."""

    def compute() -> Tensor:
        held_out, _ = held_out_and_train(context)
        as_points(held_out, SETS[1], least=MIN_SAMPLES, why="a comparison with samples")
        return space(context).embed(held_out)

    return context.once("features of held-out", compute)


def of_train(context: Context) -> Tensor:
    """(n, d) features of as many training examples."""
    embed = space(context).embed
    return context.once("features of train", lambda: embed(held_out_and_train(context)[1]))


def measure(
    name: str, context: Context, found: Estimate, floor: float, what: str, floored: str
) -> Measurement:
    """A number with its protocol: sizes, feature net and hash, what was computed, the floor."""
    n = len(of_held_out(context))
    value, error = found
    if not math.isfinite(value):
        raise EvaluationError(f"{name} is {value}, expected a number. Did the training diverge?")
    protocol = f"{n} samples against {n} examples, {space(context).mark}, {what}"
    protocol += f", seed {context.seed}; floor: {floored}; {context.noise}"
    return Measurement(name, value, error, n, "", context.split, floor=floor, protocol=protocol)


def jackknife(statistic: Callable[[Tensor, Tensor], float], x: Tensor, y: Tensor) -> Estimate:
    """A statistic and its standard error, a tenth of both sets left out at a time (Quenouille 1956).

    It is right for smooth functions of moments, which FID is; the value is that of all rows.
    """
    value = statistic(x, y)
    without = torch.tensor(
        [statistic(leave(x, k), leave(y, k)) for k in range(GROUPS)], dtype=torch.float64
    )
    return value, ((GROUPS - 1) ** 2 / GROUPS * without.var()).sqrt().item()


def leave(x: Tensor, k: int) -> Tensor:
    """The rows of x without every GROUPS-th from k on."""
    return x[torch.arange(len(x)) % GROUPS != k]


def binomial(share: float, n: int) -> float:
    """The standard error of a share of n examples."""
    return math.sqrt(share * (1 - share) / n)


def fid(context: Context) -> Measurement:
    """Frechet distance of the features (Heusel et al. 2017); biased upwards, so read the floor."""
    held_out, distance = of_held_out(context), frechet.frechet_distance
    floor = distance(of_train(context), held_out)
    found = jackknife(distance, of_samples(context), held_out)
    what = f"standard error of {GROUPS} jackknife groups"
    return measure("fid", context, found, floor, what, f"{len(held_out)} training examples instead")


def kid(context: Context) -> Measurement:
    """Kernel distance of the features (Binkowski et al. 2018): unbiased."""
    held_out, distance = of_held_out(context), kernel.kernel_distance
    floor, _ = distance(of_train(context), held_out)
    found = distance(of_samples(context), held_out)
    what = "cubic polynomial kernel, unbiased"
    return measure("kid", context, found, floor, what, f"{len(held_out)} training examples instead")


def inception_score(context: Context) -> Measurement:
    """exp of the mean divergence of a sample's classes from all samples' (Salimans et al. 2016)."""
    net = space(context).net
    found = inception.inception_score(net.classify(of_samples(context)))
    floor, _ = inception.inception_score(net.classify(of_held_out(context)))
    floored = f"{len(of_held_out(context))} held-out examples instead of samples"
    return measure("inception_score", context, found, floor, "classes of the same net", floored)


def shares(context: Context, name: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """(samples', training examples') pairs of precision and recall, or of density and coverage."""
    from common.evaluation import manifold  # scikit-learn's import is slow

    compute = {"precision": manifold.precision_recall, "density": manifold.density_coverage}[name]

    def both() -> tuple[tuple[float, float], tuple[float, float]]:
        held_out = of_held_out(context)
        return compute(of_samples(context), held_out), compute(of_train(context), held_out)

    return context.once(f"shares {name}", both)


def share(name: str, context: Context, pair: str, position: int, what: str) -> Measurement:
    """One number of such a pair."""
    found, floor = shares(context, pair)
    value, n = found[position], len(of_held_out(context))
    # a density is a mean of counts and may exceed one
    error = binomial(value, n) if name != "density" else None
    floored = f"{n} training examples instead"
    return measure(name, context, (value, error), floor[position], what, floored)


def precision(context: Context) -> Measurement:
    """The share of samples inside of the data's manifold (Kynkaanniemi et al. 2019)."""
    return share("precision", context, "precision", 0, "k = 3, standard error given the data")


def recall(context: Context) -> Measurement:
    """The share of held-out examples inside of the samples' manifold (Kynkaanniemi et al. 2019)."""
    return share("recall", context, "precision", 1, "k = 3, standard error given the samples")


def density(context: Context) -> Measurement:
    """How many neighbourhoods of the data a sample lies in, over k (Naeem et al. 2020)."""
    return share("density", context, "density", 0, "k = 5")


def coverage(context: Context) -> Measurement:
    """The share of held-out examples with a sample in their neighbourhood (Naeem et al. 2020)."""
    return share("coverage", context, "density", 1, "k = 5, standard error given the samples")


def copying(context: Context) -> Measurement:
    """P(a sample lies nearer to the training set than a held-out example), after Meehan et al. 2020.

    1/2 is no copying and 1 is memorisation; below 1/2, samples are further off than new data are.
    """
    from common.evaluation.copying import nearest_neighbours, rank_statistic

    held_out, train = of_held_out(context), of_whole_train(context)
    as_points(held_out, SETS[1], least=2 * MIN_SAMPLES, why="two halves to compare")
    of_new, of_old = (nearest_neighbours(x, train)[0] for x in (of_samples(context), held_out))
    half = len(held_out) // 2
    floor, _ = rank_statistic(of_old[:half], of_old[half:])
    floored = "one half of the held-out examples against the other"
    what = f"nearest of {len(train)} training examples"
    return measure("copying", context, rank_statistic(of_new, of_old), floor, what, floored)


def of_whole_train(context: Context) -> Tensor:
    """(N, d) features of the training split, without what is held out if that is a part of it.

    They are kept as long as the data set is: several models may be judged on it.
    """
    key = (space(context).mark, context.split, context.seed, context.max_samples, len(context.x))
    kept = TRAIN.setdefault(context.data, {})
    if key not in kept:
        train = context.data.train
        if context.split == "train":
            n = len(of_held_out(context))
            rows = torch.randperm(len(context.x), generator=context.generator("held-out rows"))[:n]
            rest = torch.ones(len(train), dtype=torch.bool)
            rest[rows] = False
            train = train.subset(rest)
        embed = space(context).embed_split
        kept[key] = embed(train, seed=context.seed + 1, progress=context.progress)
    return kept[key]
