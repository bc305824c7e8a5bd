"""Projects are found by folder: each `projects/*/project.toml` is one, and there is no list to edit."""

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, ClassVar, Literal

import annotated_types
from pydantic import AllowInfNan, Strict, StringConstraints

from common import schema
from common.errors import UserError
from common.files import ROOT
from common.schema import Count, Key, Number, Text, strict_table

FILL = "FILL-IN"  # marks a place that `dgm new` left for a person to write
Finite = Annotated[float, Strict(), AllowInfNan(False)]
Tolerance = Annotated[float, Strict(), AllowInfNan(False), schema.at_least(0)]
Samples = Annotated[int, Strict(), schema.at_least(10)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class ProjectError(UserError):
    """A project that does not exist or whose project.toml says something impossible."""


@strict_table
@dataclass(frozen=True)
class Goal:
    """A number that a project promised to reproduce before version 1.

    `target` is what we call met (`direction` says on which side), `paper_value` what the paper
    reports and `paper_source` where it stands. `num_samples` are drawn, and as many examples compared
    with, for a metric that judges samples. A goal is met, missed, or withdrawn with a reason.
    """

    id: Identifier
    metric: Text
    dataset: Text
    split: Text
    preset: Text
    direction: Literal["at most", "at least"]
    target: Finite
    paper_source: Text
    protocol: Text
    paper_value: Finite | None = None
    tolerance: Tolerance = 0.0
    weights: Literal["committed", "retrain"] = "committed"
    num_samples: Samples | None = None  # None: 2000
    withdrawn: Text | None = None

    def is_met(self, value: float) -> bool:
        """Whether a measured value reaches the target, the declared tolerance included."""
        if self.direction == "at most":
            return value <= self.target + self.tolerance
        return value >= self.target - self.tolerance


@strict_table
@dataclass(frozen=True)
class Paper:
    """The paper that a project implements."""

    title: Text
    authors: tuple[Text, ...]
    year: Count
    url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]
    venue: Text = "preprint"


@strict_table
@dataclass(frozen=True)
class Group:
    """Who made a project, by public keys: a handle or a pseudonym, never a number or an address."""

    key: Key
    members: tuple[Key, ...]
    names: tuple[Text, ...] = ()  # only `dgm publish` writes them, where consent is recorded
    hours: Number | None = None  # of work, if the group wants to say; not published


@strict_table
@dataclass(frozen=True)
class Borrowed:
    """A model-independent utility from outside, acknowledged."""

    file: Text
    source: Text
    licence: Text
    reason: Text  # why it is model-independent


@strict_table
@dataclass(frozen=True)
class Budget:
    """What CI gives to a project's tests and notebook (smoke preset) together, before it stops them."""

    MAX_SECONDS: ClassVar[int] = 240
    MAX_MEMORY_MB: ClassVar[int] = 8192

    seconds: Annotated[int, Strict(), annotated_types.Interval(ge=1, le=MAX_SECONDS)] = 120
    memory_mb: Annotated[int, Strict(), annotated_types.Interval(ge=64, le=MAX_MEMORY_MB)] = 4096


@strict_table
@dataclass(frozen=True)
class ProjectTable:
    """Every field of project.toml."""

    schema: Literal["project/1"]
    slug: Text
    title: Text
    summary: Text
    family: Text
    version: Literal["1", "2"]
    paper: Paper
    group: Group
    goal: tuple[Goal, ...]
    capabilities: tuple[Text, ...] = ()
    builds_on: tuple[Text, ...] = ()
    borrowed: tuple[Borrowed, ...] = ()
    licence: Text = "MIT"
    budget: Budget = Budget()
    semester: Text | None = None  # the one in which it goes through the cycle

    def __post_init__(self):
        ids = [goal.id for goal in self.goal]
        for goal_id in ids:
            if ids.count(goal_id) > 1:
                raise ValueError(f"the goal {goal_id!r} is there twice; ids are unique")


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
    semester: str | None = None
    budget: Budget = Budget()

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
    """Read and check one project.toml; raises ProjectError with every mistake and its line."""
    path = folder / "project.toml"
    try:
        table = schema.read(path, ProjectTable)
    except schema.SchemaError as error:
        raise ProjectError(str(error)) from None
    if table.slug != folder.name:
        raise ProjectError(
            f"{path}: slug is {table.slug!r}, but the folder is named {folder.name!r}."
        )
    return Project(
        slug=table.slug,
        folder=folder,
        title=table.title,
        summary=table.summary,
        family=table.family,
        version=table.version,
        capabilities=table.capabilities,
        builds_on=table.builds_on,
        paper=asdict(table.paper),
        group=asdict(table.group),
        goals=table.goal,
        borrowed=tuple(asdict(entry) for entry in table.borrowed),
        semester=table.semester,
        budget=table.budget,
    )


def takes_part(root: Path, slug: str, semester: str) -> bool:
    """Whether a project goes through the cycle of this semester: it names this one, or none."""
    try:
        return read_project(root / "projects" / slug).semester in (None, semester)
    except ProjectError:
        return True


def run_folder(slug: str, preset: str, *, seed: int = 0, variant: str = "") -> Path:
    """Where a training run of this project, preset, seed and variant keeps its files."""
    name = "-".join(part for part in (preset, variant, f"seed{seed}") if part)
    return ROOT / "runs" / slug / name
