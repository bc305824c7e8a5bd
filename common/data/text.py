"""Text as symbols: a fixed vocabulary of characters, and the readers of the sets of text."""

from collections.abc import Sequence

import torch
from torch import Tensor

from common.data.dataset import Split
from common.data.registry import DatasetInfo


def encode(text: str, vocabulary: Sequence[str]) -> Tensor:
    """The position of each character in the vocabulary, (T,) int64; ValueError for a strange one.

    >>> encode("abba", "ab").tolist()
    [0, 1, 1, 0]
    """
    place = {character: i for i, character in enumerate(vocabulary)}
    strange = sorted(set(text) - place.keys())
    if strange:
        raise ValueError(
            f"{strange[0]!r} is not among the {len(place)} characters of the vocabulary: "
            f"{''.join(vocabulary)!r}"
        )
    return torch.tensor([place[character] for character in text], dtype=torch.int64)


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
