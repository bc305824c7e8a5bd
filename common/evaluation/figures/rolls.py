"""Piano rolls: which keys sound when."""

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from common.data.music import LOWEST
from common.evaluation.figures.style import FRAME, GREY, TICK, new_figure, title
from common.evaluation.measurement import EvaluationError

MARGIN = 2  # keys above the highest that sounds and below the lowest


def piano_rolls(rolls: Mapping[str, Tensor], *, columns: int = 2, width: float = 8.0) -> Figure:
    """Piano rolls under their titles; time to the right, pitch upwards, a grey line at every C.

    Only the range of the keys that sound is shown, the same for all.

    Args:
        rolls: title -> (T, D) of 0 and 1, or probabilities; column 0 is the piano's lowest key.
        columns: rolls in a row.
        width: inches.

    Raises:
        EvaluationError: if there are no rolls, or for another shape.
    """
    shapes = sorted({tuple(roll.shape) for roll in rolls.values()})
    if not rolls or any(len(shape) != 2 for shape in shapes):
        raise EvaluationError(f"piano rolls have shapes {shapes}, expected at least one of (T, D).")
    num_rows = -(-len(rolls) // columns)
    figure = new_figure(width, 1.75 * num_rows)
    panels = list(figure.subplots(num_rows, columns, squeeze=False).flat)
    sounding = torch.cat([roll.nonzero()[:, 1] for roll in rolls.values()]) + LOWEST
    low, high = (int(sounding.min()), int(sounding.max())) if len(sounding) else (60, 72)
    for axes, (name, roll) in zip(panels, rolls.items(), strict=False):
        draw_roll(axes, roll, low - MARGIN, high + MARGIN)
        title(axes, name)
    for axes in panels[len(rolls) :]:
        axes.set_axis_off()
    return figure


def draw_roll(axes: Axes, roll: Tensor, low: int, high: int) -> None:
    """One piano roll between two MIDI pitches."""
    extent = (0, len(roll), LOWEST - 0.5, LOWEST + roll.shape[1] - 0.5)
    shown = roll.detach().cpu().T.numpy()
    axes.imshow(
        np.ma.masked_equal(shown, 0),  # the lines of the octaves pass behind the keys that sound
        zorder=3,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap="Blues",
        vmin=0,
        vmax=1.25,
        extent=extent,
    )
    octaves = [pitch for pitch in range(0, 128, 12) if low <= pitch <= high]
    axes.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves])
    axes.set_ylim(low, high)
    axes.tick_params(color=FRAME, labelcolor=GREY, labelsize=TICK)
    axes.grid(axis="y", color=FRAME, linewidth=0.7)
    axes.spines[:].set_color(FRAME)
