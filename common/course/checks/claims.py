"""What README and notebook say of the results is what results/ says."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from common.course.checks import Context
from common.course.checks.notebook import NAME as NOTEBOOK
from common.course.checks.notebook import CellLines, cell_text
from common.course.checks.vocabulary import LIKELIHOODS, METRICS
from common.course.problems import Problem
from common.notebooks import source
from common.projects import Goal
from common.results import BEGIN, END, ResultError, goals_table, with_table

README = "README.md"
ROW = re.compile(r"^\| ([a-z0-9][a-z0-9._-]*) \|.*\|$", re.MULTILINE)
HEADER = "| goal | data, split | ours |"
NUMBER = r"(?<![\w.,−-])(\d{1,9}(?:\.\d{1,9}|,\d{1,2}(?!\d))?)"  # 88.9, and 88,9
OURS = re.compile(r"\b(we|our|ours)\b", re.IGNORECASE)
REACHED = re.compile(
    r"\b(reach\w*|achiev\w*|attain\w*|obtain\w*|measured|gets?|got|scores|scored)\b", re.IGNORECASE
)
OTHERS = re.compile(
    r"\b(papers?|report\w*|publish\w*|et al|baselines?|validat\w*|valid|training|literature|"
    r"authors?|theirs?|others?|independent|at most|at least|epochs?)\b",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(r"(?<!\bal)(?<!\bFig)(?<!\bSec)(?<!\bEq)[.!?;:]\s|\n\s*\n|\n\s*[|#*-]")
WINDOW = 400  # characters of a sentence on either side of a number
NEAR = 0.25  # a number farther from the result than this share of it may speak of something else
DECIMAL = re.compile(r"(?<![\w.])\d{1,9}\.\d{1,20}(?![\w.]*\w)")
WE_REACH = re.compile(
    r"\bwe\s+(?:now\s+)?(?:reach(?:ed)?|achieved?|attain(?:ed)?|obtain(?:ed)?|get|got)\s+"
    r"(?:an?\s+)?(?:test\s+)?(?:nll\s+)?(?:of\s+)?\**$",
    re.IGNORECASE,
)
DISTANCE = re.compile(
    r"\b(by|gaps?|distances?|differ\w*|within|than|above|below|more|less|lower|higher|better|worse|"
    r"every|per|each|from|error|short|away|apart|further|about|only|costs?|gains?|los[et]s?)\b",
    re.IGNORECASE,
)
ALL_MET = re.compile(
    r"(?<!not )\b(?:all|every|each)(?:\s+of)?(?:\s+(?:the|our|its))?(?:\s+(?:two|three|four|five|\d))?"
    r"\s+goals?\s+(?:(?:are|were|is|was|(?:have|has)\s+been)\s+)?(?:met|reached)\b",
    re.IGNORECASE,
)
UNLESS = re.compile(
    r"\b(if|when|until|whether|unless|once|should|not|never|nor|n't|except|but)\b", re.IGNORECASE
)


def check(context: Context) -> Iterator[Problem]:
    """The generated table, the table in the notebook's outputs, and numbers in the prose."""
    if context.project is None:
        return
    yield from table_problems(context)
    yield from output_problems(context)
    yield from readme_prose(context)
    yield from notebook_prose(context)


def generated_table(context: Context) -> str | None:
    """The results table as it should be; None if a result cannot be read."""
    if context.project is None:
        return None
    goals = context.project.goal
    results = {goal.id: context.result(goal.id) for goal in goals if context.has_result(goal.id)}
    readable = {goal_id: result for goal_id, result in results.items() if result is not None}
    if len(readable) < len(results):
        return None
    return goals_table(context.slug, goals, readable)


def updated_readme(context: Context) -> str | None:
    """The README with its table as it should be; None if there is no place for it, or no table."""
    text, table = context.text(context.path(README)), generated_table(context)
    if text is None or table is None or text.count(BEGIN) != 1 or text.count(END) != 1:
        return None
    try:
        return with_table(text, table, context.root)
    except ResultError:
        return None


def table_problems(context: Context) -> Iterator[Problem]:
    """The README's table is the one that the results make."""
    path = context.path(README)
    text, updated = context.text(path), updated_readme(context)
    if text is None or updated is None or text == updated:
        return
    pairs = zip(text.split("\n"), updated.split("\n"), strict=False)
    line = next((i for i, (old, new) in enumerate(pairs, 1) if old != new), 0)
    message = "the results table is not what results/ and project.toml say"
    hint = "never edit it by hand: `dgm check --fix` writes it"
    yield Problem(path, line, "claims.table", message, hint, fixable=True)


