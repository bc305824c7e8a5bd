"""What reviews, responses and verifications have in common: lines, headings, ids, fields.

Reading is forgiving (documents.py undoes line ends, marks and encodings); whatever is not as it
should be becomes a Problem with its line and what was expected.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.course.documents import (
    FENCE,
    DocumentError,
    Field,
    FrontMatterError,
    front_matter,
    next_fence,
    read_text,
)
from common.course.problems import Problem
from common.projects import FILL

TITLE = re.compile(r"^( {0,3})(#{1,6})(?!#)(\s*)(.*?)\s*#*\s*$")
STRONG_SEPARATOR = re.compile(r"[·•∙‧・|–—]|\s-{1,3}\s|:\s")
FINDING_ID = re.compile(r"F[\s_-]?0*(\d{1,4})", re.IGNORECASE)
FINDING_IDS = re.compile(
    r"(?<!\w)F0*(\d{1,4})(?!\w|\.\d|[\s-]?(?:score|measure))", re.IGNORECASE | re.ASCII
)
INLINE_CODE = re.compile(r"`[^`]*`")
TURKISH = str.maketrans("İı", "ii")


@dataclass(frozen=True)
class Heading:
    """A heading outside of code: the index of its line, its level, its text.

    `is_section`: of level 2, at the margin, with a space, so that it ends what stands before it.
    """

    index: int
    level: int
    title: str
    is_section: bool


@dataclass
class Document:
    """A text in the reading: its front matter, its lines without comments, what is wrong so far."""

    path: str
    fields: dict[str, Field]
    lines: list[str]
    fenced: list[bool]
    first: int  # index of the first line after the front matter
    problems: list[Problem]

    def tell(
        self, line: int, code: str, message: str, hint: str = "", level: str = "error"
    ) -> None:
        """Note a problem."""
        self.problems.append(Problem(self.path, line, code, message, hint, level))

    def headings(self) -> list[Heading]:
        """The headings outside of code and comments."""
        found = []
        for index in range(self.first, len(self.lines)):
            line = self.lines[index]
            if "#" in line and not self.fenced[index] and (match := TITLE.match(line)):
                is_section = not match[1] and match[2] == "##" and bool(match[3])
                found.append(Heading(index, len(match[2]), match[4], is_section))
        return found

    def between(self, start: int, end: int) -> str:
        """The text of some lines, trimmed."""
        return "\n".join(self.lines[start:end]).strip()

    def value(self, name: str, *, required: bool = True) -> str:
        """A front-matter field as a text; a problem is noted if it is missing or no text."""
        found = self.fields.get(name)
        if found is None:
            if required:
                self.tell(1, "review.field", f"the front matter has no {name}")
            return ""
        if not isinstance(found.value, str):
            self.tell(found.line, "review.field", f"{name} is a list or a table, expected a text")
            return ""
        return found.value.strip()

    def line(self, name: str) -> int:
        """The line of a front-matter field; 1 if it is missing."""
        return self.fields[name].line if name in self.fields else 1


CONFLICT_HINT = "choose what stands, and remove the lines of <<<<<<<, ======= and >>>>>>>"


def read_document(path: Path, known: Sequence[str], schema: str) -> Document:
    """A text and its front matter, whose fields must be `known`; never raises for content."""
    try:
        text = read_text(path)
    except (DocumentError, OSError) as error:
        name, reason = shown(path), str(error).removeprefix(f"{path} ")
        return Document(name, {}, [], [], 0, [Problem(name, 0, "review.file", reason)])
    return parse_document(text, shown(path), known, schema)


def parse_document(text: str, name: str, known: Sequence[str], schema: str) -> Document:
    """The same from a text; `name` is the path that problems tell."""
    problems: list[Problem] = []
    fields: dict[str, Field] = {}
    first = 0
    try:
        fields, first = front_matter(text)
    except FrontMatterError as error:
        problems.append(Problem(name, error.line, "review.front-matter", str(error)))
        first = after_front_matter(text)
    lines, fenced = plain_lines(text, first, name, problems)
    problems += conflict_markers(lines, fenced, name)
    document = Document(name, {}, lines, fenced, first, problems)
    document.fields = known_fields(document, fields, known)
    found = document.value("schema")
    if found and found != schema:
        document.tell(
            document.line("schema"), "review.schema", f"schema is {one_of(found, [schema])}"
        )
    return document


def conflict_markers(lines: list[str], fenced: list[bool], name: str) -> list[Problem]:
    """The lines that a merge left behind for a person to decide."""
    return [
        Problem(name, number, "review.conflict", "a conflict of a merge is left", CONFLICT_HINT)
        for number, (line, is_code) in enumerate(zip(lines, fenced, strict=True), 1)
        if not is_code and line.startswith(("<<<<<<< ", ">>>>>>> "))
    ]


def known_fields(
    document: Document, fields: dict[str, Field], known: Sequence[str]
) -> dict[str, Field]:
    """The fields under the names that they were meant to have; unknown ones are noted."""
    found: dict[str, Field] = {}
    for name, value in fields.items():
        plain = word(name)
        if plain in known and plain not in found:
            found[plain] = value
        else:
            message = f"unknown field {one_of(name, known)}"
            document.tell(value.line, "review.field", message)
    return found


def after_front_matter(text: str) -> int:
    """The index of the line after front matter that could not be read; 0 if there is none."""
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if lines[start].strip() != "---":
        return 0
    return next((i + 1 for i in range(start + 1, len(lines)) if lines[i].strip() == "---"), 0)


def plain_lines(
    text: str, first: int, name: str, problems: list[Problem]
) -> tuple[list[str], list[bool]]:
    """The lines with comments emptied, and which of them are code.

    A comment begins at the start of a line, outside of code. A block of code or a comment that is
    never closed hides nothing: it is noted, and the rest is read as text.
    """
    lines = text.split("\n")
    fenced = [False] * len(lines)
    if "```" not in text and "~~~" not in text and "<!--" not in text:
        return lines, fenced
    index = first
    while index < len(lines):
        line = lines[index]
        if ("```" in line or "~~~" in line) and (mark := FENCE.match(line)):
            end = end_of_code(lines, index, mark[1])
            if end is None:
                message = "the block of code that begins here is never closed"
                hint = f"add a line of {mark[1]} where it ends; what follows is read as text"
                problems.append(Problem(name, index + 1, "review.code-block", message, hint))
                index += 1
            else:
                fenced[index:end] = [True] * (end - index)
                index = end
        elif "<!--" in line and line.lstrip().startswith("<!--"):
            end = next((i for i in range(index, len(lines)) if "-->" in lines[i]), None)
            if end is None:
                message = "the comment that begins here is never closed"
                problems.append(Problem(name, index + 1, "review.comment", message, "add -->"))
                index += 1
            else:
                rest = lines[end].partition("-->")[2]
                lines[index : end + 1] = [""] * (end - index) + [rest]
                index = end + (not rest.lstrip().startswith("<!--"))
        else:
            index += 1
    return lines, fenced


def end_of_code(lines: list[str], start: int, mark: str) -> int | None:
    """The index after the line that closes a block of code; None if none does."""
    for index in range(start + 1, len(lines)):
        line = lines[index]
        if (
            mark[0] in line
            and (found := FENCE.match(line))
            and not next_fence(mark, found[1], line)
        ):
            return index + 1
    return None


def open_places(path: Path) -> list[Problem]:
    """Every place of a file that is yet to be filled, outside of code and comments."""
    try:
        text = read_text(path)
    except (DocumentError, OSError):
        return []
    name = shown(path)
    lines, fenced = plain_lines(text, after_front_matter(text), name, [])
    return [
        Problem(name, number, "review.fill", fill_message(line), level="fill")
        for number, line in enumerate(lines, 1)
        if FILL in line and not fenced[number - 1] and FILL in INLINE_CODE.sub("", line)
    ]


def fill_message(line: str) -> str:
    """What is asked for at a place to fill, in a few words."""
    before, _, asked = line.partition(FILL)
    asked = "" if FILL in asked else asked.lstrip(":").strip(" ,.}]")
    asked = asked or before.strip(' -:{[·,#"')
    return f"to fill: {shorten(asked)}" if asked else "a place to fill"


def private_places(path: Path) -> list[Problem]:
    """E-mail addresses and student numbers in a file."""
    from common.course.privacy import find_private

    try:
        text = read_text(path)
    except (DocumentError, OSError):
        return []
    hint = "remove it; the public sees this file, its history too: tell the instructor"
    return [
        Problem(shown(path), found.line, "review.private", f"{found.kind}: {found.masked}", hint)
        for found in find_private(text)
    ]


def shown(path: Path) -> str:
    """A file's path as messages name it: relative to the repository, with slashes."""
    parts = path.parts
    if "reviews" in parts:
        last = len(parts) - 1 - parts[::-1].index("reviews")
        return "/".join(parts[last:])
    return path.as_posix()


