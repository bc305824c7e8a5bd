"""project.toml: its schema, what it promises, and the places that are left to fill."""

import ast
import difflib
import keyword
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace

from common import schema
from common.course.checks import Context
from common.course.checks.frozen_goals import frozen_goals
from common.course.checks.text import text_files
from common.course.checks.vocabulary import CAPABILITIES, METRICS, NUM_LEVELS
from common.course.cycle import CYCLE_FILE, now, read_cycle
from common.course.problems import Problem
from common.course.scaffold import MAX_SLUG
from common.errors import UserError
from common.projects import FILL, Goal, ProjectTable

NO_NUMBER = re.compile(r"\b(no|not|none|never|nothing|only|without|own)\b", re.IGNORECASE)
PLACE = re.compile(
    r"table|figure|fig\.|section|sec\.|appendix|abstract|page|p\.\s?\d", re.IGNORECASE
)


def check(context: Context) -> Iterator[Problem]:
    """Everything about project.toml, and every FILL-IN in the project's texts."""
    yield from fill_problems(context)
    path = context.path("project.toml")
    if not context.has("project.toml"):
        hint = "`dgm new` makes the folder of a project, or copy templates/project/project.toml."
        yield Problem(path, 0, "metadata.missing", "project.toml is missing", hint)
        return
    try:
        table = schema.read(context.root / path, ProjectTable)
    except schema.SchemaError as error:
        for fault in error.faults:
            message = fault.message.removesuffix(".")
            yield Problem(path, fault.line, "metadata.schema", message, SCHEMA_HINT)
        return
    lines = schema.line_numbers(context.text(path) or "")
    for location, problem in table_problems(context, table):
        yield replace(problem, path=path, line=schema.line_of(location, lines))


SCHEMA_HINT = "projects/made/project.toml shows every field; common/projects.py explains them."


def problem(code: str, message: str, hint: str = "", level: str = "error") -> Problem:
    """A problem of project.toml whose line is filled in later."""
    return Problem("", 0, f"metadata.{code}", message, hint, level)


def table_problems(
    context: Context, table: ProjectTable
) -> Iterator[tuple[schema.Location, Problem]]:
    """What is wrong with a table of the right form, each with the field it belongs to."""
    yield from (((("slug",), found)) for found in slug_problems(context, table.slug))
    yield from paper_problems(table)
    yield from group_problems(context, table)
    for index, name in enumerate(table.capabilities):
        if name not in CAPABILITIES:
            hint = f"known: {', '.join(CAPABILITIES)}"
            message = f"capability {name!r} is unknown{near(name, CAPABILITIES)}"
            yield ("capabilities", index), problem("capability", message, hint)
    yield from builds_on_problems(context, table)
    if not table.goal:
        hint = "add a [[goal]]: metric, data set, target, and what the paper reports where"
        yield (), problem("goals", "there is no goal, expected at least one", hint)
    presets = preset_names(context)
    for index, goal in enumerate(table.goal):
        for field, found in goal_problems(goal, table, presets):
            yield ("goal", index, field), found
    for goal_id, found in version_problems(context, table):
        index = next((i for i, goal in enumerate(table.goal) if goal.id == goal_id), 0)
        yield ("goal", index), found


def near(name: str, known: tuple[str, ...] | Mapping[str, object]) -> str:
    """`; did you mean ...?` if something known is spelled alike."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.75)
    return f"; did you mean {found[0]!r}?" if found else ""


def slug_problems(context: Context, slug: str) -> Iterator[Problem]:
    """The slug is the folder's name and the name of a Python package."""
    if slug != context.slug:
        message = f"slug is {slug!r}, but the folder is projects/{context.slug}"
        yield problem("slug", message, f'write slug = "{context.slug}", or rename the folder')
    elif not re.fullmatch(r"[a-z][a-z0-9_]*", slug) or len(slug) > MAX_SLUG:
        hint = f"expected a-z, digits and _, a letter first, at most {MAX_SLUG} characters"
        yield problem("slug", f"slug {slug!r} is no name of a Python package", hint)
    elif keyword.iskeyword(slug):
        yield problem("slug", f"slug {slug!r} is a word of the Python language", "choose another")


def paper_problems(table: ProjectTable) -> Iterator[tuple[schema.Location, Problem]]:
    """The paper has authors and a year that can be."""
    if not table.paper.authors:
        hint = "list every author as the paper does"
        yield ("paper", "authors"), problem("paper", "the paper has no authors", hint)
    if not 1900 <= table.paper.year <= now().year + 1:
        message = f"the paper's year is {table.paper.year}, expected the year of publication"
        yield ("paper", "year"), problem("paper", message)