def output_problems(context: Context) -> Iterator[Problem]:
    """A results table among the notebook's outputs shows the present results."""
    path, table = context.path(NOTEBOOK), generated_table(context)
    notebook = context.notebook(path)
    if notebook is None or table is None:
        return
    rows = {row.group() for row in ROW.finditer(table)}
    for index, cell in enumerate(notebook["cells"]):
        shown = cell_text(cell) if cell["cell_type"] == "code" else ""
        if HEADER not in shown:
            continue
        old = [row.group() for row in ROW.finditer(shown) if row.group() not in rows]
        old = [row for row in old if row.split(" | ")[0].strip("| ") != "goal"]
        if old:
            goal_id = old[0].split(" | ")[0].strip("| ")
            line = CellLines(context.text(path) or "").of(index, 0)
            message = f"cell {index} shows an older results table (row {goal_id!r})"
            hint = "run the notebook again and save it"
            yield Problem(path, line, "claims.output", message, hint, "warning")


def readme_prose(context: Context) -> Iterator[Problem]:
    """Numbers in the README outside of the generated table."""
    path = context.path(README)
    text = context.text(path) or ""
    before, begin, rest = text.partition(BEGIN)
    table, end, after = rest.partition(END)
    prose = before + "\n" * (begin + table + end).count("\n") + after
    for offset, fault in text_faults(context, prose):
        yield fault.problem(path, prose.count("\n", 0, offset) + 1, "")


def notebook_prose(context: Context) -> Iterator[Problem]:
    """Numbers in the notebook's Markdown cells."""
    path = context.path(NOTEBOOK)
    notebook = context.notebook(path)
    lines = CellLines(context.text(path) or "")
    for index, cell in enumerate(notebook["cells"] if notebook else ()):
        if cell["cell_type"] != "markdown":
            continue
        text = source(cell)
        for offset, fault in text_faults(context, text):
            line = lines.of(index, text.count("\n", 0, offset))
            yield fault.problem(path, line, f"cell {index}: ")


@dataclass(frozen=True)
class Fault:
    """What is wrong with a sentence."""

    code: str
    message: str
    hint: str
    level: str

    def problem(self, path: str, line: int, prefix: str) -> Problem:
        """The problem of this fault at a place."""
        return Problem(path, line, self.code, prefix + self.message, self.hint, self.level)


def text_faults(context: Context, text: str) -> Iterator[tuple[int, Fault]]:
    """Everything that a text states wrongly of the results: (offset, fault)."""
    near = list(prose_faults(context, text))
    for offset, message in near:
        yield offset, Fault("claims.prose", message, PROSE_HINT, "warning")
    seen = {offset for offset, _ in near}
    for offset, message in far_faults(context, text):
        if offset not in seen:
            seen.add(offset)
            yield offset, Fault("claims.number", message, PROSE_HINT, "warning")
    for offset, message in goals_faults(context, text):
        hint = "say which goals are met, and by how much the others are missed"
        yield offset, Fault("claims.goals", message, hint, "error")


PROSE_HINT = "if it speaks of this result, correct it; `dgm list` shows the measured numbers"


def prose_faults(context: Context, text: str) -> Iterator[tuple[int, str]]:
    """Numbers in a text that claim a goal's result and are not it: (offset, message)."""
    goals = [goal for goal in context.project.goal if context.result(goal.id)]
    for metric in sorted({goal.metric for goal in goals}):
        measured = [goal for goal in goals if goal.metric == metric]
        for found in number_pattern(metric).finditer(text):
            stated = found.group(1).replace(",", ".")
            claimed = claimed_goals(sentence(text, found.start(1)), measured)
            if not claimed or any(agrees(context, goal, stated) for goal in claimed):
                continue
            values = {goal.id: context.result(goal.id).value for goal in claimed}
            close = [g for g, v in values.items() if abs(float(stated) - v) <= NEAR * abs(v)]
            if close:
                unit = METRICS[metric].unit if metric in METRICS else ""
                message = f"{stated} {unit}".strip() + f" is stated where results/{close[0]}.json"
                yield found.start(1), f"{message} has {values[close[0]]:.4g}"


