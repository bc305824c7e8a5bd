"""What can go wrong in a training run, told to the person who started it."""

from common.errors import UserError


class TrainingError(UserError):
    """A run that cannot start as it was asked to."""


class NonFiniteLoss(TrainingError):
    """The loss or the weights became NaN or infinite; names the step and the last good checkpoint."""


class CheckpointError(TrainingError):
    """A checkpoint that cannot be read, or holds something that cannot be written."""


class ResumeError(TrainingError):
    """A checkpoint of another run than the one that asks to continue it."""


class Stopped(SystemExit):
    """The run was told to stop (SIGTERM), finished its step and saved; exit status 143."""

    def __init__(self) -> None:
        super().__init__(143)
