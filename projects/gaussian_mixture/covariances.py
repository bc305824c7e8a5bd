"""The covariance matrices of a mixture: full, tied, diagonal or spherical.

Each class keeps the lower triangular factors L of Sigma = L L^T, their diagonals as logarithms so
that every value of the parameter is a valid covariance. Everything that depends on the structure is
here: whitening z = L^-1 (x - mu), the second moments that the E-step gathers in whitened coordinates,
and the M-step that turns them into new covariances.

Shapes: K components, D dimensions, b points of one block.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn


class Covariance(nn.Module, ABC):
    """What the four structures share; `parameter` is (K, D, D), (D, D), (K, D) or (K,).

    Args:
        num_components: K.
        num_dims: D.
        dtype: of the parameter.
    """

    kind: ClassVar[str]

    def __init__(self, num_components: int, num_dims: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.num_components, self.num_dims = num_components, num_dims
        self.parameter = nn.Parameter(torch.zeros(self.shape(), dtype=dtype))  # Sigma = I

    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape in which covariances of this structure are given and kept."""

    @abstractmethod
    def count(self) -> int:
        """How many free numbers there are in the covariances."""

    @abstractmethod
    def factors(self) -> Tensor:
        """L, (K, D, D) lower triangular."""

    @abstractmethod
    def log_det(self) -> Tensor:
        """log |det L| = 1/2 log |det Sigma|, (K,)."""

    @abstractmethod
    def inverse(self) -> Tensor:
        """What `whiten` needs of L^-1, computed once for many blocks."""

    @abstractmethod
    def whiten(self, x: Tensor, means: Tensor, inverse: Tensor) -> Tensor:
        """z_k = L_k^-1 (x - mu_k), (K, b, D), for x (b, D) and means (K, D)."""

    @abstractmethod
    def scale(self, z: Tensor) -> Tensor:
        """L_k z_k, (K, D), for z (K, D): `whiten` backwards, without the mean."""

    @abstractmethod
    def second_moments(self, z: Tensor, weights: Tensor) -> Tensor:
        """sum_n w_kn z_kn z_kn^T, as much of it as the structure needs, for weights (K, b)."""

    @abstractmethod
    def reduce(self, matrices: Tensor) -> Tensor:
        """The same part of K matrices (K, D, D) that `second_moments` gives."""

    @abstractmethod
    def estimate(self, second: Tensor, shift: Tensor, counts: Tensor) -> Tensor:
        """The covariances that maximise the expected log-likelihood, in the shape `shape()`.

        Args:
            second: sums of `second_moments` around the present means, in whitened coordinates.
            shift: (K, D) the new means in the same coordinates.
            counts: (K,) positive expected numbers of points.
        """

    def assign(self, covariances: Tensor, floor: float, which: Tensor | None = None) -> None:
        """Take new covariances, the nearest whose variances in every direction reach `floor`.

        Args:
            covariances: of the shape `shape()`, symmetric.
            floor: the least eigenvalue. Clipping the eigenvalues of the estimate maximises the
                expected log-likelihood among all covariances with eigenvalues of at least `floor`,
                so that EM with a floor still never decreases the likelihood.
            which: (K,) bool, the components to change; None for all.

        Raises:
            ValueError: where a covariance is singular and the floor is 0, naming the component.
        """
        new = self._pack(covariances, floor, which)
        if which is not None and self.parameter.shape[0] == len(which) and self.kind != "tied":
            keep = which.view(-1, *[1] * (new.dim() - 1))
            new = torch.where(keep, new, self.parameter.to(new))
        with torch.no_grad():
            self.parameter.copy_(new)

    @abstractmethod
    def _pack(self, covariances: Tensor, floor: float, which: Tensor | None) -> Tensor:
        """The parameter of these covariances, once their variances reach the floor."""

    @abstractmethod
    def added(self, covariances: Tensor, variance: float) -> Tensor:
        """Covariances + variance * I."""


