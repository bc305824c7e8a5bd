"""Other data as a model would see them: another set, or the same images spoilt in a known way."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from common.data import Dataset, load
from common.data.catalogue import CATALOGUE
from common.data.dataset import Split
from common.evaluation.measurement import EvaluationError

Spoil = Callable[[Tensor, int, torch.Generator], Tensor]


@dataclass(frozen=True)
class Other:
    """Data that a model was not trained on.

    Attributes:
        data: with the raw levels and the preprocessing of the model's own.
        how: what was done to them, in words, or "".
    """

    data: Dataset
    how: str


def half_size(x: Tensor, levels: int, generator: torch.Generator) -> Tensor:
    """Every image at half its size, on the darkest level."""
    small = F.avg_pool2d(x, 2)
    across, down = x.shape[-1] - small.shape[-1], x.shape[-2] - small.shape[-2]
    return F.pad(small, (across // 2, across - across // 2, down // 2, down - down // 2))


def shuffled(x: Tensor, levels: int, generator: torch.Generator) -> Tensor:
    """The pixels of all images in another order, the same for all."""
    order = torch.randperm(x[0].numel(), generator=generator)
    return x.flatten(1)[:, order].view_as(x)


def smoothed(x: Tensor, levels: int, generator: torch.Generator) -> Tensor:
    """The mean of each pixel and its eight neighbours."""
    return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)


def noise(x: Tensor, levels: int, generator: torch.Generator) -> Tensor:
    """Levels drawn uniformly."""
    return torch.randint(levels, x.shape, generator=generator).to(x)


SPOILT: dict[str, tuple[Spoil, str]] = {
    "blank": (lambda x, levels, g: torch.zeros_like(x), "all pixels at the darkest level"),
    "constant": (
        lambda x, levels, g: x.mean((1, 2, 3), keepdim=True).expand_as(x),
        "each image's mean level everywhere",
    ),
    "half_size": (half_size, "each image at half its size on the darkest level"),
    "inverted": (lambda x, levels, g: levels - 1 - x, "level l becomes L - 1 - l"),
    "low_contrast": (lambda x, levels, g: x / 2, "level l becomes l / 2"),
    "mirrored": (lambda x, levels, g: x.flip(-1), "left and right exchanged"),
    "noise": (noise, "uniform levels"),
    "shuffled": (shuffled, "the pixels in another order, the same for all"),
    "smoothed": (smoothed, "means over 3 x 3 pixels"),
}


def other(data: Dataset, name: str, *, seed: int = 0) -> Other:
    """The data set `name`, or `data` spoilt in the way `name`, prepared as `data` are.

    Raises:
        EvaluationError: an unknown name, or data whose shape or kind does not fit the model.
        DataError: files that are missing.

    >>> from common.data import load
    >>> other(load("digits"), "low_contrast").data.name
    'digits, low_contrast'
    """
    if name in SPOILT:
        return spoilt(data, name, seed=seed)
    if name not in CATALOGUE:
        near = difflib.get_close_matches(name, [*CATALOGUE, *SPOILT], n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise EvaluationError(
            f"there are no data {name!r}; expected a data set, {', '.join(CATALOGUE)}, or the "
            f"model's own images spoilt: {', '.join(SPOILT)}.{hint}"
        )
    return prepared(load(name), data)


def spoilt(data: Dataset, name: str, *, seed: int = 0) -> Other:
    """The images of `data` spoilt in one of the ways of SPOILT, rounded to their levels."""
    if data.num_levels is None or len(data.info.shape) != 3:
        raise EvaluationError(
            f"{data.name} has examples of shape {tuple(data.info.shape)} and "
            f"{data.num_levels or 'no'} levels; {name!r} is for images with levels."
        )
    spoil, how = SPOILT[name]

    def change(split: Split) -> Split:
        generator = torch.Generator().manual_seed(seed)
        x = spoil(split.x.float(), data.num_levels, generator)
        return replace(split, x=as_levels(x, data.num_levels), factors=None)

    splits = {key: change(split) for key, split in data.splits.items()}
    info = replace(data.info, name=f"{data.name}, {name}", factors={})
    return Other(Dataset(info, splits, data.preprocess), how)


def prepared(found: Dataset, like: Dataset) -> Other:
    """Raw data with the levels and the preprocessing of `like`.

    Levels 0..L'-1 are spread over 0..L-1 and rounded. Where the numbers differ that can be heard:
    17 levels on a scale of 256 leave 239 unused, and a density of levels notices.

    Raises:
        EvaluationError: shapes differ, or one has levels and the other has not.
    """
    if found.info.shape != like.info.shape:
        raise EvaluationError(
            f"examples of {found.name} have shape {tuple(found.info.shape)}, but the model was made "
            f"for {like.name}, {tuple(like.info.shape)}; expected the same. Take another data set."
        )
    levels, wanted = found.num_levels, like.num_levels
    if (levels is None) != (wanted is None):
        raise EvaluationError(
            f"{found.name} has {levels or 'no'} levels and {like.name} {wanted or 'none'}; expected "
            f"levels of both or of neither."
        )
    how, splits = "", found.splits
    if levels != wanted:
        how = f"its {levels} levels spread over {wanted}"
        scale = (wanted - 1) / (levels - 1)
        splits = {
            key: replace(split, x=as_levels(split.x * scale, wanted))
            for key, split in splits.items()
        }
    info = replace(found.info, num_levels=wanted)
    return Other(Dataset(info, splits).with_preprocess(like.preprocess), how)


def as_levels(x: Tensor, num_levels: int) -> Tensor:
    """Rounded to whole levels, uint8."""
    return x.round().clamp(0, num_levels - 1).to(torch.uint8)
