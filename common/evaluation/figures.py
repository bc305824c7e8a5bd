"""Pictures that look alike in every notebook and on every page.

Each function returns a `matplotlib.figure.Figure` and touches no global state; show it by ending a
notebook cell with it, or save it with `figure.savefig`.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from common.data import Dataset
from common.evaluation.measurement import EvaluationError

BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#718096"
GAP = 1  # pixels between the images of a grid


def sample_grid(
    samples: Tensor, data: Dataset, *, columns: int | None = None, title: str = ""
) -> Figure:
    """Samples as a grid of images, or as a scatter for points in the plane.

    Args:
        samples: (n, *data.shape) in the model's space.
        data: says how to go back to levels, and what is white.
        columns: images in a row; as square as possible if None.
    """
    if samples.shape[1:] == (2,):
        return scatter({"samples": samples}, data, title=title)
    return image_grid(to_images(samples, data), columns=columns, title=title)


def to_images(values: Tensor, data: Dataset) -> np.ndarray:
    """(n, H, W) or (n, H, W, 3) intensities in [0, 1] of values in the model's space."""
    if len(data.info.shape) != 3:
        raise EvaluationError(
            f"examples of {data.name} have shape {tuple(data.info.shape)}, expected images."
        )
    values = values.detach().cpu().float()
    if data.is_binary:
        intensities = values.reshape(-1, *data.info.shape).clamp(0, 1)
    else:
        intensities = data.to_levels(values).float() / (data.num_levels - 1)
    images = intensities.permute(0, 2, 3, 1).numpy()  # (n, H, W, C)
    return images[..., 0] if images.shape[-1] == 1 else images


