"""The forward process: Ho, Jain and Abbeel 2020, Section 2, and the cosine schedule of Nichol and
Dhariwal 2021, Section 3.2.

Time runs from t = 0, the data, to t = T, noise. All tables are kept in float64 whatever the dtype
of the model: 1 - alpha_bar at t = 1 and alpha_bar at t = T are both tiny.

Shapes: B examples, `...` the dimensions of one example; t is (B,) or (1,) integers in 0..T.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn


def linear(num_steps: int, *, first: float = 1e-4, last: float = 0.02) -> Tensor:
    """Give beta_1..beta_T in equal steps, (T,) float64; Ho et al., Section 4."""
    check_steps(num_steps)
    return torch.linspace(first, last, num_steps, dtype=torch.float64)


def cosine(num_steps: int, *, offset: float = 0.008, largest: float = 0.999) -> Tensor:
    """Give the betas, (T,) float64, with alpha_bar_t = f(t) / f(0); Nichol and Dhariwal, Eq. (17).

    f(t) = cos^2((t / T + s) / (1 + s) * pi / 2), s the offset; no beta exceeds `largest`.
    """
    check_steps(num_steps)
    time = torch.linspace(0, 1, num_steps + 1, dtype=torch.float64)
    f = torch.cos((time + offset) / (1 + offset) * math.pi / 2).square()
    return (1 - f[1:] / f[:-1]).clamp(max=largest)


SCHEDULES: dict[str, Callable[[int], Tensor]] = {"linear": linear, "cosine": cosine}


def check_steps(num_steps: int) -> None:
    """ValueError unless there are at least two steps: the variance of the first is the second's."""
    if num_steps < 2:
        raise ValueError(f"num_steps is {num_steps}, expected at least 2")


class NoiseSchedule(nn.Module):
    """The Markov chain q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t I), Eq. (2).

    Args:
        betas: (T,) in (0, 1), from `linear` or `cosine`.

    Attributes:
        betas, alphas_bar: (T + 1,) float64, at index t; beta_0 = 0 and alpha_bar_0 = 1.
        posterior_variances: (T + 1,) float64, the beta-tilde of Eq. (7); zero at t = 1.

    Raises:
        ValueError: for fewer than two betas, or one outside (0, 1).

    Example:
        >>> schedule = NoiseSchedule(linear(1000))
        >>> round(schedule.alphas_bar[1000].item(), 7)
        4.04e-05
    """

    def __init__(self, betas: Tensor):
        super().__init__()
        check_steps(len(betas))
        if not ((betas > 0) & (betas < 1)).all():
            raise ValueError(f"betas range from {betas.min()} to {betas.max()}, expected in (0, 1)")
        betas = torch.cat([betas.new_zeros(1), betas]).double()  # (T + 1,)
        alphas_bar = torch.cumprod(1 - betas, 0)
        before = torch.cat([alphas_bar[:1], alphas_bar[:-1]])
        variances = betas * (1 - before) / (1 - alphas_bar).clamp(min=torch.finfo(betas.dtype).tiny)
        self.num_steps = len(betas) - 1
        self.register_buffer("betas", betas, persistent=False)
        self.register_buffer("alphas_bar", alphas_bar, persistent=False)
        self.register_buffer("posterior_variances", variances, persistent=False)

    def _apply(self, fn: Callable, recurse: bool = True) -> "NoiseSchedule":
        """Move between devices with the model, but stay in float64."""
        for name, table in self._buffers.items():
            self._buffers[name] = table.to(fn(table).device)
        return self

    def at(self, table: Tensor, t: Tensor, like: Tensor) -> Tensor:
        """Give table[t] in the dtype of `like` and with its number of dimensions, (B, 1, ...)."""
        return table[t].to(like.dtype).view(-1, *(1,) * (like.ndim - 1))

    def marginal(self, x0: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Give mean (B, ...) and variance (B, 1, ...) of q(x_t | x_0), Eq. (4)."""
        alpha_bar = self.at(self.alphas_bar, t, x0)
        return alpha_bar.sqrt() * x0, self.at(1 - self.alphas_bar, t, x0)

    def transition(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Give mean and variance of q(x_t | x_{t-1} = x), Eq. (2)."""
        beta = self.at(self.betas, t, x)
        return self.at((1 - self.betas).sqrt(), t, x) * x, beta

    def posterior(self, x0: Tensor, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Give mean (B, ...) and variance (B, 1, ...) of q(x_{t-1} | x_t, x_0), Eq. (6) and (7)."""
        before, alpha_bar, beta = self.alphas_bar[t - 1], self.alphas_bar[t], self.betas[t]
        of_x0 = before.sqrt() * beta / (1 - alpha_bar)
        of_x_t = (1 - beta).sqrt() * (1 - before) / (1 - alpha_bar)
        index = torch.arange(len(t), device=t.device)
        mean = self.at(of_x0, index, x_t) * x0 + self.at(of_x_t, index, x_t) * x_t
        return mean, self.at(self.posterior_variances, t, x_t)

    def noised(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """Give x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps, (B, ...)."""
        mean, variance = self.marginal(x0, t)
        return mean + variance.sqrt() * eps

    @property
    def signal_to_noise(self) -> Tensor:
        """Give SNR(t) = alpha_bar_t / (1 - alpha_bar_t), (T + 1,) float64; infinite at t = 0."""
        return self.alphas_bar / (1 - self.alphas_bar)

    def subsequence(self, num_steps: int) -> list[int]:
        """Give num_steps + 1 times from T down to 0, as equally spaced as integers can be.

        The tau of Song, Meng and Ermon 2021, Section 4.2, with T as its first member.
        """
        if not 1 <= num_steps <= self.num_steps:
            raise ValueError(f"num_steps is {num_steps}, expected 1 to {self.num_steps}")
        return [self.num_steps * k // num_steps for k in range(num_steps, -1, -1)]
