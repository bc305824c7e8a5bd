"""Where each project stands and whose turn it is: derived from files, records and dates, never kept.

proposed -> v1 open -> v1 frozen -> under review -> reviewed -> responding -> v2 frozen -> verified ->
published; or withdrawn, where assignments.toml says so. Git is asked only where a folder is gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from common.course.cycle import SEVERITIES, Cycle, now, read_cycle
from common.course.freezing import renamed_to
from common.course.git import GitError, Repository
from common.course.records import (
    Assignments,
    Frozen,
    FrozenVersion,
    read_assignments,
    read_frozen,
    was_published,
)
from common.course.reviewing.progress import CLOSED, ReviewState, is_answered, review_state
from common.course.reviewing.responses import response_path
from common.projects import Project, ProjectError, read_project
from common.results import measured_value

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
    "withdrawn",
)
DEVELOPERS, INSTRUCTOR = "developers", "instructor"


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
    days: float | None = None
    response: Path | None = None

    @cached_property
    def is_answered(self) -> bool:
        """Whether the response answers every finding; read only where it is asked for."""
        return self.response is not None and is_answered(self.response, self.reviews)

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

    @cached_property
    def versions(self) -> dict[tuple[str, str], FrozenVersion]:
        """The frozen versions by slug and version."""
        return {(entry.slug, entry.version): entry for entry in self.frozen.version}

    @cached_property
    def reviewers(self) -> dict[str, list[str]]:
        """Who reviews what, by slug."""
        found: dict[str, list[str]] = {}
        for pair in sorted(self.assignments.pair, key=lambda pair: pair.reviewer):
            found.setdefault(pair.project, []).append(pair.reviewer)
        return found

    def is_past(self, deadline: str) -> bool:
        """Whether a deadline is over."""
        return self.moment > self.cycle.deadline(deadline)

    def was_frozen(self, version: str) -> bool:
        """Whether `dgm freeze` was run after the version's deadline: who is not frozen missed it."""
        end = self.cycle.deadline(version).replace(microsecond=0)
        return any(e.version == version and e.date >= end for e in self.frozen.version)


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
    reviews = tuple(review_state(course.root, slug, key) for key in course.reviewers.get(slug, []))
    path = response_path(course.root, slug)
    response = path if path.exists() else None
    state, turn, deadline = place_in_cycle(course, slug, reviews, response)
    folder = course.root / "projects" / slug
    try:
        project = read_project(folder)
        met, goals, note = *goals_met(project), ""
        if project.semester not in (None, course.cycle.semester):
            state, turn, deadline = "published", (), None
    except ProjectError as error:
        met, goals, note = 0, 0, first_line(error)
        if not folder.exists():
            note = gone(course, slug)
    due = course.cycle.deadline(deadline) if deadline else None
    return ProjectState(
        slug=slug,
        state=state,
        turn=turn,
        due=due,
        reviews=reviews,
        goals_met=met,
        goals=goals,
        note=note,
        days=None if due is None else (due - course.moment).total_seconds() / 86400,
        response=response,
    )


def place_in_cycle(
    course: Course,
    slug: str,
    reviews: Sequence[ReviewState],
    response: Path | None,
) -> tuple[str, tuple[str, ...], str | None]:
    """State, whose turn it is, and the deadline that they have."""
    if was_published(course.root, slug):
        return "published", (), None
    if slug in course.assignments.withdrawn:
        return "withdrawn", (), None
    if (slug, "v1") not in course.versions:
        return before_version_1(course)
    is_frozen = (slug, "v2") in course.versions
    if not reviews:
        return ("v2 frozen" if is_frozen else "v1 frozen"), (INSTRUCTOR,), "v1"
    if is_frozen:
        return after_version_2(course, reviews, response)
    missing = tuple(review.reviewer for review in reviews if not review.is_in)
    if missing:
        return "under review", missing, "review"
    return ("responding" if response else "reviewed"), (who_has_it(course, "v2"),), "v2"


def before_version_1(course: Course) -> tuple[str, tuple[str, ...], str]:
    """The state of a project whose version 1 is not frozen."""
    if not course.is_past("proposal"):
        return "proposed", (DEVELOPERS,), "proposal"
    return "v1 open", (who_has_it(course, "v1"),), "v1"


def who_has_it(course: Course, version: str) -> str:
    """Whose turn it is before a version is frozen: the instructor's after the deadline, until the
    freeze; then again the developers', whose project the freeze did not find."""
    has_to_freeze = course.is_past(version) and not course.was_frozen(version)
    return INSTRUCTOR if has_to_freeze else DEVELOPERS


def after_version_2(
    course: Course, reviews: Sequence[ReviewState], response: Path | None
) -> tuple[str, tuple[str, ...], str | None]:
    """The state of a project whose version 2 is frozen."""
    waiting = tuple(review.reviewer for review in reviews if not review.is_verified)
    if waiting:
        answered = response is not None and is_answered(response, reviews)
        owes_answers = not answered and any(review.findings for review in reviews)
        return "v2 frozen", (DEVELOPERS, *waiting) if owes_answers else waiting, "demos"
    if course.cycle.dates.publication is not None and course.is_past("publication"):
        return "published", (), None
    return "verified", (), None


def gone(course: Course, slug: str) -> str:
    """What to note of a project whose folder is gone: perhaps it has another name now."""
    entry = course.versions.get((slug, "v1"))
    new = {path.parent.name for path in course.root.glob("projects/*/project.toml")}
    new -= {recorded for recorded, _ in course.versions}
    repository, other = Repository(course.root), None
    try:
        trees = repository.trees(repository.head(), "projects")
        trees = {name: tree for name, tree in trees.items() if name in new}
        other = renamed_to(repository, entry, trees) if entry else None
    except GitError:  # no repository, or the version is not in this clone
        pass
    if other is None:
        return f"projects/{slug} is gone; git log -- projects/{slug} tells when"
    return f"renamed to {other}; records go by the slug: git mv projects/{other} projects/{slug}"


def goals_met(project: Project) -> tuple[int, int]:
    """How many goals the recorded results reach, and how many stand (the withdrawn do not)."""
    standing = [goal for goal in project.goals if goal.withdrawn is None]
    met = 0
    for goal in standing:
        value = measured_value(project.folder / "results" / f"{goal.id}.json")
        met += value is not None and goal.is_met(value)
    return met, len(standing)


def first_line(error: Exception) -> str:
    """The beginning of a message, without the folders before the file's name."""
    return str(error).split("projects/")[-1].split("\n")[0]
