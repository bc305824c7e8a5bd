"""What every two-dimensional density promises, and the draws they are made of."""

from typing import ClassVar

import torch
from torch import Tensor


class Density:
    """A two-dimensional density.

    Attributes:
        name: the name of its data set.
        has_log_prob: False where no closed form exists; `log_prob` then raises ValueError.
        half_width: a plot of [-half_width, half_width]^2 shows all of it that matters.
        modes: (K, 2) means of a mixture of equally likely N(mean, std^2 I); None if it is none.
        std: of each mode; None without modes.
    """

    name: ClassVar[str]
    has_log_prob: ClassVar[bool] = True
    half_width: float
    modes: Tensor | None = None
    std: float | None = None

    def sample(
        self, n: int, *, generator: torch.Generator, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Independent draws, (n, 2), on the generator's device, in the default dtype or `dtype`."""
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n!r}")
        points = self._draw(n, generator)
        return points.to(torch.get_default_dtype() if dtype is None else dtype)

    def log_prob(self, x: Tensor) -> Tensor:
        """Exact natural log of the density at x (B, 2): (B,) nats; ValueError if there is none."""
        if not self.has_log_prob:
            raise ValueError(
                f"{self.name} has no closed-form density: compare samples instead (MMD, energy "
                "distance), or take ring, grid, pinwheel or checkerboard"
            )
        if x.dim() != 2 or x.shape[1] != 2:
            raise ValueError(f"x must have shape (B, 2), got {tuple(x.shape)}")
        return self._log_prob(x)

    def _draw(self, n: int, generator: torch.Generator) -> Tensor:
        raise NotImplementedError

    def _log_prob(self, x: Tensor) -> Tensor:
        raise NotImplementedError


def normal(n: int, generator: torch.Generator) -> Tensor:
    """Standard normal points, (n, 2) float64."""
    return torch.randn(n, 2, generator=generator, dtype=torch.float64, device=generator.device)


def uniform(n: int, generator: torch.Generator) -> Tensor:
    """Uniform numbers on [0, 1), (n,) float64."""
    return torch.rand(n, generator=generator, dtype=torch.float64, device=generator.device)


def choice(n: int, num: int, generator: torch.Generator) -> Tensor:
    """Uniform integers below num, (n,) int64."""
    return torch.randint(num, (n,), generator=generator, device=generator.device)
