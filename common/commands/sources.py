"""Which trained model a command means: a run's folder, a goal's committed weights, or the latest."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from common import config as configs
from common.projects import find_project, run_folder
from common.results import ResultError, read_result, result_path
from common.runs import RunError, latest_run, open_run
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
    )
