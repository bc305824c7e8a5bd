"""Where each project stands and whose turn it is: derived from files, records and dates, never kept.

proposed -> v1 open -> v1 frozen -> under review -> reviewed -> responding -> v2 frozen -> verified ->
published
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from common.course.cycle import SEVERITIES, Cycle, now, read_cycle
from common.course.documents import DocumentError
from common.course.problems import failing
from common.course.records import Assignments, Frozen, read_assignments, read_frozen
from common.course.responses import read_response, response_path
from common.course.reviews import Review, read_review
from common.course.verifications import Verification, read_verification, verification_path
from common.projects import FILL, Project, ProjectError, read_project

STATES = (
    "proposed",
    "v1 open",
    "v1 frozen",
    "under review",
    "reviewed",
    "responding",
    "v2 frozen",
    "verified",
    "published",
)
PUBLISHED_FILE = "reviews/published.toml"
DEVELOPERS, INSTRUCTOR = "developers", "instructor"
CLOSED = frozenset({"verified", "accepts-reason", "withdrawn"})


@dataclass(frozen=True)
class ReviewState:
    """One assigned reviewer: whether the review and the verification are in, what is open."""

    reviewer: str
    is_in: bool
    is_verified: bool
    findings: tuple[tuple[str, str, str], ...] = ()  # id, severity, outcome ("" while open)


@dataclass(frozen=True)
class ProjectState:
    """One project: its state, whose turn it is and until when, what is open, what is met.

    `due` is None where nobody is waited for. `note` tells what could not be read.
    """

    slug: str
    state: str
    turn: tuple[str, ...]
    due: datetime | None
    reviews: tuple[ReviewState, ...] = ()
    goals_met: int = 0
    goals: int = 0
    note: str = ""
    is_answered: bool = False
    days: float | None = field(default=None)

    @property
    def open_findings(self) -> dict[str, int]:
        """How many findings are open, by severity."""
        counts = dict.fromkeys(SEVERITIES, 0)
        for review in self.reviews:
            for _, severity, outcome in review.findings:
                if severity in counts and outcome not in CLOSED:
                    counts[severity] += 1
        return counts


@dataclass(frozen=True)
class Course:
    """What every project's state is derived from."""

    root: Path
    cycle: Cycle
    frozen: Frozen
    assignments: Assignments
    moment: datetime
    is_published: bool


def course_states(
    root: Path, slugs: Sequence[str] = (), *, moment: datetime | None = None
) -> list[ProjectState]:
    """The state of the named projects, of all by default; who waits longest comes first."""
    course = Course(
        root=root,
        cycle=read_cycle(root),
        frozen=read_frozen(root),
        assignments=read_assignments(root),
        moment=moment or now(),
        is_published=(root / PUBLISHED_FILE).exists(),
    )
    folders = sorted(path.parent.name for path in root.glob("projects/*/project.toml"))
    gone = {entry.slug for entry in course.frozen.version} - set(folders)
    states = [project_state(course, slug) for slug in slugs or sorted({*folders, *gone})]
    return sorted(states, key=waiting_order)


def waiting_order(state: ProjectState) -> tuple[bool, float, str]:
    """Overdue first, then the nearest deadline, then those for whom nobody waits."""
    return state.days is None, state.days or 0.0, state.slug


def project_state(course: Course, slug: str) -> ProjectState:
    """The state of one project."""
    reviews = tuple(review_state(course, slug, key) for key in course.assignments.reviewers(slug))
    path = response_path(course.root, slug)
    has_response = path.exists()
    state, turn, deadline = place_in_cycle(course, slug, reviews, has_response)
    due = course.cycle.deadline(deadline) if deadline else None
    try:
        met, goals, note = *goals_met(read_project(course.root / "projects" / slug)), ""
    except ProjectError as error:
        met, goals, note = 0, 0, first_line(error)
    return ProjectState(
        slug=slug,
        state=state,
        turn=turn,
        due=due,
        reviews=reviews,
        goals_met=met,
        goals=goals,
        note=note,
        is_answered=has_response and is_answered(path, reviews),
        days=None if due is None else (due - course.moment).total_seconds() / 86400,
    )


