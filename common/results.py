"""Numbers with their provenance: result files, the weights behind them, and the README tables.

A result is `projects/<slug>/results/<goal>.json` with the weights it was computed from beside it in
half precision. `dgm reproduce` writes both, `dgm verify` recomputes the number from the weights.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from common import config as configs
from common.errors import UserError
from common.files import write_bytes, write_text
from common.projects import ROOT, Goal, Project, find_project

SCHEMA = "result/1"
MAX_WEIGHT_BYTES = 16 * 2**20
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"


class ResultError(UserError):
    """A result or weight file that is missing, damaged or does not fit its project."""


@dataclass(frozen=True)
class Result:
    """One measured number and everything that is needed to measure it again."""

    project: str
    goal: str
    metric: str
    value: float
    standard_error: float | None
    n: int
    unit: str
    split: str
    protocol: str
    dataset: str
    dataset_sha256: str
    preset: str
    config: Mapping[str, Any]
    seed: int
    evaluation_seed: int
    num_importance_samples: int
    commit: str
    code_sha256: str
    hardware: str
    train_seconds: float
    evaluation_seconds: float
    weights: str | None
    weights_sha256: str
    schema: str = SCHEMA

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
        table = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ResultError(f"{path} does not exist; `dgm reproduce` makes it.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ResultError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(table, dict) or table.get("schema") != SCHEMA:
        raise ResultError(f'{path}: schema is not "{SCHEMA}".')
    names = {field.name for field in dataclasses.fields(Result)}
    wrong = sorted(names.symmetric_difference(table))
    if wrong:
        raise ResultError(f"{path}: missing or unknown fields: {', '.join(wrong)}.")
    return Result(**table)


def project_results(project: Project) -> dict[str, Result]:
    """The results there are, by goal."""
    found = {}
    for goal in project.goals:
        path = result_path(project, goal.id)
        if path.exists():
            found[goal.id] = read_result(path)
    return found


def half_precision(model: nn.Module) -> dict[str, torch.Tensor]:
    """The state of a model with floating tensors rounded to float16, contiguous, on the CPU.

    Raises ResultError if a value overflows half precision.
    """
    state = {}
    for name, value in model.state_dict().items():
        value = value.detach().cpu().contiguous()
        if value.is_floating_point():
            rounded = value.half()
            if not torch.isfinite(rounded).all():
                raise ResultError(f"the weights {name!r} do not fit into half precision.")
            value = rounded
        state[name] = value.clone()
    return state


def save_weights(state: Mapping[str, torch.Tensor], path: Path) -> str:
    """Write tensors as safetensors, atomically, and return the file's SHA-256."""
    data = save(dict(state))
    write_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


def load_weights(model: nn.Module, path: Path) -> nn.Module:
    """Load safetensors of any precision into `model`, in the model's precision; returns it in eval.

    Raises ResultError if the file is missing, damaged, or of another architecture.
    """
    try:
        state = load_file(path)
    except FileNotFoundError:
        raise ResultError(f"there are no weights at {path}.") from None
    except (SafetensorError, OSError) as error:
        raise ResultError(f"{path} is not a whole safetensors file: {error}.") from error
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ResultError(f"{path} does not fit the model: {error}") from error
    return model.eval()


def rebuild(project: Project, config: Any, weights: Path) -> tuple[nn.Module, Any]:
    """The model of `config` with weights loaded, and the data it was made for."""
    data = project.training.load_data(config)
    model = project.training.build(config, data, generator=torch.Generator().manual_seed(0))
    return load_weights(model, weights), data


def load_result(slug: str, goal_id: str) -> tuple[nn.Module, Result]:
    """The model behind a committed number, in eval mode, and the number with its provenance."""
    project = find_project(slug)
    result = read_result(result_path(project, project.goal(goal_id).id))
    if result.weights is None:
        raise ResultError(
            f"the weights of {slug}/{goal_id} are too large for the tree; "
            f"`dgm reproduce {slug} {goal_id}` trains them again."
        )
    config = configs.from_dict(project.training.Config, result.config)
    model, _ = rebuild(project, config, result_path(project, goal_id).parent / result.weights)
    return model, result


def code_sha256(project: Project) -> str:
    """One hash over the project's model and training code, to tell whether a result is stale."""
    digest = hashlib.sha256()
    for path in sorted(project.folder.glob("*.py")):
        if not path.name.startswith("test_"):
            digest.update(path.name.encode())
            digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def results_table(project: Project) -> str:
    """The goals of a project beside what was measured, as a Markdown table."""
    results = project_results(project)
    lines = [
        "| goal | data, split | ours | target | paper | met | cost |",
        "|---|---|---|---|---|---|---|",
    ]
    notes = []
    for goal in project.goals:
        result = results.get(goal.id)
        lines.append(table_row(goal, result))
        protocol = f"{goal.protocol} {result.protocol}." if result else goal.protocol
        notes.append(f"- **{goal.id}** — paper: {goal.paper_source}. Protocol: {protocol}")
        if result and result.weights is None:
            notes[-1] += f" Weights not in the tree: `dgm reproduce {project.slug} {goal.id}`."
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
