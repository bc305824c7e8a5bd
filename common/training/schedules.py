"""Learning-rate schedules: pure functions of the number of updates already made.

A schedule returns the multiplier of the learning rate, so that it holds for every parameter group
and has no state to save.
"""

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def cosine(total_steps: int, warmup_steps: int = 0, final: float = 0.0) -> Schedule:
    """Linear warm-up to 1, then half a cosine down to `final` (SGDR, arXiv:1608.03983, Eq. 5).

    Args:
        total_steps: updates until `final` is reached, at least 1; it stays there after.
        warmup_steps: updates of the warm-up; with more than total_steps (a run cut short) the
            warm-up is not finished.
        final: the last multiplier, at least 0.

    >>> schedule = cosine(100, warmup_steps=10, final=0.1)
    >>> [round(schedule(step), 2) for step in (0, 9, 10, 55, 100, 1000)]
    [0.1, 1.0, 1.0, 0.55, 0.1, 0.1]
    """
    check_steps(total_steps, warmup_steps, final)
    decay_steps = max(total_steps - warmup_steps, 1)

    def multiplier(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        progress = min((step - warmup_steps) / decay_steps, 1.0)
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))

    return multiplier


def linear_warmup(warmup_steps: int) -> Schedule:
    """From 1/warmup_steps in equal steps to 1, and 1 from then on.

    >>> [linear_warmup(4)(step) for step in (0, 1, 3, 9)]
    [0.25, 0.5, 1.0, 1.0]
    """
    if warmup_steps < 0:
        raise ValueError(f"warmup_steps must be at least 0, got {warmup_steps!r}")
    return lambda step: min((step + 1) / warmup_steps, 1.0) if warmup_steps else 1.0


def linear_decay(total_steps: int, warmup_steps: int = 0, final: float = 0.0) -> Schedule:
    """Linear warm-up to 1, then a straight line down to `final`, which it keeps.

    >>> schedule = linear_decay(100)
    >>> [schedule(step) for step in (0, 25, 100, 200)]
    [1.0, 0.75, 0.0, 0.0]
    """
    check_steps(total_steps, warmup_steps, final)
    decay_steps = max(total_steps - warmup_steps, 1)

    def multiplier(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        return final + (1 - final) * (1 - min((step - warmup_steps) / decay_steps, 1.0))

    return multiplier


def step_decay(milestones: tuple[int, ...], factor: float) -> Schedule:
    """Multiply by `factor` at each milestone (a number of updates), as in older papers.

    >>> [step_decay((10, 20), 0.5)(step) for step in (9, 10, 20)]
    [1.0, 0.5, 0.25]
    """
    if factor < 0:
        raise ValueError(f"factor must be at least 0, got {factor!r}")
    return lambda step: factor ** sum(step >= milestone for milestone in milestones)


def check_steps(total_steps: int, warmup_steps: int, final: float) -> None:
    """ValueError unless total_steps is at least 1 and the others at least 0."""
    if total_steps < 1 or warmup_steps < 0 or final < 0:
        raise ValueError(
            "total_steps must be at least 1, warmup_steps and final at least 0; got "
            f"total_steps={total_steps!r}, warmup_steps={warmup_steps!r}, final={final!r}"
        )
