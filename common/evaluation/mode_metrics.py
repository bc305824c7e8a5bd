"""Mode counting as metrics: on data whose modes are known, for a model or an ensemble of them."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from common.data import Dataset
from common.evaluation.context import Context
from common.evaluation.features.space import CHANNELS, channel_classes, channel_net
from common.evaluation.measurement import EvaluationError, Measurement
from common.evaluation.modes import RADIUS, ModeStatistics, label_statistics, mode_statistics

GAUSSIANS = "points that are a mixture of equal round Gaussians (ring, grid and the like)"
MODES = f"{GAUSSIANS}, or stacks of three digits"


def has_gaussians(data: Dataset) -> bool:
    """Whether the data are a mixture of equally likely Gaussians whose means are known."""
    return data.density is not None and data.density.modes is not None


def has_modes(data: Dataset) -> bool:
    """Whether the data's modes are known: Gaussians, or the numbers that three digits spell."""
    return has_gaussians(data) or data.name in CHANNELS


def count(context: Context, values: Tensor) -> ModeStatistics:
    """The modes that values (n, *data.shape) of the model's space fall on."""
    if has_gaussians(context.data):
        density = context.data.density
        return mode_statistics(context.data.to_levels(values), density.modes, density.std)
    return spelled(channel_classes(values, context.data, progress=context.progress))


def spelled(classes: Tensor) -> ModeStatistics:
    """The statistics of the numbers that digits (n, 3) spell, a mode each."""
    return label_statistics((classes * torch.tensor([100, 10, 1])).sum(1), 1000)


def ensemble(model: object) -> Sequence[object]:
    """The independently trained models of an ensemble, or the one model there is."""
    replicates = getattr(model, "replicates", None)
    if replicates is None:
        return [model]
    if len(replicates) == 0:
        raise EvaluationError(f"the {type(model).__name__} has no replicates, expected one or more")
    return replicates


def counts(context: Context) -> list[ModeStatistics]:
    """The statistics of each model of the ensemble, each with draws of its own."""

    def compute() -> list[ModeStatistics]:
        seeds = range(context.seed, context.seed + len(ensemble(context.model)))
        return [
            count(alone, alone.samples(alone.max_samples))
            for model, seed in zip(ensemble(context.model), seeds, strict=True)
            for alone in [replace(context, model=model, seed=seed, memo={})]
        ]

    return context.once("modes", compute)


def floor(context: Context) -> ModeStatistics:
    """The statistics of as many fresh draws of the data's density, or of held-out digits."""

    def compute() -> ModeStatistics:
        generator = context.generator("modes of data")
        if not has_gaussians(context.data):
            digits = channel_classes(context.x, context.data, progress=context.progress).flatten()
            drawn = torch.randint(len(digits), (context.max_samples, 3), generator=generator)
            return spelled(digits[drawn])
        density = context.data.density
        fresh = density.sample(context.max_samples, generator=generator, dtype=torch.float64)
        return mode_statistics(fresh, density.modes, density.std)

    return context.once("modes of data", compute)


def rules(data: Dataset) -> tuple[str, str]:
    """In words: when a mode is found, and what the floor counts."""
    if has_gaussians(data):
        std, num = data.density.std, len(data.density.modes)
        rule = (
            f"good within {RADIUS} standard deviations ({std:g}) of one of {num} modes, a mode is "
            f"found by a good sample, KL(found || uniform) over the good"
        )
        return rule, "fresh draws of the exact density"
    rule = (
        f"each channel classified by {channel_net(data).mark}, a mode is one of the 1000 numbers "
        f"that three digits spell, KL(found || uniform)"
    )
    return rule, "fresh triples of held-out digits, classified alike"


def measure(name: str, unit: str, field: str, context: Context) -> Measurement:
    """One of the statistics: the mean over the ensemble and the standard error of that mean."""
    found = torch.tensor([getattr(c, field) for c in counts(context)], dtype=torch.float64)
    num, n = len(found), context.max_samples
    rule, fresh = rules(context.data)
    protocol = f"{n} samples; {rule}; "
    if num > 1:
        error = (found.std() / math.sqrt(num)).item()
        protocol += (
            f"mean of {num} replicates, standard error between them (standard deviation "
            f"{found.std().item():.3g}), seeds {context.seed} to {context.seed + num - 1}; "
        )
    else:
        share = counts(context)[0].high_quality_fraction
        error = math.sqrt(share * (1 - share) / n) if field == "high_quality_fraction" else None
        protocol += f"seed {context.seed}; "
    protocol += f"floor: {n} {fresh}; {context.noise}"
    value, best = found.mean().item(), float(getattr(floor(context), field))
    return Measurement(name, value, error, n, unit, context.split, floor=best, protocol=protocol)


def num_modes(context: Context) -> Measurement:
    """How many modes have a good sample."""
    return measure("num_modes", "", "num_modes", context)


def high_quality_fraction(context: Context) -> Measurement:
    """The share of samples within three standard deviations of a mode."""
    return measure("high_quality_fraction", "", "high_quality_fraction", context)


def mode_kl_nats(context: Context) -> Measurement:
    """KL of the shares of the modes among the good samples from equal shares."""
    return measure("mode_kl_nats", "nats", "kl_nats", context)