class _Triangular(Covariance):
    """Full and tied: the parameter holds L below its diagonal, and the logarithms on it."""

    def _lower(self) -> Tensor:
        logarithms = self.parameter.diagonal(dim1=-2, dim2=-1)
        return self.parameter.tril(-1) + torch.diag_embed(logarithms.exp())

    def inverse(self):
        eye = torch.eye(self.num_dims, dtype=self.parameter.dtype, device=self.parameter.device)
        return torch.linalg.solve_triangular(self._lower(), eye, upper=False)

    def _pack(self, covariances, floor, which):
        lower = cholesky(covariances, floor, which)
        logarithms = lower.diagonal(dim1=-2, dim2=-1).log()
        return lower.tril(-1) + torch.diag_embed(logarithms)

    def added(self, covariances, variance):
        eye = torch.eye(self.num_dims, dtype=covariances.dtype, device=covariances.device)
        return covariances + variance * eye


class Full(_Triangular):
    """Each component has a covariance matrix of its own, (K, D, D)."""

    kind = "full"

    def shape(self):
        return self.num_components, self.num_dims, self.num_dims

    def count(self):
        return self.num_components * self.num_dims * (self.num_dims + 1) // 2

    def factors(self):
        return self._lower()

    def log_det(self):
        return self.parameter.diagonal(dim1=-2, dim2=-1).sum(-1)

    def whiten(self, x, means, inverse):
        centre = torch.einsum("kij,kj->ki", inverse, means)[:, None]  # (K, 1, D)
        points = x.expand(self.num_components, -1, -1)  # (K, b, D), no copy
        return torch.baddbmm(centre, points, inverse.mT, beta=-1)

    def scale(self, z):
        return torch.einsum("kij,kj->ki", self._lower(), z)

    def second_moments(self, z, weights):
        return (z * weights[..., None]).mT @ z  # (K, D, D)

    def reduce(self, matrices):
        return matrices

    def estimate(self, second, shift, counts):
        inner = second / counts[:, None, None] - shift[:, :, None] * shift[:, None]
        lower = self._lower().to(inner)
        return symmetric(lower @ inner @ lower.mT)


class Tied(_Triangular):
    """All components share one covariance matrix, (D, D)."""

    kind = "tied"

    def shape(self):
        return self.num_dims, self.num_dims

    def count(self):
        return self.num_dims * (self.num_dims + 1) // 2

    def factors(self):
        return self._lower().expand(self.num_components, -1, -1)

    def log_det(self):
        return self.parameter.diagonal().sum().expand(self.num_components)

    def whiten(self, x, means, inverse):
        return (x @ inverse.T)[None] - (means @ inverse.T)[:, None]

    def scale(self, z):
        return z @ self._lower().T

    def second_moments(self, z, weights):
        return ((z * weights[..., None]).flatten(0, 1).T @ z.flatten(0, 1)).contiguous()

    def reduce(self, matrices):
        return matrices.sum(0)

    def estimate(self, second, shift, counts):
        inner = (second - (shift * counts[:, None]).T @ shift) / counts.sum()
        lower = self._lower().to(inner)
        return symmetric(lower @ inner @ lower.T)


class Diagonal(Covariance):
    """Each component has a variance for every dimension, (K, D)."""

    kind = "diag"

    def shape(self):
        return self.num_components, self.num_dims

    def count(self):
        return self.num_components * self.num_dims

    def factors(self):
        return torch.diag_embed(self.parameter.exp())

    def log_det(self):
        return self.parameter.sum(1)

    def inverse(self):
        return torch.exp(-self.parameter)

    def whiten(self, x, means, inverse):
        return (x - means[:, None]) * inverse[:, None]

    def scale(self, z):
        return z * self.parameter.exp()

    def second_moments(self, z, weights):
        return (weights[:, None] @ z.square())[:, 0]  # (K, D)

    def reduce(self, matrices):
        return matrices.diagonal(dim1=-2, dim2=-1)

    def estimate(self, second, shift, counts):
        inner = second / counts[:, None] - shift.square()
        return inner * (2 * self.parameter).exp().to(inner)

    def _pack(self, covariances, floor, which):
        return 0.5 * clipped(covariances, floor, which).log()

    def added(self, covariances, variance):
        return covariances + variance


