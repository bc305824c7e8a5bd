"""What a program answers in the checklist: read off the files of version 1, never off its code's run.

The files are exported from the frozen commit into a temporary folder, the rules of `dgm check` look
at them, and each item is a matter of certain rules or of a few facts.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from common.course.check import check_project
from common.course.checks import Context
from common.course.checks.metadata import preset_names
from common.course.checks.readme import NAME as README
from common.course.checks.vocabulary import METRICS, NUM_LEVELS
from common.course.git import Repository
from common.course.problems import Problem
from common.course.reviewing.text import shorten
from common.projects import Goal

ROOT_FILES = ("LICENSE", "LICENSE.md", "LICENSE.txt", "pyproject.toml", "constraints.txt")
IMPORTS = ("code.undeclared", "code.import", "code.builds-on", "code.install")
FORM = ("layout.", "weights.", "code.", "text.", "licence.header", "licence.borrowed")
PRESETS = ("smoke", "demo")  # what every project has, beside one for each goal


@dataclass(frozen=True)
class ProgramAnswer:
    """`yes`, `no` or `n/a`, and what was seen."""

    mark: str
    note: str


@dataclass(frozen=True)
class Facts:
    """Version 1 as a program sees it."""

    context: Context
    problems: tuple[Problem, ...]

    @property
    def goals(self) -> tuple[Goal, ...]:
        """The goals, where project.toml can be read."""
        return self.context.project.goal if self.context.project else ()

    @property
    def measurable(self) -> list[Goal]:
        """The goals that were not withdrawn."""
        return [goal for goal in self.goals if not goal.withdrawn]

    @cached_property
    def readme(self) -> str:
        """The README's text."""
        return self.context.text(self.context.path(README)) or ""

    def found(self, *prefixes: str, level: str = "error") -> list[Problem]:
        """The problems of certain rules."""
        return [p for p in self.problems if p.level == level and p.code.startswith(prefixes)]


@dataclass(frozen=True)
class VersionOne:
    """Everything that a review begins with."""

    answers: dict[str, ProgramAnswer]
    goals: tuple[tuple[Goal, str, bool | None], ...]  # goal, ours as text, met
    problems: tuple[Problem, ...]


FOUND: dict[tuple[str, str], VersionOne] = {}  # a commit's hash says what is in it


def version_one(root: Path, slug: str, commit: str) -> VersionOne:
    """What programs find in a project as it was at a commit; looked up once."""
    if (slug, commit) not in FOUND:
        FOUND[slug, commit] = look_up(root, slug, commit)
    return FOUND[slug, commit]


def look_up(root: Path, slug: str, commit: str) -> VersionOne:
    """The same, looked up now."""
    with tempfile.TemporaryDirectory(prefix="dgm-review-") as folder:
        tree = Path(folder)
        export(Repository(root), slug, commit, tree)
        problems = tuple(check_project(tree, slug))
        files = sorted(path for path in tree.rglob("*") if path.is_file() or path.is_symlink())
        names = tuple(path.relative_to(tree).as_posix() for path in files)
        own = tuple(name for name in names if name.startswith(f"projects/{slug}/"))
        facts = Facts(Context(tree, slug, own), problems)
        answers = {name: answer(facts) for name, answer in ANSWERS.items()}
        goals = tuple((goal, *ours(facts, goal)) for goal in facts.goals)
    return VersionOne(answers, goals, problems)


def export(repository: Repository, slug: str, commit: str, tree: Path) -> None:
    """Write the project, the projects it builds on, and the root's files that rules look at."""
    repository.export(commit, f"projects/{slug}", tree)
    for name in ROOT_FILES:
        if repository.tree(commit, name):
            repository.export(commit, name, tree)
    project = Context(tree, slug, ()).project
    for other in project.builds_on if project else ():
        if repository.tree(commit, f"projects/{other}"):
            repository.export(commit, f"projects/{other}", tree)


def ours(facts: Facts, goal: Goal) -> tuple[str, bool | None]:
    """Our number for a goal, and whether it reaches the target (None: nothing to compare)."""
    if goal.withdrawn:
        return f"withdrawn: {goal.withdrawn}", None
    result = facts.context.result(goal.id)
    if result is None:
        return "not measured", None
    error = "" if result.standard_error is None else f" ± {result.standard_error:.3f}"
    return f"{result.value:.3f}{error} {result.unit}".strip(), goal.is_met(result.value)


