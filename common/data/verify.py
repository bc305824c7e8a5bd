"""Prove a data set: the checksum of every file of it that is here, then of the tensors."""

import os

from common.data.checksums import verify
from common.data.errors import DataError
from common.data.fetch import present_files, state
from common.data.load import load
from common.data.mirror import data_root, find_mirror
from common.data.registry import DatasetInfo


def verify_set(
    info: DatasetInfo, root: str | os.PathLike | None = None, *, required: bool = False
) -> tuple[str, str]:
    """Look at one set without changing anything.

    Args:
        info: the set.
        root: where sets live; default as in `load`.
        required: whether an absent set is a problem.

    Returns:
        ("good", ""), ("absent", "") or ("bad", what is wrong).
    """
    try:
        folder = data_root(root)
        for file in present_files(info, folder):
            verify(folder / file.path, file)
        mirror = None if info.embedded else find_mirror()
        if state(info, root, mirror=mirror) == "absent" and not required:
            return "absent", ""
        found = load(info.name, root=root).checksum
        if info.checksum is not None and found != info.checksum:
            raise DataError(f"the tensors have checksum {found}, expected {info.checksum}")
    except DataError as error:
        return "bad", str(error)
    return "good", ""
