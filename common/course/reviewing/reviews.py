"""reviews/<slug>/<reviewer>.md: one reviewer's review of version 1, read forgivingly.

`read_review` never raises for what a person wrote: what is wrong is in the review's `problems`, each
with its line, and everything that could be understood is there. What needs the repository (the
commit, the places, the assignment) is proved by checks.py.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common.course.cycle import SEVERITIES
from common.course.problems import Problem
from common.course.reviewing.checklist_lines import ChecklistItem, read_checklist
from common.course.reviewing.fields import Value, read_values
from common.course.reviewing.text import (
    STRONG_SEPARATOR,
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

SCHEMA = "review/1"
FIELDS = ("schema", "project", "reviewer", "commit", "verdict", "environment", "conflict")
VERDICTS = ("ready", "minor", "major", "not-runnable")
AREAS = (
    "goals",
    "fidelity",
    "correctness",
    "reproducibility",
    "evaluation",
    "notebook",
    "code",
    "documentation",
    "provenance",
    "privacy",
)
OTHER_AREAS = {  # what people write for an area
    "goal": "goals",
    "fidelity to the paper": "fidelity",
    "code and tests": "code",
    "tests": "code",
    "testing": "code",
    "docs": "documentation",
    "documentation and discussion": "documentation",
    "discussion": "documentation",
    "provenance and licence": "provenance",
    "licence": "provenance",
    "license": "provenance",
    "performance": "code",
}
FINDING_FIELDS = ("where", "paper", "evidence", "suggestion")
HEADING_FORM = "expected ## F01 · major · correctness · short title in plain words"
SECTIONS = ("summary", "checklist", "goals", "what the programs found", "findings")
COMMENTS = ("further comments", "comments")
START = re.compile(
    r"^[\s*_`\[]*(?:finding\s+)?(F[\s_-]?\d{1,4})(?!\w)[\s*_`\]]*(.*)$", re.IGNORECASE
)
BROKEN_START = re.compile(r"^\W*(?:finding\b|F[\s_-]?[\dOIl]{1,4}\b)", re.IGNORECASE)
GAP = r"(?:\s*[·•∙‧・|–—:,]\s*|\s+-{1,3}\s+|\s+)"
WORDS = re.compile(rf"^{GAP}?([^\s·•∙‧・|–—:,]+)(?:{GAP}([^\s·•∙‧・|–—:,]+)(?:{GAP}(.*))?)?$")
FIRST_GAP = re.compile(r"^\s*(?:[·•∙‧・|–—:,]|-{1,3}(?=\s))?\s*")
REMARK = re.compile(r"(?:^|\s)\([^()]*\)")
PLACE_SEPARATOR = re.compile(r"[;\n]|,\s+(?=[`\w./-]*[A-Za-z])")


@dataclass(frozen=True)
class Finding:
    """One mistake: unique by `id` in its review. `lines` tells the line of each field."""

    id: str
    severity: str
    area: str
    title: str
    line: int
    where: tuple[str, ...]
    paper: str
    evidence: str
    suggestion: str
    lines: Mapping[str, int] = field(default_factory=dict)

    def line_of(self, name: str) -> int:
        """The line of a field, or of the heading if the field is missing."""
        return self.lines.get(name, self.line)


@dataclass(frozen=True)
class Review:
    """A review as it was understood.

    `lines` tells the line of each field of the front matter and of each section (`## checklist`).
    """

    path: Path
    project: str
    reviewer: str
    commit: str
    verdict: str
    environment: Mapping[str, object]
    conflict: str
    summary: str
    checklist: tuple[ChecklistItem, ...]
    findings: tuple[Finding, ...]
    comments: str
    problems: tuple[Problem, ...]
    lines: Mapping[str, int] = field(default_factory=dict)

    def line_of(self, name: str) -> int:
        """The line of a field or a section; 1 if it is missing."""
        return self.lines.get(name, 1)


def is_review(path: Path) -> bool:
    """Whether a file of reviews/<slug>/ is a review, by its name."""
    return path.suffix == ".md" and path.name != "response.md" and ".verification" not in path.name


def review_paths(root: Path, slug: str) -> list[Path]:
    """The reviews of a project, by reviewer."""
    return sorted(path for path in (root / "reviews" / slug).glob("*.md") if is_review(path))


def read_review(path: Path) -> Review:
    """A review as far as it can be understood, with what is wrong in `problems`."""
    return review_of(read_document(path, FIELDS, SCHEMA), path)


def parse_review(text: str, path: Path) -> Review:
    """The same from a text that was read elsewhere, of a file that is or was at `path`."""
    return review_of(parse_document(text, shown(path), FIELDS, SCHEMA), path)


def review_of(document: Document, path: Path) -> Review:
    """A document as a review."""
    project, reviewer = document.value("project"), document.value("reviewer")
    commit, verdict = document.value("commit").lower(), read_verdict(document)
    environment, conflict = read_environment(document), document.value("conflict")
    sections: dict[str, tuple[int, int]] = {}
    findings: list[Finding] = []
    parts = document_parts(document)
    for position, (heading, kind) in enumerate(parts):
        start = heading.index + 1
        end = parts[position + 1][0].index if position + 1 < len(parts) else len(document.lines)
        if kind == "finding":
            findings.append(read_finding(document, heading, end))
        elif kind in sections:
            document.tell(start, "review.section", f"the section {kind!r} is there twice; keep one")
        else:
            sections[kind] = (start, end)
    for name in ("summary", "checklist"):
        if name not in sections:
            document.tell(1, "review.section", f"there is no section ## {name.capitalize()}")
    return Review(
        path=path,
        project=project,
        reviewer=reviewer,
        commit=commit,
        verdict=verdict,
        environment=environment,
        conflict=conflict,
        summary=document.between(*sections.get("summary", (0, 0))),
        checklist=read_checklist(document, *sections.get("checklist", (0, 0))),
        findings=tuple(findings),
        comments=document.between(*sections.get("comments", (0, 0))),
        problems=tuple(document.problems),
        lines={name: value.line for name, value in document.fields.items()}
        | {f"## {name}": start for name, (start, _) in sections.items()},
    )


def read_verdict(document: Document) -> str:
    """The verdict by one of its four names, however it is capitalised."""
    verdict = word(document.value("verdict")).replace(" ", "-").replace("_", "-")
    if verdict and verdict not in VERDICTS and not is_open(verdict):
        line = document.line("verdict")
        document.tell(line, "review.verdict", f"verdict is {one_of(verdict, VERDICTS)}")
    return verdict


def read_environment(document: Document) -> Mapping[str, object]:
    """The environment as a table; its fields are proved in checks.py."""
    found = document.fields.get("environment")
    if found is None:
        document.tell(1, "review.field", "the front matter has no environment")
        return {}
    if not isinstance(found.value, dict):
        form = 'expected {python: "3.11", device: cpu, ran: [install, demo, smoke]}'
        message = f"environment is {shorten(str(found.value))!r}, {form}"
        document.tell(found.line, "review.environment", message)
        return {}
    return found.value


def document_parts(document: Document) -> list[tuple[Heading, str]]:
    """The headings that begin a part, each with its kind: finding, a section's name, or unknown."""
    parts: list[tuple[Heading, str]] = []
    for heading in document.headings():
        name = word(heading.title).rstrip(":.")
        if starts_finding(heading.title):
            parts.append((heading, "finding"))
        elif name in SECTIONS[:2] or (name in SECTIONS and heading.level <= 2):
            parts.append((heading, name))
        elif name in COMMENTS:
            parts.append((heading, "comments"))
        elif heading.is_section:
            unknown_heading(document, heading)
            parts.append((heading, f"unknown {heading.index}"))
    return parts


