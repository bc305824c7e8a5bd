"""What is minimised: L and L_simple of Ho et al. 2020, and L_hybrid of Nichol and Dhariwal 2021."""

import math

import torch
from torch import Generator, Tensor

from projects.ddpm import bound
from projects.ddpm.model import DDPM
from projects.ddpm.sampler import normal_like

BOUND_WEIGHT = 1e-3  # lambda of Nichol and Dhariwal, Section 3.1
FIRST = 0.1  # how often t = 1 is drawn for `bound_loss`


def draw(model: DDPM, x: Tensor, generator: Generator | None) -> tuple[Tensor, Tensor]:
    """Give what a training step draws: times (B,) uniform in 1..T, and noise like x (B, ...)."""
    t = torch.randint(
        1, model.schedule.num_steps + 1, (len(x),), device=x.device, generator=generator
    )
    return t, normal_like(x, generator)


def simple_loss(model: DDPM, levels: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """Give the mean squared error of the network's output, (B,); Eq. (14) of Ho et al.

    With the parameterisation eps it is L_{t-1} up to a constant, divided by its weight: see
    `simple_weights`. Ho et al. sum over the dimensions in Eq. (14) and average in their code; so do
    we, which only scales the rate.
    """
    output, _, target = outputs(model, levels, t, eps)
    return (output - target).square().flatten(1).mean(1)


def hybrid_loss(model: DDPM, levels: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """Give L_simple + lambda L_vlb, (B,); Nichol and Dhariwal, Eq. (16).

    L_vlb is estimated by T times the term of t, in bits per dimension, and changes the variances
    alone: the mean in it is held constant.
    """
    output, fraction, target = outputs(model, levels, t, eps)
    simple = (output - target).square().flatten(1).mean(1)
    term = bound.term(model, levels, t, eps, (output.detach(), fraction))
    num_dims = math.prod(levels.shape[1:])
    bits = term * model.schedule.num_steps / (num_dims * math.log(2))
    return simple + BOUND_WEIGHT * bits


def draw_for_bound(model: DDPM, x: Tensor, generator: Generator | None) -> tuple[Tensor, Tensor]:
    """Give times (B,), t = 1 in one of ten and the others by `bound.proposal`, and noise (B, ...)."""
    t = bound.lattice(bound_probabilities(model), len(x), generator)
    return t, normal_like(x, generator)


def bound_loss(model: DDPM, levels: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """Give an estimate of L in bits per dimension, (B,); Eq. (5), the objective L of Table 2.

    The term of t divided by the probability with which `draw_for_bound` draws it: unbiased, without
    L_T, which nothing can change.
    """
    term = bound.term(model, levels, t, eps)
    num_dims = math.prod(levels.shape[1:])
    return term / bound_probabilities(model)[t].to(term) / (num_dims * math.log(2))


def bound_probabilities(model: DDPM) -> Tensor:
    """Give the probabilities of `draw_for_bound`, (T + 1,)."""
    probabilities = (1 - FIRST) * bound.proposal(model.schedule)
    probabilities[1] = FIRST
    return probabilities


def outputs(
    model: DDPM, levels: Tensor, t: Tensor, eps: Tensor
) -> tuple[Tensor, Tensor | None, Tensor]:
    """Give the network's output, its variances (or None), and the output's target, at x_t."""
    x0 = model.scale(levels)
    output, fraction = model(model.schedule.noised(x0, t, eps), t)
    return output, fraction, model.target(x0, eps, t)


def simple_weights(model: DDPM) -> Tensor:
    """Give the weights of ||eps - eps_theta||^2 in the bound, (T + 1,) float64; Eq. (12), t >= 2.

    beta_t^2 / (2 sigma_t^2 alpha_t (1 - alpha_bar_t)), with the model's fixed variance. L_simple
    replaces them by one, and so turns to the large t, where the eye looks.
    """
    schedule = model.schedule
    betas, small = schedule.betas, schedule.posterior_variances
    variances = small if model.variance == "small" else betas
    weights = betas**2 / (2 * variances * (1 - betas) * (1 - schedule.alphas_bar))
    weights[:2] = 0
    return weights
