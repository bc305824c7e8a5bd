"""Critics alone, with a generator that stands still: the experiments of Figure 1 and Section 3.

A critic is trained between data and the data plus standard normal noise, under the gradient penalty
or under the weight clipping that it replaces (Arjovsky, Chintala, Bottou 2017, arXiv:1701.07875).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.optim import Adam

from projects.wgan_gp.loss import critic_loss, wasserstein_estimate
from projects.wgan_gp.networks import PiecewiseLinearCritic

Draw = Callable[[int], Tensor]  # a number of points to points (n, 2)


@dataclass(frozen=True)
class GradientPenalty:
    """Penalise the gradient with this lambda."""

    weight: float = 0.1  # the authors' for toys

    def loss(self, critic: PiecewiseLinearCritic, real: Tensor, fake: Tensor, noise: Generator):
        """Give the critic's loss, Eq. (3)."""
        return critic_loss(critic, real, fake, penalty_weight=self.weight, generator=noise).total

    def project(self, critic: PiecewiseLinearCritic) -> None:
        """Leave the weights as the step left them."""


@dataclass(frozen=True)
class WeightClipping:
    """Clamp every weight and bias to [-bound, bound] after each step."""

    bound: float = 0.01

    def loss(self, critic: PiecewiseLinearCritic, real: Tensor, fake: Tensor, noise: Generator):
        """Give minus the estimate of the distance."""
        return -wasserstein_estimate(critic, real, fake)

    @torch.no_grad()
    def project(self, critic: PiecewiseLinearCritic) -> None:
        """Clamp the weights."""
        for parameter in critic.parameters():
            parameter.clamp_(-self.bound, self.bound)


def fit(
    critic: PiecewiseLinearCritic,
    draw: Draw,
    constraint: GradientPenalty | WeightClipping,
    *,
    steps: int,
    generator: Generator,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
) -> PiecewiseLinearCritic:
    """Train a critic between the data and the data plus N(0, I); it is changed and returned.

    Args:
        critic: of points.
        draw: gives points of the data.
        constraint: what keeps the critic near the 1-Lipschitz functions, or its multiples.
        steps: of Adam (0.5, 0.9).
        generator: of the noise and of the interpolates.
        batch_size: points a step, of the data and of the noised data each.
        learning_rate: at the start; it falls to a tenth along a line.
    """
    optimiser = Adam(critic.parameters(), lr=learning_rate, betas=(0.5, 0.9), fused=True)
    constraint.project(critic)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = learning_rate * (1 - 0.9 * step / steps)
        real, still = draw(batch_size), draw(batch_size)
        fake = still + torch.randn(still.shape, generator=generator)
        loss = constraint.loss(critic, real, fake, generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        constraint.project(critic)
    return critic


def layer_gradients(critic: PiecewiseLinearCritic, x: Tensor) -> Tensor:
    """Give the mean norm of the gradient of f at each layer's output, first layer first, (L,).

    Section 3, Figure 1: whether a signal that enters at the top reaches the bottom.
    """
    hidden = critic.hidden(x)
    value = critic.head(hidden[-1]).sum()
    return torch.stack([g.norm(dim=1).mean() for g in torch.autograd.grad(value, hidden)])
