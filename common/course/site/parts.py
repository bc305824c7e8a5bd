"""Parts of the site that are kept between builds while what they are made from stays the same."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from common.course.site.links import Links
from common.course.site.pages import File, Page


@dataclass(frozen=True)
class Part:
    """Pages and files that are made from these files and facts and from nothing else.

    `facts` are compared by their `repr`. A part of a project has its slug, and `links` of its own,
    which remember what it asked.
    """

    name: str
    inputs: tuple[Path, ...]
    pages: Callable[[], Iterable[Page | File]]
    facts: tuple[object, ...] = ()
    slug: str = ""
    links: Links | None = None
