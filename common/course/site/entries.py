"""What the shared pages know of each project: its project.toml, its numbers and its picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from common.course.documents import DocumentError, read_text
from common.course.site.pictures import Picture, card_picture, main_picture
from common.projects import Goal, Project, find_projects
from common.results import Result, project_results

STATES = ("met", "missed", "open", "withdrawn")
UNITS = {"at most": "≤", "at least": "≥"}


@dataclass(frozen=True)
class GoalState:
    """A goal beside what was measured."""

    goal: Goal
    result: Result | None

    @property
    def state(self) -> str:
        """One of STATES."""
        if self.goal.withdrawn:
            return "withdrawn"
        if self.result is None:
            return "open"
        return "met" if self.goal.is_met(self.result.value) else "missed"

    @property
    def target(self) -> str:
        """The target with its direction."""
        return f"{UNITS[self.goal.direction]} {self.goal.target:g}"

    @property
    def paper_value(self) -> str:
        """What the paper reports; a dash where it has no such number."""
        return "—" if self.goal.paper_value is None else f"{self.goal.paper_value:g}"

    @property
    def measured(self) -> str:
        """The number with its standard error and unit, digits as in the README's table."""
        if self.result is None:
            return "—"
        error = self.result.standard_error
        spread = "" if error is None else f" ± {error:.3f}"
        return f"{self.result.value:.3f}{spread} {self.result.unit}".strip()


@dataclass(frozen=True)
class Entry:
    """A project as the shared pages show it."""

    project: Project
    results: Mapping[str, Result]
    readme: str
    picture: Picture | None  # the samples that its README shows

    @property
    def slug(self) -> str:
        """The name of its folder."""
        return self.project.slug

    @property
    def folder(self) -> str:
        """Where its pages stand."""
        return f"projects/{self.slug}"

    @property
    def path(self) -> str:
        """Its page."""
        return f"{self.folder}/index.html"

    @property
    def card(self) -> Picture | None:
        """The small picture of the gallery."""
        return card_picture(self.picture) if self.picture else None

    @property
    def people(self) -> str:
        """Who made it: names where consent is recorded, else the public keys."""
        group = self.project.group
        return ", ".join(group["names"] or group["members"] or [group["key"]])

    @cached_property
    def goals(self) -> tuple[GoalState, ...]:
        """Its goals, each beside its result."""
        return tuple(GoalState(goal, self.results.get(goal.id)) for goal in self.project.goals)

    @property
    def states(self) -> dict[str, int]:
        """How many of its goals are met, missed, open and withdrawn."""
        states = [goal.state for goal in self.goals]
        return {state: states.count(state) for state in STATES if state in states}

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets of its goals that were not withdrawn."""
        goals = (goal for goal in self.project.goals if not goal.withdrawn)
        return tuple(dict.fromkeys(goal.dataset for goal in goals))


def find_entries(root: Path) -> tuple[Entry, ...]:
    """Every project of the tree; raises UserError that names what cannot be read."""
    return tuple(read_entry(project) for project in find_projects(root))


def read_entry(project: Project) -> Entry:
    """A project with its numbers and the text of its README."""
    try:
        readme = read_text(project.folder / "README.md")
    except DocumentError:
        readme = ""
    return Entry(project, project_results(project), readme, main_picture(project.folder, readme))