def group_problems(
    context: Context, table: ProjectTable
) -> Iterator[tuple[schema.Location, Problem]]:
    """The group has as many members as the course allows, each once."""
    members = table.group.members
    where = ("group", "members")
    for key in sorted({key for key in members if members.count(key) > 1}):
        yield where, problem("group", f"the member {key!r} is listed twice")
    if not members:
        yield where, problem("group", "the group has no members", "list the public key of each")
    if not (context.root / CYCLE_FILE).exists():
        return
    try:
        size = read_cycle(context.root).group
    except UserError:
        return  # `dgm check` reports the file itself
    if members and not size.min <= len(members) <= size.max:
        allowed = str(size.min) if size.min == size.max else f"{size.min} to {size.max}"
        message = f"the group has {len(members)} members, expected {allowed}"
        yield where, problem("group", message, f"{CYCLE_FILE} sets the size; ask the instructor")


def builds_on_problems(
    context: Context, table: ProjectTable
) -> Iterator[tuple[schema.Location, Problem]]:
    """builds_on names other projects that exist, and no project builds on itself by a detour."""
    for index, slug in enumerate(table.builds_on):
        where = ("builds_on", index)
        if slug == context.slug:
            yield where, problem("builds-on", "the project builds on itself", "remove it")
        elif not re.fullmatch(r"\w+", slug) or not project_file(context, slug).is_file():
            message = f"builds_on names {slug!r}, and there is no projects/{slug}/project.toml"
            yield where, problem("builds-on", message, "`dgm list` shows the projects")
        elif detour := way_back(context, slug):
            message = f"projects build on each other in a circle: {' -> '.join(detour)}"
            hint = "move what both need into the one that comes first"
            yield where, problem("builds-on", message, hint)


def project_file(context: Context, slug: str):
    """The project.toml of another project."""
    return context.root / "projects" / slug / "project.toml"


def way_back(context: Context, start: str) -> list[str]:
    """The chain of builds_on from `start` back to this project, if there is one."""
    ways, seen = [[context.slug, start]], {start}
    while ways:
        way = ways.pop()
        for slug in built_on(context, way[-1]):
            if slug == context.slug:
                return [*way, slug]
            if slug not in seen:
                seen.add(slug)
                ways.append([*way, slug])
    return []


def built_on(context: Context, slug: str) -> list[str]:
    """The builds_on of another project, as far as it can be read."""
    try:
        text = project_file(context, slug).read_text(encoding="utf-8-sig")
        listed = tomllib.loads(text).get("builds_on")
    except (OSError, ValueError, RecursionError):
        return []
    entries = listed if isinstance(listed, list) else []
    return [entry for entry in entries if isinstance(entry, str) and re.fullmatch(r"\w+", entry)]


def goal_problems(
    goal: Goal, table: ProjectTable, presets: set[str] | None
) -> Iterator[tuple[str, Problem]]:
    """One goal: a known metric in its right direction, numbers that can be, and a source."""
    yield from metric_problems(goal, table)
    if goal.dataset not in NUM_LEVELS:
        message = f"goal {goal.id}: data set {goal.dataset!r} is not in common.data"
        hint = f"`dgm data list` shows the sets{near(goal.dataset, NUM_LEVELS)}"
        yield "dataset", problem("goal-dataset", message, hint, "warning")
    if presets is not None and goal.preset not in presets:
        message = f"goal {goal.id}: train.py has no preset {goal.preset!r}"
        hint = f"its presets are: {', '.join(sorted(presets))}{near(goal.preset, tuple(presets))}"
        yield "preset", problem("goal-preset", message, hint)
    if goal.paper_value is None and not NO_NUMBER.search(goal.paper_source):
        message = f"goal {goal.id} has no paper_value, and paper_source does not say why"
        hint = 'add paper_value = ..., or paper_source = "not in the paper; ..."'
        yield "paper_source", problem("goal-paper", message, hint)
    if goal.paper_value is not None and not PLACE.search(goal.paper_source):
        message = f"goal {goal.id}: paper_source does not say where {goal.paper_value:g} stands"
        hint = "name the table and row, the figure or the section"
        yield "paper_source", problem("goal-paper", message, hint, "warning")
    if goal.tolerance > abs(goal.target) / 10:
        message = f"goal {goal.id}: the tolerance {goal.tolerance:g} is over a tenth of the target"
        hint = "a tolerance covers noise; put what you expect to reach into the target"
        yield "tolerance", problem("goal-tolerance", message, hint, "warning")