def from_rules(*prefixes: str, told: str) -> Callable[[Facts], ProgramAnswer]:
    """An item that holds if certain rules of `dgm check` find no error."""

    def answer(facts: Facts) -> ProgramAnswer:
        found = facts.found(*prefixes)
        return ProgramAnswer("no", list_of(found)) if found else ProgramAnswer("yes", told)

    return answer


def from_section(name: str) -> Callable[[Facts], ProgramAnswer]:
    """An item that holds if the notebook has a section."""

    def answer(facts: Facts) -> ProgramAnswer:
        missing = [
            p for p in facts.found("notebook.section") if f"no section '{name}'" in p.message
        ]
        if missing or not has_notebook(facts):
            return ProgramAnswer("no", f"no heading tells of {name}")
        return ProgramAnswer("yes", f"a heading tells of {name}")

    return answer


def list_of(problems: list[Problem]) -> str:
    """The first problem, and how many more."""
    first = problems[0]
    place = f"{first.path}:{first.line}" if first.line else first.path
    more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
    return f"{shorten(first.message, 100)} ({place}){more}"


def has_notebook(facts: Facts) -> bool:
    """Whether demo.ipynb is there and is a notebook."""
    path = facts.context.path("demo.ipynb")
    return facts.context.has("demo.ipynb") and facts.context.notebook(path) is not None


def declared(facts: Facts) -> ProgramAnswer:
    """Goals are there, and complete."""
    found = facts.found("metadata.missing", "metadata.schema", "metadata.goal")
    if found:
        return ProgramAnswer("no", list_of(found))
    return ProgramAnswer("yes", f"{count(len(facts.goals), 'goal')} in project.toml")


def measured(facts: Facts) -> ProgramAnswer:
    """Every goal has a number, or was withdrawn with a reason."""
    told = []
    for goal in facts.goals:
        value, met = ours(facts, goal)
        outcome = "" if met is None else ", reached" if met else ", missed"
        told.append(f"{goal.id}: {value} ({goal.direction} {goal.target:g}){outcome}")
    is_complete = facts.goals and all(facts.context.result(goal.id) for goal in facts.measurable)
    return ProgramAnswer("yes" if is_complete else "no", "; ".join(told) or "there is no goal")


def data(facts: Facts) -> ProgramAnswer:
    """Every goal's data set is in the catalogue, which embeds or fetches it."""
    if not facts.goals:
        return ProgramAnswer("no", "no goal names a data set")
    unknown = [goal.dataset for goal in facts.measurable if goal.dataset not in NUM_LEVELS]
    if unknown:
        return ProgramAnswer("no", f"{unknown[0]} is not in common.data")
    names = sorted({goal.dataset for goal in facts.goals})
    return ProgramAnswer("yes", f"{', '.join(names)}: from common.data (`dgm data`)")


def training(facts: Facts) -> ProgramAnswer:
    """train.py and its presets."""
    if not facts.context.has("train.py"):
        return ProgramAnswer("no", "there is no train.py")
    presets = preset_names(facts.context)
    if presets is None:
        return ProgramAnswer("yes", "train.py; its presets cannot be read off the text")
    missing = [name for name in PRESETS if name not in presets]
    wanted = {goal.preset for goal in facts.measurable} - presets
    if missing or wanted:
        return ProgramAnswer(
            "no", f"train.py has no preset {', '.join([*missing, *sorted(wanted)])}"
        )
    return ProgramAnswer("yes", f"train.py, presets {', '.join(sorted(presets))}")


def weights(facts: Facts) -> ProgramAnswer:
    """Committed weights where they are promised."""
    lacking = []
    for goal in facts.measurable:
        result = facts.context.result(goal.id)
        named = result.weights if result else None
        if goal.weights == "committed" and not (named and facts.context.has(f"results/{named}")):
            lacking.append(goal.id)
    if lacking or not facts.goals:
        return ProgramAnswer("no", f"none for {', '.join(lacking) or 'any goal'}")
    kinds = [f"{goal.id}: {goal.weights}" for goal in facts.measurable]
    return ProgramAnswer("yes", "; ".join(kinds) or "every goal is withdrawn")


def commands(facts: Facts) -> ProgramAnswer:
    """The README says how every result is made."""
    command = f"dgm reproduce {facts.context.slug}"
    if command in facts.readme:
        return ProgramAnswer("yes", f"`{command}` stands in the README")
    return ProgramAnswer("no", f"`{command}` is nowhere in the README")


