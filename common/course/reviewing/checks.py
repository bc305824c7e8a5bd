"""What is proved of a review: form, assignment, commit, places, ids, evidence, checklist, verdict."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from common.course.problems import Problem
from common.course.records import read_assignments
from common.course.reviewing.checklist_checks import checklist_problems
from common.course.reviewing.history import history_problems
from common.course.reviewing.response_checks import check_response
from common.course.reviewing.reviews import Finding, Review, read_review
from common.course.reviewing.similarity import Corpus, similar_to
from common.course.reviewing.text import (
    is_open,
    one_of,
    open_places,
    private_places,
    shorten,
    shown,
)
from common.course.reviewing.verification_checks import check_verification
from common.course.reviewing.versions import developers

__all__ = ["check_response", "check_review", "check_verification"]

SERIOUS = ("blocker", "major")
VERDICTS_FOR = {
    "blocker": ("not-runnable", "major"),
    "major": ("major",),
    "minor": ("minor",),
    "nit": ("minor", "ready"),
    "": ("ready",),
}
ENVIRONMENT = ("python", "device", "ran")
MORE_ENVIRONMENT = ("os", "torch", "hardware", "note")
RAN = ("install", "demo", "smoke", "tests", "check", "verify", "reproduce", "train", "notebook")
PYTHON = re.compile(r"\d+\.\d+\S*")
WORD = re.compile(r"\w+")
LEAST_WORDS = 5  # of evidence


def check_review(root: Path, path: Path, others: Corpus | None = None) -> list[Problem]:
    """Everything that is wrong with a review, against the repository at `root`.

    `others` are the texts of all reviews (review_similarity.corpus), where many are checked.
    """
    review = read_review(path)
    return [
        *review.problems,
        *file_problems(review),
        *environment_problems(review),
        *assignment_problems(root, review),
        *finding_problems(review),
        *verdict_problems(review),
        *checklist_problems(root, review),
        *history_problems(root, review),
        *open_places(path),
        *private_places(path),
        *similar_to(root, review, others),
        *all_yes_problems(review),
    ]


def file_problems(review: Review) -> Iterator[Problem]:
    """The file is where its project and reviewer say; the conflict is answered."""
    path, folder = shown(review.path), review.path.resolve().parent.name
    for name, value, expected in (
        ("project", review.project, folder),
        ("reviewer", review.reviewer, review.path.stem),
    ):
        if value and value != expected and not is_open(value):
            message = (
                f"{name} is {shorten(value)!r}, expected {expected!r} as the file's place says"
            )
            yield Problem(path, review.line_of(name), f"review.{name}", message)
    conflict = review.conflict.lower()
    if conflict and conflict not in {"none", "no"} and not is_open(conflict):
        message = f"a conflict of interest is declared: {shorten(review.conflict)}"
        hint = "tell the instructor, who may assign somebody else"
        yield Problem(path, review.line_of("conflict"), "review.conflict", message, hint, "warning")
    for name in ("project", "reviewer", "commit", "verdict", "conflict"):
        if name in review.lines and not getattr(review, name):
            message = f"{name} is empty" + (", expected none or a reason" * (name == "conflict"))
            yield Problem(path, review.line_of(name), "review.field", message)
    if "## summary" in review.lines and not review.summary:
        message = "the summary is empty"
        hint = "what the project does, what you read and ran, what is right, the main problems"
        yield Problem(path, review.line_of("## summary"), "review.summary", message, hint)


def environment_problems(review: Review) -> Iterator[Problem]:
    """python, device, and what was run, all spelled as expected."""
    path, line = shown(review.path), review.line_of("environment")
    environment: Mapping[str, object] = review.environment
    if "environment" not in review.lines or not environment:
        return

    def problem(message: str, level: str = "error") -> Problem:
        return Problem(path, line, "review.environment", f"environment: {message}", level=level)

    known = (*ENVIRONMENT, *MORE_ENVIRONMENT)
    for name in environment:
        if name not in known:
            yield problem(f"unknown field {one_of(name, known)}")
    for name in ENVIRONMENT:
        if not environment.get(name):
            yield problem(f"{name} is missing")
    python = environment.get("python") or ""
    if not (isinstance(python, str) and (not python or is_open(python) or PYTHON.match(python))):
        yield problem(f"python is {shorten(str(python))!r}, expected a version such as 3.11")
    ran = environment.get("ran") or []
    listed = ran if isinstance(ran, list) else [ran]
    for name in listed:
        if isinstance(name, str) and name not in (*RAN, "none") and not is_open(name):
            yield problem(f"ran names {one_of(name, RAN)}", "warning")
    if "none" in listed and review.verdict != "not-runnable":
        yield problem("nothing was run; install it, and run the demo and the tests", "warning")


def assignment_problems(root: Path, review: Review) -> Iterator[Problem]:
    """The reviewer is assigned to the project, and is none of its developers."""
    path, line = shown(review.path), review.line_of("reviewer")
    if not review.reviewer or not review.project or is_open(review.reviewer):
        return
    assignments = read_assignments(root)
    assigned = assignments.reviewers(review.project)
    if review.reviewer not in assigned:
        told = f"assigned are: {', '.join(assigned)}" if assigned else "nobody is assigned yet"
        message = f"{review.reviewer} is not assigned to {review.project}; {told}"
        has_left = review.reviewer in assignments.dropped
        hint = "has left the course" if has_left else "`dgm assign` writes reviews/assignments.toml"
        level = "warning" if has_left else "error"
        yield Problem(path, line, "review.assignment", message, hint, level)
    if review.reviewer in developers(root, review.project):
        message = f"{review.reviewer} is a developer of {review.project}"
        hint = "nobody reviews their own project; tell the instructor"
        yield Problem(path, line, "review.developer", message, hint)


def finding_problems(review: Review) -> Iterator[Problem]:
    """Ids are unique, every finding says where, and the serious ones have evidence."""
    path = shown(review.path)
    seen: dict[str, Finding] = {}
    for finding in review.findings:
        if finding.id in seen:
            message = f"{finding.id} is there twice, first in line {seen[finding.id].line}"
            hint = f"ids are unique; the next free one is {next_id(review)}"
            yield Problem(path, finding.line, "review.id", message, hint)
        seen.setdefault(finding.id, finding)
        yield from field_problems(path, finding)


def next_id(review: Review) -> str:
    """An id that no finding has."""
    numbers = [int(finding.id[1:]) for finding in review.findings if finding.id[1:].isdigit()]
    return f"F{max(numbers, default=0) + 1:02d}"


def field_problems(path: str, finding: Finding) -> Iterator[Problem]:
    """The fields of one finding."""
    is_serious = finding.severity in SERIOUS

    def problem(field: str, message: str, hint: str, level: str = "error") -> Problem:
        line = finding.line_of(field)
        return Problem(path, line, f"review.{field}", f"{finding.id}: {message}", hint, level)

    if not finding.where:
        hint = "- where: projects/SLUG/model.py:41-47, demo.ipynb#cell-12 or README.md#results"
        yield problem("where", "no place is named", hint)
    if not finding.paper:
        hint = "- paper: Eq. (7), or - if it is not about the paper"
        yield problem("paper", "the place in the paper is missing", hint, "warning")
    if not is_open(finding.evidence) and not has_evidence(finding.evidence, is_serious):
        said = f"the evidence is only {finding.evidence!r}" if finding.evidence else "no evidence"
        hint = "the command you ran, what you expected, what came out"
        level = "error" if is_serious else "warning"
        yield problem("evidence", f"{said} for a {finding.severity} finding", hint, level)
    if not finding.suggestion:
        hint = "- suggestion: what you would do"
        yield problem("suggestion", "no suggestion", hint, "error" if is_serious else "warning")


def has_evidence(text: str, is_serious: bool) -> bool:
    """Whether evidence says something: code, or some words."""
    return len(WORD.findall(text)) >= (LEAST_WORDS if is_serious else 1)


def verdict_problems(review: Review) -> Iterator[Problem]:
    """The verdict agrees with the worst severity."""
    severities = [finding.severity for finding in review.findings]
    known = [name for name in VERDICTS_FOR if name and name in severities]
    is_complete = len(severities) == sum(Counter(severities)[name] for name in known)
    if not review.verdict or is_open(review.verdict) or not is_complete:
        return
    worst = known[0] if known else ""
    expected = VERDICTS_FOR[worst]
    if review.verdict not in expected:
        reason = f"the worst finding is a {worst}" if worst else "there is no finding"
        message = f"verdict is {review.verdict}, and {reason}: expected {' or '.join(expected)}"
        yield Problem(shown(review.path), review.line_of("verdict"), "review.verdict", message)


def all_yes_problems(review: Review) -> Iterator[Problem]:
    """A review without a single finding is possible, and looked at twice."""
    if review.findings or any(item.mark == "no" for item in review.checklist):
        return
    message = "there is no finding and no answer is no"
    hint = "say in the summary what you tried to break, and how; a person looks at it"
    yield Problem(shown(review.path), 0, "review.all-yes", message, hint, "warning")
