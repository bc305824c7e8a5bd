"""reviews/<slug>/<reviewer>.verification.md: the reviewer's word on version 2, finding by finding."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from common.course.problems import Problem
from common.course.reviewing.text import (
    TITLE,
    Document,
    finding_id,
    is_open,
    one_of,
    read_document,
    shorten,
    word,
)

SCHEMA = "verification/1"
FIELDS = ("schema", "project", "reviewer", "version")
OUTCOMES = ("verified", "not-fixed", "accepts-reason", "withdrawn")
WITH_NOTE = ("not-fixed", "withdrawn")
OTHER_OUTCOMES = {"accept-reason": "accepts-reason", "accepted": "accepts-reason"}
SUFFIX = ".verification.md"
LINE_FORM = "expected - F01: verified or - F02: not-fixed: reason"
START = re.compile(
    r"^\s*(?:[-*+•]\s*)?[*_`#\[]*\s*(?:[a-z0-9][\w-]*\s*/\s*)?(F[\s_-]?\d{1,4})(?!\w)[*_`\]]*"
    r"\s*[:：·•|–—-]*\s*(.*)$",
    re.IGNORECASE,
)
OUTCOME = re.compile(
    r"[*_`]*(not[\s_-]+fixed|accepts?[\s_-]+reason|accepted|verified|withdrawn|FILL-IN)(?![\w-])"
    r"[*_`]*\s*[:：·•|–—,.-]*\s*(.*)$",
    re.IGNORECASE,
)
OTHER = re.compile(r"([^\s:：·•|–—,]*)\s*[:：·•|–—,-]*\s*(.*)$")


@dataclass(frozen=True)
class Verdict:
    """The outcome of one finding."""

    finding: str
    outcome: str
    note: str
    line: int

    @property
    def is_open(self) -> bool:
        """Whether the outcome is yet to be filled in."""
        return not self.outcome or is_open(self.outcome)


@dataclass(frozen=True)
class Verification:
    """A verification as it was understood."""

    path: Path
    project: str
    reviewer: str
    version: str
    verdicts: tuple[Verdict, ...]
    problems: tuple[Problem, ...]
    lines: Mapping[str, int] = field(default_factory=dict)

    def line_of(self, name: str) -> int:
        """The line of a field of the front matter; 1 if it is missing."""
        return self.lines.get(name, 1)


def verification_path(root: Path, slug: str, reviewer: str) -> Path:
    """Where the verification of a reviewer is kept."""
    return root / "reviews" / slug / f"{reviewer}{SUFFIX}"


def verification_paths(root: Path, slug: str) -> list[Path]:
    """The verifications of a project, by reviewer."""
    return sorted((root / "reviews" / slug).glob(f"*{SUFFIX}"))


def read_verification(path: Path) -> Verification:
    """A verification as far as it can be understood, with what is wrong in `problems`."""
    document = read_document(path, FIELDS, SCHEMA)
    project, reviewer = document.value("project"), document.value("reviewer")
    version = document.value("version").lower()
    verdicts: list[Verdict] = []
    for index in range(document.first, len(document.lines)):
        line = document.lines[index]
        if not line.strip():
            continue
        match = None if document.fenced[index] else START.match(line)
        if match and is_verdict(line, match):
            verdicts.append(read_verdict(document, index + 1, match))
        elif TITLE.match(line):
            continue
        elif verdicts:
            note = f"{verdicts[-1].note}\n{line.strip()}".strip()
            verdicts[-1] = replace(verdicts[-1], note=note)
    lines = {name: value.line for name, value in document.fields.items()}
    return Verification(
        path, project, reviewer, version, tuple(verdicts), tuple(document.problems), lines
    )


def is_verdict(line: str, match: re.Match[str]) -> bool:
    """Whether a line that begins with an id is a finding's line, and not the text of a note."""
    is_bullet = line.lstrip()[:1] in set("-*+•") and len(line) - len(line.lstrip()) < 2
    return is_bullet or bool(OUTCOME.match(match[2]))


def read_verdict(document: Document, line: int, match: re.Match[str]) -> Verdict:
    """One finding's line."""
    identity = finding_id(match[1]) or match[1]
    known = OUTCOME.match(match[2])
    found = known or OTHER.match(match[2])
    outcome, note = re.sub(r"[\s_]+", "-", word(found[1])), found[2].strip()
    outcome = OTHER_OUTCOMES.get(outcome, outcome)
    if not outcome:
        message = f"{identity} has no outcome, expected {', '.join(OUTCOMES)}"
        document.tell(line, "verification.outcome", message, LINE_FORM)
    elif not known:
        message = f"the outcome of {identity} is {one_of(shorten(outcome), OUTCOMES)}"
        document.tell(line, "verification.outcome", message, LINE_FORM)
    return Verdict(identity, outcome, note, line)
