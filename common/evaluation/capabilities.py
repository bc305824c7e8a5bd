"""What a model can do is told by the methods it has: protocols, not base classes."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

Generator = torch.Generator | None


@runtime_checkable
class Density(Protocol):
    """A normalised density or mass of the data space that the model was given."""

    def log_prob(self, x: Tensor) -> Tensor:
        """(B,) natural logarithm of the density or mass at x (B, *event), in nats.

        Where the data are padded sequences (`Split.lengths`) it is also given `lengths`, (B,)
        int64: of row b the first lengths[b] steps count, and nothing after them. So are `elbo` and
        `log_weights`. Where `Dataset.given` steps are context, it is that of the steps after them.
        """


@runtime_checkable
class Sampler(Protocol):
    """A source of independent draws; the same generator state gives the same draws."""

    def sample(self, n: int, *, generator: Generator = None) -> Tensor:
        """(n, *event) independent draws."""


@runtime_checkable
class Bound(Protocol):
    """A lower bound of log p(x), in expectation over its own noise."""

    def elbo(self, x: Tensor, *, num_samples: int = 1, generator: Generator = None) -> Tensor:
        """(B,) evidence lower bound of each example in nats, never averaged over examples."""


@runtime_checkable
class Importance(Protocol):
    """A latent-variable model with a proposal: importance weights estimate log p(x)."""

    def log_weights(self, x: Tensor, *, num_samples: int, generator: Generator = None) -> Tensor:
        """(num_samples, B) values of log p(x, z) - log q(z | x) at z ~ q(z | x), in nats."""


@runtime_checkable
class Flow(Protocol):
    """A bijection between data and latents with its log-determinant."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Latents z and (B,) log |det dz/dx|."""

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Data x and (B,) log |det dx/dz|."""


@runtime_checkable
class Energy(Protocol):
    """An unnormalised model."""

    def energy(self, x: Tensor) -> Tensor:
        """(B,) unnormalised negative log-density."""


@runtime_checkable
class Score(Protocol):
    """A model of the gradient of the log-density of noised data."""

    def score(self, x: Tensor, t: Tensor) -> Tensor:
        """The gradient of log p_t at x, shaped like x."""


@runtime_checkable
class Representation(Protocol):
    """A model with codes."""

    def encode(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The code of x, or the parameters of its distribution."""

    def decode(self, z: Tensor) -> Tensor:
        """The data that a code stands for."""


CAPABILITIES = {
    "density": Density,
    "sampler": Sampler,
    "bound": Bound,
    "importance": Importance,
    "flow": Flow,
    "energy": Energy,
    "score": Score,
    "representation": Representation,
}


def capabilities(model: object) -> set[str]:
    """The names of the capabilities that a model has.

    >>> from common.data.densities import Ring
    >>> sorted(capabilities(Ring()))
    ['density', 'sampler']
    """
    return {name for name, protocol in CAPABILITIES.items() if isinstance(model, protocol)}
