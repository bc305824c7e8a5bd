"""results/*.json: every field, numbers that can be, and agreement with the goal they answer.

Numbers that cannot be are looked for in the README and in the notebooks, too.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from common import json_lines, notebooks, schema
from common.course.checks import Context
from common.course.checks.vocabulary import ENTROPY_NATS, LIKELIHOODS, METRICS, NUM_LEVELS, SYMBOLS
from common.course.problems import Problem
from common.projects import Goal
from common.results import Result, parse_result

BY_HAND = "results are written by `dgm reproduce`, never by hand"
UNNORMALISED = "look for a sign, or a mass that is not normalised"
SLACK = 4.0  # standard errors that an estimate may lie beyond what is possible
MOST_EXAMPLES = 10**8  # no test split is larger
EQUALS = r"(?:\s*[:=]\s*|\s+(?:of|is|was)\s+)"
NEGATIVE_FID = re.compile(rf"\bfid(?:\s+score)?(?:{EQUALS}|\s+)[-−]\d+(?:\.\d+)?", re.IGNORECASE)
ACCURACY = re.compile(
    rf"\baccuracy{EQUALS}(\d{{1,9}}(?:\.\d{{1,9}})?)"
    r"(?=[.,;)](?!\d)|$|\s+(?:on|for|with|after|in|and|at)\b)",
    re.IGNORECASE,
)
NAN_LOSS = re.compile(r"\bloss\s*[:=]?\s*nan\b", re.IGNORECASE)
NOT_A_NUMBER_OF_OURS = re.compile(
    r"change|differ|delta|Δ|improv|gain|relative|\bif\b|when|until|never|would|without|cannot|"
    r"first|earlier|version 1|\bno\b|not\b|avoid|prevent|impossible",
    re.IGNORECASE,
)


def check(context: Context) -> Iterator[Problem]:
    """Every result file of a project."""
    folder = context.path("results/")
    for path in context.files:
        if path.startswith(folder) and path.endswith(".json"):
            yield from file_problems(context, path)
    yield from prose_problems(context)


def prose_problems(context: Context) -> Iterator[Problem]:
    """Numbers that cannot be, in the README and in what notebooks show."""
    readme = context.path("README.md")
    for line, message in prose_faults(context.text(readme) or ""):
        yield Problem(readme, line + 1, "numbers.prose", message, PROSE_HINT)
    for path in context.notebooks:
        lines: dict[json_lines.Location, int] = {}
        for location, text in notebook_texts(context.notebook(path)):
            for line, message in prose_faults(text):
                lines = lines or json_lines.line_numbers(context.text(path) or "")
                where = json_lines.line_of((*location, line), lines)
                message = f"cell {location[1]}: {message}"
                yield Problem(path, where, "numbers.prose", message, PROSE_HINT)


PROSE_HINT = "a number that cannot be: look for the error, and measure again"


def notebook_texts(notebook: dict[str, Any] | None) -> Iterator[tuple[tuple, str]]:
    """What a reader sees of a notebook, Markdown and outputs, with the place of its lines."""
    for index, cell in enumerate(notebook["cells"] if notebook else ()):
        if cell["cell_type"] == "markdown":
            yield ("cells", index, "source"), notebooks.source(cell)
        for number, output in enumerate(cell.get("outputs", ())):
            for name in ("text", "text/plain", "text/markdown"):
                inside = () if name == "text" else ("data",)
                holder = output.get("data", {}) if inside else output
                shown = holder.get(name, "")
                place = ("cells", index, "outputs", number, *inside, name)
                if isinstance(shown, str | list):
                    yield place, shown if isinstance(shown, str) else "".join(map(str, shown))


def prose_faults(text: str) -> Iterator[tuple[int, str]]:
    """Numbers in a text that cannot be: (line from 0, message)."""
    for line, words in enumerate(text.split("\n")):
        if NOT_A_NUMBER_OF_OURS.search(words):
            continue
        for found in NEGATIVE_FID.finditer(words):
            yield line, f"{found.group()!r}: a distance cannot be negative"
        for found in ACCURACY.finditer(words):
            if 1 < float(found.group(1)) < 2 or float(found.group(1)) > 100:
                yield line, f"{found.group()!r}: an accuracy cannot be above 1"
        for found in NAN_LOSS.finditer(words):
            yield line, f"{found.group()!r}: the training has failed"


def file_problems(context: Context, path: str) -> Iterator[Problem]:
    """One result file."""
    text = context.text(path)
    if text is None:
        yield Problem(path, 0, "numbers.schema", "is not a text file, expected JSON", BY_HAND)
        return
    try:
        result = parse_result(text, path)
    except schema.SchemaError as error:
        for fault in error.faults:
            message = fault.message.removesuffix(".")
            yield Problem(path, fault.line, "numbers.schema", message, BY_HAND)
        return
    lines = json_lines.line_numbers(text)
    for field, code, message, hint in [
        *identity_faults(context, path, result),
        *range_faults(result),
        *likelihood_faults(result),
    ]:
        line = json_lines.line_of((field,), lines)
        yield Problem(path, line, f"numbers.{code}", message, hint)


Faults = Iterator[tuple[str, str, str, str]]  # field, code, message, hint


def identity_faults(context: Context, path: str, result: Result) -> Faults:
    """The file is of this project and answers the goal it is named after, as declared."""
    stem = PurePosixPath(path).stem
    if result.project != context.slug:
        message = f"project is {result.project!r}, but the folder is {context.folder}"
        yield "project", "project", message, BY_HAND
    if result.goal != stem:
        yield "goal", "goal", f"goal is {result.goal!r}, but the file is {stem}.json", BY_HAND
    if context.project is None:
        return
    goal = next((goal for goal in context.project.goal if goal.id == result.goal), None)
    if goal is None:
        known = ", ".join(goal.id for goal in context.project.goal) or "none"
        hint = f"project.toml declares: {known}; remove the file or declare the goal"
        yield "goal", "goal", f"project.toml has no goal {result.goal!r}", hint
        return
    yield from goal_faults(result, goal)


def goal_faults(result: Result, goal: Goal) -> Faults:
    """What was measured is what the goal promised."""
    for field in ("metric", "dataset", "split", "preset"):
        measured, promised = getattr(result, field), getattr(goal, field)
        if measured != promised:
            message = f"{field} is {measured!r}, and the goal promises {promised!r}"
            hint = f"measure it as promised: `dgm reproduce {result.project} {goal.id}`"
            yield field, f"goal-{field}", message, hint


def range_faults(result: Result) -> Faults:
    """Numbers that no measurement can give."""
    metric, error = METRICS.get(result.metric), result.standard_error
    slack = SLACK * (error or 0.0) if metric and metric.is_estimate else 0.0
    if error is not None and not 0 <= error < float("inf"):
        message = f"standard_error is {error:g}, expected a number from 0"
        yield "standard_error", "standard-error", message, BY_HAND
        slack = 0.0
    if result.n < 1:
        yield "n", "count", f"n is {result.n}, expected at least one example", BY_HAND
    if result.metric in ("nll_nats", "bits_per_dim") and result.n > MOST_EXAMPLES:
        message = f"n is {result.n}, more examples than any test split has"
        yield "n", "range", message, BY_HAND
    if result.num_importance_samples is not None and result.num_importance_samples < 1:
        message = f"num_importance_samples is {result.num_importance_samples}, expected at least 1"
        yield "num_importance_samples", "count", message, BY_HAND
    for field in ("train_seconds", "evaluation_seconds"):
        if not 0 <= getattr(result, field) < float("inf"):
            message = f"{field} is {getattr(result, field):g}, expected a number from 0"
            yield field, "seconds", message, BY_HAND
    if metric is None:
        return
    if result.unit != metric.unit:
        message = f"unit is {result.unit!r}, expected {metric.unit!r} of {result.metric}"
        yield "unit", "unit", message, BY_HAND
    if metric.least is not None and result.value < metric.least - slack:
        message = f"{result.metric} is {result.value:g}, and cannot be below {metric.least:g}"
        yield "value", "range", message, "look for a sign, or a density that is not normalised"
    if metric.most is not None and result.value > metric.most + slack:
        message = f"{result.metric} is {result.value:g}, and cannot be above {metric.most:g}"
        yield "value", "range", message, BY_HAND


def likelihood_faults(result: Result) -> Faults:
    """A likelihood that is better than the data allow."""
    if result.metric not in LIKELIHOODS:
        return
    is_binary = NUM_LEVELS.get(result.dataset) == 2 or "Binarisation" in result.protocol
    if is_binary and result.value < 0:
        message = f"{result.metric} is {result.value:g}: binary data have no probability over 1"
        yield "value", "range", message, UNNORMALISED
    if result.dataset in SYMBOLS and result.value < 0:
        message = f"{result.metric} is {result.value:g}: symbols have no probability over 1"
        yield "value", "range", message, UNNORMALISED
    entropy = ENTROPY_NATS.get(result.dataset)
    error = SLACK * (result.standard_error or 0.0)
    is_raw = "no preprocessing" in result.protocol
    if entropy is not None and is_raw and result.value < entropy - error:
        message = f"{result.metric} is {result.value:g}, below the data's entropy of {entropy:g}"
        yield "value", "entropy", message, "no model can; look at normalisation and at the split"
