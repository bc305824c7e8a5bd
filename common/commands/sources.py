"""Which trained model a command means: a run's folder, a goal's committed weights, or the latest."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from common import config as configs
from common.projects import ROOT, find_project, run_folder
from common.results import ResultError, project_results, read_result, result_path
from common.runs import WEIGHTS, FinishedRun, RunError, latest_run, open_run
from common.weights import rebuild


@dataclass(frozen=True)
class CommittedModel:
    """The weights in the tree behind one goal; has what a FinishedRun has."""

    folder: Path
    project: Any
    preset: str
    config: Any
    seed: int
    commit: str
    weights: Path
    goal: str
    code_sha256: str | None = None

    def load(self) -> tuple[nn.Module, Any]:
        """The trained model in eval mode, and its data."""
        return rebuild(self.project, self.config, self.weights)


def find_trained(slug: str, run: Path | None, goal: str | None):
    """The model that `--run` or `--goal` names, else the project's latest finished run."""
    project = find_project(slug)
    if goal is not None:
        return committed_model(project, goal)
    folder = run or latest_run(slug)
    if folder is None:
        raise RunError(
            f"{slug} has no finished run; `dgm train {slug}` makes one, "
            f"and --goal takes committed weights."
        )
    trained = open_run(folder)
    if trained.project.slug != slug:
        raise RunError(f"{folder} is a run of {trained.project.slug}, not of {slug}.")
    return trained


def committed_model(project, goal_id: str) -> CommittedModel:
    """The committed weights of a goal; raises ResultError if the tree has none."""
    path = result_path(project, project.goal(goal_id).id)
    result = read_result(path)
    if result.weights is None:
        raise ResultError(
            f"the weights of {goal_id} are not in the tree; `dgm reproduce {project.slug} {goal_id}`."
        )
    return CommittedModel(
        folder=run_folder(project.slug, goal_id, seed=result.seed),
        project=project,
        preset=result.preset,
        config=configs.from_dict(project.training.Config, result.config),
        seed=result.seed,
        commit=result.commit,
        weights=path.parent / result.weights,
        goal=goal_id,
        code_sha256=result.verified_code_sha256 or result.code_sha256,
    )


def goals_on(project, data_name: str) -> list[str]:
    """The goals of a project whose committed weights were trained on this data set."""
    results = project_results(project)
    return [g for g, r in results.items() if r.dataset == data_name and r.weights is not None]


def runs_on(slug: str, data_name: str, preset: str | None = None) -> list[FinishedRun]:
    """The finished runs of a project on this data set (and of this preset), the latest first.

    Runs that the project's present code cannot read are passed over.
    """
    weights = sorted((ROOT / "runs" / slug).glob(f"*/{WEIGHTS}"), key=lambda p: p.stat().st_mtime)
    found = []
    for path in reversed(weights):
        try:
            run = open_run(path.parent)
        except ValueError:
            continue
        if run.config.data == data_name and preset in (None, run.preset):
            found.append(run)
    return found