def evaluation(facts: Facts) -> ProgramAnswer:
    """Every metric is one that `dgm evaluate` computes."""
    names = sorted({goal.metric for goal in facts.measurable})
    unknown = [name for name in names if name not in METRICS or not METRICS[name].capability]
    if unknown or not facts.goals:
        told = f"`dgm evaluate` does not compute {', '.join(unknown) or 'any of its goals'}"
        return ProgramAnswer("no", told)
    return ProgramAnswer("yes", f"`dgm evaluate` computes {', '.join(names) or 'nothing promised'}")


def place(facts: Facts) -> ProgramAnswer:
    """demo.ipynb in the project's folder."""
    path = facts.context.path("demo.ipynb")
    if has_notebook(facts):
        return ProgramAnswer("yes", path)
    return ProgramAnswer("no", f"{path} is missing, or is no valid notebook")


def other_sections(facts: Facts) -> ProgramAnswer:
    """The sections that have no item of their own."""
    own = ("hyper-parameters", "training", "sampling")
    missing = [
        p
        for p in facts.found("notebook.section")
        if not any(f"'{name}'" in p.message for name in own)
    ]
    if missing or not has_notebook(facts):
        return ProgramAnswer("no", list_of(missing) if missing else "there is no valid notebook")
    return ProgramAnswer("yes", "all there")


def outputs(facts: Facts) -> ProgramAnswer:
    """Stored outputs of one execution from top to bottom."""
    story = ("notebook.section", "notebook.first", "notebook.missing")
    found = [p for p in facts.found("notebook.") if not p.code.startswith(story)]
    if found or not has_notebook(facts):
        return ProgramAnswer("no", list_of(found) if found else "there is no valid notebook")
    cells = (facts.context.notebook(facts.context.path("demo.ipynb")) or {})["cells"]
    with_output = sum(bool(cell.get("outputs")) for cell in cells if isinstance(cell, dict))
    return ProgramAnswer("yes", f"{count(with_output, 'cell')} with outputs, in order, no error")


def filled(facts: Facts) -> ProgramAnswer:
    """No FILL-IN is left."""
    left = facts.found("", level="fill")
    return ProgramAnswer("no", list_of(left)) if left else ProgramAnswer("yes", "nothing is left")


def licence(facts: Facts) -> ProgramAnswer:
    """A licence file, in the project or at the root, and the name of the licence."""
    found = facts.found("licence.repository", "licence.spdx")
    own = [name for name in ROOT_FILES[:3] if facts.context.has(name)]
    at_root = [name for name in ROOT_FILES[:3] if (facts.context.root / name).is_file()]
    if found or not (own or at_root):
        return ProgramAnswer("no", list_of(found) if found else "there is no LICENSE")
    project = facts.context.project
    named = f", project.toml says {project.licence}" if project else ""
    return ProgramAnswer("yes", f"{own[0] if own else at_root[0] + ' at the root'}{named}")


def count(number: int, noun: str) -> str:
    """`1 goal`, `2 goals`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


ANSWERS: dict[str, Callable[[Facts], ProgramAnswer]] = {
    "goals.declared": declared,
    "goals.measured": measured,
    "reproducibility.dependencies": from_rules(*IMPORTS, told="`dgm check` agrees"),
    "reproducibility.data": data,
    "reproducibility.training": training,
    "reproducibility.weights": weights,
    "reproducibility.commands": commands,
    "evaluation.code": evaluation,
    "evaluation.table": from_rules(
        "readme.markers", "claims.table", told="as `dgm reproduce` writes it"
    ),
    "notebook.place": place,
    "notebook.first": from_rules("notebook.first", "notebook.missing", told="all named"),
    "notebook.hyper-parameters": from_section("hyper-parameters"),
    "notebook.training": from_section("training"),
    "notebook.sampling": from_section("sampling"),
    "notebook.sections": other_sections,
    "notebook.outputs": outputs,
    "code.form": from_rules(*FORM, told="nothing"),
    "documentation.readme": from_rules("readme.", told="all there"),
    "documentation.filled": filled,
    "provenance.licence": licence,
    "provenance.results": from_rules("numbers.", "freshness.", told="`dgm check` agrees"),
    "privacy.files": from_rules("personal.", "secrets.", told="`dgm check` finds none"),
}
