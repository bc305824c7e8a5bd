"""Where sets live and who is asked first: DGM_DATA and DGM_MIRROR."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from common.data.download import is_url
from common.data.errors import DataError
from common.data.registry import RemoteFile


def data_root(root: str | os.PathLike | None = None) -> Path:
    """The folder of the data sets: `root`, else $DGM_DATA, else data/ in the repository."""
    chosen = root if root is not None else os.environ.get("DGM_DATA", "").strip()
    if chosen:
        return Path(chosen).expanduser()
    repository = Path(__file__).parents[2]
    # an installation outside a clone has no repository: then data/ where one stands
    return (repository if (repository / "pyproject.toml").exists() else Path()) / "data"


@dataclass(frozen=True)
class Mirror:
    """A folder or an http(s) address laid out like DGM_DATA. Never written to."""

    address: str
    folder: Path | None  # None: an address

    def locate(self, file: RemoteFile) -> str:
        """Path or address of one file."""
        if self.folder is not None:
            return str(self.folder / file.path)
        return f"{self.address.rstrip('/')}/{file.path}"

    def has(self, file: RemoteFile) -> bool:
        """True if a folder holds the file; an address can only be tried."""
        return self.folder is not None and (self.folder / file.path).is_file()


def find_mirror() -> Mirror | None:
    """The mirror of $DGM_MIRROR, or None; DataError if it is a folder that is not there."""
    address = os.environ.get("DGM_MIRROR", "").strip()
    if not address:
        return None
    if is_url(address):
        return Mirror(address, None)
    parts = urlsplit(address)
    if parts.scheme == "file":
        folder = Path(url2pathname(parts.path))
    elif "://" in address:
        raise DataError(
            f"DGM_MIRROR={address}: {parts.scheme} is not understood; "
            "give a folder or an http, https or file address"
        )
    else:
        folder = Path(address).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"the mirror DGM_MIRROR={address} cannot be reached: no such folder. "
            "Correct it, mount it, or unset it to use the public addresses"
        )
    return Mirror(address, folder)
