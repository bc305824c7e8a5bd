"""The laws of critics: one that obeys them, and for each a broken one that it catches."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.laws import Critic
from tests.laws.base import seeded
from tests.laws.broken import Break


class MLP(nn.Module):
    """A critic of points; smooth, or with ReLUs."""

    def __init__(self, generator, num_dims=2, width=16, rectifier=nn.SiLU):
        super().__init__()
        self.num_dims = num_dims
        self.body = nn.Sequential(nn.Linear(num_dims, width), rectifier(), nn.Linear(width, width))
        self.rectifier, self.head = rectifier(), nn.Linear(width, 1, bias=False)
        for parameter in self.parameters():
            nn.init.normal_(parameter, 0, parameter.shape[-1] ** -0.5, generator=generator)

    def forward(self, x):
        if x.dim() != 2 or x.shape[1] != self.num_dims:
            raise ValueError(f"x has shape {tuple(x.shape)}, expected (B, {self.num_dims})")
        return self.head(self.rectifier(self.body(x))).squeeze(1)


def gradient(critic, x, **options):
    """The critic's gradient at x, for a penalty."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return torch.autograd.grad(critic(x).sum(), x, **{"create_graph": True, **options})[0]


class Right(Critic):
    """The functions of the paper, written plainly."""

    event_shape = (2,)

    def model(self):
        return MLP(seeded(0))

    def line_critic(self):
        return MLP(seeded(1), num_dims=1, width=32, rectifier=nn.ReLU)

    def penalty(self, critic, x):
        return (gradient(critic, x).flatten(1).norm(dim=1) - 1).square().mean()

    def interpolates(self, real, fake, generator):
        eps = torch.rand(len(real), 1, generator=generator, dtype=real.dtype)
        return eps * real + (1 - eps) * fake

    def critic_loss(self, critic, real, fake, *, penalty_weight, generator):
        penalty = self.penalty(critic, self.interpolates(real, fake, generator))
        return critic(fake).mean() - critic(real).mean() + penalty_weight * penalty


class TestRight(Right):
    """Every law holds for the paper's functions."""


# --- broken penalties ----------------------------------------------------------------------------


class OneSided(Right):
    def penalty(self, critic, x):
        return (gradient(critic, x).norm(dim=1) - 1).clamp(min=0).square().mean()


class NormOfTheBatch(Right):
    def penalty(self, critic, x):
        return (gradient(critic, x).norm() / len(x) ** 0.5 - 1).square()


class GradientOfTheMean(Right):
    def penalty(self, critic, x):
        return (gradient(critic, x).mean(0).norm() - 1).square()


class WithoutGraph(Right):
    def penalty(self, critic, x):
        return (gradient(critic, x, create_graph=False).norm(dim=1) - 1).square().mean()


class HalfAGraph(Right):
    def penalty(self, critic, x):
        norms = gradient(critic, x).norm(dim=1)
        return ((norms - 1) * (norms - 1).detach()).mean()


# --- broken points, losses and critics -----------------------------------------------------------


class EpsOfEachCoordinate(Right):
    def interpolates(self, real, fake, generator):
        eps = torch.rand(real.shape, generator=generator, dtype=real.dtype)
        return eps * real + (1 - eps) * fake


class OneEps(Right):
    def interpolates(self, real, fake, generator):
        eps = torch.rand(1, generator=generator, dtype=real.dtype)
        return eps * real + (1 - eps) * fake


class Exchanged(Right):
    def critic_loss(self, critic, real, fake, **args):
        return super().critic_loss(critic, fake, real, **args)


class PenaltySubtracted(Right):
    def critic_loss(self, critic, real, fake, *, penalty_weight, **args):
        return super().critic_loss(critic, real, fake, penalty_weight=-penalty_weight, **args)


class WeightForgotten(Right):
    def critic_loss(self, critic, real, fake, *, penalty_weight, **args):
        return super().critic_loss(critic, real, fake, penalty_weight=0.01, **args)


class BatchNormMLP(MLP):
    """A critic that normalises by the statistics of the batch."""

    def __init__(self, generator):
        super().__init__(generator)
        self.body.append(nn.BatchNorm1d(16))


def mlp(generator):
    return MLP(generator)


BREAKS = (
    Break(OneSided, "test_penalty_of_a_linear_critic_is_its_closed_form", mlp, "one side only"),
    Break(GradientOfTheMean, "test_penalty_of_a_unit_gradient_is_zero", mlp, "averaged over"),
    Break(NormOfTheBatch, "test_penalty_is_of_each_example", mlp, "one norm of the whole batch"),
    Break(
        WithoutGraph,
        "test_penalty_of_the_model_is_that_of_its_autograd_gradient",
        mlp,
        "has no gradient in its weights",
    ),
    Break(
        HalfAGraph,
        "test_penalty_of_the_model_is_that_of_its_autograd_gradient",
        mlp,
        "part of the penalty's graph that is detached",
    ),
    Break(
        EpsOfEachCoordinate, "test_interpolates_lie_on_segments", mlp, "epsilon for each coordinate"
    ),
    Break(OneEps, "test_interpolates_lie_on_segments", mlp, "one epsilon for the whole batch"),
    Break(Right, "test_critic_judges_each_example_by_itself", BatchNormMLP, "batch normalisation"),
    Break(Exchanged, "test_critic_loss_has_its_sign", mlp, "data and samples exchanged"),
    Break(PenaltySubtracted, "test_critic_loss_has_its_sign", mlp, "subtracted or weighted"),
    Break(
        WeightForgotten,
        "test_trained_critic_finds_the_wasserstein_distance",
        mlp,
        "the Wasserstein distance is",
    ),
)


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: f"{case.law.__name__}-{case.test[5:]}")
def test_each_law_catches_what_is_broken(case):
    case.check()


@pytest.mark.parametrize("hook", ["penalty", "interpolates", "critic_loss", "line_critic"])
def test_a_function_that_is_missing_is_named(hook):
    critic, x = MLP(seeded(0)), torch.zeros(2, 2)
    arguments = {
        "penalty": (critic, x),
        "interpolates": (x, x, seeded(0)),
        "critic_loss": (critic, x, x),
        "line_critic": (),
    }[hook]
    options = {"penalty_weight": 1.0, "generator": seeded(0)} if hook == "critic_loss" else {}
    with pytest.raises(NotImplementedError, match=f"define {hook}"):
        getattr(Critic(), hook)(*arguments, **options)
