"""Images side by side: samples in a grid, labelled rows, reconstructions."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from common.data import Dataset
from common.evaluation.figures.plane import scatter
from common.evaluation.figures.rolls import piano_rolls
from common.evaluation.figures.style import DPI, INK, LABEL, title
from common.evaluation.measurement import EvaluationError

LINE = 0.25  # intensity of the line between images
MIN_SIDE = 32  # pixels; smaller images are enlarged so that the line is thin beside them too
TITLE_HEIGHT, LABEL_WIDTH = 0.32, 0.8  # inches, at least
LETTER_WIDTH = 0.085  # inches of a label's letter, about


def sample_grid(
    samples: Tensor,
    data: Dataset,
    *,
    columns: int | None = None,
    title: str = "",
    width: float = 5.0,
) -> Figure:
    """Samples as a grid of images, as a scatter for points in the plane, or as piano rolls.

    Args:
        samples: (n, *data.shape) in the model's space.
        data: says how to go back to intensities.
        columns: images in a row; as square as possible if None.
        title: a heading, or "".
        width: inches.
    """
    if data.info.shape == (2,):
        return scatter({title or "samples": samples}, data)
    if data.is_sequence and data.is_binary and len(data.shape) == 2:
        named = {f"{title or 'sample'} {i + 1}": roll for i, roll in enumerate(samples)}
        return piano_rolls(named, columns=columns or 2)
    return image_grid(to_images(samples, data), columns=columns, title=title, width=width)


def to_images(values: Tensor, data: Dataset) -> np.ndarray:
    """(n, H, W) or (n, H, W, 3) intensities in [0, 1] of values in the model's space.

    Probabilities of binary pixels keep their grey; what lies outside the levels is clamped.
    """
    if len(data.info.shape) != 3 or data.num_levels is None:
        raise EvaluationError(
            f"examples of {data.name} have shape {tuple(data.info.shape)}, expected images."
        )
    values = values.detach().cpu().float().reshape(-1, *data.shape)
    raw = data.preprocess.inverse(values) if data.preprocess is not None else values
    intensities = (raw / (data.num_levels - 1)).clamp(0, 1)
    images = intensities.permute(0, 2, 3, 1).numpy()  # (n, H, W, C)
    return images[..., 0] if images.shape[-1] == 1 else images


def image_grid(
    images: np.ndarray,
    *,
    columns: int | None = None,
    title: str = "",
    width: float = 5.0,
    gap: int = 1,
) -> Figure:
    """Images (n, H, W) or (n, H, W, 3) in [0, 1] side by side, dark on white, without axes.

    Args:
        images: at least one.
        columns: images in a row; as square as possible if None.
        title: a heading, or "".
        width: inches.
        gap: pixels between the images; 0 for one seamless picture.
    """
    columns = columns or math.ceil(math.sqrt(len(images)))
    figure, _ = show_mosaic(mosaic(images, columns, gap), width=width, heading=title)
    return figure


def mosaic(images: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """One array of images in rows, with a thin line between them; empty places are white."""
    if not len(images):
        raise EvaluationError("there are no images to show.")
    zoom = math.ceil(MIN_SIDE / images.shape[1])
    images = np.asarray(images).repeat(zoom, 1).repeat(zoom, 2)
    rows = math.ceil(len(images) / columns)
    height, width = images.shape[1:3]
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, *images.shape[3:])
    canvas = np.full(shape, LINE if images.ndim == 3 else 1 - LINE)
    for k in range(rows * columns):
        top, left = (k // columns) * (height + gap), (k % columns) * (width + gap)
        empty = 0.0 if images.ndim == 3 else 1.0
        canvas[top : top + height, left : left + width] = images[k] if k < len(images) else empty
    return canvas


def show_mosaic(
    canvas: np.ndarray, *, width: float, heading: str = "", margin: float = 0.0, top: float = 0.0
) -> tuple[Figure, Axes]:
    """A figure whose pixels are whole multiples of the canvas's, so that none is blurred.

    Args:
        canvas: (H, W) or (H, W, 3) intensities.
        width: inches, with the margin.
        heading: a title, or "".
        margin: inches left free on the left.
        top: inches left free above.
    """
    inches = width - margin
    zoom = max(1, round(inches * DPI / canvas.shape[1]))
    height = inches * canvas.shape[0] / canvas.shape[1]
    total = height + top + (TITLE_HEIGHT if heading else 0)
    figure = Figure(figsize=(width, total), dpi=canvas.shape[1] * zoom / inches)
    axes = figure.add_axes((margin / width, 0, inches / width, height / total))
    axes.imshow(canvas, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if heading:
        title(axes, heading)
    return figure, axes


def image_rows(
    rows: dict[str, Tensor],
    data: Dataset,
    *,
    width: float = 7.0,
    heads: Sequence[str] = (),
) -> Figure:
    """Labelled rows of images, one above the other: data over reconstructions, steps over time.

    Args:
        rows: label -> (n, *data.shape) in the model's space; all of one length.
        data: says how to go back to intensities.
        width: inches.
        heads: a label for each column, or none.

    Raises:
        EvaluationError: if there are no rows, or rows of different lengths.
    """
    lengths = sorted({len(values) for values in rows.values()})
    if len(lengths) != 1:
        raise EvaluationError(f"rows have lengths {lengths}, expected one length for all.")
    columns = lengths[0]
    images = np.concatenate([to_images(values, data) for values in rows.values()])
    canvas = mosaic(images, columns)
    letters = max(len(line) for label in rows for line in label.split("\n"))
    margin = max(LABEL_WIDTH, (letters + 1) * LETTER_WIDTH)
    figure, axes = show_mosaic(canvas, width=width, margin=margin, top=TITLE_HEIGHT if heads else 0)
    axes.tick_params(length=0, labelsize=LABEL, labelcolor=INK)
    axes.set_yticks(centres(canvas.shape[0], len(rows)), list(rows))
    if heads:
        axes.xaxis.tick_top()
        axes.set_xticks(centres(canvas.shape[1], columns), heads)
    return figure


def centres(size: int, count: int) -> np.ndarray:
    """Where the middles of `count` images lie along a side of `size` pixels."""
    return (np.arange(count) + 0.5) * size / count - 0.5


def reconstructions(x: Tensor, reconstructed: Tensor, data: Dataset) -> Figure:
    """Data above what the model makes of them, both (n, *data.shape) in the model's space."""
    return image_rows({"data": x, "model": reconstructed}, data)
