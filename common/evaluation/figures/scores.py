"""Histograms of scores: does a model tell its data from others?"""

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from torch import Tensor

from common.evaluation.figures.style import BLUE, GREY, LABEL, new_figure, plain, title
from common.evaluation.measurement import EvaluationError

NUM_BINS = 60
OTHERS = colormaps["Set2"].colors


def score_histograms(
    scores: dict[str, Tensor],
    *,
    unit: str = "nats",
    lines: dict[str, float] | None = None,
    heading: str = "",
    width: float = 7.0,
) -> Figure:
    """The distributions of a score on several sets in one frame, the model's own data first.

    The frame holds the middle 98 % of each set; values beyond are counted in the outermost bins. Of
    a set whose scores are all equal, the histogram is one bar.

    Args:
        scores: label -> (n,) scores; the first set is filled in blue.
        unit: along the axis.
        lines: label -> place of a vertical line.
        heading: a title, or "".
        width: inches.

    Raises:
        EvaluationError: if there are no scores, or some are NaN or infinite.
    """
    lines = lines or {}
    arrays = {label: torch.as_tensor(v).double().cpu().numpy() for label, v in scores.items()}
    for label, values in arrays.items():
        if not values.size or not np.isfinite(values).all():
            raise EvaluationError(
                f"the {values.size} scores of {label!r} hold {(~np.isfinite(values)).sum()} that "
                f"are not finite; expected one number or more, all finite."
            )
    if not arrays:
        raise EvaluationError("there are no scores, expected one set or more.")
    ends = [np.quantile(values, (0.01, 0.99)) for values in arrays.values()]
    places = np.concatenate([*ends, list(lines.values())])
    room = 0.02 * np.ptp(places) or 1.0
    low, high = places.min() - room, places.max() + room
    figure = new_figure(width, 2.6)
    axes = figure.add_subplot()
    bins = np.linspace(low, high, NUM_BINS + 1)
    for k, (label, values) in enumerate(arrays.items()):
        weights = np.full(len(values), 1 / len(values))
        colour = BLUE if k == 0 else OTHERS[(k - 1) % len(OTHERS)]
        axes.hist(
            values.clip(low, high),
            bins,
            weights=weights,
            histtype="stepfilled",
            facecolor=(colour if k == 0 else (*colour, 0.35)),
            alpha=0.45 if k == 0 else None,
            edgecolor=colour,
            linewidth=1.3,
            label=label,
        )
    for label, place in lines.items():
        axes.axvline(place, color=GREY, linewidth=1.2, linestyle="--", label=label)
    axes.set(xlabel=unit, ylabel="share")
    axes.set_xlim(low, high)
    plain(axes)
    axes.legend(
        frameon=False,
        fontsize=LABEL,
        labelcolor=GREY,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
    )
    if heading:
        title(axes, heading)
    return figure
