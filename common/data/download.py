"""One file from a folder or an address to a path: whole and proved, or not at all.

The bytes go to a temporary file beside the target and are summed on the way; only a file of
the right length and digest takes the target's name, in one step. Two processes that fetch the
same file each write their own, and the last one wins with the same bytes.
"""

import contextlib
import errno
import hashlib
import http.client
import os
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from common.data.checksums import check_digest, check_size
from common.data.errors import DataError
from common.data.registry import RemoteFile

_CHUNK = 1 << 18
_TIMEOUT_SECONDS = 20
_STALE_SECONDS = 24 * 3600


class NotThereError(DataError):
    """The place answered, and does not have the file."""


class UnreachableError(DataError):
    """The place did not answer, or broke off."""


def download(file: RemoteFile, address: str, target: Path, *, progress: bool = True) -> int:
    """Bring `file` from a path or an http(s) address to `target`; its number of bytes.

    Raises:
        NotThereError: the place does not have the file.
        UnreachableError: no answer, or the connection broke off.
        DataError: wrong length or checksum, full disk, folder that cannot be written. Whatever
            stood at `target` before is still there.
    """
    with _writing(target, file):
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale_parts(target)
        handle = tempfile.NamedTemporaryFile(  # noqa: SIM115
            dir=target.parent, prefix=f".{target.name}.", suffix=".part", delete=False
        )
        part = Path(handle.name)
        try:
            with handle:
                size, digest = _copy(file, address, handle, target, progress)
                check_size(size, file, address)
                check_digest(digest, file, address)
                handle.flush()
                os.fsync(handle.fileno())
            os.chmod(part, 0o644)  # temporary files are private, data sets are not
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    return size


def _copy(
    file: RemoteFile, address: str, handle: BinaryIO, target: Path, progress: bool
) -> tuple[int, str]:
    """Write the stream to the open file; (bytes, digest)."""
    from tqdm import tqdm

    digest = hashlib.new(file.checksum[0])
    size = 0
    with _reading(address), _open(address) as stream:
        total = file.size or _content_length(stream)
        with tqdm(
            total=total,
            desc=target.name,
            unit="B",
            unit_scale=True,
            leave=False,
            disable=None if progress else True,  # None: only on a terminal
        ) as bar:
            while chunk := stream.read(_CHUNK):
                with _writing(target, file):
                    _write(handle, chunk)
                digest.update(chunk)
                size += len(chunk)
                bar.update(len(chunk))
                if file.size is not None and size > file.size:
                    break  # a page of text, or without end
        announced = _content_length(stream)
    if announced is not None and size < announced:
        raise UnreachableError(f"{address} broke off after {size:,} of {announced:,} bytes")
    return size, digest.hexdigest()


def _write(handle: BinaryIO, chunk: bytes) -> None:
    handle.write(chunk)


def is_url(address: str) -> bool:
    """True for http and https; anything else is a path."""
    return address.lower().startswith(("http://", "https://"))


def _open(address: str) -> BinaryIO:
    if not is_url(address):
        return open(address, "rb")
    request = urllib.request.Request(address, headers={"User-Agent": "dgm-data"})
    return urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)


def _content_length(stream: BinaryIO) -> int | None:
    headers = getattr(stream, "headers", None)
    length = headers.get("Content-Length") if headers is not None else None
    return int(length) if length and length.isdigit() else None


@contextlib.contextmanager
def _reading(address: str) -> Iterator[None]:
    """Turn what can go wrong at the source into an error that names it."""
    try:
        yield
    except DataError:
        raise  # from the writing side
    except FileNotFoundError:
        raise NotThereError(f"{address} does not exist") from None
    except urllib.error.HTTPError as error:
        # S3 answers 403 for a file that is not there
        if error.code in (403, 404, 410):
            raise NotThereError(f"{address} is not there (HTTP {error.code})") from None
        raise UnreachableError(f"{address} answered HTTP {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UnreachableError(f"{address} cannot be read: {reason}") from error


@contextlib.contextmanager
def _writing(target: Path, file: RemoteFile) -> Iterator[None]:
    """Turn what can go wrong on our disk into an error that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            need = f" ({file.size / 1e6:.1f} MB)" if file.size else ""
            raise DataError(
                f"no space left for {target}{need}; nothing half-written is kept. "
                "Free some space or set DGM_DATA to a folder on another disk"
            ) from error
        raise DataError(
            f"cannot write {target}: {error.strerror or error}. "
            "Set DGM_DATA to a folder you can write to"
        ) from error


def _remove_stale_parts(target: Path) -> None:
    """Clear what processes killed long ago left behind; a part is never read."""
    for part in target.parent.glob(f".{target.name}.*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _STALE_SECONDS:
                part.unlink()
