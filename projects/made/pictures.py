"""The pictures that explain MADE: masks as staircases, and what a number of masks buys.

python -m projects.made.pictures    # writes figures/masks.png
"""

import io
from collections.abc import Container
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from common.evaluation.figures import BLUE, GREY, ORANGE
from common.files import write_bytes
from projects.made.model import MADE

FIGURES = Path(__file__).parent / "figures"


def jacobian(model: MADE, *, generator: torch.Generator) -> Tensor:
    """(D, D) mean of |d logit_i / d x_j| over 64 random binary vectors, under the first mask."""
    x = torch.randint(0, 2, (64, model.num_dims), generator=generator).to(model.biases[-1])
    x.requires_grad_()
    logits = model.conditional_logits(x)
    rows = [
        torch.autograd.grad(logits[:, d].sum(), x, retain_graph=True)[0] for d in range(len(x[0]))
    ]
    return torch.stack([row.abs().mean(0) for row in rows])


def masks_figure(model: MADE, *, generator: torch.Generator) -> Figure:
    """Every mask, their product and the Jacobian: as drawn above, sorted by degree below."""
    degrees = model.degrees()
    masks = [mask.float() for mask in model.masks()[: len(degrees)]]
    paths = masks[0]
    for mask in masks[1:]:
        paths = mask @ paths
    names = [f"$M^{{W_{k + 1}}}$" for k in range(len(masks) - 1)] + ["$M^V$"]
    panels = [*masks, paths, jacobian(model, generator=generator)]
    names += ["product: number of paths", r"Jacobian $|\partial\,$logit$_i/\partial x_j|$"]
    columns = [*degrees, degrees[0], degrees[0]]
    rows = [*degrees[1:], degrees[0], degrees[0], degrees[0]]
    figure = Figure(figsize=(9.2, 4.3), layout="constrained")
    grid = figure.subplots(2, len(panels))
    for k, panel in enumerate(panels):
        by_degree = panel[rows[k].argsort(stable=True)][:, columns[k].argsort(stable=True)]
        for line, values in enumerate((panel, by_degree)):
            axes = grid[line, k]
            axes.imshow(
                values.detach().sqrt(), cmap="Blues", interpolation="nearest", aspect="auto"
            )
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_color("#cbd5e0")
        grid[0, k].set_title(names[k], fontsize=9)
    grid[0, 0].set_ylabel("as drawn", fontsize=9)
    grid[1, 0].set_ylabel("sorted by degree", fontsize=9)
    return figure


@torch.no_grad()
def nll_by_masks(model: MADE, x: Tensor) -> tuple[Tensor, Tensor]:
    """(K,) mean nats of each mask alone, and of the mixture of the first k masks, k = 1..K."""
    each = torch.stack([model.mask_log_prob(x, k) for k in range(model.num_masks)])  # (K, N)
    count = torch.arange(1, model.num_masks + 1).to(each)[:, None]
    mixture = each.logcumsumexp(0) - count.log()
    return -each.mean(1), -mixture.mean(1)


def ensemble_figure(each: Tensor, fresh: Tensor, cycle: Tensor, one: float) -> Figure:
    """Fresh masks one by one as points; mixtures of the first k, fresh and fixed; one fixed mask.

    Args:
        each: (K,) nats of each mask of the network that was trained under fresh ones.
        fresh: (K,) nats of the mixture of the first k of them.
        cycle: (K,) nats of the mixture of the first k of the masks that were trained in a cycle.
        one: nats of a network that was trained under one mask.
    """
    count = range(1, len(each) + 1)
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(count, each, "o", color=GREY, markersize=4, label="fresh masks: the k-th alone")
    axes.plot(count, fresh, color=ORANGE, linewidth=2, label="fresh masks: mixture of the first k")
    axes.axhline(one, color=GREY, linewidth=1.5, linestyle="--", label="one fixed mask: specialist")
    axes.plot(
        count, cycle, color=BLUE, linewidth=2, label="masks in a cycle: mixture of the first k"
    )
    axes.set(xlabel="number of masks at test", ylabel="negative log-likelihood (nats)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=9)
    return figure


def numbers_figure(values: dict[str, float], *, own: Container[str] = ()) -> Figure:
    """One line a model with its nats as a point, sorted, our `own` in another colour."""
    ranked = sorted(values.items(), key=lambda entry: -entry[1])
    figure = Figure(figsize=(6.4, 0.3 * len(values) + 0.7), layout="constrained")
    axes = figure.add_subplot()
    for line, (name, value) in enumerate(ranked):
        color = ORANGE if name in own else BLUE
        axes.plot(value, line, "o", color=color)
        axes.annotate(
            f"{value:.2f}",
            (value, line),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axes.set_yticks(range(len(ranked)), [name for name, _ in ranked], fontsize=9)
    axes.set_xlabel("negative log-likelihood on test (nats)")
    axes.margins(x=0.12, y=0.08)
    axes.grid(axis="y", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, buffer.getvalue())


def main() -> None:
    """Draw the masks of a small network."""
    generator = torch.Generator().manual_seed(0)
    model = MADE(24, (40, 40), generator=generator)
    save(masks_figure(model, generator=generator), FIGURES / "masks.png")


if __name__ == "__main__":
    main()
