"""Parts of the site that are kept between builds while their files stay the same."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from common.course.site.pages import File, Page


@dataclass(frozen=True)
class Part:
    """Pages and files that are made from these files and from nothing else.

    No name of a part is a slug: it has a full stop in it.
    """

    name: str
    inputs: tuple[Path, ...]
    pages: Callable[[], Iterable[Page | File]]
