"""Denoising diffusion: Ho, Jain and Abbeel, Denoising Diffusion Probabilistic Models, NeurIPS 2020.

Section 3.2, the reverse process; the forward process is in `schedule`, the terms of the bound in
`bound`, the losses in `loss`. With them come the deterministic sampler of Song, Meng and Ermon 2021
(DDIM, arXiv:2010.02502) in `sampler`, the learned variances of Nichol and Dhariwal 2021
(arXiv:2102.09672) and the v-parameterisation of Salimans and Ho 2022 (arXiv:2202.00512). Different
from Ho et al.: the network (see `network`), and the estimator of the bound, which is `elbo`.

Data are levels 0..L-1; inside the model they lie on the scale [-1, 1], where noise is added.
Shapes: B examples, `...` = event_shape, T steps; t is (B,), or (1,) for all examples alike.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from projects.ddpm import bound, sampler
from projects.ddpm.sampler import normal_like
from projects.ddpm.schedule import NoiseSchedule

AT_ONCE = 256  # noised examples in `bound_terms`, of several times where the batch is small
PARAMETERISATIONS = ("eps", "x0", "v")
VARIANCES = ("small", "large", "learned")


class Prediction(NamedTuple):
    """What the network says of a noised example: the data in it, and the noise, (B, ...) each."""

    x0: Tensor
    eps: Tensor


class DDPM(nn.Module):
    """The diffusion model: a forward process that adds noise, and a network that takes it away.

    Args:
        network: a module (x_t, t) -> (B, C, H, W), or 2 C channels where variances are learned.
        schedule: the forward process.
        event_shape: (C, H, W) of one example.
        num_levels: L, grey levels of the data.
        parameterisation: what the network's output is: "eps", "x0" or "v".
        variance: of p(x_{t-1} | x_t): "small" is beta-tilde, "large" is beta (Section 3.2),
            "learned" lies between them (Nichol and Dhariwal, Eq. 15).
        clip: keep the predicted x_0 in [-1, 1], and the predicted noise consistent with it.
        num_sample_steps: of `sample`, `encode` and `decode`, which use DDIM; None for ancestral
            sampling with all steps.
        eta: of `sample`'s DDIM: 0 is deterministic, 1 as noisy as ancestral sampling.

    Raises:
        ValueError: for a parameterisation, a variance or a number that does not exist.

    Example:
        >>> from projects.ddpm.network import UNet
        >>> from projects.ddpm.schedule import linear
        >>> network = UNet((1, 8, 8), 1, width=8, multipliers=(1, 2))
        >>> model = DDPM(network, NoiseSchedule(linear(100)), (1, 8, 8), num_levels=17)
        >>> model.elbo(torch.zeros(3, 1, 8, 8)).shape, model.sample(2).shape
        (torch.Size([3]), torch.Size([2, 1, 8, 8]))
    """

    def __init__(
        self,
        network: nn.Module,
        schedule: NoiseSchedule,
        event_shape: Sequence[int],
        *,
        num_levels: int,
        parameterisation: str = "eps",
        variance: str = "small",
        clip: bool = True,
        num_sample_steps: int | None = 50,
        eta: float = 0.0,
    ):
        super().__init__()
        for value, known in ((parameterisation, PARAMETERISATIONS), (variance, VARIANCES)):
            if value not in known:
                raise ValueError(f"{value!r} is not one of {', '.join(known)}")
        if num_levels < 2:
            raise ValueError(f"num_levels is {num_levels}, expected at least 2")
        if not 0 <= eta <= 1:
            raise ValueError(f"eta is {eta}, expected 0 to 1")
        schedule.subsequence(num_sample_steps or 1)  # refuses more steps than there are
        self.network, self.schedule = network, schedule
        self.event_shape, self.num_levels = tuple(event_shape), num_levels
        self.parameterisation, self.variance, self.clip = parameterisation, variance, clip
        self.num_sample_steps, self.eta = num_sample_steps, eta

    # --- The network's output, and what it means ------------------------------------------------

    def forward(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor | None]:
        """Give the network's output for x_t = x, and what it says of the variance, or None."""
        output = self.network(x, t).to(x.dtype)
        return output.chunk(2, 1) if self.variance == "learned" else (output, None)

    def target(self, x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """Give what the output should be, (B, ...): eps, x_0, or v = sqrt(a) eps - sqrt(1-a) x_0."""
        if self.parameterisation == "v":
            signal, noise = self._signal_and_noise(t, x0)
            return signal * eps - noise * x0
        return eps if self.parameterisation == "eps" else x0

    def predict(self, x: Tensor, t: Tensor) -> Prediction:
        """Give the network's x_0 and eps for x_t = x, which satisfy x_t = sqrt(a) x_0 + sqrt(1-a) eps."""
        return self.interpret(self(x, t)[0], x, t)

    def interpret(self, output: Tensor, x: Tensor, t: Tensor) -> Prediction:
        """Give the prediction that an output for x_t = x stands for, clipped if `clip`."""
        signal, noise = self._signal_and_noise(t, x)
        if self.parameterisation == "eps":
            x0, eps = (x - noise * output) / signal, output
        elif self.parameterisation == "x0":
            x0, eps = output, (x - signal * output) / noise
        else:
            x0, eps = signal * x - noise * output, noise * x + signal * output
        if self.clip:
            x0 = x0.clamp(-1, 1)
            eps = (x - signal * x0) / noise
        return Prediction(x0, eps)

    def score(self, x: Tensor, t: Tensor) -> Tensor:
        """Give the model's gradient of log q(x_t) at x_t = x, (B, ...): -eps / sqrt(1 - a)."""
        return -self.predict(x, t).eps / self._signal_and_noise(t, x)[1]

    def reverse(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Give mean (B, ...) and log variance (broadcastable) of p(x_{t-1} | x_t = x); Eq. (11)."""
        return self.reverse_of(*self(x, t), x, t)

    def reverse_of(
        self, output: Tensor, fraction: Tensor | None, x: Tensor, t: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The same from the network's output. At t = 1 beta-tilde is that of t = 2, as it would be 0."""
        mean, _ = self.schedule.posterior(self.interpret(output, x, t).x0, x, t)
        small = self.schedule.posterior_variances.log()
        small[:2] = small[2]
        large = self.schedule.betas.log()
        if fraction is not None:
            low, high = self.schedule.at(small, t, x), self.schedule.at(large, t, x)
            return mean, low + (fraction + 1) / 2 * (high - low)
        if self.variance == "large":
            large[:2] = small[2]
            return mean, self.schedule.at(large, t, x)
        return mean, self.schedule.at(small, t, x)

    def _signal_and_noise(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Give sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t), (B, 1, ...)."""
        alphas_bar = self.schedule.alphas_bar
        return tuple(self.schedule.at(a.sqrt(), t, like) for a in (alphas_bar, 1 - alphas_bar))

    # --- The variational bound, Section 2 -------------------------------------------------------

    def bound_term(self, x: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """Give L_{t-1} of Eq. (5), (B,) nats, at the x_t that the noise eps makes of levels x."""
        return bound.term(self, self._levels(x), t, eps)

    @torch.no_grad()
    def bound_terms(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """Give every term of the bound, L_0, L_1, ..., L_T of Eq. (5), each at one noised example.

        Args:
            x: (B, ...) levels.
            generator: source of the noise, new for each term.

        Returns:
            (B, T + 1) nats. Their sum over the terms estimates minus the evidence lower bound with
            every time in it, at the cost of T passes through the network.
        """
        levels = self._levels(x)
        times, terms = torch.arange(1, self.schedule.num_steps + 1, device=x.device), []
        for part in times.split(max(1, AT_ONCE // max(1, len(x)))):
            many = levels.repeat(len(part), *(1,) * (x.ndim - 1))  # (len(part) * B, ...)
            t = part.repeat_interleave(len(x))
            found = bound.term(self, many, t, normal_like(many, generator))
            terms.append(found.view(len(part), len(x)))
        return torch.cat([*terms, bound.prior_term(self, levels)[None]]).T

    def elbo(
        self, x: Tensor, *, num_samples: int = 1, generator: Generator | None = None
    ) -> Tensor:
        """Give an unbiased estimate of the evidence lower bound of log P(x), Eq. (5), from few terms.

        L_T is exact, L_0 estimated at one x_1, and the sum of the others by draws of t with the
        probabilities of `bound.proposal`, divided by them. Together the draws of a batch cover the
        times evenly: see `bound.lattice`.

        Args:
            x: (B, ...) levels 0..L-1.
            num_samples: times drawn for each example, at least 1.
            generator: source of times and noise.

        Returns:
            (B,) nats: a lower bound, in expectation, of the log mass of the levels.
        """
        if num_samples < 1:
            raise ValueError(f"num_samples is {num_samples}, expected at least 1")
        levels = self._levels(x)
        first = sampler.time_of(1, levels)
        total = bound.term(self, levels, first, normal_like(levels, generator))
        total = total + bound.prior_term(self, levels)
        probabilities = bound.proposal(self.schedule)  # (T + 1,)
        times = bound.lattice(probabilities, num_samples * len(x), generator)
        for t in times.view(num_samples, len(x)):
            term = bound.term(self, levels, t, normal_like(levels, generator))
            total = total + term / probabilities[t].to(term) / num_samples
        return -total

    # --- Sampling -------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Draw n examples with the model's own sampler, (n, ...) levels 0..L-1."""
        if n < 0:
            raise ValueError(f"n is {n}, expected at least 0")
        states = self.denoise(
            self.sample_prior(n, generator=generator),
            num_steps=self.num_sample_steps,
            eta=self.eta,
            generator=generator,
        )
        return self.to_levels(sampler.last(states))

    def sample_prior(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Draw x_T ~ N(0, I), (n, ...), which `decode` turns into data."""
        parameter = next(self.network.parameters())
        return normal_like(parameter.new_empty(n, *self.event_shape), generator)

    def denoise(
        self,
        x: Tensor,
        *,
        num_steps: int | None = None,
        eta: float = 0.0,
        generator: Generator | None = None,
    ) -> Iterator[Tensor]:
        """Yield x_s, (B, ...) on the scale [-1, 1], after each step on the way from x_T = x to x_0.

        Args:
            x: (B, ...) from `sample_prior` or `invert`.
            num_steps: of DDIM, over equally spaced times; None for ancestral sampling, Algorithm 2.
            eta: of DDIM.
            generator: source of the noise, where there is any.
        """
        if num_steps is None:
            return sampler.ancestral(self, x, generator=generator)
        times = self.schedule.subsequence(num_steps)
        return sampler.ddim(self, x, times, eta=eta, generator=generator)

    def invert(self, x: Tensor, *, num_steps: int) -> Tensor:
        """Give the x_T, (B, ...), from which deterministic DDIM would come to x_0 = x."""
        times = self.schedule.subsequence(num_steps)
        return sampler.last(sampler.ddim_invert(self, x, times))

    def encode(self, x: Tensor) -> Tensor:
        """Give the noise (B, ...) that stands for levels x: DDIM backwards."""
        return self.invert(self.scale(self._levels(x)), num_steps=self._num_ddim_steps)

    def decode(self, z: Tensor) -> Tensor:
        """Give the levels (B, ...) that the noise z stands for: deterministic DDIM."""
        return self.to_levels(sampler.last(self.denoise(z, num_steps=self._num_ddim_steps)))

    @property
    def _num_ddim_steps(self) -> int:
        return self.num_sample_steps or self.schedule.num_steps

    # --- Levels and the scale [-1, 1], Section 3.3 ----------------------------------------------

    def scale(self, levels: Tensor) -> Tensor:
        """Give levels 0..L-1 on the scale [-1, 1]."""
        return 2 * levels / (self.num_levels - 1) - 1

    def to_levels(self, x: Tensor) -> Tensor:
        """Give the nearest levels 0..L-1, as floats, of x on the scale [-1, 1]."""
        return ((x + 1) * (self.num_levels - 1) / 2).round().clamp(0, self.num_levels - 1)

    def _levels(self, x: Tensor) -> Tensor:
        """Check x once: levels of the right shape, in the type of the weights if they are integers."""
        if tuple(x.shape[1:]) != self.event_shape:
            wanted = ", ".join(["B", *map(str, self.event_shape)])
            raise ValueError(f"x has shape {tuple(x.shape)}, expected ({wanted})")
        bad = ~((x >= 0) & (x < self.num_levels) & (x == x.round()))
        if bad.any():
            raise ValueError(
                f"x holds {x[bad][0].item():g}, expected levels 0 to {self.num_levels - 1}: "
                "pass raw levels, the model scales them itself"
            )
        return x if x.is_floating_point() else x.to(next(self.network.parameters()).dtype)
