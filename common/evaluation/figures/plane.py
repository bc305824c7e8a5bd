"""Points and densities in the plane."""

import math

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from common.data import Dataset
from common.evaluation.figures.style import BLUE, new_figure, square, title
from common.evaluation.measurement import EvaluationError

SIDE = 3.1  # inches of a panel
NUM_POINTS = 2000  # of the data, beside a density
NUM_LEVELS = 12
BATCH = 10_000


def scatter(sets: dict[str, Tensor], data: Dataset, *, columns: int | None = None) -> Figure:
    """Sets of points in the plane, one panel each, on equal axes.

    Args:
        sets: heading -> (n, 2) points.
        data: says how far the axes reach.
        columns: panels in a row; all if None.
    """
    columns = min(columns or len(sets), len(sets))
    rows = math.ceil(len(sets) / columns)
    figure = new_figure(SIDE * columns, (SIDE + 0.25) * rows)
    for k, (label, points) in enumerate(sets.items()):
        axes = figure.add_subplot(rows, columns, k + 1)
        dots(axes, points)
        square(axes, half_width(data))
        title(axes, label)
    return figure


@torch.no_grad()
def density_contours(model, data: Dataset, *, resolution: int = 200) -> Figure:
    """The model's density beside the data's: exact where it is known, else the data's points.

    Both panels have the same levels, with white for nothing.

    Args:
        model: has `log_prob`.
        data: a two-dimensional set.
        resolution: points a side.

    Raises:
        EvaluationError: if the data are not two-dimensional.
    """
    if tuple(data.shape) != (2,):
        raise EvaluationError(
            f"examples of {data.name} have shape {tuple(data.shape)}, expected points in the plane."
        )
    reach = half_width(data)
    learned = on_grid(model.log_prob, like(model), reach, resolution)
    known = data.density is not None and data.density.has_log_prob
    double = torch.zeros((), dtype=torch.float64)
    exact = on_grid(data.density.log_prob, double, reach, resolution) if known else None
    top = float((learned if exact is None else exact).max())
    points = data.test.x[:NUM_POINTS]
    figure = new_figure(2 * SIDE + 0.2, SIDE + 0.25)
    left, right = figure.subplots(1, 2)
    if exact is None:
        dots(left, points)
    else:
        heat(left, exact, reach, top)
    heat(right, learned, reach, top)
    title(left, "data" if exact is None else "data: exact density")
    title(right, "model")
    square(left, reach)
    square(right, reach)
    return figure


def on_grid(log_prob, like: Tensor, reach: float, resolution: int) -> Tensor:
    """exp of `log_prob` on a square grid, (resolution, resolution) float64, rows from below."""
    ticks = torch.linspace(-reach, reach, resolution, dtype=torch.float64)
    vertical, horizontal = torch.meshgrid(ticks, ticks, indexing="ij")
    points = torch.stack([horizontal.flatten(), vertical.flatten()], 1).to(like)
    values = torch.cat([log_prob(batch) for batch in points.split(BATCH)])
    return values.double().exp().cpu().view(resolution, resolution)


def like(model: object) -> Tensor:
    """A tensor with the dtype and device of the model's parameters, if it has any."""
    parameters = getattr(model, "parameters", None)
    first = next(iter(parameters()), None) if parameters is not None else None
    return torch.zeros(()) if first is None else first


def dots(axes: Axes, points: Tensor) -> None:
    """Points as small translucent discs."""
    points = points.detach().cpu().numpy()
    axes.scatter(points[:, 0], points[:, 1], s=4, alpha=0.45, color=BLUE, linewidths=0)


def heat(axes: Axes, density: Tensor, reach: float, top: float) -> None:
    """A density as filled contours, white where there is none."""
    levels = np.linspace(0, top if top > 0 else 1, NUM_LEVELS + 1)[1:] * 0.999
    levels = np.concatenate([levels[:1] / 4, levels])  # a faint skirt shows where little mass is
    ticks = np.linspace(-reach, reach, density.shape[0])
    axes.contourf(
        ticks, ticks, density.numpy(), levels=levels, cmap=colormaps["Blues"], extend="max"
    )


def half_width(data: Dataset) -> float:
    """Half the side of the square that shows a two-dimensional data set."""
    if data.density is not None and data.preprocess is None:
        return data.density.half_width
    return 1.1 * float(data.test.tensor().abs().max())
