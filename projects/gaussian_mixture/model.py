"""Mixtures of Gaussians: the finite mixtures of Dempster, Laird and Rubin (1977), Section 4.3.

    p(x) = sum_k pi_k N(x; mu_k, Sigma_k)

A point is made by drawing a component from pi and then a Gaussian vector; which component made a
point is the missing datum, and its posterior, the responsibility, is what the E-step computes. The
structures of Sigma are in covariances.py, EM itself in em.py, starting values in starts.py, incomplete
points and conditional densities in missing.py.

Different from the paper: the paper treats its mixtures in general, with any densities; here are
Gaussians alone, with a floor under the eigenvalues of Sigma, without which the likelihood has no
maximum. Shapes: B points, K components, D = prod(shape) dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from projects.gaussian_mixture.covariances import COVARIANCES, log_normaliser
from projects.gaussian_mixture.missing import log_joint_of_observed


class GaussianMixture(nn.Module):
    """A mixture of K Gaussians, a normalised density on R^D.

    The parameters are unconstrained: `logits`, whose softmax are the weights, `means` (K, D) and the
    factors in `covariance`. EM moves them; so may a gradient.

    Args:
        num_components: K.
        shape: one example, an int D or for instance (1, 8, 8).
        covariance: "full", "tied", "diag" or "spherical".
        generator: draws the means from N(0, I), so that no two components are alike.
        dtype: of the parameters; near-singular components need the digits of float64.

    Raises:
        ValueError: for a size that is not positive, or an unknown covariance.

    Example:
        >>> model = GaussianMixture(3, 2, generator=torch.Generator().manual_seed(0))
        >>> x = model.sample(5, generator=torch.Generator().manual_seed(1))
        >>> model.log_prob(x).shape, model.responsibilities(x).shape
        (torch.Size([5]), torch.Size([5, 3]))
    """

    def __init__(
        self,
        num_components: int,
        shape: int | Sequence[int],
        *,
        covariance: str = "full",
        generator: Generator | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.num_components, self.num_dims = num_components, math.prod(self.shape)
        if num_components < 1 or self.num_dims < 1:
            raise ValueError(
                f"expected at least one component and one dimension, got num_components="
                f"{num_components} and shape {self.shape}"
            )
        if covariance not in COVARIANCES:
            raise ValueError(f"covariance {covariance!r} is not one of {sorted(COVARIANCES)}")
        means = torch.randn(num_components, self.num_dims, generator=generator, dtype=dtype)
        self.logits = nn.Parameter(torch.zeros(num_components, dtype=dtype))
        self.means = nn.Parameter(means)
        self.covariance = COVARIANCES[covariance](num_components, self.num_dims, dtype)

    @classmethod
    def from_moments(
        cls, weights: Tensor, means: Tensor, covariances: Tensor, covariance: str = "full"
    ) -> GaussianMixture:
        """The mixture with these weights (K,), means (K, D) and covariances.

        Args:
            covariances: (K, D, D) if full, (D, D) if tied, (K, D) if diag, (K,) if spherical.
            covariance: their structure.

        Raises:
            ValueError: where shapes do not fit, weights are negative or do not sum to one, or a
                covariance is singular.
        """
        model = cls(len(means), means.shape[1], covariance=covariance, dtype=means.dtype)
        model.to(means.device).assign(weights, means, covariances)
        return model

    @torch.no_grad()
    def assign(self, weights: Tensor, means: Tensor, covariances: Tensor) -> None:
        """Take new weights, means and covariances; arguments and errors as `from_moments`."""
        expected = (self.logits.shape, self.means.shape, self.covariance.shape())
        for value, shape in zip((weights, means, covariances), expected, strict=True):
            if value.shape != tuple(shape):
                raise ValueError(f"got {tuple(value.shape)}, expected {tuple(shape)}")
        if (weights < 0).any() or abs(float(weights.sum()) - 1) > 1e-4:
            raise ValueError(f"weights are {weights.tolist()}, expected a distribution")
        self.covariance.assign(covariances.to(self.means), floor=0.0)
        self.logits.copy_(weights.clamp(min=torch.finfo(weights.dtype).tiny).log())
        self.means.copy_(means)

    @property
    def weights(self) -> Tensor:
        """pi, (K,)."""
        return self.logits.softmax(0)

    @property
    def covariances(self) -> Tensor:
        """Sigma, (K, D, D) whatever the structure."""
        factors = self.covariance.factors()
        return factors @ factors.mT

    def log_prob(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        """log p(x) (B,) in nats for x (B, *shape).

        Args:
            x: (B, *shape).
            observed: (B, *shape) bool; what is False is missing and integrated out, whatever x has
                there. The density is then that of what is observed.
        """
        return self.log_joint(x, observed).logsumexp(0)

    def responsibilities(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        """p(k | x), (B, K): Bayes' rule, sampling backwards. Arguments as `log_prob`."""
        return self.log_joint(x, observed).softmax(0).T

    def log_joint(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        """log pi_k + log N(x; mu_k, Sigma_k), (K, B). Arguments as `log_prob`."""
        x = self.flat(x)
        if observed is not None:
            return log_joint_of_observed(self, x, self.flat(observed, "observed"))
        z = self.covariance.whiten(x, self.means, self.covariance.inverse())  # (K, B, D)
        return self.log_joint_of_whitened(z)

    def log_joint_of_whitened(self, z: Tensor) -> Tensor:
        """`log_joint` (K, B) of points given as z_k = L_k^-1 (x - mu_k), (K, B, D)."""
        constant = self.logits.log_softmax(0) - self.covariance.log_det()
        quadratic = z.square().sum(-1)
        return (constant - log_normaliser(self.num_dims))[:, None] - 0.5 * quadratic

    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """``n`` independent draws (n, *shape)."""
        return self.sample_joint(n, generator=generator)[0]

    @torch.no_grad()
    def sample_joint(self, n: int, *, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """Ancestral sampling: k from pi, then x from N(mu_k, Sigma_k).

        Returns:
            x (n, *shape) and the components (n,) int64 that made them.
        """
        device = self.means.device if generator is None else generator.device
        size = {"generator": generator, "device": device}
        uniform = torch.rand(n, dtype=self.means.dtype, **size).to(self.means.device)
        noise = torch.randn(n, self.num_dims, dtype=self.means.dtype, **size).to(self.means.device)
        ends = self.weights.cumsum(0)
        component = torch.searchsorted(ends, uniform * ends[-1], right=True)
        component = component.clamp(max=self.num_components - 1)
        x = self.means[component]
        for k, factor in enumerate(self.covariance.factors()):
            rows = (component == k).nonzero()[:, 0]
            x.index_add_(0, rows, noise[rows] @ factor.T)
        return x.view(n, *self.shape), component

    def num_parameters(self) -> int:
        """Free numbers: K - 1 weights, K D means and those of the covariances."""
        return self.num_components - 1 + self.means.numel() + self.covariance.count()

    def bic(self, x: Tensor) -> float:
        """Schwarz's criterion -2 log p(x_1..x_N) + P log N; the lower, the better."""
        return self._deviance(x) + self.num_parameters() * math.log(len(x))

    def aic(self, x: Tensor) -> float:
        """Akaike's criterion -2 log p(x_1..x_N) + 2 P; the lower, the better."""
        return self._deviance(x) + 2 * self.num_parameters()

    @torch.no_grad()
    def _deviance(self, x: Tensor) -> float:
        return -2 * sum(self.log_prob(part).double().sum().item() for part in x.split(4096))

    def flat(self, x: Tensor, name: str = "x") -> Tensor:
        """Examples (B, *shape) as (B, D); ValueError for another shape or dtype."""
        if x.shape[1:] != self.shape:
            shape = ", ".join(map(str, self.shape))
            raise ValueError(f"expected {name} of shape (B, {shape}), got {tuple(x.shape)}")
        expected = self.means.dtype if name == "x" else torch.bool
        if x.dtype != expected:
            raise ValueError(f"expected {name} of {expected}, got {x.dtype}")
        return x.flatten(1)

    def extra_repr(self) -> str:
        return f"{self.num_components} {self.covariance.kind} components, shape {self.shape}"
