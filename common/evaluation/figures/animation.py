"""Samples on their way, as an animated picture: where time is the point of a model."""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from torch import Tensor

from common.data import Dataset
from common.evaluation.figures.images import mosaic, to_images
from common.evaluation.measurement import EvaluationError
from common.files import write_bytes

LEVELS = 16  # of grey: noise costs a file a bit a level, and the eye sees no more of it in motion


def save_animation(
    states: Iterable[Tensor],
    data: Dataset,
    path: Path,
    *,
    columns: int | None = None,
    milliseconds: int = 100,
    hold: int = 2500,
) -> None:
    """Write states of the same samples, one after the other, as an animated WebP that repeats.

    A site shows `figures/NAME.webp` on request in the place of `figures/NAME.png`.

    Args:
        states: (n, *data.shape) each, in the model's space; at least two.
        data: says how to go back to intensities.
        columns: images in a row; all of them if None.
        milliseconds: of each state but the last.
        hold: milliseconds of the last.

    Raises:
        EvaluationError: for fewer than two states, or examples that are no images.
    """
    from PIL import Image

    frames = []
    for state in states:
        canvas = mosaic(to_images(state, data), columns or len(state))
        grey = np.round((1 - canvas if canvas.ndim == 2 else canvas) * (LEVELS - 1))
        frames.append(Image.fromarray((grey * (255 / (LEVELS - 1))).astype(np.uint8)))
    if len(frames) < 2:
        raise EvaluationError(f"an animation of {len(frames)} states, expected at least two.")
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=frames[1:],
        duration=[milliseconds] * (len(frames) - 1) + [hold],
        loop=0,
        lossless=True,
        method=4,
    )
    write_bytes(path, buffer.getvalue())
