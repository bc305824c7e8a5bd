"""The loop every project shares: budget, progress, checkpoints, resuming, devices.

`Run` is the whole interface of a project; see its docstring for how a training loop reads.
"""

from common.training.devices import is_main_process
from common.training.errors import (
    CheckpointError,
    NonFiniteLoss,
    ResumeError,
    Stopped,
    TrainingError,
)
from common.training.initialise import initialise
from common.training.loop import Loop
from common.training.run import Run
from common.training.schedules import Schedule, cosine, linear_decay, linear_warmup, step_decay
from common.training.statistics import batch_var_mean

__all__ = [
    "CheckpointError",
    "Loop",
    "NonFiniteLoss",
    "ResumeError",
    "Run",
    "Schedule",
    "Stopped",
    "TrainingError",
    "batch_var_mean",
    "cosine",
    "initialise",
    "is_main_process",
    "linear_decay",
    "linear_warmup",
    "step_decay",
]
