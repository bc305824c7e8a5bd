"""Preprocessing steps: explicit, invertible, and each knows its log-determinant.

A step maps a batch `x` of shape (B, *shape) to `y` in the model's space:

    y = step(x, generator=g)        x = step.inverse(y)        step.log_abs_det(y) -> (B,)

`log_abs_det` is log|dy/dx| per example in nats, evaluated at the output y. Integer levels
0..L-1 become a density by `UniformDequantisation` -> `Scale` -> `Logit`, in that order
(Dinh et al. 2017, section 4.1; Papamakarios et al. 2017, section 4.2).

A step whose `num_levels` or `shape` is None takes it from the data set in `load(...)`.
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor

Shape = tuple[int, ...]


class Preprocess:
    """What every step promises; the defaults are those of a rearrangement of values."""

    dequantises: ClassVar[bool] = False  # turns probability mass into density
    is_random: ClassVar[bool] = False  # needs a generator

    def __call__(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Map (B, *shape) to the model's space, (B, *output_shape(shape)), as floats."""
        raise NotImplementedError

    def inverse(self, y: Tensor) -> Tensor:
        """Map (B, *output) back, so that `inverse(step(x)) = x`.

        For the two binarisations, which lose grey levels, it is the right inverse: black or white.
        In float32, noise within a rounding error of the next level comes back as that level.
        """
        raise NotImplementedError

    def log_abs_det(self, y: Tensor) -> Tensor:
        """log|dy/dx| of each example, (B,) nats, evaluated at the output y."""
        return torch.zeros(len(y), dtype=y.dtype, device=y.device)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one example after the step."""
        return tuple(shape)

    def output_levels(self, num_levels: int | None) -> int | None:
        """Number of integer levels 0..L-1 after the step; None where values are not levels."""
        return num_levels

    @property
    def is_binary(self) -> bool:
        """True if the output is {0, 1} whatever comes in."""
        return self.output_levels(None) == 2

    def bind(self, shape: Shape, num_levels: int | None) -> Self:
        """The step with what it left open taken from the data; ValueError if they contradict."""
        if not hasattr(self, "num_levels"):
            return self
        name, given = type(self).__name__, self.num_levels
        if num_levels is None:
            raise ValueError(f"{name} needs integer levels; this data set is continuous")
        if given is not None and given != num_levels:
            raise ValueError(
                f"{name}(num_levels={given}) meets data with {num_levels} levels; "
                f"write {name}() to take the number from the data"
            )
        return replace(self, num_levels=num_levels)


def _as_float(x: Tensor) -> Tensor:
    return x if x.is_floating_point() else x.to(torch.get_default_dtype())


def _levels(step: Preprocess) -> int:
    if step.num_levels is None:
        name = type(step).__name__
        raise ValueError(f"{name}() has no levels: {name}(num_levels=256), or use load()")
    return step.num_levels


def _check_levels(num_levels: int | None) -> None:
    if num_levels is not None and num_levels < 2:
        raise ValueError(f"num_levels must be an integer >= 2, got {num_levels!r}")


def _uniform(x: Tensor, generator: torch.Generator | None, who: str) -> Tensor:
    """Uniform noise like x, drawn where the generator lives so that devices agree."""
    if generator is None:
        raise ValueError(f"{who} draws noise: pass generator=torch.Generator().manual_seed(...)")
    noise = torch.rand(x.shape, generator=generator, device=generator.device, dtype=x.dtype)
    return noise.to(x.device)


@dataclass(frozen=True)
class UniformDequantisation(Preprocess):
    """Add uniform noise: y = x + u, u ~ U[0, 1) (Uria et al. 2013; Theis et al. 2016).

    >>> step = UniformDequantisation()
    >>> x = torch.tensor([[0, 3, 255]], dtype=torch.uint8)
    >>> step.inverse(step(x, generator=torch.Generator().manual_seed(0))).int().tolist()
    [[0, 3, 255]]
    """

    dequantises: ClassVar[bool] = True
    is_random: ClassVar[bool] = True

    def __call__(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        x = _as_float(x)
        y = x + _uniform(x, generator, "UniformDequantisation")
        # 255 + 0.9999999 rounds to 256, the next level: stay one float below it
        return torch.minimum(y, torch.nextafter(x + 1, x))

    def inverse(self, y: Tensor) -> Tensor:
        return y.floor()

    def output_levels(self, num_levels: int | None) -> int | None:
        return None

    def bind(self, shape: Shape, num_levels: int | None) -> Self:
        if num_levels is None:
            raise ValueError("UniformDequantisation needs integer levels; this data is continuous")
        return self


@dataclass(frozen=True)
class Scale(Preprocess):
    """Divide by the levels: y = x / L, so [0, L) becomes [0, 1); log|dy/dx| = -D ln L."""

    num_levels: int | None = None

    def __post_init__(self) -> None:
        _check_levels(self.num_levels)

    def __call__(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        return x / _levels(self)  # integers become the default float in the same pass

    def inverse(self, y: Tensor) -> Tensor:
        return y * _levels(self)

    def log_abs_det(self, y: Tensor) -> Tensor:
        num_dims = math.prod(y.shape[1:])
        return y.new_full((len(y),), -num_dims * math.log(_levels(self)))

    def output_levels(self, num_levels: int | None) -> int | None:
        return None


@dataclass(frozen=True)
class Logit(Preprocess):
    """Open the unit interval: y = logit(alpha + (1 - 2 alpha) x), 0 <= alpha < 1/2.

    With s = sigmoid(y): log|dy/dx| = sum_d [ln(1 - 2 alpha) - ln s_d - ln(1 - s_d)]
    (Dinh et al. 2017, section 4.1; Papamakarios et al. 2017 use alpha = 1e-6 on MNIST).
    """

    alpha: float = 1e-6

    def __post_init__(self) -> None:
        if not 0 <= self.alpha < 0.5:
            raise ValueError(f"alpha must lie in [0, 0.5), got {self.alpha!r}")

    def __call__(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        x = _as_float(x)
        s = self.alpha + (1 - 2 * self.alpha) * x
        # ln(1 - s) from 1 - x, not from s: near white, 1 - s would keep two digits in float32
        return s.log() - (self.alpha + (1 - 2 * self.alpha) * (1 - x)).log()

    def inverse(self, y: Tensor) -> Tensor:
        return (torch.sigmoid(y) - self.alpha) / (1 - 2 * self.alpha)

    def log_abs_det(self, y: Tensor) -> Tensor:
        per_dim = F.softplus(y) + F.softplus(-y) + math.log1p(-2 * self.alpha)
        return per_dim.flatten(1).sum(1)

    def output_levels(self, num_levels: int | None) -> int | None:
        return None


@dataclass(frozen=True)
class StaticBinarisation(Preprocess):
    """Threshold: y = 1[x / (L - 1) > threshold]. Another data set than the grey one: state it."""

    threshold: float = 0.5
    num_levels: int | None = None

    def __post_init__(self) -> None:
        _check_levels(self.num_levels)
        if not 0 <= self.threshold < 1:
            raise ValueError(f"threshold must lie in [0, 1), got {self.threshold!r}")

    def __call__(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        x = _as_float(x)
        return (x > self.threshold * (_levels(self) - 1)).to(x.dtype)

    def inverse(self, y: Tensor) -> Tensor:
        return y * (_levels(self) - 1)

    def output_levels(self, num_levels: int | None) -> int | None:
        return 2


@dataclass(frozen=True)
class DynamicBinarisation(Preprocess):
    """Draw anew at every call: y ~ Bernoulli(x / (L - 1)) (Burda et al. 2016, section 5.1).

    >>> step = DynamicBinarisation(num_levels=17)
    >>> x = torch.tensor([[0, 16, 0, 16]])
    >>> step(x, generator=torch.Generator().manual_seed(0)).tolist()
    [[0.0, 1.0, 0.0, 1.0]]
    """

    num_levels: int | None = None
    is_random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_levels(self.num_levels)

    def __call__(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        x = _as_float(x)
        noise = _uniform(x, generator, "DynamicBinarisation")
        return (noise * (_levels(self) - 1) < x).to(x.dtype)

    def inverse(self, y: Tensor) -> Tensor:
        return y * (_levels(self) - 1)

    def output_levels(self, num_levels: int | None) -> int | None:
        return 2
