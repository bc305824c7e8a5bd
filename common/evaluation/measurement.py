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
    values = values.detach().double().flatten().cpu()
    bad = (~torch.isfinite(values)).nonzero().flatten()
    if len(bad):
        raise EvaluationError(
            f"{name}: {len(bad)} of {len(values)} values are not finite, the first is "
            f"{values[bad[0]].item()} at example {bad[0].item()}; expected numbers. "
            f"Did the training diverge?"
        )
    n = len(values)
    error = (values.std(correction=1) / math.sqrt(n)).item() if n > 1 else None
    return Measurement(name, values.mean().item(), error, n, unit, split, protocol=protocol)
