"""From noise to data: ancestral sampling (Ho et al. 2020, Algorithm 2), and DDIM in both directions.

Equation numbers without a name are those of Song, Meng and Ermon 2021 (DDIM). Every function takes
the model as `projects.ddpm.model.DDPM` offers it: `schedule`, `predict` and `reverse`.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor


def normal_like(x: Tensor, generator: Generator | None) -> Tensor:
    """Give standard normal draws with the shape, dtype and device of x."""
    return torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)


def ddim_step(model, x: Tensor, t: int, s: int, *, eta: float) -> tuple[Tensor, Tensor]:
    """Give mean and variance of p(x_s | x_t = x) for s < t; Eq. (12), with sigma of Eq. (16).

    The variance is eta^2 (1 - a_s) / (1 - a_t) (1 - a_t / a_s), with a the paper's alpha (Ho et
    al.'s alpha_bar): nothing at eta 0, the posterior's at eta 1.

    Args:
        x: (B, ...) noised examples at time t.
        t, s: 0 <= s < t <= T.
        eta: 0 (deterministic) to 1 (ancestral).

    Returns:
        Mean (B, ...) and variance (), float64.
    """
    a_t, a_s = model.schedule.alphas_bar[[t, s]]
    x0, eps = model.predict(x, time_of(t, x))
    variance = eta**2 * (1 - a_s) / (1 - a_t) * (1 - a_t / a_s)
    mean = a_s.sqrt().to(x) * x0 + (1 - a_s - variance).clamp(min=0).sqrt().to(x) * eps
    return mean, variance


def ddim(
    model, x: Tensor, times: Sequence[int], *, eta: float = 0.0, generator: Generator | None = None
) -> Iterator[Tensor]:
    """Yield x after each step of DDIM through the descending `times`, from x at times[0]."""
    for t, s in pairwise(times):
        x, variance = ddim_step(model, x, t, s, eta=eta)
        if eta and s:
            x = x + variance.sqrt().to(x) * normal_like(x, generator)
        yield x


def ddim_invert(model, x: Tensor, times: Sequence[int]) -> Iterator[Tensor]:
    """Yield x after each step of deterministic DDIM backwards, from data to noise; Section 4.3.

    The same Euler steps of the same differential equation, Eq. (14), in the other direction, each
    with the noise that is predicted where it starts. No network knows t = 0; there the first's.

    Args:
        x: (B, ...) at the last of `times`, unnoised where that is 0.
        times: descending, as for `ddim`.
    """
    for t, s in pairwise(reversed(times)):
        a_t, a_s = model.schedule.alphas_bar[[t, s]]
        _, eps = model.predict(x, time_of(max(t, 1), x))
        x0 = (x - (1 - a_t).sqrt().to(x) * eps) / a_t.sqrt().to(x)
        x = a_s.sqrt().to(x) * x0 + (1 - a_s).sqrt().to(x) * eps
        yield x


def ancestral(model, x: Tensor, *, generator: Generator | None = None) -> Iterator[Tensor]:
    """Yield x_{T-1}, ..., x_0 drawn from p(x_{t-1} | x_t); Ho et al., Algorithm 2.

    The last step shows the mean: the noise of p(x_0 | x_1) is not worth seeing.
    """
    for t in range(model.schedule.num_steps, 0, -1):
        x, log_variance = model.reverse(x, time_of(t, x))
        if t > 1:
            x = x + (0.5 * log_variance).exp() * normal_like(x, generator)
        yield x


def last(states: Iterator[Tensor]) -> Tensor:
    """Give the last of the states that a sampler yields, and keep none of the others."""
    return deque(states, maxlen=1).pop()


def time_of(t: int, x: Tensor) -> Tensor:
    """Give one time for the whole batch, (1,)."""
    return torch.full((1,), t, device=x.device)
