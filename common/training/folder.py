"""The folder of a run: one process at a time trains in it, and no earlier run is lost."""

import os
import sys
from pathlib import Path

from common.training.errors import TrainingError

try:
    import fcntl
except ImportError:  # not a Unix: no lock, and care is the user's
    fcntl = None

CHECKPOINT, METRICS, RECORD = "checkpoint.safetensors", "metrics.jsonl", "run.json"

held: dict[Path, int] = {}  # folders this process has claimed, with the open lock


def open_folder(folder: Path, *, resume: bool) -> None:
    """Claim a folder, making it if needed; an earlier run in it is moved aside unless resuming."""
    holds_run = any((folder / name).exists() for name in (CHECKPOINT, METRICS))
    if holds_run and not resume:
        claim(folder)  # not while another process is training in it
        aside = set_aside(folder)
        print(f"an earlier run was moved aside to {aside}", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    claim(folder)
    for leftover in folder.glob(f".{CHECKPOINT}.*.tmp"):  # of a process killed while it wrote
        leftover.unlink()


def claim(folder: Path) -> None:
    """Claim a folder for this process until it ends, however it ends.

    A later claim by the same process takes over, so that a notebook's cell can be run again.

    Raises:
        TrainingError: if another living process has claimed it.
    """
    if fcntl is None:
        return
    folder = folder.resolve()
    release(folder)
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise TrainingError(
            f"another process is training in {folder}; wait for it, end it, or choose another folder."
        ) from error
    except OSError:  # a file system without locks
        os.close(handle)
        return
    held[folder] = handle


def release(folder: Path) -> None:
    """Give a claimed folder back before the process ends, for another one to read or continue."""
    handle = held.pop(folder.resolve(), None)
    if handle is not None:
        os.close(handle)


def set_aside(folder: Path) -> Path:
    """Rename a folder to itself with the next free number, in one atomic step."""
    number = 1
    while (target := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    try:
        os.rename(folder, target)
    except OSError as error:
        raise TrainingError(
            f"{folder} holds an earlier run and cannot be moved aside ({error}); resume it, or "
            "choose another folder."
        ) from error
    return target
