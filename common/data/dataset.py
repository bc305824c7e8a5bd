"""What `load` returns: a named set of splits, each a tensor in memory."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from common.data.densities import Density
from common.data.padding import mask
from common.data.preprocess import Preprocess
from common.data.registry import DatasetInfo
from common.data.windows import cut, move


@dataclass(frozen=True, eq=False)
class Split:
    """One split: raw examples, labels where they exist, and the preprocessing `batch` applies.

    Attributes:
        name: "train", "valid", "test", or the names joined by "+".
        x: (N, *shape) raw examples: uint8 levels 0..L-1 of images, float32 points, int64 symbols.
        y: (N,) int64 labels, or None.
        preprocess: applied by `batch` and `tensor`, or None.
        factors: (N, F) int64 indices of the generative factors, or None.
        lengths: (N,) int64 steps of each sequence, the first of x; the rest is padding. None where
            every example is whole.
        texts: what each example is called, such as {"name": N strings, "keywords": N strings}.
    """

    name: str
    x: Tensor
    y: Tensor | None = None
    preprocess: Preprocess | None = None
    factors: Tensor | None = None
    lengths: Tensor | None = None
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, index: Tensor | slice, *, generator: torch.Generator | None = None) -> Tensor:
        """Select rows and preprocess them: (B, *model_shape), floating point but for symbols.

        Sequences are cut to the longest of the batch: (B, T, *rest).

        Args:
            index: (B,) int64 positions in the split, or a slice.
            generator: the noise of a random preprocessing; needed if there is one.
        """
        if isinstance(index, slice):
            rows = self.x[index]
        else:
            # rows of a matrix are gathered twice as fast as images
            matrix = self.x.flatten(1) if self.x.dim() > 1 else self.x
            rows = matrix.index_select(0, index.to(self.x.device))
            rows = rows.view(len(rows), *self.x.shape[1:])
        if self.lengths is not None and len(rows):
            rows = rows[:, : int(self.lengths[index].max())]
        if self.preprocess is not None:
            return self.preprocess(rows, generator=generator)
        keeps = rows.is_floating_point() or rows.dtype == torch.int64
        return rows if keeps else rows.to(torch.get_default_dtype())

    def mask(self, index: Tensor | slice = slice(None)) -> Tensor:
        """Which steps of `batch(index)` are no padding, (B, T) bool; ValueError without lengths."""
        if self.lengths is None:
            raise ValueError(f"no example of this split ({self.name}) is padded: it has no lengths")
        return mask(self.lengths[index])

    def tensor(self, *, seed: int = 0) -> Tensor:
        """The whole split preprocessed, (N, *model_shape), its noise drawn from `seed` alone."""
        return self.batch(slice(None), generator=torch.Generator().manual_seed(seed))

    def subset(self, index: Tensor | slice) -> "Split":
        """The same split with these rows only, for a quick look or a smaller evaluation."""
        rows = torch.arange(len(self))[index].tolist()
        texts = {name: tuple(text[row] for row in rows) for name, text in self.texts.items()}
        return replace(self._map(lambda tensor: tensor[index]), texts=texts)

    def to(self, device: torch.device | str) -> "Split":
        """The split with its tensors on a device; batches are then made there."""
        return self._map(lambda tensor: move(tensor, device))

    def _map(self, change: Callable[[Tensor], Tensor]) -> "Split":
        parts = {"y": self.y, "factors": self.factors, "lengths": self.lengths}
        changed = {name: change(part) for name, part in parts.items() if part is not None}
        return replace(self, x=change(self.x), **changed)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set: what it is (`info`), splits, preprocessing, its exact density if known.

    `given` steps at the start of every example are context that a model is told, not asked:
    its `log_prob(x)` is that of the rest. `origin` is the text that windows were cut from.
    """

    info: DatasetInfo
    splits: dict[str, Split]
    preprocess: Preprocess | None = None
    density: Density | None = None
    given: int = 0
    origin: "Dataset | None" = None

    @property
    def name(self) -> str:
        """The name `load` takes."""
        return self.info.name

    @property
    def train(self) -> Split:
        """The split to learn from."""
        return self._split("train")

    @property
    def valid(self) -> Split:
        """The split to choose with."""
        return self._split("valid")

    @property
    def test(self) -> Split:
        """The split to report on, once."""
        return self._split("test")

    def _split(self, name: str) -> Split:
        if name not in self.splits:
            raise ValueError(f"{self.name} has the splits {', '.join(self.splits)}, no {name!r}")
        return self.splits[name]

    @property
    def is_sequence(self) -> bool:
        """True if the first dimension of an example is steps: text, music, speech."""
        return self.info.is_sequence

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example in the model's space, after preprocessing."""
        return self.preprocess.output_shape(self.info.shape) if self.preprocess else self.info.shape

    @property
    def num_dims(self) -> int:
        """Dimensions of one raw example, without the given ones: the D of bits per dimension."""
        return math.prod(self.info.shape) - self.given * math.prod(self.info.shape[1:])

    @property
    def num_levels(self) -> int | None:
        """Raw integer levels L, or None for continuous data."""
        return self.info.num_levels

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The characters that symbols 0, 1, ... stand for; empty where there are none."""
        return self.info.vocabulary

    @property
    def is_binary(self) -> bool:
        """True if the model's space is {0, 1}."""
        levels = self.info.num_levels
        return (self.preprocess.output_levels(levels) if self.preprocess else levels) == 2

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the raw tensors of all splits: the same data, the same 64 characters.

        Windows have that of the text they were cut from.
        """
        if self.origin is not None:
            return self.origin.checksum
        digest = hashlib.sha256()
        for name in sorted(self.splits):
            split = self.splits[name]
            for part in ("x", "y", "factors", "lengths"):
                tensor = getattr(split, part)
                if tensor is not None:
                    array = tensor.cpu().contiguous().numpy()
                    digest.update(f"{name} {part} {array.dtype} {array.shape}\n".encode())
                    digest.update(array.data)
            for name_of_text, text in sorted(split.texts.items()):
                digest.update("\0".join((name, name_of_text, *text)).encode())
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
            _cat([part.lengths for part in parts]),
            {name: sum((part.texts[name] for part in parts), ()) for name in parts[0].texts},
        )

    def windows(self, length: int, *, given: int = 1) -> "Dataset":
        """The text as examples of `given + length` characters, none across the end of a split.

        Training windows start at every character, so that a shuffled batch is one of random
        places; those of the other splits follow one another so that each character, but for the
        first `given` and less than `length` at the end, is predicted exactly once.

        Args:
            length: characters that are predicted.
            given: characters before them that are only context.

        Returns:
            Splits of shape (N, given + length), views of the text: they take no memory.

        >>> from common.data import load
        >>> data = load("shakespeare_excerpt").windows(64)
        >>> data.shape, data.num_dims, data.vocabulary[:3]
        ((65,), 64, ('\\n', ' ', '!'))
        """
        if self.info.shape != () or self.origin is not None:
            raise ValueError(f"{self.name} is no running text: its examples are {self.info.shape}")
        least = min(len(split) for split in self.splits.values())
        if length < 1 or given < 0 or given + length > least:
            raise ValueError(
                f"length must be at least 1, given at least 0 and both together at most {least}, "
                f"the shortest split of {self.name}; got {length!r} and {given!r}"
            )
        splits = {
            name: replace(split, x=cut(split.x, given + length, 1 if name == "train" else length))
            for name, split in self.splits.items()
        }
        info = replace(
            self.info,
            shape=(given + length,),
            splits={name: len(split) for name, split in splits.items()},
        )
        return Dataset(info, splits, given=given, origin=self)

    def with_preprocess(self, preprocess: Preprocess | None) -> "Dataset":
        """The same raw data seen through another preprocessing; ValueError if they do not fit."""
        if preprocess is not None:
            preprocess = preprocess.bind(self.info.shape, self.info.num_levels)
            preprocess.output_shape(self.info.shape)  # refuses a shape it cannot take
        splits = {k: replace(s, preprocess=preprocess) for k, s in self.splits.items()}
        return replace(self, splits=splits, preprocess=preprocess)

    def to(self, device: torch.device | str) -> "Dataset":
        """The data set with the tensors of every split on a device."""
        splits = {name: split.to(device) for name, split in self.splits.items()}
        return replace(self, splits=splits)

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
