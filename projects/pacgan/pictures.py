"""Draw what packing does to a divergence, and samples: python -m projects.pacgan.pictures.

The last two figures need the committed weights of the goals.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from common.data import Dataset, load
from common.evaluation import figures
from common.projects import find_project
from common.weights import load_result
from projects.pacgan.divergence import (
    COLLAPSED,
    DATA,
    UNEVEN,
    jensen_shannon,
    product_divergence,
    total_variation,
)
from projects.pacgan.model import Generator


def main() -> None:
    """Write figures/divergence.png, figures/ring.png and figures/grid.png."""
    folder = find_project("pacgan").folder / "figures"
    folder.mkdir(exist_ok=True)
    divergences().savefig(folder / "divergence.png", dpi=130)
    for name in ("ring", "grid"):
        committed(name).savefig(folder / f"{name}.png", dpi=130)


def divergences(most: int = 8) -> Figure:
    """The pairs that a discriminator of two sees, and the divergences of packs of m."""
    figure = Figure(figsize=(11, 2.7), layout="constrained")
    *squares, left, right = figure.subplots(1, 5, width_ratios=[1, 1, 1, 1.25, 1.25])
    edges = (0.0, 0.2, 0.5, 1.0)
    panels = {"data": DATA, "without a mode": COLLAPSED, "uneven": UNEVEN}
    for axes, (name, masses) in zip(squares, panels.items(), strict=True):
        pairs(axes, masses, edges)
        axes.set_title(f"pairs: {name}", fontsize=10)
    sizes = range(1, most + 1)
    for axes, (name, divergence) in zip(
        (left, right),
        {"total variation": total_variation, "Jensen-Shannon, nats": jensen_shannon}.items(),
        strict=True,
    ):
        for label, masses, colour in (
            ("without a mode", COLLAPSED, figures.ORANGE),
            ("uneven", UNEVEN, figures.BLUE),
        ):
            values = [product_divergence(DATA, masses, m, divergence) for m in sizes]
            axes.plot(sizes, values, "o-", ms=4, color=colour, label=label)
        axes.set(xlabel="m, samples in a pack", ylim=(0, None))
        axes.set_title(name, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False)
    return figure


def pairs(axes: Axes, masses: tuple[float, ...], edges: tuple[float, ...]) -> None:
    """The density of two independent samples, on the unit square."""
    pieces = list(zip(masses, edges, edges[1:], strict=False))
    for mass, start, end in pieces:
        for other, bottom, top in pieces:
            area = (end - start) * (top - bottom)
            shade = mass * other / area / 2  # the data's density, 1, is half way to black
            axes.add_patch(
                Rectangle(
                    (start, bottom), end - start, top - bottom, color=str(1 - 0.8 * min(shade, 1))
                )
            )
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xticks=[0, 1], yticks=[0, 1])
    axes.set(xlabel="first sample", ylabel="second sample")


def snapshots(table: Mapping[str, Mapping[str, Tensor]], data: Dataset) -> Figure:
    """Samples over time: {row: {column: (n, 2) points}}, the data's modes in grey."""
    columns = list(next(iter(table.values())))
    size = 1.75
    figure = Figure(
        figsize=(size * len(columns) + 0.5, size * len(table) + 0.3), layout="constrained"
    )
    grid = figure.subplots(len(table), len(columns), squeeze=False)
    for line, (row, sets) in zip(grid, table.items(), strict=True):
        for axes, points in zip(line, sets.values(), strict=True):
            draw(axes, points, data)
        line[0].set_ylabel(row, fontsize=9)
    for axes, column in zip(grid[0], columns, strict=True):
        axes.set_title(column, fontsize=9)
    return figure


def draw(axes: Axes, points: Tensor, data: Dataset) -> None:
    """Samples as dots over circles around the modes."""
    axes.scatter(*data.density.modes.T, s=45, facecolors="none", edgecolors=figures.GREY, lw=0.7)
    axes.scatter(*points.T, s=2, color=figures.BLUE, alpha=0.5, linewidths=0)
    reach = 1.15 * data.density.half_width
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])


def committed(name: str, n: int = 1000) -> Figure:
    """Samples of every committed replicate on the "ring" or the "grid": a row for each goal."""
    data = load({"ring": "thin_ring"}.get(name, name))
    table = {}
    for label, goal in (("GAN", f"{name}-gan"), ("PacGAN2", f"{name}-pacgan2")):
        model, _ = load_result("pacgan", goal)
        table[label] = {
            f"run {r + 1}": samples(each, n, seed=r) for r, each in enumerate(model.replicates)
        }
    return snapshots(table, data)


@torch.no_grad()
def samples(model: Generator, n: int = 1000, *, seed: int = 0) -> Tensor:
    """(n, 2) draws."""
    return model.sample(n, generator=torch.Generator().manual_seed(seed))


if __name__ == "__main__":
    main()
