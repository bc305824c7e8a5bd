"""How far a review has come: whether it is in, answered, verified, and what is open in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.course.documents import DocumentError
from common.course.problems import failing
from common.course.reviewing.responses import read_response
from common.course.reviewing.reviews import Review, read_review
from common.course.reviewing.text import open_places
from common.course.reviewing.verifications import Verification, read_verification, verification_path
from common.projects import FILL

CLOSED = frozenset({"verified", "accepts-reason", "withdrawn"})


@dataclass(frozen=True)
class ReviewState:
    """One assigned reviewer: whether the review and the verification are in, what is open."""

    reviewer: str
    is_in: bool
    is_verified: bool
    findings: tuple[tuple[str, str, str], ...] = ()  # id, severity, outcome ("" while open)


def review_state(root: Path, slug: str, reviewer: str) -> ReviewState:
    """Whether an assigned review is in, whether it is verified, and the outcome of each finding."""
    path = root / "reviews" / slug / f"{reviewer}.md"
    review = read_if_there(path, read_review)
    if review is None or not is_complete(path, review):
        return ReviewState(reviewer, is_in=False, is_verified=False)
    verification_file = verification_path(root, slug, reviewer)
    verification = read_if_there(verification_file, read_verification)
    outcomes = {v.finding: v.outcome for v in verification.verdicts} if verification else {}
    findings = tuple((f.id, f.severity, outcomes.get(f.id, "")) for f in review.findings)
    is_verified = all(outcome for _, _, outcome in findings) and (
        not findings or is_complete(verification_file, verification)
    )
    return ReviewState(reviewer, True, is_verified, findings)


def read_if_there(path: Path, reader):
    """What a reader makes of a file; None if it is not there or is no text."""
    try:
        return reader(path) if path.exists() else None
    except (DocumentError, OSError):
        return None


def is_complete(path: Path, document: Review | Verification) -> bool:
    """Whether a document has no error and no place left to fill (code that quotes one is none)."""
    if failing(document.problems):
        return False
    return FILL.encode() not in path.read_bytes().upper() or not open_places(path)


def is_answered(path: Path, reviews: Sequence[ReviewState]) -> bool:
    """Whether a response answers every finding of the reviews that are in."""
    response = read_if_there(path, read_response)
    if response is None:
        return False
    answered = {answer.key for answer in response.answers if not answer.is_open}
    return all(
        f"{review.reviewer}/{finding}" in answered
        for review in reviews
        for finding, _, _ in review.findings
    )
