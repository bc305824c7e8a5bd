"""What lies in the space of codes: paths, planes and single directions, decoded."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from common.data import Dataset
from common.evaluation.figures.images import (
    centres,
    image_grid,
    image_rows,
    mosaic,
    show_mosaic,
    to_images,
)
from common.evaluation.figures.style import INK, LABEL
from common.evaluation.latent_space import slerp


@torch.no_grad()
def interpolation(
    model, start: Tensor, end: Tensor, data: Dataset, *, steps: int = 10, spherical: bool = False
) -> Figure:
    """Decoded paths between codes: each row goes from start[i] to end[i].

    Args:
        model: has `decode`.
        start: (n, ...) codes.
        end: (n, ...) codes.
        data: says how to go back to intensities.
        steps: images a row, both ends included.
        spherical: walk along great circles, as suits a Gaussian prior in many dimensions.
    """
    weights = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device)
    walk = slerp if spherical else torch.lerp
    path = torch.stack([walk(start, end, w) for w in weights], 1)  # (n, steps, ...)
    images = to_images(model.decode(path.flatten(0, 1)), data)
    return image_grid(images, columns=steps, width=7.0)


@torch.no_grad()
def manifold(model, data: Dataset, *, side: int = 20, width: float = 6.0, gap: int = 1) -> Figure:
    """What a plane of latents decodes to, at the quantiles of the prior (Kingma, Welling, Fig. 4).

    Args:
        model: has `decode` and two latent variables with a standard normal prior.
        data: says how to go back to intensities.
        side: images a side.
        width: inches, with the labels.
        gap: pixels between the images; more than 1 where they fill their height.
    """
    like = next(model.parameters())
    quantiles = (torch.arange(side, dtype=torch.float64) + 0.5) / side
    ticks = torch.special.ndtri(quantiles).to(like)
    vertical, horizontal = torch.meshgrid(ticks.flip(0), ticks, indexing="ij")
    z = torch.stack([horizontal.flatten(), vertical.flatten()], 1)  # (side^2, 2)
    canvas = mosaic(to_images(model.decode(z), data), side, gap)
    figure, axes = show_mosaic(canvas, width=width, margin=0.7, top=0.5)
    places = sorted({round(k * (side - 1) / 4) for k in range(5)})
    middles = centres(canvas.shape[0], side)[places]
    across, down = (
        [f"{t:.1f}".replace("-", "−") for t in u[places]] for u in (ticks, ticks.flip(0))
    )
    axes.tick_params(length=0, labelsize=LABEL, labelcolor=INK)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xticks(middles, across)
    axes.set_yticks(middles, down)
    axes.set_xlabel("$z_1$", labelpad=4, color=INK)
    axes.set_ylabel("$z_2$", labelpad=8, rotation=0, color=INK)
    return figure


@torch.no_grad()
def traversal(
    model, code: Tensor, data: Dataset, *, dims: Sequence[int], reach: float = 2.5, steps: int = 9
) -> Figure:
    """One row a latent dimension, moved from -reach to +reach while the others stay.

    Args:
        model: has `decode`.
        code: (d,) the code to start from.
        data: says how to go back to intensities.
        dims: which latent dimensions.
        reach: how far, in the unit of the code.
        steps: images a row.
    """
    values = torch.linspace(-reach, reach, steps, dtype=code.dtype, device=code.device)
    rows = {}
    for dim in dims:
        z = code.expand(steps, -1).clone()
        z[:, dim] = values
        rows[f"$z_{{{dim}}}$"] = model.decode(z)
    heads = [f"{value:.1f}".replace("-", "−") for value in values.tolist()]
    return image_rows(rows, data, heads=heads)
