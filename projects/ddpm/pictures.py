"""Draw the README's figures: python -m projects.ddpm.pictures, after `dgm train ddpm`.

The pictures of MNIST come from the committed weights, that of the bound from them and a run of the demo.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from common.data import Dataset
from common.evaluation import figures
from common.evaluation.figures.style import BLUE, GREY, LABEL, ORANGE, new_figure, plain
from common.projects import find_project, run_folder
from common.runs import open_run
from common.weights import load_result
from projects.ddpm.model import DDPM
from projects.ddpm.sampler import ddim, last, time_of
from projects.ddpm.schedule import SCHEDULES, NoiseSchedule
from projects.ddpm.train import load_data


def main() -> None:
    """Write figures/samples.png and .webp, denoising.png, interpolation.png and bound.png."""
    folder = find_project("ddpm").folder / "figures"
    folder.mkdir(exist_ok=True)
    model, result = load_result("ddpm", "mnist-fid")
    data = load_data(find_project("ddpm").preset(result.preset))
    samples = model.sample(120, generator=seeded(0))
    figures.sample_grid(samples, data, columns=20, width=8).savefig(folder / "samples.png")
    animate(model, data, folder / "samples.webp")
    noise = model.sample_prior(3, generator=seeded(1))
    denoising(model, data, noise[:2]).savefig(folder / "denoising.png")
    ends = model.sample_prior(8, generator=seeded(2))
    interpolation(model, data, ends[:4], ends[4:]).savefig(folder / "interpolation.png")
    demo, digits = open_run(run_folder("ddpm", "demo")).load()
    models = {"demo": demo, "digits": load_result("ddpm", "digits-bound")[0]}
    bound(models, digits.test.tensor()[:48]).savefig(folder / "bound.png")


@torch.no_grad()
def animate(model: DDPM, data: Dataset, path: Path, *, n: int = 40) -> None:
    """The first n samples of samples.png, every other of their steps from noise on."""
    noise = model.sample_prior(120, generator=seeded(0))[:n]
    steps = model.denoise(noise, num_steps=model.num_sample_steps, eta=model.eta)
    states = [noise, *steps]
    shown = [*states[:-1:2], states[-1]]
    figures.save_animation(map(model.to_levels, shown), data, path, columns=10)


def seeded(seed: int) -> torch.Generator:
    """A generator on the CPU."""
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def denoising(
    model: DDPM, data: Dataset, noise: Tensor, *, num_steps: int = 200, eta: float = 0.0
) -> Figure:
    """For each row of `noise`: x_t on its way to the data, and the x_0 that is predicted from it.

    Ten columns from t = T down, the last one x_0 itself.
    """
    times = model.schedule.subsequence(num_steps)
    states = [noise, *ddim(model, noise, times, eta=eta, generator=seeded(0))]
    shown = [round(k * num_steps / 9) for k in range(9)] + [num_steps]
    rows = {}
    for i in range(len(noise)):
        path = torch.stack([states[k][i] for k in shown])  # (10, C, H, W)
        guesses = [
            model.predict(states[k][i : i + 1], time_of(max(times[k], 1), noise)).x0[0]
            for k in shown
        ]
        tail = " " * i  # labels are keys
        rows[f"$x_t${tail}"] = model.to_levels(path)
        rows[f"$\\hat x_0${tail}"] = model.to_levels(torch.stack(guesses))
    return figures.image_rows(rows, data, width=7.5, heads=[f"{times[k]}" for k in shown])


@torch.no_grad()
def interpolation(
    model: DDPM, data: Dataset, start: Tensor, end: Tensor, *, steps: int = 12
) -> Figure:
    """Walks along great circles between noises, decoded by deterministic DDIM."""
    return figures.interpolation(model, start, end, data, steps=steps, spherical=True)


def schedules(num_steps: int = 1000) -> Figure:
    """The share of the data and the signal-to-noise ratio of both schedules."""
    figure = new_figure(7.0, 2.6)
    left, right = figure.subplots(1, 2)
    for (name, betas), colour in zip(SCHEDULES.items(), (BLUE, ORANGE), strict=True):
        schedule = NoiseSchedule(betas(num_steps))
        left.plot(schedule.alphas_bar, color=colour, label=name)
        right.semilogy(schedule.signal_to_noise[1:], color=colour, label=name)
    left.set(xlabel="t", ylabel=r"$\bar\alpha_t$")
    right.set(xlabel="t", ylabel=r"SNR$(t) = \bar\alpha_t / (1 - \bar\alpha_t)$")
    for axes in (left, right):
        plain(axes)
    left.legend(frameon=False, fontsize=LABEL)
    return figure


def bits(nats: Tensor, model: DDPM) -> Tensor:
    """Nats of an example as bits per dimension."""
    return nats / (math.prod(model.event_shape) * math.log(2))


def bound(models: Mapping[str, DDPM], x: Tensor) -> Figure:
    """The bound by term, in bits per dimension, and what the terms sum to from t = 1 on."""
    figure = new_figure(7.0, 2.6)
    left, right = figure.subplots(1, 2)
    for (name, model), colour in zip(models.items(), (BLUE, ORANGE), strict=False):
        terms = bits(model.bound_terms(x, generator=seeded(3)).mean(0), model)  # (T + 1,)
        times = range(1, len(terms))
        left.loglog(times, terms[:-1], color=colour, linewidth=1)
        right.semilogx(times, terms.cumsum(0)[:-1], color=colour, label=name)
        right.axhline(terms.sum(), color=GREY, linestyle="--", linewidth=1)
    left.set(xlabel="t", ylabel=r"$L_{t-1}$, bits/dim")
    right.set(xlabel="t", ylabel="sum up to t, bits/dim", ylim=(0, None))
    for axes in (left, right):
        plain(axes)
    right.legend(frameon=False, fontsize=LABEL)
    return figure


def with_fixed_variance(model: DDPM, variance: str) -> DDPM:
    """The same model with "small" or "large" variances in place of its learned ones."""
    return DDPM(
        FirstHalf(model.network),
        model.schedule,
        model.event_shape,
        num_levels=model.num_levels,
        parameterisation=model.parameterisation,
        variance=variance,
        clip=model.clip,
    ).eval()


class FirstHalf(nn.Module):
    """A network that learns variances, without what it says of them."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.network(x, t).chunk(2, 1)[0]


@torch.no_grad()
def at_eta(model: DDPM, noise: Tensor, etas: Sequence[float], *, num_steps: int = 50) -> dict:
    """Levels that the same x_T leads to at each eta: label -> (n, ...)."""
    times = model.schedule.subsequence(num_steps)
    rows = {}
    for eta in etas:
        x = last(ddim(model, noise, times, eta=eta, generator=seeded(4)))
        rows[f"$\\eta$ = {eta:g}"] = model.to_levels(x)
    return rows


if __name__ == "__main__":
    main()
