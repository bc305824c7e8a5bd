"""A number as this repository states numbers: with its error, its sample size and its protocol."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from common.errors import UserError


class EvaluationError(UserError):
    """Something that cannot be measured: the message names the value and what was expected."""


@dataclass(frozen=True)
class Measurement:
    """One measured number.

    Attributes:
        name: the metric, such as "nll_nats".
        value: the number.
        standard_error: of the value, over examples unless the protocol says otherwise; or None.
        n: examples that it was computed from.
        unit: "nats", "bits/dim", "" for a pure number, ...
        split: the split of the data.
        floor: the same statistic of data in place of samples, where that means something: what a
            perfect model would get. Training examples against this split, or as the protocol says.
        protocol: what one must know to compute it again: noise, seeds, numbers of samples.
    """

    name: str
    value: float
    standard_error: float | None
    n: int
    unit: str
    split: str
    floor: float | None = None
    protocol: str = ""


def mean_measurement(
    name: str, values: Tensor, *, unit: str, split: str, protocol: str = ""
) -> Measurement:
    """The mean of one value per example, with its standard error s / sqrt(n).

    Args:
        values: (n,), finite.

    Raises:
        EvaluationError: if a value is NaN or infinite, naming how many and the first.
    """
    values = finite(name, values)
    n = len(values)
    error = (values.std(correction=1) / math.sqrt(n)).item() if n > 1 else None
    return Measurement(name, values.mean().item(), error, n, unit, split, protocol=protocol)


def ratio_measurement(
    name: str, values: Tensor, sizes: Tensor, *, unit: str, split: str, protocol: str = ""
) -> Measurement:
    """The sum of the values over the sum of the sizes, such as nats a step, R = sum v / sum s.

    The examples are what was drawn, not their steps: the error is that of the ratio estimator,
    sqrt(n / (n - 1) sum (v - R s)^2) / sum s (Cochran, Sampling techniques, 1977, section 2.11).

    Args:
        values: (n,), finite.
        sizes: (n,), positive.
    """
    values, sizes = finite(name, values), sizes.double().cpu()
    if len(sizes) != len(values) or not (sizes > 0).all():
        raise EvaluationError(
            f"{name}: {len(values)} values have {len(sizes)} sizes, the least "
            f"{sizes.min().item():g}; expected one positive size a value."
        )
    n, total = len(values), sizes.sum()
    ratio = values.sum() / total
    scatter = (values - ratio * sizes).square().sum()
    error = ((scatter * n / (n - 1)).sqrt() / total).item() if n > 1 else None
    return Measurement(name, ratio.item(), error, n, unit, split, protocol=protocol)


def finite(name: str, values: Tensor) -> Tensor:
    """The values (n,) in float64 on the CPU; EvaluationError if one is NaN or infinite."""
    values = values.detach().double().flatten().cpu()
    bad = (~torch.isfinite(values)).nonzero().flatten()
    if len(bad):
        raise EvaluationError(
            f"{name}: {len(bad)} of {len(values)} values are not finite, the first is "
            f"{values[bad[0]].item()} at example {bad[0].item()}; expected numbers. "
            f"Did the training diverge?"
        )
    return values