class Spherical(Diagonal):
    """Each component has one variance, (K,)."""

    kind = "spherical"

    def shape(self):
        return (self.num_components,)

    def count(self):
        return self.num_components

    def factors(self):
        return torch.diag_embed(self.parameter.exp()[:, None].expand(-1, self.num_dims))

    def log_det(self):
        return self.num_dims * self.parameter

    def inverse(self):
        return torch.exp(-self.parameter)[:, None]

    def scale(self, z):
        return z * self.parameter.exp()[:, None]

    def second_moments(self, z, weights):
        return (weights * z.square().sum(-1)).sum(1)  # (K,)

    def reduce(self, matrices):
        return matrices.diagonal(dim1=-2, dim2=-1).sum(-1)

    def estimate(self, second, shift, counts):
        inner = (second / counts - shift.square().sum(1)) / self.num_dims
        return inner * (2 * self.parameter).exp().to(inner)


COVARIANCES: dict[str, type[Covariance]] = {
    each.kind: each for each in (Full, Tied, Diagonal, Spherical)
}


def symmetric(matrices: Tensor) -> Tensor:
    """The symmetric part of matrices (..., D, D)."""
    return 0.5 * (matrices + matrices.mT)


def cholesky(covariances: Tensor, floor: float, which: Tensor | None = None) -> Tensor:
    """Lower triangular factors of covariances (..., D, D), eigenvalues below `floor` raised to it.

    A matrix whose eigenvalues all exceed the floor is left as it is: that is so where taking the
    floor from its diagonal leaves a matrix with a Cholesky factor. Those that `which` (K,) excludes
    may be anything; what comes back for them has no meaning.
    """
    given = covariances if covariances.dim() == 3 else covariances[None]
    if which is None or len(which) != len(given):
        which = torch.ones(len(given), dtype=torch.bool, device=given.device)
    eye = torch.eye(given.shape[-1], dtype=given.dtype, device=given.device)
    given = torch.where(which[:, None, None], given, eye)
    factor, failed = torch.linalg.cholesky_ex(given - floor * eye)
    if failed.any():
        refuse_unless(floor, failed == 0)
        values, vectors = torch.linalg.eigh(given[failed > 0])
        raised = values.clamp(min=floor)[:, None]  # (F, 1, D)
        given = given.index_put((failed > 0,), symmetric((vectors * raised) @ vectors.mT))
    if failed.any() or floor:
        factor = torch.linalg.cholesky(given)
    return factor.view_as(covariances)


def clipped(variances: Tensor, floor: float, which: Tensor | None = None) -> Tensor:
    """Variances (K, ...) raised to the floor; those that `which` (K,) excludes become 1."""
    if which is not None:
        keep = which.view(-1, *[1] * (variances.dim() - 1))
        variances = torch.where(keep, variances, torch.ones_like(variances))
    if not floor > 0:
        refuse_unless(floor, (variances > 0).reshape(len(variances), -1).all(1))
    return variances.clamp(min=floor)


def refuse_unless(floor: float, sound: Tensor) -> None:
    """ValueError that names the first component that is not sound, where there is no floor."""
    if floor > 0 or bool(sound.all()):
        return
    first = int((~sound).nonzero()[0])
    raise ValueError(
        f"the covariance of component {first} is singular: its points do not fill the space, and "
        f"the likelihood has no maximum; expected floor > 0 (got {floor:g}), or fewer components"
    )


def log_normaliser(num_dims: int) -> float:
    """D/2 log 2 pi."""
    return 0.5 * num_dims * math.log(2 * math.pi)
