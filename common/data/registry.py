"""The table of data sets: what each is, where its files are, what they must sum to.

Plain data, no torch: listing the sets costs nothing.
"""

import difflib
from dataclasses import dataclass, field

from common.data.errors import DataError


@dataclass(frozen=True)
class RemoteFile:
    """One archive: its path below DGM_DATA and DGM_MIRROR alike, its addresses, its checksum."""

    path: str
    md5: str | None = None
    sha256: str | None = None
    size: int | None = None
    urls: tuple[str, ...] = ()

    @property
    def checksum(self) -> tuple[str, str]:
        """(algorithm, hexadecimal digest), the strongest that is known."""
        return ("sha256", self.sha256) if self.sha256 else ("md5", self.md5)


@dataclass(frozen=True)
class DatasetInfo:
    """What there is to know of a data set before it is loaded.

    `forms` are alternative sets of files with the same content, the preferred first; the last
    one is the one that is published.
    """

    name: str
    title: str
    shape: tuple[int, ...]
    splits: dict[str, int]
    num_levels: int | None
    licence: str
    citation: str
    source: str
    num_classes: int | None = None
    class_names: tuple[str, ...] = ()
    licence_url: str = ""
    embedded: bool = False
    notes: str = ""
    forms: tuple[tuple[RemoteFile, ...], ...] = ()
    checksum: str | None = None  # `Dataset.checksum` of what was loaded when the entry was written
    torchvision_class: str | None = None  # whose tables give the addresses
    factors: dict[str, tuple] = field(default_factory=dict)  # name -> values, of each column
    is_sequence: bool = False  # the first dimension of an example is steps
    vocabulary: tuple[str, ...] = ()  # the characters that symbols 0, 1, ... stand for

    @property
    def files(self) -> tuple[RemoteFile, ...]:
        """Every file of every form, with its checksum."""
        return tuple(file for form in self.forms for file in form)


def get_info(name: str) -> DatasetInfo:
    """The entry of one data set; DataError with the nearest name if there is none.

    >>> get_info("digits").splits
    {'train': 1199, 'valid': 299, 'test': 299}
    """
    from common.data.catalogue import ALIASES, CATALOGUE

    name = ALIASES.get(name, name)
    if name in CATALOGUE:
        return CATALOGUE[name]
    wanted = str(name).lower().replace("-", "_")
    near = difflib.get_close_matches(wanted, CATALOGUE, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise DataError(
        f"no data set is called {name!r}; {hint}There are: {', '.join(CATALOGUE)}. "
        "`dgm data list` tells more."
    )
