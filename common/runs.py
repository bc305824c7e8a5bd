"""Training runs on disk: `runs/<slug>/<preset>-seed<seed>/` with its record, metrics and weights."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from common import config as configs
from common.errors import UserError
from common.projects import ROOT, Project, find_project
from common.results import code_sha256, relative
from common.weights import rebuild, save_weights

RECORD, WEIGHTS = "run.json", "weights.safetensors"


class RunError(UserError):
    """A training run that is not there, not finished, or not readable."""


@dataclass(frozen=True)
class FinishedRun:
    """A trained model with the record of how it came to be."""

    folder: Path
    project: Project
    preset: str
    config: Any
    seed: int
    commit: str
    hardware: str
    train_seconds: float
    code_sha256: str | None = None  # None of a run that did not record it

    def load(self) -> tuple[nn.Module, Any]:
        """The trained model in eval mode, and the data it was trained on."""
        return rebuild(self.project, self.config, self.folder / WEIGHTS)


def in_precision(config: Any, asked: str | None = None) -> tuple[Any, str]:
    """The config as it will be trained, and in what: what was asked for, else its own, else float32."""
    own = getattr(config, "precision", None)
    if asked is not None and own is not None:
        config = configs.replace(config, {"precision": asked})
    return config, asked or own or "32-true"


def train_run(project: Project, preset: str, config: Any, run: Any) -> nn.Module:
    """Train a project's config in `run`, keep its record and its weights, and return the model.

    Raises RunError if the config names a precision and the run has another.
    """
    from common.provenance import commit_to_train, hardware

    precision = run.devices.precision
    if getattr(config, "precision", precision) != precision:
        run.close()
        raise RunError(
            f"the config says precision {config.precision!r}, but the run computes in {precision!r}; "
            f"pass Run(..., precision={config.precision!r})."
        )
    run.record(
        {
            "project": project.slug,
            "preset": preset,
            "config": configs.to_dict(config),
            "seed": run.seed,
            "precision": precision,
            "commit": commit_to_train(),
            "code_sha256": code_sha256(project.folder),
            "hardware": hardware(),
        }
    )
    model = project.training.train(config, run)
    if run.is_main:
        state = {k: v.detach().cpu().contiguous().clone() for k, v in model.state_dict().items()}
        save_weights(state, run.folder / WEIGHTS)
    run.close()
    return model


def open_run(folder: Path) -> FinishedRun:
    """Read the record of a finished run; raises RunError that says what is missing."""
    record = folder / RECORD
    if not record.exists():
        raise RunError(f"{relative(folder)} holds no training run ({RECORD} is missing).")
    try:
        table = json.loads(record.read_text(encoding="utf-8"))
        project = find_project(table["project"])
        config = configs.from_dict(project.training.Config, table["config"])
        values = {name: table[name] for name in ("preset", "seed", "commit", "hardware")}
        values["code_sha256"] = table.get("code_sha256")
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise RunError(f"{relative(record)} is damaged: {error!r}.") from error
    if not (folder / WEIGHTS).exists():
        raise RunError(
            f"{relative(folder)} is not finished; go on with "
            f"`dgm train {project.slug} --preset {values['preset']} "
            f"--seed {values['seed']} --resume`."
        )
    seconds = trained_seconds(folder)
    return FinishedRun(
        folder=folder, project=project, config=config, train_seconds=seconds, **values
    )


def trained_seconds(folder: Path) -> float:
    """Wall-clock seconds of training, from the last line of the run's metrics."""
    path = folder / "metrics.jsonl"
    if not path.exists():
        return 0.0
    seconds = 0.0
    for line in path.read_text(encoding="utf-8").splitlines():
        if line:
            seconds = float(json.loads(line).get("seconds", seconds))
    return seconds


def latest_run(slug: str) -> Path | None:
    """The folder of the project's most recently finished run, if there is one."""
    weights = list((ROOT / "runs" / slug).glob(f"*/{WEIGHTS}"))
    return max(weights, key=lambda path: path.stat().st_mtime).parent if weights else None


class Stopwatch:
    """Seconds since it was made.

    >>> Stopwatch().seconds < 1
    True
    """

    def __init__(self):
        self.start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.start
