"""Projects are found by folder: each `projects/*/project.toml` is one, and there is no list to edit."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from common.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
DIRECTIONS = ("at most", "at least")


class ProjectError(UserError):
    """A project that does not exist or whose project.toml says something impossible."""


@dataclass(frozen=True)
class Goal:
    """A number that a project promised to reproduce before version 1.

    `target` is what we call met (`direction` says on which side), `paper_value` what the paper
    reports and `paper_source` where it stands. A goal is met, missed, or withdrawn with a reason.
    """

    id: str
    metric: str
    dataset: str
    split: str
    preset: str
    direction: str
    target: float
    paper_source: str
    protocol: str
    paper_value: float | None = None
    tolerance: float = 0.0
    weights: str = "committed"
    withdrawn: str | None = None

    def is_met(self, value: float) -> bool:
        """Whether a measured value reaches the target, the declared tolerance included."""
        if self.direction == "at most":
            return value <= self.target + self.tolerance
        return value >= self.target - self.tolerance


@dataclass(frozen=True)
class Project:
    """One paper: its folder and what its project.toml declares."""

    slug: str
    folder: Path
    title: str
    summary: str
    family: str
    version: str
    capabilities: tuple[str, ...]
    builds_on: tuple[str, ...]
    paper: Mapping[str, Any]
    group: Mapping[str, Any]
    goals: tuple[Goal, ...]
    borrowed: tuple[Mapping[str, Any], ...] = ()

    @property
    def training(self) -> ModuleType:
        """The project's train.py: Config, PRESETS, load_data, build and train."""
        return import_module(f"projects.{self.slug}.train")

    def goal(self, goal_id: str) -> Goal:
        """The goal of this id; raises ProjectError that names the goals there are."""
        for goal in self.goals:
            if goal.id == goal_id:
                return goal
        known = ", ".join(goal.id for goal in self.goals)
        raise ProjectError(f"{self.slug} has no goal {goal_id!r}; its goals are: {known}.")

    def preset(self, name: str) -> Any:
        """The Config of this preset; raises ProjectError that names the presets there are."""
        presets = self.training.PRESETS
        if name not in presets:
            raise ProjectError(
                f"{self.slug} has no preset {name!r}; its presets are: {', '.join(presets)}."
            )
        return presets[name]


def find_projects(root: Path = ROOT) -> list[Project]:
    """Every project of the repository, by slug."""
    return [read_project(path.parent) for path in sorted(root.glob("projects/*/project.toml"))]


def find_project(slug: str, root: Path = ROOT) -> Project:
    """The project of this slug; raises ProjectError with the nearest slug there is."""
    folder = root / "projects" / slug
    slugs = [path.parent.name for path in sorted(root.glob("projects/*/project.toml"))]
    if slug in slugs:
        return read_project(folder)
    near = difflib.get_close_matches(slug, slugs, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(slugs) or 'none'}."
    raise ProjectError(f"there is no project {slug!r}; {hint} `dgm list` shows them all.")


def read_project(folder: Path) -> Project:
    """Read and check one project.toml; raises ProjectError that names the file and the field."""
    path = folder / "project.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path}: not valid TOML: {error}.") from error
    if table.get("schema") != "project/1":
        raise ProjectError(f'{path}: schema is {table.get("schema")!r}, expected "project/1".')
    if table.get("slug") != folder.name:
        raise ProjectError(
            f"{path}: slug is {table.get('slug')!r}, but the folder is named {folder.name!r}."
        )
    goals = tuple(read_goal(path, entry) for entry in table.get("goal", []))
    return Project(
        slug=folder.name,
        folder=folder,
        title=text_field(path, table, "title"),
        summary=text_field(path, table, "summary"),
        family=text_field(path, table, "family"),
        version=text_field(path, table, "version"),
        capabilities=tuple(table.get("capabilities", ())),
        builds_on=tuple(table.get("builds_on", ())),
        paper=table.get("paper", {}),
        group=table.get("group", {}),
        goals=goals,
        borrowed=tuple(table.get("borrowed", ())),
    )


def text_field(path: Path, table: Mapping[str, Any], name: str) -> str:
    """A required text of project.toml."""
    value = table.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ProjectError(f"{path}: {name} is {value!r}, expected a text that is not empty.")
    return value


def read_goal(path: Path, table: Mapping[str, Any]) -> Goal:
    """One [[goal]] table as a Goal, every field checked for presence, spelling and type."""
    known = {field.name: field for field in fields(Goal)}
    label = f"{path}: goal {table.get('id', '(without an id)')!r}"
    for name in table:
        if name not in known:
            raise ProjectError(f"{label}: unknown field {name!r}; known: {', '.join(known)}.")
    for name in ("id", "metric", "dataset", "split", "preset", "paper_source", "protocol"):
        if not isinstance(table.get(name), str):
            raise ProjectError(f"{label}: {name} is {table.get(name)!r}, expected a text.")
    for name in ("target", "paper_value", "tolerance"):
        value = table.get(name)
        if name != "target" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ProjectError(f"{label}: {name} is {value!r}, expected a number.")
    if table.get("direction") not in DIRECTIONS:
        raise ProjectError(
            f"{label}: direction is {table.get('direction')!r}, expected 'at most' or 'at least'."
        )
    return Goal(**table)


def run_folder(slug: str, preset: str, *, seed: int = 0, variant: str = "") -> Path:
    """Where a training run of this project, preset, seed and variant keeps its files."""
    name = "-".join(part for part in (preset, variant, f"seed{seed}") if part)
    return ROOT / "runs" / slug / name
