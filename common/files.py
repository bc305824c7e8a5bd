"""Where the repository lies; files are written whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path

from common.errors import UserError

ROOT = Path(__file__).resolve().parents[1]


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write `data` to `path` atomically: a reader sees the old file or the new one, never a part.

    Parent folders are made, the mode of an old file is kept. If anything fails, the old file stays and
    no temporary file is left. Not `durable`: a power cut may lose it, which is quicker for many files
    that can be made again.
    """
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def replace_bytes(path: Path, before: bytes, after: bytes) -> None:
    """Write `after` over a file that still holds `before`; raises UserError if somebody changed it."""
    if path.read_bytes() != before:
        raise UserError(f"{path} was changed by somebody else meanwhile; run the command again.")
    write_bytes(path, after)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, with Unix line ends."""
    write_bytes(path, text.encode("utf-8"))
