"""`dgm review show`: findings, answers and verification of a project, to read in a terminal."""

import textwrap
from pathlib import Path

from common.course.cycle import SEVERITIES
from common.course.reviewing.response_checks import answers_by_finding
from common.course.reviewing.responses import Answer
from common.course.reviewing.reviews import Finding, Review, read_review, review_paths
from common.course.reviewing.text import shorten
from common.course.reviewing.verifications import Verdict, read_verification, verification_path

WIDTH = 80
LABEL = 10


def digest(root: Path, slug: str) -> str:
    """Every review of a project, finding by finding, as a text of at most 80 columns."""
    answers = answers_by_finding(root, slug)
    return "\n\n".join(review_text(root, slug, path, answers) for path in review_paths(root, slug))


def review_text(root: Path, slug: str, path: Path, answers: dict[str, Answer]) -> str:
    """One review."""
    review = read_review(path)
    verdicts = outcomes(verification_path(root, slug, path.stem))
    parts = [heading(slug, path.stem, review)]
    for finding in review.findings:
        answer = answers.get(f"{path.stem}/{finding.id}")
        parts.append(finding_text(finding, answer, verdicts.get(finding.id)))
    return "\n\n".join(parts)


def heading(slug: str, reviewer: str, review: Review) -> str:
    """Who says what, and how many findings there are of each kind."""
    counts = [
        f"{number} {severity}"
        for severity in SEVERITIES
        if (number := sum(finding.severity == severity for finding in review.findings))
    ]
    found = ", ".join(counts) or "no findings"
    line = shorten(f"{slug}, reviewed by {reviewer}: {review.verdict or '?'} ({found})", WIDTH)
    return f"{line}\n{'=' * len(line)}"


def outcomes(path: Path) -> dict[str, Verdict]:
    """The verdicts of a verification by finding; none without one."""
    if not path.exists():
        return {}
    return {verdict.finding: verdict for verdict in read_verification(path).verdicts}


def finding_text(finding: Finding, answer: Answer | None, verdict: Verdict | None) -> str:
    """One finding, what was answered, and what became of it."""
    title = f"{finding.id} {finding.severity}, {finding.area}: {finding.title}"
    lines = [*textwrap.wrap(title, WIDTH, subsequent_indent="    ")]
    lines += labelled("where", "; ".join(finding.where) or "-")
    lines += labelled("answer", answer_text(answer))
    outcome = "not yet"
    if verdict and not verdict.is_open:
        outcome = f"{verdict.outcome}: {verdict.note}" if verdict.note else verdict.outcome
    lines += labelled("verified", outcome)
    return "\n".join(lines)


def answer_text(answer: Answer | None) -> str:
    """An answer in a few words."""
    if answer is None or answer.is_open:
        return "not yet"
    commits = " in " + ", ".join(commit[:10] for commit in answer.commits) if answer.commits else ""
    reason = f": {answer.reason}" if answer.reason.strip(" -") else ""
    return f"{answer.status}{commits}{reason}"


def labelled(label: str, text: str) -> list[str]:
    """A labelled paragraph, wrapped below itself; long words are broken."""
    first, rest = f"  {label:<{LABEL}}", " " * (LABEL + 2)
    return textwrap.wrap(shorten(text, 400), WIDTH, initial_indent=first, subsequent_indent=rest)
