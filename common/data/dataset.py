"""What `load` returns: a named set of splits, each a tensor in memory."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from common.data.densities import Density
from common.data.preprocess import Preprocess
from common.data.registry import DatasetInfo


@dataclass(frozen=True, eq=False)
class Split:
    """One split: raw examples, labels where they exist, and the preprocessing `batch` applies.

    Attributes:
        name: "train", "valid", "test", or the names joined by "+".
        x: (N, *shape) raw examples: uint8 levels 0..L-1 of images, float32 points.
        y: (N,) int64 labels, or None.
        preprocess: applied by `batch` and `tensor`, or None.
        factors: (N, F) int64 indices of the generative factors, or None.
    """

    name: str
    x: Tensor
    y: Tensor | None = None
    preprocess: Preprocess | None = None
    factors: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, index: Tensor | slice, *, generator: torch.Generator | None = None) -> Tensor:
        """Select rows and preprocess them: (B, *model_shape), floating point.

        Args:
            index: (B,) int64 positions in the split, or a slice.
            generator: the noise of a random preprocessing; needed if there is one.
        """
        if isinstance(index, slice):
            rows = self.x[index]
        else:
            # rows of a matrix are gathered twice as fast as images
            rows = self.x.flatten(1).index_select(0, index.to(self.x.device))
            rows = rows.view(len(rows), *self.x.shape[1:])
        if self.preprocess is not None:
            return self.preprocess(rows, generator=generator)
        return rows if rows.is_floating_point() else rows.to(torch.get_default_dtype())

    def tensor(self, *, seed: int = 0) -> Tensor:
        """The whole split preprocessed, (N, *model_shape), its noise drawn from `seed` alone."""
        return self.batch(slice(None), generator=torch.Generator().manual_seed(seed))

    def subset(self, index: Tensor | slice) -> "Split":
        """The same split with these rows only, for a quick look or a smaller evaluation."""
        return self._map(lambda tensor: tensor[index])

    def to(self, device: torch.device | str) -> "Split":
        """The split with its tensors on a device; batches are then made there."""
        return self._map(lambda tensor: tensor.to(device))

    def _map(self, change: Callable[[Tensor], Tensor]) -> "Split":
        y = None if self.y is None else change(self.y)
        factors = None if self.factors is None else change(self.factors)
        return replace(self, x=change(self.x), y=y, factors=factors)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set: what it is (`info`), splits, preprocessing, its exact density if known."""

    info: DatasetInfo
    splits: dict[str, Split]
    preprocess: Preprocess | None = None
    density: Density | None = None

    @property
    def name(self) -> str:
        """The name `load` takes."""
        return self.info.name

    @property
    def train(self) -> Split:
        """The split to learn from."""
        return self.splits["train"]

    @property
    def valid(self) -> Split:
        """The split to choose with."""
        return self.splits["valid"]

    @property
    def test(self) -> Split:
        """The split to report on, once."""
        return self.splits["test"]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example in the model's space, after preprocessing."""
        return self.preprocess.output_shape(self.info.shape) if self.preprocess else self.info.shape

    @property
    def num_dims(self) -> int:
        """Dimensions of one raw example: the D of bits per dimension."""
        return math.prod(self.info.shape)

    @property
    def num_levels(self) -> int | None:
        """Raw integer levels L, or None for continuous data."""
        return self.info.num_levels

    @property
    def is_binary(self) -> bool:
        """True if the model's space is {0, 1}."""
        levels = self.info.num_levels
        return (self.preprocess.output_levels(levels) if self.preprocess else levels) == 2

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the raw tensors of all splits: the same data, the same 64 characters."""
        digest = hashlib.sha256()
        for name in sorted(self.splits):
            split = self.splits[name]
            for part, tensor in (("x", split.x), ("y", split.y), ("factors", split.factors)):
                if tensor is not None:
                    array = tensor.cpu().contiguous().numpy()
                    digest.update(f"{name} {part} {array.dtype} {array.shape}\n".encode())
                    digest.update(array.data)
        return digest.hexdigest()

    def join(self, *names: str) -> Split:
        """Several splits as one, such as `join("train", "valid")` for a final training."""
        unknown = [name for name in names if name not in self.splits]
        if unknown or not names:
            raise ValueError(f"{self.name} has the splits {', '.join(self.splits)}; got {names!r}")
        parts = [self.splits[name] for name in names]
        return Split(
            "+".join(names),
            torch.cat([part.x for part in parts]),
            _cat([part.y for part in parts]),
            self.preprocess,
            _cat([part.factors for part in parts]),
        )

    def with_preprocess(self, preprocess: Preprocess | None) -> "Dataset":
        """The same raw data seen through another preprocessing; ValueError if they do not fit."""
        if preprocess is not None:
            preprocess = preprocess.bind(self.info.shape, self.info.num_levels)
            preprocess.output_shape(self.info.shape)  # refuses a shape it cannot take
        splits = {k: replace(s, preprocess=preprocess) for k, s in self.splits.items()}
        return Dataset(self.info, splits, preprocess, self.density)

    def to(self, device: torch.device | str) -> "Dataset":
        """The data set with the tensors of every split on a device."""
        splits = {name: split.to(device) for name, split in self.splits.items()}
        return Dataset(self.info, splits, self.preprocess, self.density)

    def to_levels(self, y: Tensor) -> Tensor:
        """Model space back to raw examples for a picture: uint8 levels (N, *info.shape), clamped.

        Continuous data come back as they are. A sample outside the levels is clamped to them.
        """
        raw = self.preprocess.inverse(y) if self.preprocess is not None else y
        if self.num_levels is None:
            return raw
        return raw.round().clamp(0, self.num_levels - 1).to(torch.uint8)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {len(split)}" for name, split in self.splits.items())
        return f"Dataset({self.name}: {sizes}; shape {self.shape}; preprocess {self.preprocess})"


def _cat(tensors: list[Tensor | None]) -> Tensor | None:
    return None if tensors[0] is None else torch.cat(tensors)
