"""What a model without memory gets on sequences: every step drawn alike, and alone."""

import math

import torch
from torch import Tensor

from common.data import Dataset, Split
from common.evaluation.measurement import Measurement, ratio_measurement


def step_baseline(data: Dataset, split: str = "test", *, seed: int = 0) -> Measurement:
    """Nats a step of values that are independent of one another and of time, fitted to `train`.

    Keys of a piano roll are Bernoulli, symbols occur as often as they do in the training split, and
    numbers are Gaussian; each place of a step has its own. One occurrence is added of each symbol,
    and one of either state of a key (Laplace), so that an unseen one costs something finite.
    """
    known, _ = steps((data.origin or data).train, seed + 1)  # (M, D)
    x, is_step = steps(data.splits[split], seed, given=data.given)
    if data.is_binary:
        nats, kind = bernoulli_nats(known, x), "keys drawn independently, as often as they sound"
    elif x.is_floating_point():
        nats, kind = gaussian_nats(known, x), "independent Gaussians, mean and variance as"
    else:
        levels = data.num_levels
        levels = data.preprocess.output_levels(levels) if data.preprocess else levels
        nats, kind = (
            symbol_nats(known, x, levels),
            "symbols drawn independently, as often as they occur",
        )
    total = torch.zeros(is_step.shape, dtype=torch.float64)
    total[is_step] = nats.sum(1)
    return ratio_measurement(
        "nll_nats_per_step",
        total.sum(1),
        is_step.sum(1),
        unit="nats/step",
        split=split,
        protocol=f"{kind} in the training split",
    )


def steps(part: Split, seed: int, *, given: int = 0) -> tuple[Tensor, Tensor]:
    """The steps of a split that count, (M, D) in the model's space, and where they stand, (N, T)."""
    x = part.tensor(seed=seed).cpu()
    x = x.unsqueeze(0) if part.x.dim() == 1 else x  # running text is one sequence
    whole = torch.ones(x.shape[:2], dtype=torch.bool)
    is_step = whole if part.lengths is None else part.mask().cpu()
    is_step[:, :given] = False
    return x[is_step].reshape(int(is_step.sum()), -1), is_step


def bernoulli_nats(known: Tensor, x: Tensor) -> Tensor:
    """(M, D) nats of keys (M, D) in {0, 1}, each with its own frequency in `known`."""
    p = (known.sum(0, dtype=torch.float64) + 1) / (len(known) + 2)
    return -torch.where(x > 0, p.log(), (-p).log1p())


def symbol_nats(known: Tensor, x: Tensor, num_levels: int) -> Tensor:
    """(M, D) nats of symbols 0..num_levels-1, each place with its own frequencies."""
    columns = []
    for seen, column in zip(known.T, x.T, strict=True):
        counts = torch.bincount(seen, minlength=num_levels).double() + 1
        columns.append(-(counts / counts.sum()).log()[column])
    return torch.stack(columns, 1)


def gaussian_nats(known: Tensor, x: Tensor) -> Tensor:
    """(M, D) nats of numbers, each place with its own mean and variance."""
    mean, std = known.double().mean(0), known.double().std(0, correction=0)
    return ((x - mean) / std).square() / 2 + std.log() + 0.5 * math.log(2 * math.pi)
