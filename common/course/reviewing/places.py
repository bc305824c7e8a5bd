"""The places that findings name, at the commit that was reviewed.

A place is a file, `model.py:41-47`, a notebook's cell `demo.ipynb#cell-12` (counted from 0, as in
the notebook's file), or a section `README.md#results` as GitHub names it. A path is relative to the
repository or to the project's folder.
"""

import difflib
import json
import posixpath
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from common.course.documents import FENCE, HEADING, DocumentError, decode, next_fence
from common.course.git import Repository
from common.course.reviewing.text import shorten

PLACE = re.compile(
    r"^(?P<path>[^#:]+?)(?:(?::|#)L?(?P<lines>\d+(?:\s*[-–—]\s*L?\d+)?(?:\s*,\s*L?\d+(?:\s*[-–—]\s*L?\d+)?)*)"
    r"|#(?P<anchor>[^#]+))?$"
)
RANGE = re.compile(r"L?(\d+)(?:\s*[-–—]\s*L?(\d+))?")
CELL = re.compile(r"cell[-_ ]?(\d+)", re.IGNORECASE)
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
HTML_ANCHOR = re.compile(r"<[a-z]\w*\s[^>]*?(?:id|name)\s*=\s*[\"']([^\"']+)[\"']", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """A place as written: the path, and its lines or its anchor."""

    path: str
    ranges: tuple[tuple[int, int], ...] = ()
    anchor: str = ""


def parse_place(text: str) -> Place | None:
    """A place from its text; None if it is not of the form.

    >>> parse_place("projects/made/model.py:41-47").ranges
    ((41, 47),)
    """
    match = PLACE.match(text.strip())
    if not match:
        return None
    path = posixpath.normpath(match["path"].strip().replace("\\", "/"))
    ranges = []
    for first, last in RANGE.findall(match["lines"] or ""):
        ranges.append((int(first[:9]), int((last or first)[:9])))
    return Place(path, tuple(ranges), (match["anchor"] or "").strip())


@dataclass
class Places:
    """The files of one commit, read when they are first asked for."""

    repository: Repository
    commit: str
    slug: str
    files: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    texts: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self):
        files = self.repository.files(self.commit)
        self.files = frozenset(files)
        self.folders = frozenset(parent for path in files for parent in parents(path))

    def resolve(self, path: str) -> str | None:
        """The file or folder that a path means: in the project, or in the repository."""
        for candidate in (f"projects/{self.slug}/{path}", path):
            if candidate in self.files or candidate in self.folders:
                return candidate
        return None

    def fault(self, text: str) -> str | None:
        """What is wrong with a place; None if it exists."""
        place = parse_place(text)
        if place is None:
            return f"{shorten(text)!r} is no place, expected file.py:41-47 or demo.ipynb#cell-12"
        path = self.resolve(place.path)
        if path is None:
            return self.unknown_path(place.path)
        if path in self.folders:
            return None if not place.ranges else f"{place.path} is a folder, it has no lines"
        if place.anchor:
            return self.anchor_fault(path, place.anchor)
        for first, last in place.ranges:
            if fault := self.range_fault(path, first, last):
                return fault
        return None

    def cited(self, places: Iterable[str]) -> set[str]:
        """The files and folders that places mean, as far as they exist."""
        parsed = (parse_place(place) for place in places)
        found = (self.resolve(place.path) for place in parsed if place)
        return {path for path in found if path}

    def unknown_path(self, path: str) -> str:
        """What to say of a path that does not exist."""
        known = [name for name in self.files if name.startswith(f"projects/{self.slug}/")]
        near = difflib.get_close_matches(
            f"projects/{self.slug}/{posixpath.basename(path)}", known, 1
        )
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{shorten(path)} does not exist at {self.commit[:7]}{hint}"

    def text(self, path: str) -> str | None:
        """A file's text; None if it is no text."""
        if path not in self.texts:
            data = self.repository.read(self.commit, path)
            try:
                self.texts[path] = None if data is None else decode(data, path)
            except DocumentError:
                self.texts[path] = None
        return self.texts[path]

    def range_fault(self, path: str, first: int, last: int) -> str | None:
        """What is wrong with a range of lines."""
        text = self.text(path)
        if text is None:
            return f"{path} is no text, it has no lines"
        length = len(text.removesuffix("\n").split("\n"))
        if first < 1 or last < first:
            return f"{path}:{first}-{last} is no range of lines, expected the smaller first, from 1"
        if last > length:
            return f"{path}:{last} is behind its end, the file has {length} lines"
        return None

    def anchor_fault(self, path: str, anchor: str) -> str | None:
        """What is wrong with a cell or a section."""
        text = self.text(path) or ""
        if path.endswith(".ipynb"):
            cells = notebook_cells(text)
            if cell := CELL.fullmatch(anchor):
                number = int(cell[1][:9])
                if number < len(cells):
                    return None
                return f"{path} has no cell {number}, it has {len(cells)}, counted from 0"
            known = [name for source in cells for name in anchors(source)]
            kind = "#cell-12 or a heading"
        elif path.lower().endswith((".md", ".markdown", ".rst", ".txt")):
            known, kind = anchors(text), "a heading as GitHub names it"
        else:
            return f"{path}#{shorten(anchor)}: expected lines, {path}:41-47"
        if anchor.lower() in known:
            return None
        near = difflib.get_close_matches(anchor.lower(), known, n=1)
        hint = f"; did you mean #{near[0]}?" if near else ""
        return f"{path} has no #{shorten(anchor)}, expected {kind}{hint}"


def parents(path: str) -> list[str]:
    """The folders that a file lies in."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def notebook_cells(text: str) -> list[str]:
    """The sources of a notebook's cells, code as empty texts; none if it is no notebook."""
    try:
        cells = json.loads(text)["cells"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    found = []
    for cell in cells if isinstance(cells, list) else ():
        source = cell.get("source", "") if isinstance(cell, dict) else ""
        is_text = isinstance(cell, dict) and cell.get("cell_type") == "markdown"
        parts = [source] if isinstance(source, str) else source if isinstance(source, list) else []
        found.append("".join(str(part) for part in parts) if is_text else "")
    return found


def anchors(text: str) -> list[str]:
    """The names that GitHub gives to a text's headings, and anchors written out."""
    found: list[str] = []
    fence = ""
    for line in text.split("\n"):
        if mark := FENCE.match(line):
            fence = next_fence(fence, mark[1], line)
        elif not fence and (heading := HEADING.match(line)):
            name = github_name(heading[2])
            repeated = sum(
                1 for other in found if re.fullmatch(rf"{re.escape(name)}(-\d+)?", other)
            )
            found.append(f"{name}-{repeated}" if repeated else name)
    return found + [name.lower() for name in HTML_ANCHOR.findall(text)]


def github_name(title: str) -> str:
    """A heading as it stands in an address.

    >>> github_name("Sampling at the *price* of `one` pass!")
    'sampling-at-the-price-of-one-pass'
    """
    plain = LINK.sub(r"\1", title).replace("*", "").lower().strip()
    kept = (c for c in plain if c in " -_" or unicodedata.category(c)[0] in "LN" or c == "\u0307")
    return "".join(kept).replace(" ", "-")