def word(text: str) -> str:
    """A word as it is compared: no case, no emphasis, Turkish dotted capital read as i."""
    plain = text if text.isascii() else text.translate(TURKISH)
    return plain.strip(" \t*_`").lower()


def finding_id(text: str) -> str | None:
    """`F01` from F1, f01, F-001; None if the text is no finding's id.

    >>> finding_id("f1"), finding_id("F012"), finding_id("F1score")
    ('F01', 'F12', None)
    """
    match = FINDING_ID.fullmatch(text.strip(" \t*_`[]"))
    return f"F{int(match[1]):02d}" if match else None


def finding_ids(text: str) -> list[str]:
    """Every finding's id that a text names, in order.

    >>> finding_ids("see F3, r-07/F12 (the F1 score is another matter)")
    ['F03', 'F12']
    """
    return [f"F{int(number):02d}" for number in FINDING_IDS.findall(text)]


def one_of(value: str, expected: Iterable[str]) -> str:
    """A value beside what was expected, for a message.

    >>> one_of("mayor", ["major", "minor"])
    "'mayor', expected major or minor; did you mean 'major'?"
    """
    names = list(expected)
    listed = " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    near = difflib.get_close_matches(word(value), names, n=1) if len(names) > 1 else []
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{shorten(value)!r}, expected {listed}{hint}"


def shorten(text: str, width: int = 60) -> str:
    """A text as it fits into a message."""
    text = " ".join(text.split())
    return text if len(text) <= width else f"{text[: width - 3]}..."


def is_open(text: str) -> bool:
    """Whether a text is a place that is yet to be filled."""
    return FILL in text.upper()
