"""The run's metrics: one JSON object a line, and TensorBoard events on request."""

import json
import math
import os
from pathlib import Path
from typing import Any

from common.training.errors import TrainingError


class MetricsLog:
    """Append metrics to a file of JSON lines.

    Lines are gathered in memory and written by `flush`. A checkpoint remembers `flush()`'s
    position; resuming cuts the file there, so that no step is ever in it twice.

    Args:
        path: the file, or None to keep nothing (the other processes of a run).
        tensorboard: also write TensorBoard events beside the file.
    """

    def __init__(self, path: Path | None, *, tensorboard: bool = False) -> None:
        self.path = path
        self.lines: list[str] = []
        self.tensorboard = tensorboard and path is not None
        self.events = None

    def start(self, *, position: int, step: int) -> None:
        """Cut the file at a checkpoint's position (0 for a new run)."""
        if self.path is None:
            return
        with open(self.path, "ab") as file:
            file.truncate(min(position, os.fstat(file.fileno()).st_size))
        if self.tensorboard:
            self.events = event_writer(self.path.parent / "tensorboard", step)

    def write(self, values: dict[str, Any]) -> None:
        """Add one line; a value that is not a finite number becomes null."""
        if self.path is None:
            return
        self.lines.append(json.dumps({key: finite(value) for key, value in values.items()}))
        if self.events is not None:
            for name in values.keys() - {"step"}:
                self.events.add_scalar(name, values[name], values["step"])

    def flush(self, *, sync: bool = False) -> int:
        """Write what has been gathered, to the disk itself if `sync`; the position after it."""
        if self.path is None:
            return 0
        with open(self.path, "a", encoding="utf-8", newline="\n") as file:
            file.write("".join(line + "\n" for line in self.lines))
            file.flush()
            if sync:
                os.fsync(file.fileno())
            position = os.fstat(file.fileno()).st_size
        self.lines.clear()
        if self.events is not None:
            self.events.flush()
        return position


def finite(value: Any) -> Any:
    """JSON has no NaN: null stands for it and for infinities."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def event_writer(folder: Path, step: int) -> Any:
    """A TensorBoard writer that discards what an earlier attempt wrote after `step`."""
    check_tensorboard()
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1)


def check_tensorboard() -> None:
    """TrainingError if TensorBoard is not installed."""
    try:
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise TrainingError(
            "tensorboard=True needs the package `tensorboard`: `pip install tensorboard`. "
            "Without it the metrics are in metrics.jsonl all the same."
        ) from error
