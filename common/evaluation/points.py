"""What every statistic of two sets asks of them: enough examples, numbers, equal shapes."""

import numpy as np
import torch
from torch import Tensor

from common.evaluation.measurement import EvaluationError

Values = Tensor | np.ndarray


def as_points(values: Values, name: str, *, least: int, why: str) -> Tensor:
    """Values (n, *event) as (n, D) float64 on the CPU.

    Args:
        values: a tensor or an array.
        name: what the examples are, for the message.
        least: the smallest n allowed.
        why: what needs so many, for the message.

    Raises:
        EvaluationError: for fewer than `least` examples, no dimension, NaN or infinite values.
    """
    values = torch.as_tensor(values).detach().cpu()
    if values.dim() < 2:
        raise EvaluationError(
            f"{name} have shape {tuple(values.shape)}, expected (n, *event), one row an example."
        )
    if len(values) < least:
        raise EvaluationError(
            f"{name}: {len(values)} of them, expected at least {least} for {why}. "
            f"Raise max_samples or max_examples."
        )
    if values[0].numel() == 0:
        raise EvaluationError(f"{name} have shape {tuple(values.shape)}: examples of no dimension.")
    values = values.flatten(1).double()
    if not torch.isfinite(values.sum()):  # one pass where all is well, which it mostly is
        check_finite(values, name)
    return values


def check_finite(values: Tensor, name: str) -> None:
    """EvaluationError if a row of values (n, D) is NaN or infinite, naming how many and the first."""
    bad = (~torch.isfinite(values)).any(1).nonzero().flatten()
    if len(bad):
        raise EvaluationError(
            f"{name}: {len(bad)} of {len(values)} hold NaN or infinite values, the first is "
            f"number {bad[0].item()}; expected numbers. Did the training diverge?"
        )


def as_pair(
    x: Values, y: Values, names: tuple[str, str], *, least: int, why: str
) -> tuple[Tensor, Tensor]:
    """Both sets as `as_points`, (n, D) and (m, D); EvaluationError also for unlike shapes."""
    first, second = (
        as_points(values, name, least=least, why=why)
        for name, values in zip(names, (x, y), strict=True)
    )
    if x.shape[1:] != y.shape[1:]:
        raise EvaluationError(
            f"{names[0]} have shape {tuple(x.shape[1:])} and {names[1]} {tuple(y.shape[1:])}; "
            f"expected the same."
        )
    return first, second