def image_grid(
    images: np.ndarray, *, columns: int | None = None, title: str = "", width: float = 5.0
) -> Figure:
    """Images (n, H, W) or (n, H, W, 3) in [0, 1] side by side, without axes."""
    if not len(images):
        raise EvaluationError("there are no images to show.")
    columns = columns or math.ceil(math.sqrt(len(images)))
    canvas = mosaic(images, columns)
    height = width * canvas.shape[0] / canvas.shape[1]
    figure = Figure(figsize=(width, height + (0.35 if title else 0)), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(canvas, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    if title:
        axes.set_title(title, fontsize=10)
    return figure


def mosaic(images: np.ndarray, columns: int) -> np.ndarray:
    """One array of images in rows, with a thin line between them."""
    zoom = math.ceil(32 / images.shape[1])  # so that the line is thin beside small images too
    images = images.repeat(zoom, 1).repeat(zoom, 2)
    rows = math.ceil(len(images) / columns)
    height, width = images.shape[1:3]
    canvas = np.full(
        (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, *images.shape[3:]), 0.25
    )
    for k, image in enumerate(images):
        top, left = (k // columns) * (height + GAP), (k % columns) * (width + GAP)
        canvas[top : top + height, left : left + width] = image
    return canvas


def image_rows(rows: dict[str, Tensor], data: Dataset, *, width: float = 7.0) -> Figure:
    """Labelled rows of images, one above the other: data over reconstructions, steps over time.

    Args:
        rows: label -> (n, *data.shape) in the model's space; all of one length.
    """
    count = {len(values) for values in rows.values()}
    if len(count) != 1:
        raise EvaluationError(f"rows have lengths {sorted(count)}, expected one length.")
    images = [to_images(values, data) for values in rows.values()]
    line = mosaic(images[0], len(images[0]))
    height = width * line.shape[0] / line.shape[1]
    figure = Figure(figsize=(width, len(rows) * (height + 0.12)), layout="constrained")
    for k, (label, row) in enumerate(zip(rows, images, strict=True)):
        axes = figure.add_subplot(len(rows), 1, k + 1)
        axes.imshow(mosaic(row, len(row)), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
    return figure


def reconstructions(x: Tensor, reconstructed: Tensor, data: Dataset) -> Figure:
    """Data above what the model makes of them."""
    return image_rows({"data": x, "model": reconstructed}, data)


@torch.no_grad()
def interpolation(
    model, start: Tensor, end: Tensor, data: Dataset, *, steps: int = 10, spherical: bool = False
) -> Figure:
    """Decoded paths between codes: each row goes from start[i] to end[i].

    Args:
        model: has `decode`.
        start, end: (n, ...) codes.
        spherical: walk along great circles, as suits a Gaussian prior in many dimensions.
    """
    weights = torch.linspace(0, 1, steps, dtype=start.dtype)
    walk = slerp if spherical else torch.lerp
    path = torch.stack([walk(start, end, w) for w in weights], 1)  # (n, steps, ...)
    images = to_images(model.decode(path.flatten(0, 1)), data)
    return image_grid(images, columns=steps, width=7.0)


def slerp(start: Tensor, end: Tensor, weight: Tensor) -> Tensor:
    """Spherical interpolation of each row (Shoemake 1985)."""
    a, b = start.flatten(1), end.flatten(1)
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=1).clamp(-1 + 1e-6, 1 - 1e-6)
    angle = cosine.arccos()[:, None]
    mixed = ((1 - weight) * angle).sin() * a + (weight * angle).sin() * b
    return (mixed / angle.sin()).view_as(start)


@torch.no_grad()
def manifold(model, data: Dataset, *, side: int = 20) -> Figure:
    """What a plane of latents decodes to, at the quantiles of the prior (Kingma, Welling, Fig. 4).

    Args:
        model: has `decode` and two latent variables.
    """
    like = next(model.parameters())
    quantiles = torch.linspace(0.02, 0.98, side, dtype=torch.float64)
    ticks = torch.special.ndtri(quantiles).to(like)
    vertical, horizontal = torch.meshgrid(ticks.flip(0), ticks, indexing="ij")
    z = torch.stack([horizontal.flatten(), vertical.flatten()], 1)  # (side^2, 2)
    return image_grid(to_images(model.decode(z), data), columns=side, width=6.0)


@torch.no_grad()
def traversal(
    model, code: Tensor, data: Dataset, *, dims: Sequence[int], reach: float = 2.5, steps: int = 9
) -> Figure:
    """One row a latent dimension, moved from -reach to +reach while the others stay.

    Args:
        model: has `decode`.
        code: (d,) the code to start from.
        dims: which latent dimensions.
    """
    values = torch.linspace(-reach, reach, steps, dtype=code.dtype)
    rows = {}
    for dim in dims:
        z = code.expand(steps, -1).clone()
        z[:, dim] = values
        rows[f"z{dim}"] = model.decode(z)
    return image_rows(rows, data)


def scatter(sets: dict[str, Tensor], data: Dataset, *, title: str = "") -> Figure:
    """Sets of points in the plane, one panel each, on equal axes."""
    figure = Figure(figsize=(3.2 * len(sets), 3.3), layout="constrained")
    for k, (label, points) in enumerate(sets.items()):
        axes = figure.add_subplot(1, len(sets), k + 1)
        points = points.detach().cpu().numpy()
        axes.scatter(points[:, 0], points[:, 1], s=3, alpha=0.4, color=BLUE, linewidths=0)
        square(axes, half_width(data))
        axes.set_title(title or label, fontsize=10)
    return figure


@torch.no_grad()
def density_contours(model, data: Dataset, *, resolution: int = 200) -> Figure:
    """The model's density beside the data's: exact where it is known, else the data's points."""
    reach = half_width(data)
    ticks = torch.linspace(-reach, reach, resolution)
    vertical, horizontal = torch.meshgrid(ticks, ticks, indexing="ij")
    points = torch.stack([horizontal.flatten(), vertical.flatten()], 1)
    parameter = next(model.parameters())
    learned = model.log_prob(points.to(parameter)).exp().float().cpu().view(resolution, resolution)
    known = data.density is not None and data.density.has_log_prob
    exact = data.density.log_prob(points.double()).exp().view(resolution, -1) if known else None
    top = float(learned.max() if exact is None else exact.max())
    figure = Figure(figsize=(6.6, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    if exact is None:
        x = data.test.x[:2000]
        left.scatter(x[:, 0], x[:, 1], s=3, alpha=0.4, color=BLUE, linewidths=0)
    else:
        heat(left, exact, reach, top)
    heat(right, learned, reach, top)
    left.set_title("data", fontsize=10)
    right.set_title("model", fontsize=10)
    square(left, reach)
    square(right, reach)
    return figure


def heat(axes: Axes, density: Tensor, reach: float, top: float) -> None:
    """A density as filled contours, white where there is none."""
    levels = np.linspace(0, top, 13)[1:] if top > 0 else [0, 1]
    ticks = np.linspace(-reach, reach, density.shape[0])
    axes.contourf(
        ticks, ticks, density.numpy(), levels=levels, cmap=colormaps["Blues"], extend="max"
    )


def square(axes: Axes, reach: float) -> None:
    """Equal axes over the same square, without clutter."""
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color("#cbd5e0")


def half_width(data: Dataset) -> float:
    """Half the side of the square that shows a two-dimensional data set."""
    if data.density is not None:
        return data.density.half_width
    return float(data.train.x.abs().max())


def training_curves(path: Path, *, unit: str = "nats", x: str = "step") -> Figure:
    """Training loss, smoothed, and validation, from a run's metrics.jsonl.

    Args:
        path: metrics.jsonl, or the run's folder.
        unit: of the loss.
        x: "step", "epoch" or "seconds".
    """
    path = Path(path)
    path = path / "metrics.jsonl" if path.is_dir() else path
    if not path.exists():
        raise EvaluationError(f"{path} does not exist; train first.")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    train = [(line[x], line["loss"]) for line in lines if line.get("loss") is not None]
    valid = [(line[x], line["valid"]) for line in lines if line.get("valid") is not None]
    figure = Figure(figsize=(6.0, 3.2), layout="constrained")
    axes = figure.add_subplot()
    if train:
        at, loss = np.array(train).T
        axes.plot(at, loss, color=BLUE, alpha=0.2, linewidth=0.8)
        axes.plot(at, smooth(loss), color=BLUE, linewidth=1.6, label="training")
        start = loss[len(loss) // 20 :]
        axes.set_ylim(*padded(start, [value for _, value in valid[len(valid) // 20 :]]))
    if valid:
        at, loss = np.array(valid).T
        axes.plot(at, loss, color=ORANGE, linewidth=1.8, label="validation")
    axes.set(xlabel=x, ylabel=f"loss ({unit})")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    axes.grid(alpha=0.25)
    return figure


def smooth(values: np.ndarray) -> np.ndarray:
    """A running mean over 2 % of the values, no value from beyond the ends."""
    width = max(1, len(values) // 50)
    kernel = np.ones(width)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones_like(values), kernel, "same")


def padded(*groups: Sequence[float]) -> tuple[float, float]:
    """Limits that hold nearly all values with a little room."""
    values = np.concatenate([np.asarray(group, dtype=float) for group in groups])
    low, high = np.min(values), np.quantile(values, 0.995)
    room = 0.05 * (high - low) or 1.0
    return low - room, high + room
