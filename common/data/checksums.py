"""Is a file the one we mean? Its length first, which is free, then its digest."""

import hashlib
from pathlib import Path

from common.data.errors import DataError
from common.data.registry import RemoteFile


def read_verified(path: Path, file: RemoteFile) -> bytes:
    """The bytes of a file, proved to be those of the archive; DataError otherwise.

    The bytes that are decoded are the bytes that were summed: no second read in between.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    prove(content, len(content), file, str(path))
    return content


def verify(path: Path, file: RemoteFile) -> None:
    """DataError if the file at `path` is missing, truncated or corrupt. Reads it in pieces."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, file.checksum[0])
    except FileNotFoundError:
        raise DataError(f"{path} is missing") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    check_size(size, file, str(path))
    check_digest(digest.hexdigest(), file, str(path))


def prove(content: bytes, size: int, file: RemoteFile, where: str) -> None:
    """DataError if these bytes are not those of `file`."""
    check_size(size, file, where)
    check_digest(hashlib.new(file.checksum[0], content).hexdigest(), file, where)


def check_size(size: int, file: RemoteFile, where: str) -> None:
    """DataError if the length is known and another."""
    if file.size is not None and size != file.size:
        what = "is truncated" if size < file.size else "is too long"
        raise DataError(f"{where} {what}: {size:,} bytes, expected {file.size:,}")


def check_digest(found: str, file: RemoteFile, where: str) -> None:
    """DataError if the digest is another."""
    algorithm, expected = file.checksum
    if found != expected:
        raise DataError(f"{where} is corrupt: {algorithm} {found}, expected {expected}")
