"""What the shared pages know of each project: its project.toml, its numbers and its pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from common.projects import Goal, Project, find_projects
from common.results import Result, project_results

STATES = ("met", "missed", "open", "withdrawn")


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


@dataclass(frozen=True)
class Entry:
    """A project as the shared pages show it."""

    project: Project
    results: Mapping[str, Result]

    @property
    def slug(self) -> str:
        """The name of its folder."""
        return self.project.slug

    @property
    def path(self) -> str:
        """Its page."""
        return f"projects/{self.slug}/index.html"

    @cached_property
    def goals(self) -> tuple[GoalState, ...]:
        """Its goals, each beside its result."""
        return tuple(GoalState(goal, self.results.get(goal.id)) for goal in self.project.goals)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets of its goals."""
        return tuple(dict.fromkeys(goal.dataset for goal in self.project.goals))


def find_entries(root: Path) -> tuple[Entry, ...]:
    """Every project of the tree; raises UserError that names what cannot be read."""
    return tuple(Entry(project, project_results(project)) for project in find_projects(root))
