"""What goes into rendering and what comes out: the place of a document, and its safe HTML."""

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

OUTSIDE = re.compile(r"(?:https?://|mailto:)[^\s\\<>\"'`]+", re.IGNORECASE)


@dataclass(frozen=True)
class Heading:
    """A heading of a rendered document, for a table of contents: its level on the page, id, text."""

    level: int
    id: str
    text: str


@dataclass(frozen=True)
class Fragment:
    """Safe HTML, the files that it shows (by their path relative to the page), and its headings."""

    html: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    headings: tuple[Heading, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where an untrusted document stands.

    `base` is its folder in the repository ("projects/vae"). `resolve` gives the link for a path of the
    repository, or None where the site has nothing under it: the link then becomes text. `prefix` is
    put before every id, so that documents on one page cannot meet; `top` is the level of the
    document's first headings; `media` the folder, relative to the page, of the pictures it carries.
    """

    base: str = ""
    resolve: Callable[[str], str | None] = lambda path: None
    prefix: str = "doc"
    top: int = 2
    media: str = "media"

    def link(self, target: str) -> str | None:
        """A link of the document as a link of the page; None if it leads nowhere or to harm.

        >>> place = Place("projects/vae", {"projects/vae/model.py": "code.html"}.get, "readme")
        >>> place.link("model.py#L3"), place.link("#Run It"), place.link("https://example.org")
        ('code.html#L3', '#readme-run-it', 'https://example.org')
        >>> place.link("../../../etc/passwd"), place.link("javascript:alert(1)")
        (None, None)
        """
        target = target.strip()
        if target.startswith("#"):
            return f"#{self.prefix}-{slug(unquote(target[1:]))}"
        if OUTSIDE.fullmatch(target):
            return target
        path = self.repository_path(target)
        link = path and self.resolve(path)
        fragment = target.partition("#")[2]
        if not link or not fragment or "#" in link or not re.fullmatch(r"[\w.:-]+", fragment):
            return link or None
        return f"{link}#{fragment}"

    def repository_path(self, target: str) -> str | None:
        """The path of the repository that a relative link means; None if it is none."""
        try:
            parts = urlsplit(target)
        except ValueError:
            return None
        path = unquote(parts.path)
        if parts.scheme or parts.netloc or not path or "\\" in path or not path.isprintable():
            return None
        path = path[1:] if path.startswith("/") else f"{self.base}/{path}"
        path = posixpath.normpath(path).removeprefix("/")
        return None if path == ".." or path.startswith("../") else path


def slug(text: str) -> str:
    """The id of a heading, as GitHub makes it; Jupyter's own ids come out the same.

    >>> slug("6. Figures and tables"), slug("6.-Figures-and-tables")
    ('6-figures-and-tables', '6-figures-and-tables')
    """
    kept = re.sub(r"[^\w\s-]", "", text.strip().lower())
    return re.sub(r"\s", "-", kept) or "section"
