"""Mode counting: which of the known modes do samples fall on, and how evenly.

The protocol of Lin et al. 2018 (PacGAN), arXiv:1712.04086, Section 4, after Srivastava et al.
2017 (VEEGAN), arXiv:1705.07761: a sample is good if it lies within three standard deviations of a
mode, and a mode is found if a good sample lies nearest to it.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from common.evaluation.measurement import EvaluationError
from common.evaluation.points import Values, as_points

RADIUS = 3  # standard deviations


@dataclass(frozen=True)
class ModeStatistics:
    """What samples say about the modes of a distribution.

    Attributes:
        num_modes: modes with a good sample.
        high_quality_fraction: of the samples that are good; None where labels leave no doubt.
        kl_nats: KL(shares of the modes among the good samples || uniform), from 0 to ln K; ln K, the
            worst, where there is no good sample.
    """

    num_modes: int
    high_quality_fraction: float | None
    kl_nats: float


def mode_statistics(samples: Values, modes: Values, std: float) -> ModeStatistics:
    """`ModeStatistics` of samples for equally likely Gaussian modes of one standard deviation.

    Args:
        samples: (n, D).
        modes: (K, D) the means.
        std: the standard deviation, more than 0.

    Raises:
        EvaluationError: for no samples, NaN, unlike dimensions, or a std of 0 or less.

    >>> modes = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    >>> mode_statistics(torch.tensor([[0.1, 0.0], [0.0, 0.2], [0.5, 0.0]]), modes, std=0.1)
    ModeStatistics(num_modes=1, high_quality_fraction=0.6666666666666666, kl_nats=0.6931471805599453)
    """
    samples = as_points(samples, "samples", least=1, why="counting modes")
    modes = as_points(modes, "modes", least=1, why="counting modes")
    if samples.shape[1] != modes.shape[1]:
        raise EvaluationError(
            f"samples have {samples.shape[1]} dimensions and modes {modes.shape[1]}; "
            f"expected the same."
        )
    if not 0 < std < math.inf:
        raise EvaluationError(f"the modes' std is {std}, expected a positive number.")
    # differences, not inner products: exact for narrow modes far from the origin
    parts = [(rows[:, None] - modes).norm(dim=2).min(1) for rows in samples.split(4096)]
    distance = torch.cat([part.values for part in parts])
    nearest = torch.cat([part.indices for part in parts])
    good = distance <= RADIUS * std
    counts = nearest[good].bincount(minlength=len(modes))
    return ModeStatistics(
        int((counts > 0).sum()), good.double().mean().item(), kl_from_uniform(counts)
    )


def label_statistics(labels: Values, num_classes: int) -> ModeStatistics:
    """`ModeStatistics` where a classifier has named the mode of each sample, as in stacked MNIST.

    Args:
        labels: (n,) integers from 0 to num_classes - 1.
        num_classes: the number of modes, all equally likely.

    Raises:
        EvaluationError: for no labels, or labels that are no such integers.
    """
    labels = torch.as_tensor(labels).detach().cpu()
    if labels.dim() != 1 or len(labels) == 0 or labels.is_floating_point():
        raise EvaluationError(
            f"labels have shape {tuple(labels.shape)} and type {labels.dtype}; expected (n,) "
            f"integers, n at least 1."
        )
    least, most = labels.min().item(), labels.max().item()
    if least < 0 or most >= num_classes:
        raise EvaluationError(
            f"labels go from {least} to {most}, expected 0 to {num_classes - 1}, one a class."
        )
    counts = labels.long().bincount(minlength=num_classes)
    return ModeStatistics(int((counts > 0).sum()), None, kl_from_uniform(counts))


def kl_from_uniform(counts: Tensor) -> float:
    """KL(counts / their sum || uniform) in nats; ln K if all of the K counts are 0."""
    num = len(counts)
    if counts.sum() == 0:
        return math.log(num)
    shares = counts.double() / counts.sum()
    return torch.special.xlogy(shares, shares * num).sum().clamp_min(0).item()
