"""One process at a time trains in a folder."""

import os
from pathlib import Path

from common.training.errors import TrainingError

try:
    import fcntl
except ImportError:  # not a Unix: no lock, and care is the user's
    fcntl = None

held: dict[Path, int] = {}


def claim(folder: Path) -> None:
    """Claim a folder for this process until it ends, however it ends.

    A later claim by the same process takes over, so that a notebook's cell can be run again.

    Raises:
        TrainingError: if another living process has claimed it.
    """
    if fcntl is None:
        return
    folder = folder.resolve()
    if folder in held:
        os.close(held.pop(folder))
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
