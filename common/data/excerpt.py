"""A few pages of Tiny Shakespeare in the repository: text where there is no network."""

from pathlib import Path

from common.data.digits import RawSplit
from common.data.registry import DatasetInfo

FILE = Path(__file__).parent / "texts" / "shakespeare_excerpt.txt"


def make_excerpt(info: DatasetInfo) -> dict[str, RawSplit]:
    """The file cut into the splits in order, each (T,) int64 symbols."""
    from common.data.text import encode

    symbols = encode(FILE.read_text(encoding="ascii"), info.vocabulary)
    parts = symbols.split(list(info.splits.values()))
    return {name: (part.clone(), None, None) for name, part in zip(info.splits, parts, strict=True)}
