"""Pages and files of the site: what a part of it hands to the builder.

A part is a module with a function `pages(site) -> Iterable[Page | File]` that is named in build.py.
Links are relative, so that the site works from a folder, from a disk and under any address.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from common.course.records import Assignments, Frozen, read_assignments, read_frozen
from common.course.site.entries import Entry
from common.projects import ROOT

TEMPLATES = ROOT / "templates" / "site"
NAME = "Deep generative models"
NAVIGATION = (
    ("index.html", "Gallery"),
    ("comparisons.html", "Comparisons"),
    ("laws.html", "Laws"),
    ("reference/index.html", "Reference"),
    ("course.html", "Course"),
)


@dataclass(frozen=True)
class Site:
    """What every page may ask of the whole: the tree, where it will stand, and its projects."""

    root: Path
    entries: tuple[Entry, ...]
    address: str = ""  # https://... without a slash at the end; empty where it is not known
    repository: str = ""  # the web address of its files, https://github.com/.../blob/main

    @cached_property
    def by_slug(self) -> Mapping[str, Entry]:
        """The projects by slug."""
        return {entry.slug: entry for entry in self.entries}

    @cached_property
    def assignments(self) -> Assignments:
        """Who reviews what."""
        return read_assignments(self.root)

    @cached_property
    def frozen(self) -> Frozen:
        """Which versions count."""
        return read_frozen(self.root)


@dataclass(frozen=True)
class Page:
    """One page. `body` is HTML that is shown as it is: escape or sanitise before.

    `template` extends base.html; page.html, the default, has a heading and the body. `context` is for
    templates of their own. `section` is the path of the navigation's entry that the page belongs to,
    `picture` the path of the picture that a link to the page shows elsewhere (Open Graph). The search
    looks through `searched`, HTML with the headings that it leads to.
    """

    path: str
    title: str
    body: str = ""
    description: str = ""
    section: str = ""
    template: str = "page.html"
    context: Mapping[str, Any] = field(default_factory=dict)
    picture: str = ""
    searched: str = ""

    def url(self, path: str) -> str:
        """The relative link from this page to another path of the site, fragment included."""
        return relative(self.path, path)


@dataclass(frozen=True)
class File:
    """Anything that is no page: a picture, a feed, a script."""

    path: str
    data: bytes


def relative(start: str, target: str) -> str:
    """The link from a page to a path of the site; outside addresses and fragments stay.

    >>> relative("projects/vae/index.html", "laws.html#normalisation")
    '../../laws.html#normalisation'
    >>> relative("index.html", "https://example.org"), relative("a/b.html", "a/c.html")
    ('https://example.org', 'c.html')
    """
    if target.startswith("#") or "://" in target or target.startswith("mailto:"):
        return target
    path, mark, fragment = target.partition("#")
    return posixpath.relpath(path, posixpath.dirname(start) or ".") + mark + fragment
