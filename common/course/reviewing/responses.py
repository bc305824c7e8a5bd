"""reviews/<slug>/response.md: the developers' answer to every finding of every reviewer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common.course.problems import Problem
from common.course.reviewing.fields import Value, read_values
from common.course.reviewing.text import (
    Document,
    Heading,
    finding_id,
    is_open,
    one_of,
    parse_document,
    read_document,
    shorten,
    shown,
    word,
)

SCHEMA = "response/1"
FIELDS = ("schema", "project")
STATUSES = ("fixed", "partly", "declined", "cannot-reproduce", "duplicate", "deferred")
WITH_COMMITS = ("fixed", "partly")
WITH_REASON = ("partly", "declined", "cannot-reproduce", "deferred")
ANSWER_FIELDS = ("status", "commits", "reason")
OTHER_STATUSES = {"partially-fixed": "partly", "partial": "partly", "wont-fix": "declined"}
HEADING_FORM = "expected ## r-07/F01 · title"
START = re.compile(
    r"^[\s*_`\[]*(?:([a-z0-9][\w-]*)\s*/\s*)?(F[\s_-]?\d{1,4})(?!\w)[\s*_`\]]*(.*)$", re.IGNORECASE
)
COMMIT = re.compile(r"[0-9a-f]{7,64}")
BETWEEN_COMMITS = re.compile(r"[\s,;`\[\]()]+")


@dataclass(frozen=True)
class Answer:
    """The answer to one finding. `reviewer` is empty where the heading named none."""

    reviewer: str
    finding: str
    status: str
    commits: tuple[str, ...]
    reason: str
    line: int
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The finding by its full name, `r-07/F01`."""
        return f"{self.reviewer}/{self.finding}" if self.reviewer else self.finding

    @property
    def is_open(self) -> bool:
        """Whether the status is yet to be filled in."""
        return not self.status or is_open(self.status)

    def line_of(self, name: str) -> int:
        """The line of a field, or of the heading if the field is missing."""
        return self.lines.get(name, self.line)


@dataclass(frozen=True)
class Response:
    """A response as it was understood."""

    path: Path
    project: str
    answers: tuple[Answer, ...]
    problems: tuple[Problem, ...]


def response_path(root: Path, slug: str) -> Path:
    """Where the response of a project is kept."""
    return root / "reviews" / slug / "response.md"


def read_response(path: Path) -> Response:
    """A response as far as it can be understood, with what is wrong in `problems`."""
    return response_of(read_document(path, FIELDS, SCHEMA), path)


def parse_response(text: str, path: Path) -> Response:
    """The same from a text that was read elsewhere, of a file at `path`."""
    return response_of(parse_document(text, shown(path), FIELDS, SCHEMA), path)


def response_of(document: Document, path: Path) -> Response:
    """A document as a response."""
    project = document.value("project")
    answers: list[Answer] = []
    headings = [h for h in document.headings() if h.is_section or START.match(h.title)]
    for position, heading in enumerate(headings):
        last = position + 1 == len(headings)
        end = len(document.lines) if last else headings[position + 1].index
        if match := START.match(heading.title):
            answers.append(read_answer(document, heading, match, end))
        else:
            message = f"the heading {shorten(heading.title)!r} names no finding"
            document.tell(heading.index + 1, "response.heading", message, HEADING_FORM, "warning")
    return Response(path, project, tuple(answers), tuple(document.problems))


def read_answer(document: Document, heading: Heading, match: re.Match[str], end: int) -> Answer:
    """The answer below a heading."""
    identity = finding_id(match[2]) or match[2]
    reviewer = (match[1] or "").lower()
    name = f"{reviewer}/{identity}" if reviewer else identity
    values = read_values(document, heading.index + 1, end, ANSWER_FIELDS, name)
    status = word(values["status"].text) if "status" in values else ""
    if not is_open(status):
        status = re.sub(r"[\s_]+", "-", status.rstrip(".")).replace("'", "").replace("’", "")
        status = OTHER_STATUSES.get(status, status)
    line = values["status"].line if "status" in values else heading.index + 1
    if "status" not in values:
        document.tell(line, "response.status", f"{name} has no status", "- status: fixed")
    elif not status:
        message = f"the status of {name} is empty, expected {', '.join(STATUSES)}"
        document.tell(line, "response.status", message)
    elif status not in STATUSES and not is_open(status):
        message = f"status of {name} is {one_of(status, STATUSES)}"
        document.tell(line, "response.status", message)
    commits = read_commits(document, name, values["commits"]) if "commits" in values else ()
    reason = values["reason"].text if "reason" in values else ""
    lines = {field_name: value.line for field_name, value in values.items()}
    return Answer(reviewer, identity, status, commits, reason, heading.index + 1, lines)


def read_commits(document: Document, name: str, value: Value) -> tuple[str, ...]:
    """The commits of an answer; what is no commit is noted."""
    if is_open(value.text):
        return ()
    found = []
    for part in BETWEEN_COMMITS.split(value.text.lower()):
        part = part.strip(".")
        if COMMIT.fullmatch(part):
            found.append(part)
        elif part not in {"", "-", "–", "—", "none", "and"}:
            message = f"{name} names the commit {shorten(part)!r}, expected 7 to 40 hex digits"
            document.tell(value.line, "response.commits", message, "git log --oneline lists them")
    return tuple(found)
