"""`load(name)`: from a name to tensors."""

import os
from collections.abc import Callable

import torch

from common.data.dataset import Dataset, Split
from common.data.densities import DENSITIES
from common.data.digits import RawSplit, make_digits
from common.data.preprocess import Preprocess
from common.data.registry import DatasetInfo, get_info


def load(
    name: str, *, preprocess: Preprocess | None = None, root: str | os.PathLike | None = None
) -> Dataset:
    """Load a data set by name, all of it in memory.

    An embedded set is made on the spot. The files of a downloaded one are taken from `root` or
    from the mirror, and their checksums proved, at every load. Nothing is taken from the public
    network here: that is `dgm data fetch NAME`.

    Args:
        name: one of `dgm data list`.
        preprocess: applied to every batch; its open parameters are taken from the data.
        root: where sets live; default $DGM_DATA, else data/ in the repository.

    Returns:
        The data set with the splits train, valid and test, where all three exist.

    Raises:
        DataError: unknown name; files missing, truncated or corrupt; mirror unreachable.
        ValueError: the preprocessing does not fit the data.

    >>> data = load("digits")
    >>> data.train.batch(slice(0, 5)).shape, data.num_levels
    (torch.Size([5, 1, 8, 8]), 17)
    >>> load("ring").density.has_log_prob
    True
    """
    info = get_info(name)
    splits = _embedded(info) if info.embedded else _stored(info, root)
    density = DENSITIES[name]() if name in DENSITIES else None
    return Dataset(info, splits, None, density).with_preprocess(preprocess)


def _embedded(info: DatasetInfo) -> dict[str, Split]:
    from common.data.excerpt import make_excerpt
    from common.data.shapes import make_shapes

    makers: dict[str, Callable[[], dict[str, RawSplit]]] = {
        "digits": make_digits,
        "shapes": make_shapes,
        "shakespeare_excerpt": lambda: make_excerpt(info),
    }
    raw = makers[info.name]() if info.name in makers else _points(info)
    return {key: Split(key, x, y, None, factors) for key, (x, y, factors) in raw.items()}


def _points(info: DatasetInfo) -> dict[str, RawSplit]:
    """Fixed draws of a two-dimensional density; each split from a generator of its own."""
    density = DENSITIES[info.name]()
    return {
        split: (
            density.sample(
                size, generator=torch.Generator().manual_seed(seed), dtype=torch.float32
            ),
            None,
            None,
        )
        for seed, (split, size) in enumerate(info.splits.items(), start=2026)
    }


def _stored(info: DatasetInfo, root: str | os.PathLike | None) -> dict[str, Split]:
    from common.data.fetch import read_files
    from common.data.readers import read

    return read(info, read_files(info, root))
