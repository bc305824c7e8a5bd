"""The fields of a finding or an answer: `- name: text`, the text going on below it."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from common.course.reviewing.text import Document, one_of, shorten, word

FIELD = re.compile(
    r"^(\s*)([-*+•](?:\s+|(?=\*\*)))?[*_`]{0,3}([^\W\d][\w-]*)[*_`]{0,3}\s*[:：](.*)$"
)


@dataclass
class Value:
    """A field of a finding or an answer, with the line it begins on."""

    line: int
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The field as one text: later lines without their common indentation."""
        first = self.parts[0].strip() if self.parts else ""
        if len(self.parts) < 2:
            return first
        rest = [part.rstrip() for part in self.parts[1:]]
        while rest and not rest[-1]:
            rest.pop()
        rest = [part.expandtabs(4) if "\t" in part else part for part in rest]
        cut = min([len(part) - len(part.lstrip()) for part in rest if part], default=0)
        return "\n".join([first, *(part[cut:] for part in rest)]).strip()


def read_values(
    document: Document, start: int, end: int, known: Sequence[str], what: str
) -> dict[str, Value]:
    """The fields `- name: text` between two lines; what follows a field belongs to it.

    A field is a bullet at the depth of the first one, or a line that begins with the name of a
    field that was not there yet.
    """
    found: dict[str, Value] = {}
    current: Value | None = None
    depth: int | None = None
    for index in range(start, end):
        line = document.lines[index]
        is_text = (":" in line or "：" in line) and not document.fenced[index]
        match = FIELD.match(line) if is_text else None
        if match and is_field(match, depth, known, found):
            name = word(match[3])
            if name not in known:
                document.tell(index + 1, "review.field", f"unknown field {one_of(name, known)}")
                name = difflib.get_close_matches(name, known, n=1)[0]
            if name in found:
                document.tell(index + 1, "review.field", f"{what} has {name} twice; keep one")
            current = found.setdefault(name, Value(index + 1))
            current.parts.append(match[4].lstrip(" \t*_"))
            depth = width(match[1]) if depth is None else depth
        elif current is not None:
            current.parts.append(line)
        elif line.strip():
            message = f"{what} has text before its first field: {shorten(line)!r}"
            document.tell(index + 1, "review.text", message, f"expected - {known[0]}: ...")
            current = Value(index + 1)  # told once
    return found


def is_field(
    match: re.Match[str], depth: int | None, known: Sequence[str], found: dict[str, Value]
) -> bool:
    """Whether a line `- name: text` begins a field, and not a line of the field before."""
    name = word(match[3])
    at_depth = depth is None or width(match[1]) <= depth + 1
    if name in known:
        return at_depth and (bool(match[2]) or name not in found)
    return at_depth and bool(match[2]) and bool(difflib.get_close_matches(name, known, 1, 0.8))


def width(blank: str) -> int:
    """How deep a line is indented."""
    return len(blank.expandtabs(4))
