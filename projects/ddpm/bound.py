"""The terms of the variational bound, Ho et al. 2020, Eq. (5): KLs, and the last step's likelihood.

Functions that take the model take it as `projects.ddpm.model.DDPM` offers it.
"""

import torch
from torch import Generator, Tensor

from projects.ddpm.schedule import NoiseSchedule

FAR = 1e4  # standard deviations: the end of the open bins of the first and the last level


def gaussian_kl(mean: Tensor, variance: Tensor, other: Tensor, log_variance: Tensor) -> Tensor:
    """Give KL(N(mean, variance) || N(other, exp(log_variance))) in nats of every element."""
    ratio = (variance.log() - log_variance).exp()
    return 0.5 * (ratio - 1 - ratio.log() + (mean - other).square() * (-log_variance).exp())


def discretised_log_prob(
    levels: Tensor, mean: Tensor, log_variance: Tensor, num_levels: int
) -> Tensor:
    """Give the log mass of each level, the integral of a Gaussian over its bin; Eq. (13).

    Level k of L has the bin [-1 + (2 k - 1) / (L - 1), -1 + (2 k + 1) / (L - 1)]; the first bin
    reaches down to minus infinity and the last up to infinity, so that the masses sum to one. The
    difference of two distribution functions is taken in the log domain, on the side of the tail:
    no mass is rounded to zero, and none is clipped from below as in the authors' code.

    Args:
        levels: (B, ...) integers 0..L-1, as floats.
        mean, log_variance: of the Gaussian, on the scale [-1, 1]; broadcast to `levels`.
        num_levels: L.

    Returns:
        (B, ...) nats.
    """
    centre, half_bin = 2 * levels / (num_levels - 1) - 1, 1 / (num_levels - 1)
    inverse_std = (-0.5 * log_variance).exp()
    lower = torch.where(levels == 0, -FAR, (centre - half_bin - mean) * inverse_std)
    upper = torch.where(levels == num_levels - 1, FAR, (centre + half_bin - mean) * inverse_std)
    flip = lower + upper > 0  # Phi(b) - Phi(a) = Phi(-a) - Phi(-b): stay on the left
    lower, upper = torch.where(flip, -upper, lower), torch.where(flip, -lower, upper)
    log_upper = torch.special.log_ndtr(upper)
    gap = (torch.special.log_ndtr(lower) - log_upper).clamp(max=-1e-30)
    return log_upper + torch.log(-torch.expm1(gap))


def term(
    model, levels: Tensor, t: Tensor, eps: Tensor, output: tuple[Tensor, ...] | None = None
) -> Tensor:
    """Give L_{t-1}, (B,) nats: KL(q(x_{t-1}|x_t,x_0) || p(x_{t-1}|x_t)), or -log p(x_0|x_1) at t = 1.

    Args:
        model: the diffusion model.
        levels: (B, ...) data, as floats.
        t: (B,) or (1,), 1..T.
        eps: (B, ...) the noise in x_t.
        output: what the model's `forward` gave for this x_t, if it was asked before.
    """
    x0 = model.scale(levels)
    x = model.schedule.noised(x0, t, eps)
    mean, log_variance = model.reverse_of(*(output or model(x, t)), x, t)
    true_mean, true_variance = model.schedule.posterior(x0, x, t)
    is_first = (t == 1).view(-1, *(1,) * (x.ndim - 1))
    kl = gaussian_kl(true_mean, true_variance.masked_fill(is_first, 1.0), mean, log_variance)
    nll = -discretised_log_prob(levels, mean, log_variance, model.num_levels)
    return torch.where(is_first, nll, kl).flatten(1).sum(1)


def prior_term(model, levels: Tensor) -> Tensor:
    """Give L_T = KL(q(x_T | x_0) || N(0, I)), (B,) nats; no parameter is in it."""
    last = torch.full((1,), model.schedule.num_steps, device=levels.device)
    mean, variance = model.schedule.marginal(model.scale(levels), last)
    zero = torch.zeros_like(variance)
    return gaussian_kl(mean, variance, zero, zero).flatten(1).sum(1)


def proposal(schedule: NoiseSchedule) -> Tensor:
    """Give the probability with which t is drawn to estimate the bound, (T + 1,); 0 at t < 2.

    White data of unit variance would lose half of log(1 + SNR(t - 1)) - log(1 + SNR(t)) nats a
    dimension at t, and 1 + SNR = 1 / (1 - alpha_bar). Nine draws in ten follow that; the tenth is
    uniform, so that no weight is large where the data are otherwise.
    """
    share = (1 - schedule.alphas_bar).log().diff(prepend=schedule.alphas_bar[:1])  # (T + 1,)
    uniform = torch.ones_like(share)
    share[:2], uniform[:2] = 0, 0
    return 0.9 * share / share.sum() + 0.1 * uniform / uniform.sum()


def lattice(probabilities: Tensor, n: int, generator: Generator | None) -> Tensor:
    """Give n times, (n,), each drawn with these probabilities (T + 1,), together covering them evenly.

    A lattice with a random shift: Kingma et al. 2021, Variational Diffusion Models, Appendix I.1.
    """
    options = {"dtype": torch.float64, "device": probabilities.device}
    places = torch.rand(1, generator=generator, **options) + torch.arange(n, **options) / max(1, n)
    t = torch.searchsorted(probabilities.cumsum(0), places % 1, right=True)
    return t.clamp(max=len(probabilities) - 1)
