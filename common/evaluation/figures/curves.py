"""What happened in training, from the metrics that a run wrote."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from common.evaluation.figures.style import BLUE, GREY, INK, LABEL, ORANGE, new_figure, plain
from common.evaluation.measurement import EvaluationError

SKIP = 20  # the first 1/20 of the values may leave the frame: they fall too fast to show the rest


def training_curves(
    path: Path | str, *, unit: str = "nats", x: str = "step", title: str = ""
) -> Figure:
    """Training loss, raw and smoothed, and validation with its best value.

    Args:
        path: metrics.jsonl, or the run's folder.
        unit: of the loss.
        x: "step", "epoch" or "seconds".
        title: a heading, or "".

    Raises:
        EvaluationError: if there is no such file or it holds no loss.
    """
    path = Path(path)
    path = path / "metrics.jsonl" if path.is_dir() else path
    lines = read_metrics(path)
    train, valid = series(lines, x, "loss"), series(lines, x, "valid")
    if not len(train) and not len(valid):
        raise EvaluationError(f"{path} holds neither `loss` nor `valid` along {x!r}; train longer.")
    figure = new_figure(6.0, 3.2)
    axes = figure.add_subplot()
    if len(train):
        axes.plot(*train.T, color=BLUE, alpha=0.18, linewidth=0.8)
        axes.plot(train[:, 0], smooth(train[:, 1]), color=BLUE, linewidth=1.6, label="training")
    if len(valid):
        axes.plot(*valid.T, color=ORANGE, linewidth=1.6, label="validation")
        best = valid[valid[:, 1].argmin()]
        label = f"best {best[1]:.4g}"
        axes.plot(*best, "o", color=ORANGE, markersize=4.5, markeredgecolor="white", label=label)
    axes.set_ylim(*limits(train[len(train) // SKIP :, 1], valid[len(valid) // SKIP :, 1]))
    axes.set(xlabel=x, ylabel=f"loss ({unit})")
    axes.margins(x=0.02)
    plain(axes)
    axes.legend(frameon=False, fontsize=LABEL, labelcolor=GREY)
    if title:
        axes.set_title(title, fontsize=10, color=INK)
    return figure


def read_metrics(path: Path) -> list[dict]:
    """The lines of metrics.jsonl; one that a killed run left half written at the end is left out."""
    try:
        texts = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise EvaluationError(f"{path} does not exist; train first.") from None
    lines = []
    for number, text in enumerate(texts, 1):
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError as error:
            if number < len(texts):
                raise EvaluationError(
                    f"{path}, line {number}, is not JSON ({error}); expected one object a line."
                ) from error
    return lines


def series(lines: Sequence[dict], x: str, y: str) -> np.ndarray:
    """(n, 2) the points where both are numbers."""
    points = [(line[x], line[y]) for line in lines if None not in (line.get(x), line.get(y))]
    return np.array(points, dtype=float).reshape(-1, 2)


def smooth(values: np.ndarray) -> np.ndarray:
    """A running mean over 2 % of the values, no value from beyond the ends."""
    kernel = np.ones(min(len(values), max(1, len(values) // 50)))
    return np.convolve(values, kernel, "same") / np.convolve(np.ones_like(values), kernel, "same")


def limits(train: np.ndarray, valid: np.ndarray) -> tuple[float, float]:
    """A frame for nearly all of the noisy training losses and all validations, with some room."""
    ends = np.concatenate([np.quantile(train, (0.005, 0.995)) if len(train) else [], valid])
    room = 0.05 * (ends.max() - ends.min()) or 1.0
    return ends.min() - room, ends.max() + room