def far_faults(context: Context, text: str) -> Iterator[tuple[int, str]]:
    """Numbers claimed of a goal, at whatever distance, that stand nowhere in the results."""
    goals = [goal for goal in context.project.goal if context.result(goal.id)]
    known = known_numbers(context) if goals else []
    for metric in sorted({goal.metric for goal in goals}):
        measured = [goal for goal in goals if goal.metric == metric]
        patterns = [number_pattern(metric), *([NLL] if metric in LIKELIHOODS else [])]
        for found in (found for pattern in patterns for found in pattern.finditer(text)):
            start, stated = found.start(1), found.group(1).replace(",", ".")
            whole = sentence(text, start)
            before = sentence(text[:start], start)[-40:]
            after = sentence(text[found.end() :], 0)[:25]
            if DISTANCE.search(f"{before} {after}") or OTHERS.search(whole):
                continue
            named = [goal for goal in measured if is_named(goal, whole)]
            claimed = claimed_goals(whole, measured) if named else []
            if not named and WE_REACH.search(before):
                claimed = measured
            rounding = 10.0 ** -len(stated.partition(".")[2])
            if not claimed or any(agrees(context, goal, stated) for goal in goals):
                continue
            if any(abs(float(stated) - number) < rounding for number in known):
                continue
            goal = claimed[0]
            value = context.result(goal.id).value
            yield start, f"{stated} is stated where results/{goal.id}.json has {value:.4g}"


NLL = re.compile(
    rf"\bNLL\b(?:\s*\(nats\))?\s*(?:of|is|was|=|:)?\s*\**{NUMBER}"
    r"(?![\d.,]*\d)(?!\s*(?:bits|bpd|%|[a-z]*\s*epochs|samples))",
    re.IGNORECASE,
)


def known_numbers(context: Context) -> list[float]:
    """Every number that the results measured, and every decimal that they or the goals state."""
    paths = [path for path in context.files if path.startswith(context.path("results/"))]
    paths = [path for path in paths if path.endswith(".json")]
    texts = [context.text(path) or "" for path in [*paths, context.path("project.toml")]]
    numbers = [float(found.group()) for text in texts for found in DECIMAL.finditer(text)]
    results = [context.result(goal.id) for goal in context.project.goal]
    values = [result.value for result in results if result is not None]
    return [*numbers, *values, *(abs(a - b) for a in values for b in values if a != b)]


def goals_faults(context: Context, text: str) -> Iterator[tuple[int, str]]:
    """A text that says that all goals are met, where one is missed."""
    missed = []
    for goal in context.project.goal:
        result = context.result(goal.id)
        if goal.withdrawn is None and result is not None and not goal.is_met(result.value):
            missed.append(goal.id)
    for found in ALL_MET.finditer(text) if missed else ():
        if not UNLESS.search(sentence(text, found.start())):
            yield found.start(), f"{' '.join(found.group().split())!r}, but {missed[0]!r} is missed"


def number_pattern(metric: str) -> re.Pattern[str]:
    """A number with the metric's unit behind it, or with the metric's name before it."""
    known = METRICS.get(metric)
    if known is not None and known.forms:
        units = "|".join(map(re.escape, known.forms))
        return re.compile(rf"{NUMBER}(?:\s*±\s*[\d.]+)?\**\s*(?:{units})\b", re.IGNORECASE)
    name = re.escape(metric).replace("_", "[_ ]")
    return re.compile(rf"\b{name}\b\s*(?:score\s*)?(?:of|is|=|:)?\s*{NUMBER}", re.IGNORECASE)


def sentence(text: str, offset: int) -> str:
    """The sentence (or table row, or item) around an offset, cut to what a person would read."""
    first, last = max(0, offset - WINDOW), min(len(text), offset + WINDOW)
    start = max((end.end() for end in SENTENCE_END.finditer(text, first, offset)), default=first)
    end = SENTENCE_END.search(text, offset, last)
    return text[start : end.start() if end else last]


def claimed_goals(text: str, goals: list[Goal]) -> list[Goal]:
    """The goals whose result a sentence may claim: named there, or the only one of its metric."""
    named = [goal for goal in goals if is_named(goal, text)]
    is_ours = bool(OURS.search(text))
    if OTHERS.search(text) and not is_ours:
        return []
    if named:
        return named if is_ours or REACHED.search(text) else []
    return goals if len(goals) == 1 and is_ours and REACHED.search(text) else []


def is_named(goal: Goal, text: str) -> bool:
    """Whether a text has the goal's identifier."""
    pattern = rf"(?<![\w-]){re.escape(goal.id)}(?![\w-])"
    return re.search(pattern, text, re.IGNORECASE) is not None


def agrees(context: Context, goal: Goal, stated: str) -> bool:
    """Whether a stated number is the goal's result, target, paper's value, or a distance of them."""
    result = context.result(goal.id)
    value = result.value
    others = [goal.target, *([] if goal.paper_value is None else [goal.paper_value])]
    numbers = [value, *others, *(abs(value - other) for other in others)]
    numbers += [
        goal.tolerance,
        result.standard_error or 0.0,
        *(abs(o - goal.target) for o in others),
    ]
    rounding = 10.0 ** -len(stated.partition(".")[2])  # cut off counts as rounded
    return any(abs(float(stated) - number) < rounding for number in numbers)
