"""The losses of the critic and of the generator, Eq. (3) and Algorithm 1.

Signs: the critic is high on data and low on samples, E f(x) - E f(G(z)) is its estimate of the
Wasserstein distance, and both networks minimise: the critic minus that estimate plus the penalty,
the generator -E f(G(z)).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

Critic = Callable[[Tensor], Tensor]  # (B, *shape) to (B,), each example by itself


class CriticLoss(NamedTuple):
    """The critic's loss with its two parts, all scalars.

    Attributes:
        total: -wasserstein + penalty_weight * penalty, to be minimised; Eq. (3).
        wasserstein: mean f(x) - mean f(G(z)), in the unit of the data if f is 1-Lipschitz.
        penalty: mean of (|gradient| - 1)^2.
    """

    total: Tensor
    wasserstein: Tensor
    penalty: Tensor


def critic_loss(
    critic: Critic,
    real: Tensor,
    fake: Tensor,
    *,
    penalty_weight: float,
    generator: Generator | None = None,
) -> CriticLoss:
    """Give the critic's loss, Eq. (3), for data and samples (B, *shape).

    Args:
        critic: with `input_gradient(x)` if it knows a way of its own.
        real: a batch of the data.
        fake: as many samples, without a graph to the generator.
        penalty_weight: lambda.
        generator: of the interpolates' epsilon.
    """
    wasserstein = wasserstein_estimate(critic, real, fake)
    penalty = gradient_penalty(critic, interpolates(real, fake, generator))
    return CriticLoss(penalty_weight * penalty - wasserstein, wasserstein, penalty)


def generator_loss(critic: Critic, fake: Tensor) -> Tensor:
    """Give -mean f(G(z)), Algorithm 1, line 12."""
    return -critic(fake).mean()


def wasserstein_estimate(critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
    """Give mean f(x) - mean f(G(z)), Eq. (2), by one pass of the critic."""
    of_real, of_fake = critic(torch.cat([real, fake])).split([len(real), len(fake)])
    return of_real.mean() - of_fake.mean()


def interpolates(real: Tensor, fake: Tensor, generator: Generator | None) -> Tensor:
    """Give x^ = eps x + (1 - eps) G(z), eps ~ U[0, 1] for each pair: Algorithm 1, lines 4 and 6.

    Raises:
        ValueError: if real and fake have not the same shape.
    """
    if real.shape != fake.shape:
        raise ValueError(
            f"real has shape {tuple(real.shape)} and fake {tuple(fake.shape)}, expected the same"
        )
    size = (len(real), *[1] * (real.dim() - 1))
    eps = torch.rand(size, generator=generator, dtype=real.dtype, device=real.device)
    return torch.lerp(fake, real, eps)


def gradient_penalty(critic: Critic, x: Tensor) -> Tensor:
    """Give the mean over the examples of (|gradient of f at x| - 1)^2, the penalty of Eq. (3)."""
    norms = torch.linalg.vector_norm(input_gradient(critic, x).flatten(1), dim=1)
    return (norms - 1).square().mean()


def input_gradient(critic: Critic, x: Tensor) -> Tensor:
    """Give the gradient of f at each x (B, *shape), differentiable in the weights of f."""
    if hasattr(critic, "input_gradient"):
        return critic.input_gradient(x)
    return differentiated(critic, x)


def differentiated(critic: Critic, x: Tensor) -> Tensor:
    """Give the same by automatic differentiation, whose backward pass is a double one."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return gradient


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """A graph that is built within passes gradients through the module and none to its weights."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
