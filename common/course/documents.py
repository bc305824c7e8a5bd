"""Text that people write, read forgivingly: any line ends, a BOM, tabs, old Windows encodings.

A document is lines; front matter is YAML between two `---` lines, read without guessing types (a
commit of digits stays a text); sections are headings outside fenced code.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import yaml

from common.errors import UserError

MAX_BYTES = 2_000_000
FENCE = re.compile(r"^\s*(?:>\s*)?(`{3,}|~{3,})")
ALIAS = re.compile(r"(?:^|[\s\[{,:-])([&*][\w-]+)(?:$|[\s,\]}])", re.MULTILINE)
HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")


class DocumentError(UserError):
    """A document that does not exist or is no text."""


def refuse_links(root: Path, path: Path) -> None:
    """Raise DocumentError if a folder between the root and a path is a link: it leads elsewhere."""
    for place in (path, *path.parents):
        if place == root:
            return
        if place.is_symlink():
            raise DocumentError(
                f"{place} is a link; put a file or folder there, nothing was written."
            )


class FrontMatterError(ValueError):
    """Front matter that is not YAML of the expected kind; `line` says where."""

    def __init__(self, line: int, message: str):
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Field:
    """A value of the front matter and the line it stands on."""

    value: object
    line: int


@dataclass(frozen=True)
class Section:
    """A heading (level, text, line) and the lines below it up to the next of its level or above."""

    level: int
    title: str
    line: int
    body: tuple[str, ...]

    def numbered(self) -> Iterator[tuple[int, str]]:
        """The body's lines with their numbers in the document."""
        return enumerate(self.body, self.line + 1)

    @property
    def text(self) -> str:
        """The body as one text, trimmed."""
        return "\n".join(self.body).strip()


def read_text(path: Path) -> str:
    """A person's text with Unix line ends, whatever it was saved as; raises DocumentError.

    A link is refused: it could lead to any file of the machine that reads it.
    """
    for place in (path, path.parent):
        if place.is_symlink():
            raise DocumentError(f"{place} is a link, expected a file; put the text itself there.")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DocumentError(f"{path} has {size:,} bytes, expected at most {MAX_BYTES:,}.")
        data = path.read_bytes()
    except FileNotFoundError:
        raise DocumentError(f"{path} does not exist.") from None
    except IsADirectoryError:
        raise DocumentError(f"{path} is a folder, expected a text file.") from None
    return decode(data, path)


def decode(data: bytes, name: object = "text") -> str:
    """Bytes as text: UTF-8 or UTF-16 with a BOM, else UTF-8, else Turkish Windows (cp1254)."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1254", "replace")
    if "\0" in text:
        raise DocumentError(f"{name} is binary, expected a text file.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def front_matter(text: str) -> tuple[dict[str, Field], int]:
    """The fields of the front matter with their lines, and the index of the first line after it.

    Every scalar stays a text. Raises FrontMatterError if there is none, or it is no YAML mapping.
    """
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if lines[start].strip() != "---":
        message = "expected front matter: a first line of --- and fields such as `schema: review/1`"
        raise FrontMatterError(start + 1, message)
    end = next((i for i in range(start + 1, len(lines)) if lines[i].strip() == "---"), None)
    if end is None:
        raise FrontMatterError(start + 1, "the front matter has no closing line of ---")
    block = "\n".join(line.replace("\t", "  ") for line in lines[start + 1 : end])
    if alias := ALIAS.search(block):
        line = start + 2 + block.count("\n", 0, alias.start(1))
        raise FrontMatterError(line, "YAML anchors and aliases are not read; write the text out")
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        node = yaml.compose(block, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = start + 2 + (mark.line if mark else 0)
        raise FrontMatterError(line, f"not YAML: {getattr(error, 'problem', error)}") from None
    if node is None:
        return {}, end + 1
    if not isinstance(node, yaml.MappingNode):
        raise FrontMatterError(start + 2, "expected fields, one `name: value` a line")
    fields: dict[str, Field] = {}
    for key, value in node.value:
        line = start + 2 + key.start_mark.line
        if key.value in fields:
            raise FrontMatterError(line, f"{key.value} is there twice; keep one")
        fields[str(key.value)] = Field(plain(value), line)
    return fields, end + 1


def plain(node: yaml.Node) -> object:
    """A YAML node as texts, lists and dictionaries of texts."""
    if isinstance(node, yaml.SequenceNode):
        return [plain(item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): plain(value) for key, value in node.value}
    return node.value


def sections(text: str, *, level: int = 2, first_line: int = 0) -> list[Section]:
    """The sections of one heading level; deeper headings stay in the body, as does fenced code.

    `first_line` is the index of the line to begin at (after the front matter).

    >>> [s.title for s in sections("## A\\n```\\n## not one\\n```\\n### deeper\\n## B")]
    ['A', 'B']
    """
    lines = text.split("\n")
    starts: list[tuple[int, int, str]] = []
    fence = ""
    for number in range(first_line, len(lines)):
        line = lines[number]
        if mark := FENCE.match(line):
            fence = next_fence(fence, mark.group(1), line)
        elif not fence and line.startswith("#") and (heading := HEADING.match(line)):
            starts.append((number, len(heading.group(1)), heading.group(2)))
    starts = [start for start in starts if start[1] <= level]
    end = (len(lines), 0, "")
    return [
        Section(depth, title, number + 1, tuple(lines[number + 1 : after]))
        for (number, depth, title), (after, _, _) in pairwise([*starts, end])
        if depth == level
    ]


def next_fence(open_fence: str, mark: str, line: str) -> str:
    """The fence that is open after a line with a fence mark: "" if it closed one."""
    if not open_fence:
        return mark
    closes = mark[0] == open_fence[0] and len(mark) >= len(open_fence)
    return "" if closes and line.strip().strip(">").strip() == mark else open_fence