def place_in_cycle(
    course: Course, slug: str, reviews: Sequence[ReviewState], has_response: bool
) -> tuple[str, tuple[str, ...], str | None]:
    """State, whose turn it is, and the deadline that they have."""
    if course.is_published:
        return "published", (), None
    if course.frozen.find(slug, "v1") is None:
        return before_version_1(course)
    is_frozen = course.frozen.find(slug, "v2") is not None
    if not reviews:
        return ("v2 frozen" if is_frozen else "v1 frozen"), (INSTRUCTOR,), "v1"
    missing = tuple(review.reviewer for review in reviews if not review.is_in)
    if is_frozen:
        return after_version_2(course, reviews)
    if missing:
        return "under review", missing, "review"
    turn = INSTRUCTOR if course.moment > course.cycle.deadline("v2") else DEVELOPERS
    return ("responding" if has_response else "reviewed"), (turn,), "v2"


def before_version_1(course: Course) -> tuple[str, tuple[str, ...], str]:
    """The state of a project whose version 1 is not frozen."""
    if course.moment <= course.cycle.deadline("proposal"):
        return "proposed", (DEVELOPERS,), "proposal"
    late = course.moment > course.cycle.deadline("v1")
    return "v1 open", (INSTRUCTOR if late else DEVELOPERS,), "v1"


def after_version_2(
    course: Course, reviews: Sequence[ReviewState]
) -> tuple[str, tuple[str, ...], str | None]:
    """The state of a project whose version 2 is frozen."""
    waiting = tuple(review.reviewer for review in reviews if not review.is_verified)
    if waiting:
        return "v2 frozen", waiting, "demos"
    publication = course.cycle.dates.publication
    if publication is not None and course.moment > course.cycle.deadline("publication"):
        return "published", (), None
    return "verified", (), None


def review_state(course: Course, slug: str, reviewer: str) -> ReviewState:
    """Whether an assigned review is in, whether it is verified, and the outcome of each finding."""
    path = course.root / "reviews" / slug / f"{reviewer}.md"
    review = read_if_there(path, read_review)
    if review is None or not is_complete(path, review):
        return ReviewState(reviewer, is_in=False, is_verified=False)
    verification_file = verification_path(course.root, slug, reviewer)
    verification = read_if_there(verification_file, read_verification)
    outcomes = {v.finding: v.outcome for v in verification.verdicts} if verification else {}
    findings = tuple((f.id, f.severity, outcomes.get(f.id, "")) for f in review.findings)
    is_verified = (
        verification is not None
        and is_complete(verification_file, verification)
        and all(outcome for _, _, outcome in findings)
    )
    return ReviewState(reviewer, True, is_verified, findings)


def read_if_there(path: Path, reader):
    """What a reader makes of a file; None if it is not there or is no text."""
    try:
        return reader(path) if path.exists() else None
    except (DocumentError, OSError):
        return None


def is_complete(path: Path, document: Review | Verification) -> bool:
    """Whether a document has no error and no place left to fill."""
    return not failing(document.problems) and FILL.encode() not in path.read_bytes()


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


def goals_met(project: Project) -> tuple[int, int]:
    """How many goals the recorded results reach, and how many stand (the withdrawn do not)."""
    standing = [goal for goal in project.goals if goal.withdrawn is None]
    met = 0
    for goal in standing:
        value = measured(project.folder / "results" / f"{goal.id}.json")
        met += value is not None and goal.is_met(value)
    return met, len(standing)


def measured(path: Path) -> float | None:
    """The value in a result file; None where there is no such number."""
    try:
        value = json.loads(path.read_bytes())["value"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return value if isinstance(value, float | int) and not isinstance(value, bool) else None


def first_line(error: Exception) -> str:
    """The beginning of a message, without the folders before the file's name."""
    return str(error).split("projects/")[-1].split("\n")[0]


def next_step(state: ProjectState) -> str:
    """The command with which the one whose turn it is goes on."""
    slug = state.slug
    if state.state == "under review":
        return f"{', '.join(state.turn)}: dgm review new {slug}, then dgm review check {slug}"
    if state.state == "v2 frozen" and state.turn != (INSTRUCTOR,):
        return f"{', '.join(state.turn)}: dgm review verify {slug}"
    version = "v1" if state.state == "v1 open" else "v2"
    steps = {
        "proposed": f"developers: goals into projects/{slug}/project.toml, dgm check {slug}",
        "v1 open": f"developers: dgm check {slug} --strict, then a pull request",
        "v1 frozen": "instructor: dgm assign",
        "v2 frozen": "instructor: dgm assign",
        "reviewed": f"developers: dgm review respond {slug}",
        "responding": f"developers: dgm review check {slug}, version 2 by a pull request",
        "verified": f"instructor: dgm adjudicate {slug}",
        "published": "nobody: it is public",
    }
    if state.turn == (INSTRUCTOR,) and state.state in {"v1 open", "reviewed", "responding"}:
        return f"instructor: dgm freeze {version}"
    return steps[state.state]