def metric_problems(goal: Goal, table: ProjectTable) -> Iterator[tuple[str, Problem]]:
    """The metric of a goal: known, in its right direction, within its range, and measurable."""
    metric = METRICS.get(goal.metric)
    if metric is None:
        suggestion = near(goal.metric, METRICS)
        message = f"goal {goal.id}: metric {goal.metric!r} is not in common.evaluation{suggestion}"
        hint = f"known: {', '.join(METRICS)}"
        level = "error" if suggestion else "warning"
        yield "metric", problem("goal-metric", message, hint, level)
        return
    if goal.direction != metric.direction:
        message = f"goal {goal.id}: {goal.metric} {goal.direction} {goal.target:g}"
        hint = f"of {goal.metric} the better value is the other way: {metric.direction!r}"
        yield "direction", problem("goal-direction", message, hint)
    for field in ("target", "paper_value"):
        value = getattr(goal, field)
        low, high = metric.least, metric.most
        if value is not None and not within(value, low, high):
            message = f"goal {goal.id}: {field} is {value:g}, and {goal.metric} cannot be"
            hint = f"expected {'any' if low is None else f'{low:g}'} to " + (
                "any" if high is None else f"{high:g}"
            )
            yield field, problem("goal-range", message, hint)
    if metric.capability is None:
        message = f"goal {goal.id}: `dgm reproduce` cannot measure {goal.metric} yet"
        yield "metric", problem("goal-metric", message, "agree on it first", "warning")
    elif metric.capability not in table.capabilities:
        message = f"goal {goal.id}: {goal.metric} needs the capability {metric.capability!r}"
        hint = f"the project declares: {', '.join(table.capabilities) or 'none'}"
        yield "metric", problem("goal-capability", message, hint)


def within(value: float, least: float | None, most: float | None) -> bool:
    """Whether a value lies in a closed interval; None is no limit."""
    return (least is None or value >= least) and (most is None or value <= most)


def preset_names(context: Context) -> set[str] | None:
    """The names in train.py's PRESETS = {...}; None if they cannot be read off the text."""
    path = context.path("train.py")
    module = context.module(path) if context.has("train.py") else None
    for node in module.body if module else ():
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        value = getattr(node, "value", None)
        if "PRESETS" in names and isinstance(value, ast.Dict):
            keys = [key.value if isinstance(key, ast.Constant) else None for key in value.keys]
            is_readable = all(isinstance(key, str) for key in keys)
            return {str(key) for key in keys} if is_readable else None
    return None


def version_problems(context: Context, table: ProjectTable) -> Iterator[tuple[str, Problem]]:
    """What version 1 promised, as frozen, is still there: goals are withdrawn, never dropped."""
    frozen, trouble = frozen_goals(context.root, context.slug)
    if trouble:
        yield "", problem(
            "frozen", trouble, "fetch the whole history: git fetch --unshallow", "warning"
        )
    present = {goal.id: goal for goal in table.goal}
    for before in frozen:
        goal = present.get(before.id)
        if goal is None:
            message = f"the goal {before.id!r} of version 1 has vanished"
            hint = 'put it back; a goal that is given up says so: withdrawn = "the reason"'
            yield before.id, problem("goal-vanished", message, hint)
            continue
        fields = (
            *("metric", "dataset", "split", "direction", "target", "tolerance", "paper_value"),
            "num_samples",
        )
        changed = [name for name in fields if getattr(goal, name) != getattr(before, name)]
        for name in changed:
            old, new = getattr(before, name), getattr(goal, name)
            message = f"goal {goal.id}: {name} was {old!r} in version 1 and is {new!r} now"
            hint = "goals are declared before version 1; say in the README why it moved"
            yield goal.id, problem("goal-changed", message, hint, "warning")


def fill_problems(context: Context) -> Iterator[Problem]:
    """Every place that is still to be filled, with its line."""
    for path in text_files(context):
        text = context.text(path) or ""
        if FILL not in text:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if FILL in line:
                yield Problem(path, number, "metadata.fill", fill_message(line), "", "fill")


def fill_message(line: str) -> str:
    """What is asked for at a place to fill, in a few words."""
    asked = line.split(FILL, 1)[1].lstrip(":").strip().strip('"|,\\n').strip()
    return f"to fill: {asked[:60]}" if asked else "a place to fill"
