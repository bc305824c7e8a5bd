"""What is proved of a verification: one outcome for every finding, fitting the developers' answer."""

from collections.abc import Iterator
from pathlib import Path

from common.course.git import Repository
from common.course.problems import Problem
from common.course.reviewing.response_checks import all_findings, answers_by_finding
from common.course.reviewing.responses import Answer
from common.course.reviewing.text import is_open, open_places, private_places, shown
from common.course.reviewing.verifications import (
    OUTCOMES,
    WITH_NOTE,
    Verdict,
    Verification,
    read_verification,
)
from common.course.reviewing.versions import find_version, has_history

FITTING = {  # what a reviewer may say to each status
    "fixed": ("verified", "not-fixed", "withdrawn"),
    "partly": ("verified", "accepts-reason", "not-fixed", "withdrawn"),
    "declined": ("accepts-reason", "not-fixed", "withdrawn"),
    "deferred": ("accepts-reason", "not-fixed", "withdrawn"),
    "cannot-reproduce": ("accepts-reason", "not-fixed", "withdrawn"),
    "duplicate": ("verified", "accepts-reason", "not-fixed", "withdrawn"),
}
UNANSWERED = ("not-fixed", "withdrawn")


def check_verification(root: Path, path: Path) -> list[Problem]:
    """Everything that is wrong with a verification, against the repository at `root`."""
    verification = read_verification(path)
    slug = path.resolve().parent.name
    reviewer = path.name.split(".verification")[0]
    return [
        *verification.problems,
        *place_problems(verification, slug, reviewer),
        *version_problems(root, slug, verification),
        *verdict_problems(root, slug, reviewer, verification),
        *open_places(path),
        *private_places(path),
    ]


def place_problems(verification: Verification, slug: str, reviewer: str) -> Iterator[Problem]:
    """The file is where its project and reviewer say."""
    for name, value, expected in (
        ("project", verification.project, slug),
        ("reviewer", verification.reviewer, reviewer),
    ):
        if value and value != expected:
            message = f"{name} is {value!r}, expected {expected!r} as the file's place says"
            line = verification.line_of(name)
            yield Problem(shown(verification.path), line, f"verification.{name}", message)


def version_problems(root: Path, slug: str, verification: Verification) -> Iterator[Problem]:
    """The version is version 2 as frozen."""
    path, line = shown(verification.path), verification.line_of("version")
    if not has_history(root, slug) or is_open(verification.version):
        return
    version = find_version(root, slug, "v2")
    if version is None:
        message = f"version 2 of {slug} is not frozen yet"
        hint = "what is verified now may still change; the instructor runs `dgm freeze v2`"
        yield Problem(path, line, "verification.version", message, hint, "warning")
        return
    record = version.record
    if not verification.version or verification.version == record.commit:
        return
    is_commit = all(c in "0123456789abcdef" for c in verification.version)
    tree = Repository(root).tree(verification.version, f"projects/{slug}") if is_commit else None
    if tree != record.tree:
        message = f"version is {verification.version[:40]!r}, expected version 2: {record.commit}"
        yield Problem(path, line, "verification.version", message)


def verdict_problems(
    root: Path, slug: str, reviewer: str, verification: Verification
) -> Iterator[Problem]:
    """Each finding has one outcome, which fits what the response said."""
    path = shown(verification.path)
    findings = {
        key.split("/")[1]: finding
        for key, finding in all_findings(root, slug).items()
        if key.split("/")[0] == reviewer
    }
    answers = answers_by_finding(root, slug)
    seen: dict[str, Verdict] = {}
    for verdict in verification.verdicts:
        if verdict.finding in seen:
            first = seen[verdict.finding].line
            message = f"{verdict.finding} has two outcomes, the first in line {first}"
            yield Problem(path, verdict.line, "verification.twice", message, "keep one")
        elif verdict.finding not in findings:
            there = f"there are: {', '.join(findings) or 'none'}"
            message = f"{verdict.finding} is no finding of {reviewer}"
            yield Problem(path, verdict.line, "verification.unknown", message, there)
        elif verdict.outcome in OUTCOMES:
            answer = answers.get(f"{reviewer}/{verdict.finding}")
            yield from outcome_problems(path, verdict, answer)
        seen.setdefault(verdict.finding, verdict)
    for identity, finding in findings.items():
        if identity not in seen:
            message = f"{identity} ({finding.severity}) has no outcome: {finding.title}"
            yield Problem(path, 0, "verification.missing", message, f"- {identity}: verified")


def outcome_problems(path: str, verdict: Verdict, answer: Answer | None) -> Iterator[Problem]:
    """An outcome that does not fit the answer, or lacks its note."""
    fitting = FITTING.get(answer.status, OUTCOMES) if answer else UNANSWERED
    if verdict.outcome not in fitting:
        said = f"the response says {answer.status}" if answer else "the response says nothing"
        message = f"{verdict.finding} is {verdict.outcome}, and {said}"
        hint = f"expected {', '.join(fitting)}"
        yield Problem(path, verdict.line, "verification.outcome", message, hint)
    if verdict.outcome in WITH_NOTE and not verdict.note.strip(" -–—."):
        message = f"{verdict.finding} is {verdict.outcome} and does not say why"
        hint = f"- {verdict.finding}: {verdict.outcome}: the reason"
        yield Problem(path, verdict.line, "verification.note", message, hint)
