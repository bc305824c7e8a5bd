"""Two-dimensional densities: exact samplers, and exact log p where a closed form exists.

Rings, grids, pinwheel and checkerboard have one. Moons and swiss roll are curves blurred by
Gaussian noise: their density is an integral along the curve without a closed form.
Draws are made in float64 and then cast, so that processors that differ in the last bit agree.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from common.data.density import Density, choice, normal, uniform


class _IsotropicMixture(Density):
    """Equal weights, one standard deviation: p(x) = 1/K sum_k N(x; m_k, std^2 I)."""

    std: float

    @property
    def modes(self) -> Tensor:
        """The K means, (K, 2) float64."""
        raise NotImplementedError

    def _draw(self, n: int, generator: torch.Generator) -> Tensor:
        modes = self.modes.to(generator.device)
        return modes[choice(n, len(modes), generator)] + self.std * normal(n, generator)

    def _log_prob(self, x: Tensor) -> Tensor:
        modes = self.modes.to(x)
        squared = (x[:, None] - modes).square().sum(-1)  # (B, K)
        log_joint = -squared / (2 * self.std**2) - math.log(2 * math.pi * self.std**2)
        return log_joint.logsumexp(1) - math.log(len(modes))


@dataclass(frozen=True)
class Ring(_IsotropicMixture):
    """Gaussians on a circle, the first at (radius, 0).

    >>> Ring(num_modes=1, radius=0.0, std=1.0).log_prob(torch.zeros(1, 2))  # -ln(2 pi)
    tensor([-1.8379])
    """

    name: ClassVar[str] = "ring"
    num_modes: int = 8
    radius: float = 2.0
    std: float = 0.2

    def __post_init__(self) -> None:
        _check(num_modes=self.num_modes, std=self.std)

    @property
    def half_width(self) -> float:
        return self.radius + max(5 * self.std, self.radius / 4)

    @property
    def modes(self) -> Tensor:
        angle = torch.arange(self.num_modes, dtype=torch.float64) * (2 * math.pi / self.num_modes)
        return self.radius * torch.stack([angle.cos(), angle.sin()], 1)


@dataclass(frozen=True)
class ThinRing(Ring):
    """The 2D-ring of Lin et al. 2018 (PacGAN): radius 1, std 0.01."""

    name: ClassVar[str] = "thin_ring"
    radius: float = 1.0
    std: float = 0.01


@dataclass(frozen=True)
class EightGaussians(Ring):
    """The eight Gaussians of Gulrajani et al. 2017: radius 2, std 0.02, both divided by 1.414."""

    name: ClassVar[str] = "eight_gaussians"
    radius: float = 2 / 1.414
    std: float = 0.02 / 1.414


@dataclass(frozen=True)
class Grid(_IsotropicMixture):
    """Gaussians on a centred square grid: by default the 2D-grid of Lin et al. 2018 (PacGAN)."""

    name: ClassVar[str] = "grid"
    num_per_side: int = 5
    spacing: float = 2.0
    std: float = 0.05

    def __post_init__(self) -> None:
        _check(num_per_side=self.num_per_side, spacing=self.spacing, std=self.std)

    @property
    def half_width(self) -> float:
        return self.spacing * (self.num_per_side - 1) / 2 + max(5 * self.std, self.spacing / 4)

    @property
    def modes(self) -> Tensor:
        side = torch.arange(self.num_per_side, dtype=torch.float64) - (self.num_per_side - 1) / 2
        return self.spacing * torch.cartesian_prod(side, side).reshape(-1, 2)


@dataclass(frozen=True)
class TwentyFiveGaussians(Grid):
    """The 25 Gaussians of Gulrajani et al. 2017: step 2, std 0.05, both divided by 2.828."""

    name: ClassVar[str] = "twenty_five_gaussians"
    spacing: float = 2 / 2.828
    std: float = 0.05 / 2.828


@dataclass(frozen=True)
class Pinwheel(Density):
    """Stretched Gaussians on a wheel, swirled: x = R(2 pi k / K + swirl(|a|)) a, a ~ N((1, 0), S).

    S = diag(radial_std^2, tangential_std^2), swirl(r) = rate exp(min(r, 20)), all times `scale`.
    The angle of the swirl depends on the radius |a| alone, so the map keeps areas (its Jacobian
    determinant is 1) and |x| = |a|: undoing it gives log p(x) exactly. The pinwheel of Johnson
    et al. 2016 turns by the first coordinate of a instead, which does not keep areas.
    """

    name: ClassVar[str] = "pinwheel"
    num_arms: int = 5
    radial_std: float = 0.3
    tangential_std: float = 0.1
    rate: float = 0.25
    scale: float = 2.0

    def __post_init__(self) -> None:
        _check(num_arms=self.num_arms, radial_std=self.radial_std, scale=self.scale)
        _check(tangential_std=self.tangential_std)

    @property
    def half_width(self) -> float:
        return self.scale * (1 + 4.5 * self.radial_std)

    def _swirl(self, a: Tensor) -> Tensor:
        return self.rate * a.norm(dim=1).clamp(max=20).exp()

    def _draw(self, n: int, generator: torch.Generator) -> Tensor:
        arm = choice(n, self.num_arms, generator)
        stds = torch.tensor([self.radial_std, self.tangential_std], dtype=torch.float64)
        centre = torch.tensor([1.0, 0.0], dtype=torch.float64)
        a = centre.to(generator.device) + stds.to(generator.device) * normal(n, generator)
        angle = arm * (2 * math.pi / self.num_arms) + self._swirl(a)
        return self.scale * _rotate(a, angle)

    def _log_prob(self, x: Tensor) -> Tensor:
        x = x / self.scale
        arms = torch.arange(self.num_arms, dtype=x.dtype, device=x.device)
        swirl = self._swirl(x)  # (B,)
        angle = -(2 * math.pi / self.num_arms) * arms[:, None] - swirl  # (K, B)
        a = _rotate(x.expand(self.num_arms, -1, -1), angle)  # (K, B, 2)
        radial = (a[..., 0] - 1) / self.radial_std
        tangential = a[..., 1] / self.tangential_std
        log_arm = -0.5 * (radial.square() + tangential.square())
        log_scale = math.log(2 * math.pi * self.radial_std * self.tangential_std * self.scale**2)
        return log_arm.logsumexp(0) - log_scale - math.log(self.num_arms)


@dataclass(frozen=True)
class Checkerboard(Density):
    """Uniform on every other square of a board: p = 1 / (half its area), or 0."""

    name: ClassVar[str] = "checkerboard"
    num_per_side: int = 4
    square: float = 2.0

    def __post_init__(self) -> None:
        _check(num_per_side=self.num_per_side, square=self.square)
        if self.num_per_side % 2:
            raise ValueError(f"num_per_side must be even, got {self.num_per_side}")

    @property
    def half_width(self) -> float:
        return self.num_per_side * self.square / 2

    def _draw(self, n: int, generator: torch.Generator) -> Tensor:
        row = choice(n, self.num_per_side, generator)
        column = 2 * choice(n, self.num_per_side // 2, generator) + row % 2
        corner = torch.stack([column, row], 1).double()
        offset = torch.stack([uniform(n, generator), uniform(n, generator)], 1)
        offset = offset.clamp(max=1 - 2**-20)  # a cast must not round into the next square
        return (corner + offset) * self.square - self.half_width

    def _log_prob(self, x: Tensor) -> Tensor:
        cell = ((x + self.half_width) / self.square).floor()
        inside = ((cell >= 0) & (cell < self.num_per_side)).all(1) & (cell.sum(1) % 2 == 0)
        log_density = -math.log(self.num_per_side**2 * self.square**2 / 2)
        return torch.where(inside, log_density, -math.inf).to(x.dtype)


@dataclass(frozen=True)
class Moons(Density):
    """Two interleaved half circles of radius 1, blurred; scaled and centred. No closed form."""

    name: ClassVar[str] = "moons"
    has_log_prob: ClassVar[bool] = False
    noise: float = 0.1
    half_width: ClassVar[float] = 2.0

    def _draw(self, n: int, generator: torch.Generator) -> Tensor:
        lower = choice(n, 2, generator)  # 0: upper moon, 1: lower moon
        angle = math.pi * uniform(n, generator)
        sign = 1.0 - 2.0 * lower
        # both moons are point reflections of each other about the origin
        curve = torch.stack([angle.cos() - 0.5, angle.sin() - 0.25], 1) * sign[:, None]
        return curve + self.noise * normal(n, generator)


@dataclass(frozen=True)
class SwissRoll(Density):
    """A spiral t (cos t, sin t), t = 1.5 pi (1 + 2 u), blurred and divided by 7.5. No closed form.

    Noise 0.25 before the division and the factor 7.5 are those of Gulrajani et al. 2017.
    """

    name: ClassVar[str] = "swiss_roll"
    has_log_prob: ClassVar[bool] = False
    noise: float = 0.25
    half_width: ClassVar[float] = 2.2

    def _draw(self, n: int, generator: torch.Generator) -> Tensor:
        t = 1.5 * math.pi * (1 + 2 * uniform(n, generator))
        curve = torch.stack([t * t.cos(), t * t.sin()], 1)
        return (curve + self.noise * normal(n, generator)) / 7.5


def _rotate(points: Tensor, angle: Tensor) -> Tensor:
    """Turn (..., 2) points by (...) radians about the origin."""
    cos, sin = angle.cos(), angle.sin()
    u, v = points.unbind(-1)
    return torch.stack([cos * u - sin * v, sin * u + cos * v], -1)


def _check(**positive: float) -> None:
    for name, value in positive.items():
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value!r}")


DENSITIES: dict[str, type[Density]] = {
    cls.name: cls
    for cls in (
        *(Ring, ThinRing, EightGaussians, Grid, TwentyFiveGaussians),
        *(Moons, SwissRoll, Pinwheel, Checkerboard),
    )
}
