"""Who takes part in a comparison: for each project a trained model of the data set, or why not."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from common import config as configs
from common.commands.sources import CommittedModel, committed_model, goals_on, runs_on
from common.errors import UserError
from common.evaluation.comparison import LeftOut, Row
from common.evaluation.measurement import Measurement
from common.projects import ROOT, Project, find_project, find_projects, run_folder
from common.results import code_sha256
from common.runs import FinishedRun, in_precision, open_run, train_run


class NoModel(UserError):
    """Nothing trained on the data set yet: `command` would make it."""

    def __init__(self, message: str, command: str):
        super().__init__(message)
        self.command = command


@dataclass(frozen=True)
class Entrant:
    """A trained model of a comparison."""

    label: str  # of its row: the project, or project:source where that was asked for
    trained: FinishedRun | CommittedModel
    model: Any
    data: Any  # as the model sees it

    @property
    def used(self) -> str:
        """What was taken: a goal's committed weights or a run."""
        if isinstance(self.trained, CommittedModel):
            return f"goal {self.trained.goal}"
        return f"run {self.trained.folder.name}"

    @property
    def code_changed(self) -> bool:
        """Whether the project's code is another one than the model's record names."""
        return self.trained.code_sha256 not in (None, code_sha256(self.trained.project.folder))

    def row(self, metrics: dict[str, Measurement], foreign: str | None) -> Row:
        """The entrant's row, with what was measured and what makes its data foreign."""
        return Row(
            label=self.label,
            source=self.used,
            preset=self.trained.preset,
            seed=self.trained.seed,
            commit=self.trained.commit,
            code_changed=self.code_changed,
            preprocess=str(self.data.preprocess),
            foreign=foreign,
            metrics=metrics,
        )


def gather(
    names: Sequence[str], data_name: str, *, preset: str | None = None, progress: bool = True
) -> tuple[list[Entrant], list[LeftOut]]:
    """The entrants among the projects that are named (none: all), and those left out.

    Args:
        names: `project` or `project:source`, where the source is a goal's id or a run's name.
        data_name: the data set that they were trained on.
        preset: train this preset where there is neither a committed goal nor a finished run of it;
            None takes the latest run of any and trains nothing.
        progress: show a training's progress.

    Raises:
        UserError: for a project that is named twice, does not exist, or cannot take the data.
    """
    for name in names:
        if list(names).count(name) > 1:
            raise UserError(f"{name} is named twice; name it once, or name its goals or runs.")
    for name in names:
        find_project(name.partition(":")[0])  # every typing mistake before any training
    entrants, left = [], []
    for name in names or [project.slug for project in find_projects()]:
        slug, _, source = name.partition(":")
        try:
            entrants.append(enter(find_project(slug), source, data_name, preset, progress))
        except NoModel as missing:
            left.append(LeftOut(name, str(missing), missing.command))
        except UserError as error:
            if names:
                raise
            left.append(LeftOut(name, str(error)))
    return entrants, left


def enter(
    project: Project, source: str, data_name: str, preset: str | None, progress: bool
) -> Entrant:
    """The project's model of the data set; raises NoModel, or UserError if there cannot be one."""
    try:
        _ = project.training
    except Exception as error:  # whatever is wrong with one project's code, the others can go on
        raise UserError(f"{project.slug}'s train.py cannot be imported: {error!r}.") from error
    if "sampler" not in project.capabilities:
        raise UserError(f"{project.slug} makes no samples (capabilities in project.toml).")
    trained = named(project, source) if source else found(project, data_name, preset, progress)
    model, data = trained.load()
    label = f"{project.slug}:{source}" if source else project.slug
    if data.name != data_name:
        raise UserError(
            f"{label} was trained on {data.name}, expected {data_name}; "
            f"`dgm compare {label} --data {data.name}` takes it."
        )
    return Entrant(label, trained, model, data)


def named(project: Project, source: str) -> FinishedRun | CommittedModel:
    """The model of this goal, or of the run of this name; raises UserError if it is neither."""
    if source in [goal.id for goal in project.goals]:
        return committed_model(project, source)
    folder = ROOT / "runs" / project.slug / source
    if folder.is_dir() and source == folder.name:
        return open_run(folder)
    goals = ", ".join(goal.id for goal in project.goals) or "none"
    raise UserError(
        f"{project.slug} has neither a goal nor a run {source!r}; its goals are: {goals}."
    )


def found(
    project: Project, data_name: str, preset: str | None, progress: bool
) -> FinishedRun | CommittedModel:
    """A committed goal on the data set, else the latest run, else one trained now if asked for."""
    goals = goals_on(project, data_name)
    if goals:
        return committed_model(project, goals[0])
    runs = runs_on(project.slug, data_name, preset)
    if runs:
        return runs[0]
    if preset is not None:
        return train(project, *recipe(project, preset, data_name), progress)
    raise NoModel(f"no model of {data_name} yet", suggestion(project, data_name))


def suggestion(project: Project, data_name: str) -> str:
    """The command that trains a model of the data, by a preset for it if there is one.

    Raises UserError, with what the first preset says, if none can.
    """
    presets = project.training.PRESETS
    names = sorted(presets, key=lambda name: (presets[name].data != data_name, name != "demo"))
    refusals = []
    for preset in [name for name in names if name != "smoke"]:
        try:
            name, config = recipe(project, preset, data_name)
            project.training.load_data(config)
        except UserError as error:
            refusals.append(error)
            continue
        words = "" if project.preset(name) == config else f" --data {data_name}"
        return f"dgm train {project.slug} --preset {name}{words}"
    raise refusals[0]


def recipe(project: Project, preset: str, data_name: str) -> tuple[str, Any]:
    """The preset's name and config for this data set.

    A preset for other data gives way to `<preset>_<data>` if the project has it; else it is told to
    take the data, which a Config may refuse with a UserError.
    """
    config = project.preset(preset)
    special = f"{preset}_{data_name}"
    if config.data != data_name and special in project.training.PRESETS:
        return special, project.preset(special)
    return preset, configs.replace(config, {"data": data_name})


def train(project: Project, preset: str, config: Any, progress: bool) -> FinishedRun:
    """Train a config in its run's folder; an unfinished run there is moved aside, not lost."""
    from common.training import Run

    variant = "" if project.preset(preset) == config else config.data
    folder = run_folder(project.slug, preset, variant=variant)
    print(f"{project.slug}: no model of {config.data} yet, training {preset}", file=sys.stderr)
    project.training.load_data(config)  # refused before a folder is made
    config, precision = in_precision(config)
    train_run(project, preset, config, Run(folder, precision=precision, progress=progress))
    trained = open_run(folder)
    print(f"{project.slug}: trained in {trained.train_seconds:.0f} s", file=sys.stderr)
    return trained
