"""Text as symbols: a fixed vocabulary of characters, and the readers of the sets of text."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from common.data.dataset import Split
from common.data.digits import hash_order
from common.data.padding import pad
from common.data.registry import DatasetInfo


def encode(text: str, vocabulary: Sequence[str]) -> Tensor:
    """The position of each character in the vocabulary, (T,) int64; ValueError for a strange one.

    >>> encode("abba", "ab").tolist()
    [0, 1, 1, 0]
    """
    known = np.array([ord(character) for character in vocabulary])
    order = known.argsort()
    codes = np.frombuffer(text.encode("utf-32-le"), "<u4").astype(np.int64)
    place = order[known[order].searchsorted(codes).clip(max=len(known) - 1)]
    strange = codes[known[place] != codes]
    if len(strange):
        raise ValueError(
            f"{chr(strange[0])!r} is not among the {len(known)} characters of the vocabulary: "
            f"{''.join(vocabulary)!r}"
        )
    return torch.from_numpy(place)


def decode(symbols: Tensor | Sequence[int], vocabulary: Sequence[str]) -> str:
    """The text that a sequence of symbols (T,) stands for.

    >>> decode(torch.tensor([1, 0, 1]), "ab")
    'bab'
    """
    return "".join(vocabulary[int(symbol)] for symbol in symbols)


def read_running_text(info: DatasetInfo, content: dict[str, bytes]) -> dict[str, Split]:
    """One file cut into the splits in order, each (T,) symbols."""
    (data,) = content.values()
    symbols = encode(data.decode("utf-8"), info.vocabulary)
    sizes = list(info.splits.values())
    return {
        name: Split(name, part.clone())
        for name, part in zip(info.splits, symbols.split(sizes), strict=True)
    }


def read_names(info: DatasetInfo, content: dict[str, bytes]) -> dict[str, Split]:
    """The distinct names, each with its end mark, symbol 0, padded (N, T); held out by a hash.

    The published list repeats some names, which a random split would put on both sides.
    """
    names = sorted(set(content["names.txt"].decode("ascii").split()))
    text = "".join(name + info.vocabulary[0] for name in names)
    symbols = encode(text, info.vocabulary).split([len(name) + 1 for name in names])
    x, lengths = pad(symbols, info.shape[0])
    parts = hash_order(len(names), info.name).split(list(info.splits.values()))
    index = {name: part.sort().values for name, part in zip(info.splits, parts, strict=True)}
    return {name: Split(name, x[rows], lengths=lengths[rows]) for name, rows in index.items()}
