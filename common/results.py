"""Numbers with their provenance: result files and the README tables that they make.

A result is `projects/<slug>/results/<goal>.json` with the weights it was computed from beside it in
half precision (common.weights). `dgm reproduce` writes both, `dgm verify` recomputes the number from
the weights. Nothing here needs torch.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from common import json_lines, schema
from common.errors import UserError
from common.files import write_text
from common.projects import ROOT, Finite, Goal, Project
from common.schema import Count, Number, Text, strict_table

SCHEMA = "result/1"
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[\w-][\w.-]*\.safetensors$")]
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"


class ResultError(UserError):
    """A result or weight file that is missing, damaged or does not fit its project."""


@strict_table
@dataclass(frozen=True)
class Result:
    """One measured number and everything that is needed to measure it again."""

    project: Text
    goal: Text
    metric: Text
    value: Finite
    standard_error: Finite | None
    n: Count
    unit: str
    split: Text
    protocol: str
    dataset: Text
    dataset_sha256: Hash
    preset: Text
    config: Mapping[str, Any]
    seed: Count
    evaluation_seed: Count
    num_importance_samples: Count | None  # None where the metric needs none
    commit: Text
    code_sha256: Hash
    hardware: Text
    train_seconds: Number
    evaluation_seconds: Number
    weights: FileName | None
    weights_sha256: Hash
    verified_code_sha256: Hash | None = (
        None  # the code that last computed it again from the weights
    )
    schema: Literal["result/1"] = SCHEMA

    def __post_init__(self):
        if not math.isfinite(self.value):
            raise ResultError(
                f"{self.project}/{self.goal}: the value is {self.value}, not a number."
            )


def result_path(project: Project, goal_id: str) -> Path:
    """Where the result of this goal is kept."""
    return project.folder / "results" / f"{goal_id}.json"


def write_result(project: Project, result: Result) -> Path:
    """Write the result atomically and return its path."""
    path = result_path(project, result.goal)
    text = json.dumps(dataclasses.asdict(result), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")
    return path


def read_result(path: Path) -> Result:
    """Read a result file; raises ResultError that names the file and the field."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ResultError(f"{path} does not exist; `dgm reproduce` makes it.") from None
    except UnicodeDecodeError as error:
        raise ResultError(f"{path} is not valid JSON: {error}.") from error
    try:
        return parse_result(text, path)
    except schema.SchemaError as error:
        raise ResultError(str(error)) from None


def parse_result(text: str, path: Path | str = "result") -> Result:
    """A result from its text; raises SchemaError with every mistake and its line."""
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        fault = schema.Fault(getattr(error, "lineno", 0), "", f"not valid JSON: {error}.")
        raise schema.SchemaError(path, [fault]) from None
    if not isinstance(table, dict) or table.get("schema") != SCHEMA:
        raise schema.SchemaError(path, [schema.Fault(1, "schema", f'schema is not "{SCHEMA}".')])
    return schema.validated(table, Result, lambda: json_lines.line_numbers(text), path)


def project_results(project: Project) -> dict[str, Result]:
    """The results there are, by goal."""
    found = {}
    for goal in project.goals:
        path = result_path(project, goal.id)
        if path.exists():
            found[goal.id] = read_result(path)
    return found


def measured_value(path: Path) -> float | None:
    """The number in a result file, the rest unread; None where there is no such number."""
    try:
        value = json.loads(path.read_bytes())["value"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return value if isinstance(value, float | int) and not isinstance(value, bool) else None


def code_sha256(folder: Path) -> str:
    """One hash over a project's model and training code, to tell whether a result is stale."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        is_ordinary = path.is_file() and not path.is_symlink()  # reading a pipe waits forever
        if is_ordinary and not path.name.startswith("test_"):
            digest.update(path.name.encode())
            digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def results_table(project: Project) -> str:
    """The goals of a project beside what was measured, as a Markdown table."""
    return goals_table(project.slug, project.goals, project_results(project))


def goals_table(slug: str, goals: Iterable[Goal], results: Mapping[str, Result]) -> str:
    """Goals beside their results (by goal id, where there are any), as a Markdown table."""
    lines = [
        "| goal | data, split | ours | target | paper | met | cost |",
        "|---|---|---|---|---|---|---|",
    ]
    notes = []
    for goal in goals:
        result = results.get(goal.id)
        lines.append(table_row(goal, result))
        protocol = f"{goal.protocol} {result.protocol}." if result else goal.protocol
        notes.append(f"- **{goal.id}** — paper: {goal.paper_source}. Protocol: {protocol}")
        if result and result.weights is None:
            notes[-1] += f" Weights not in the tree: `dgm reproduce {slug} {goal.id}`."
    return "\n".join([*lines, "", *notes])


def table_row(goal: Goal, result: Result | None) -> str:
    """One goal as a row of the results table."""
    sign = "≤" if goal.direction == "at most" else "≥"
    paper = "—" if goal.paper_value is None else f"{goal.paper_value:g}"
    if goal.withdrawn:
        ours, met, cost = "—", f"withdrawn: {goal.withdrawn}", "—"
    elif result is None:
        ours, met, cost = "not yet", "open", "—"
    else:
        error = f" ± {result.standard_error:.3f}" if result.standard_error is not None else ""
        ours = f"{result.value:.3f}{error} {result.unit}"
        met = "yes" if goal.is_met(result.value) else "no"
        cost = f"{result.train_seconds / 60:.0f} min, {result.hardware}"
    where = f"{goal.dataset}, {goal.split}"
    return f"| {goal.id} | {where} | {ours} | {sign} {goal.target:g} | {paper} | {met} | {cost} |"


def write_table(project: Project) -> bool:
    """Put the results table between the README's markers; returns whether anything changed."""
    path = project.folder / "README.md"
    text = path.read_text(encoding="utf-8")
    updated = with_table(text, results_table(project), path)
    if updated == text:
        return False
    write_text(path, updated)
    return True


def with_table(text: str, table: str, path: Path) -> str:
    """`text` with what stands between the markers replaced; raises ResultError without markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ResultError(f"{path} needs the lines {BEGIN} and {END} for its results table.")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def relative(path: Path) -> str:
    """A path as a person in the repository would type it."""
    path = path.resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