def unknown_heading(document: Document, heading: Heading) -> None:
    """Note a heading that is neither a finding nor a section."""
    looks_like = BROKEN_START.match(heading.title) or any(
        severity in word(heading.title).split() for severity in SEVERITIES
    )
    message = f"the heading {shorten(heading.title)!r} is no finding and no section"
    level = "error" if looks_like else "warning"
    document.tell(heading.index + 1, "review.heading", message, HEADING_FORM, level)


def starts_finding(title: str) -> bool:
    """Whether a heading is that of a finding: an id, then nothing, a separator or a severity."""
    match = START.match(title)
    if not match:
        return False
    rest = match[2]
    if not rest or FIRST_GAP.match(rest)[0].strip():
        return True
    first = WORDS.match(rest)
    return bool(first) and word(first[1]) in SEVERITIES


def read_finding(document: Document, heading: Heading, end: int) -> Finding:
    """The finding below a heading."""
    line = heading.index + 1
    match = START.match(heading.title)
    identity = finding_id(match[1]) or match[1]
    severity, area, title = heading_parts(document, line, match[2])
    values = read_values(document, heading.index + 1, end, FINDING_FIELDS, identity)

    def text(name: str) -> str:
        return values[name].text if name in values else ""

    return Finding(
        id=identity,
        severity=severity,
        area=area,
        title=title,
        line=line,
        where=places(values["where"]) if "where" in values else (),
        paper=text("paper"),
        evidence=text("evidence"),
        suggestion=text("suggestion"),
        lines={name: value.line for name, value in values.items()},
    )


def heading_parts(document: Document, line: int, rest: str) -> tuple[str, str, str]:
    """Severity, area and title of a finding's heading, the first two by their names."""
    severity, area, title = split_heading(rest)
    severity, area = word(severity), word(area)
    area = OTHER_AREAS.get(area, area)
    if is_open(rest):
        return severity, area, title
    if severity not in SEVERITIES:
        message = f"severity is {one_of(severity, SEVERITIES)}"
        document.tell(line, "review.severity", message, HEADING_FORM)
    if area not in AREAS:
        told = f"area is {one_of(area, AREAS)}" if area else "the heading names no area"
        document.tell(line, "review.area", told, HEADING_FORM)
    if not title:
        document.tell(line, "review.title", "the finding has no title", HEADING_FORM)
    return severity, area, title


def split_heading(rest: str) -> tuple[str, str, str]:
    """What follows the id, at its separators, or word by word where there are none.

    >>> split_heading(" · major · correctness · KL - sign"), split_heading("- Nit, code, spaces")
    (('major', 'correctness', 'KL - sign'), ('Nit', 'code', 'spaces'))
    """
    rest = FIRST_GAP.sub("", rest, count=1)
    parts = [part.strip() for part in STRONG_SEPARATOR.split(rest, maxsplit=2)]
    if len(parts) == 3:
        return parts[0], parts[1], parts[2]
    if len(parts) == 2 and word(parts[0]) in SEVERITIES:
        area, _, title = parts[1].partition(" ")
        return (parts[0], area, title) if word(area) in AREAS else (parts[0], "", parts[1])
    match = WORDS.match(rest)
    return (match[1], match[2] or "", match[3] or "") if match else (rest, "", "")


def places(value: Value) -> tuple[str, ...]:
    """The places of a `where` field: separated by semicolons, lines, or commas before a path.

    What stands in parentheses behind a place is a remark.
    """
    text = REMARK.sub("", value.text).replace("`", "")
    found = (place.strip(" \t-*,.") for place in PLACE_SEPARATOR.split(text))
    return tuple(place for place in found if place)
