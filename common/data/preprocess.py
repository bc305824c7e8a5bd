"""Preprocessing as one object: the steps of `transforms`, the rearrangements, and `Compose`."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from common.data.transforms import (
    DynamicBinarisation,
    Logit,
    Preprocess,
    Scale,
    Shape,
    StaticBinarisation,
    UniformDequantisation,
)

__all__ = [
    "Compose",
    "DynamicBinarisation",
    "Flatten",
    "Logit",
    "Pad",
    "Preprocess",
    "Scale",
    "StaticBinarisation",
    "UniformDequantisation",
]


@dataclass(frozen=True)
class Pad(Preprocess):
    """Add a frame of constant levels round (B, C, H, W): 28 x 28 becomes 32 x 32 with Pad(2).

    `amount` is one width for all sides or (left, right, top, bottom). Padding stands before
    dequantisation, so that the frame carries noise like every other pixel: a model then pays
    for the frame's dimensions and the bits per dimension remain an upper bound. A constant
    frame in a continuous space would have infinite density; `Compose` refuses it.

    >>> Pad(2).output_shape((1, 28, 28))
    (1, 32, 32)
    """

    amount: int | tuple[int, int, int, int] = 2
    value: int = 0

    def __post_init__(self) -> None:
        if min(self._sides) < 0 or len(self._sides) != 4:
            raise ValueError(f"amount must be >= 0 or four such sides, got {self.amount!r}")

    @property
    def _sides(self) -> tuple[int, ...]:
        return (self.amount,) * 4 if isinstance(self.amount, int) else tuple(self.amount)

    def __call__(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        x = x if x.is_floating_point() else x.to(torch.get_default_dtype())
        return F.pad(x, self._sides, value=self.value)

    def inverse(self, y: Tensor) -> Tensor:
        left, right, top, bottom = self._sides
        height, width = y.shape[-2:]
        return y[..., top : height - bottom, left : width - right]

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 3:
            raise ValueError(f"Pad needs images (C, H, W), got {tuple(shape)}; pad before Flatten")
        left, right, top, bottom = self._sides
        return (shape[0], shape[1] + top + bottom, shape[2] + left + right)


@dataclass(frozen=True)
class Flatten(Preprocess):
    """Lay an example out as a vector: (B, *shape) -> (B, D)."""

    shape: Shape | None = None

    def __call__(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        x = x if x.is_floating_point() else x.to(torch.get_default_dtype())
        return x.flatten(1)

    def inverse(self, y: Tensor) -> Tensor:
        if self.shape is None:
            raise ValueError("Flatten() has no shape: write Flatten((1, 28, 28)), or use load()")
        return y.reshape(len(y), *self.shape)

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)

    def bind(self, shape: Shape, num_levels: int | None) -> Self:
        if self.shape is not None and tuple(self.shape) != tuple(shape):
            raise ValueError(f"Flatten({tuple(self.shape)}) meets examples of shape {tuple(shape)}")
        return replace(self, shape=tuple(shape))


@dataclass(frozen=True)
class Compose(Preprocess):
    """Steps one after the other; the order is checked once, when it is built.

    Levels (Pad, binarisation) -> UniformDequantisation -> Scale -> Logit; Flatten anywhere.

    >>> steps = Compose([UniformDequantisation(), Scale(256), Logit(1e-6), Flatten((1, 2, 2))])
    >>> x = torch.tensor([[[[0, 80], [160, 255]]]])
    >>> y = steps(x, generator=torch.Generator().manual_seed(0))
    >>> y.shape, torch.equal(steps.inverse(y), x.float())
    (torch.Size([1, 4]), True)
    """

    steps: tuple[Preprocess, ...]

    def __init__(self, steps: Sequence[Preprocess]) -> None:
        flat = [s for step in steps for s in (step.steps if isinstance(step, Compose) else [step])]
        _check_order(flat)
        object.__setattr__(self, "steps", tuple(flat))

    @property
    def dequantises(self) -> bool:
        return any(step.dequantises for step in self.steps)

    @property
    def is_random(self) -> bool:
        return any(step.is_random for step in self.steps)

    def __call__(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        for step in self.steps:
            x = step(x, generator=generator)
        return x

    def inverse(self, y: Tensor) -> Tensor:
        for step in reversed(self.steps):
            y = step.inverse(y)
        return y

    def log_abs_det(self, y: Tensor) -> Tensor:
        total = super().log_abs_det(y)
        for step in reversed(self.steps):
            total = total + step.log_abs_det(y)
            y = step.inverse(y)
        return total

    def output_shape(self, shape: Shape) -> Shape:
        for step in self.steps:
            shape = step.output_shape(shape)
        return tuple(shape)

    def output_levels(self, num_levels: int | None) -> int | None:
        for step in self.steps:
            num_levels = step.output_levels(num_levels)
        return num_levels

    def bind(self, shape: Shape, num_levels: int | None) -> Self:
        bound = []
        for step in self.steps:
            bound.append(step.bind(shape, num_levels))
            shape = step.output_shape(shape)
            # Scale asks for the L of the range [0, L), which outlives dequantisation
            num_levels = 2 if step.is_binary else num_levels
        return Compose(bound)


_STAGES: dict[type, int] = {
    Pad: 0,
    StaticBinarisation: 0,
    DynamicBinarisation: 0,
    UniformDequantisation: 1,
    Scale: 2,
    Logit: 3,
}


def _check_order(steps: Sequence[Preprocess]) -> None:
    """Refuse the orders whose numbers would be wrong."""
    names = " -> ".join(type(step).__name__ for step in steps) or "nothing"
    staged = [step for step in steps if type(step) in _STAGES]
    for before, after in itertools.pairwise(staged):
        a, b = _STAGES[type(before)], _STAGES[type(after)]
        if a > b or (a == b and a > 0):
            raise ValueError(
                f"{type(after).__name__} cannot follow {type(before).__name__} in {names}: "
                "the order is Pad/binarisation, UniformDequantisation, Scale, Logit; the last three once"
            )
    for position, step in enumerate(staged):
        if isinstance(step, Logit) and not any(isinstance(s, Scale) for s in staged[:position]):
            raise ValueError(f"Logit needs values in [0, 1]: put Scale() before it (in {names})")
