"""Draw the README's figures: python -m projects.wgan_gp.pictures, after `dgm reproduce wgan_gp`.

The critics are trained on the spot, a few minutes; samples come from the committed weights, the
curves from the runs of the goals.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats
from torch import Tensor

from common.data import load
from common.evaluation.figures import BLUE, GREY, ORANGE
from common.evaluation.figures.curves import read_metrics, series, smooth
from common.projects import find_project, run_folder
from common.weights import rebuild
from projects.wgan_gp.critics import (
    GradientPenalty,
    WeightClipping,
    fit,
    layer_gradients,
)
from projects.wgan_gp.networks import PiecewiseLinearCritic, mlp_critic

TOYS = ("eight_gaussians", "twenty_five_gaussians", "swiss_roll")
REACH, RESOLUTION = 2.2, 121  # of the value surfaces
CLIPS = (0.1, 0.01)
DEPTH = 12  # layers of the deep critics, Figure 1


def main() -> None:
    """Write figures/critics.png, layers.png, samples.png and curves.png."""
    project = find_project("wgan_gp")
    folder = project.folder / "figures"
    folder.mkdir(exist_ok=True)
    value_surfaces(hidden_sizes=(256,) * 3, steps=400).savefig(folder / "critics.png", dpi=130)
    deep_critics(width=64, steps=200).savefig(folder / "layers.png", dpi=130)
    toy_samples(project).savefig(folder / "samples.png", dpi=130)
    runs = {
        "25 Gaussians": (run_folder("wgan_gp", "twenty_five_gaussians"), "sliced Wasserstein"),
        "digits": (run_folder("wgan_gp", "digits"), "FID, validation"),
    }
    curves(runs).savefig(folder / "curves.png", dpi=130)


# --- Figure 1: value surfaces, gradients and weights ---------------------------------------------


def value_surfaces(*, hidden_sizes: Sequence[int], steps: int) -> Figure:
    """Level sets of critics under weight clipping (above) and the gradient penalty (below)."""
    rows = {"weight clipping": WeightClipping(), "gradient penalty": GradientPenalty()}
    figure = Figure(figsize=(7.5, 5.2), layout="constrained")
    grid = figure.subplots(2, len(TOYS))
    for column, name in enumerate(TOYS):
        data = load(name)
        for row, (label, constraint) in enumerate(rows.items()):
            generator = torch.Generator().manual_seed(0)
            critic = fit(
                mlp_critic(2, hidden_sizes, generator=generator),
                lambda n, data=data, g=generator: data.density.sample(n, generator=g),
                constraint,
                steps=steps,
                generator=generator,
            )
            draw_surface(grid[row, column], critic, data.test.x[:500])
            if column == 0:
                grid[row, 0].set_ylabel(label, fontsize=9)
        grid[0, column].set_title(name.replace("_", " "), fontsize=10)
    return figure


@torch.no_grad()
def draw_surface(axes: Axes, critic: PiecewiseLinearCritic, points: Tensor) -> None:
    """Contour lines of f, high values red, over points of the data."""
    ticks = torch.linspace(-REACH, REACH, RESOLUTION)
    up, right = torch.meshgrid(ticks, ticks, indexing="ij")
    values = critic(torch.stack([right, up], -1).view(-1, 2)).view(up.shape)
    axes.contour(ticks, ticks, values, levels=18, cmap="coolwarm", linewidths=0.9)
    axes.scatter(*points.T, s=2, color="#2d3748", alpha=0.5, linewidths=0)
    axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xticks=[], yticks=[])


def deep_critics(*, width: int, steps: int, depth: int = DEPTH) -> Figure:
    """The gradient at every layer of deep critics of the swiss roll, and their weights."""
    constraints = {f"clipping, c = {c:g}": WeightClipping(c) for c in CLIPS}
    constraints["gradient penalty"] = GradientPenalty(10.0)
    colors = (GREY, ORANGE, BLUE)
    data = load("swiss_roll")
    figure = Figure(figsize=(8.4, 2.9), layout="constrained")
    left, *panels = figure.subplots(1, 3, width_ratios=[1.6, 1, 1])
    for color, (label, constraint) in zip(colors, constraints.items(), strict=True):
        generator = torch.Generator().manual_seed(0)
        critic = fit(
            mlp_critic(2, (width,) * depth, generator=generator),
            lambda n, g=generator: data.density.sample(n, generator=g),
            constraint,
            steps=steps,
            generator=generator,
        )
        norms = layer_gradients(critic, data.test.x[:1000])
        left.semilogy(range(1, depth + 1), norms, "o-", ms=3, color=color, label=label)
        if label != f"clipping, c = {CLIPS[0]:g}":
            panel = panels.pop(0)
            weights = torch.cat([layer.weight.detach().flatten() for layer in critic.layers])
            panel.hist(weights.numpy(), bins=60, color=color)
            panel.set_title(label, fontsize=9)
            panel.set(yticks=[], xlabel="weights")
            panel.spines[["top", "right", "left"]].set_visible(False)
    left.set(xlabel="layer of the critic", ylabel="|df / dh|, mean over data")
    left.spines[["top", "right"]].set_visible(False)
    left.grid(alpha=0.25)
    left.legend(frameon=False, fontsize=8)
    return figure


# --- samples and curves --------------------------------------------------------------------------


def toy_samples(project) -> Figure:
    """Samples of the three toy models of the goals (orange) over test data (grey)."""
    goals = ("eight-quality", "twenty-five-modes", "swiss-roll")
    figure = Figure(figsize=(7.5, 2.7), layout="constrained")
    for axes, id_ in zip(figure.subplots(1, 3), goals, strict=True):
        goal = project.goal(id_)
        weights = project.folder / "results" / f"{id_}.safetensors"
        model, data = rebuild(project, project.preset(goal.preset), weights)
        with torch.no_grad():
            samples = model.sample(2500, generator=torch.Generator().manual_seed(0))
        draw_samples(axes, samples, data.test.x[:2500])
        axes.set_title(goal.dataset.replace("_", " "), fontsize=10)
    return figure


def draw_samples(axes: Axes, samples: Tensor, points: Tensor) -> None:
    """Samples as small orange dots over grey ones of the data."""
    for values, color in ((points, GREY), (samples, ORANGE)):
        axes.scatter(*values.T, s=2, color=color, alpha=0.5, linewidths=0)
    axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xticks=[], yticks=[])


def curves(runs: Mapping[str, tuple[Path, str]]) -> Figure:
    """The critic's loss with its sign changed, and a distance it does not know, over training.

    Args:
        runs: title -> (a run's folder, what its validation measures).
    """
    figure = Figure(figsize=(4.2 * len(runs), 2.9), layout="constrained")
    panels = figure.subplots(1, len(runs), squeeze=False)[0]
    for axes, (name, (folder, measure)) in zip(panels, runs.items(), strict=True):
        estimate, distance = estimates(folder), distances(folder)
        axes.plot(*estimate.T, color=BLUE)
        axes.set(xlabel="generator steps")
        axes.set_ylabel("− critic loss", color=BLUE)
        axes.set_title(name, fontsize=10)
        other = axes.twinx()
        other.plot(*distance.T, "o-", ms=3, color=ORANGE)
        other.set_ylabel(measure, color=ORANGE)
        other.set_ylim(bottom=0)
        for each in (axes, other):
            each.spines["top"].set_visible(False)
    return figure


def estimates(folder: Path) -> np.ndarray:
    """(n, 2) generator steps and minus the critic's loss, smoothed."""
    lines = read_metrics(folder / "metrics.jsonl")
    name = next(name for name in lines[0] if name.endswith("critic_loss"))
    steps, loss = series(lines, "step", name).T
    return np.stack([steps, smooth(-loss)], 1)


def distances(folder: Path) -> np.ndarray:
    """(n, 2) generator steps and the validations."""
    return series(read_metrics(folder / "metrics.jsonl"), "step", "valid")


def agreement(folder: Path, *, after: float) -> float:
    """Rank correlation of the two curves, over the validations after this share of the steps."""
    estimate, distance = estimates(folder), distances(folder)
    late = distance[distance[:, 0] > after * distance[-1, 0]]
    at = np.interp(late[:, 0], *estimate.T)
    return float(stats.spearmanr(at, late[:, 1]).statistic)


if __name__ == "__main__":
    main()
