"""Find the files of a data set, or bring them: DGM_DATA, then the mirror, then the public address.

`load` uses `read_files`, which takes what DGM_DATA or the mirror has. Only `fetch`, which a
person asks for, goes to the public network.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from common.data.checksums import read_verified, verify
from common.data.download import NotThereError, UnreachableError, download
from common.data.errors import DataError, MissingData
from common.data.mirror import Mirror, data_root, find_mirror
from common.data.registry import DatasetInfo, RemoteFile
from common.data.torchvision_import import import_torchvision

Form = tuple[RemoteFile, ...]


def read_files(info: DatasetInfo, root: str | os.PathLike | None = None) -> dict[str, bytes]:
    """The proved bytes of one form of the set, by file name.

    A complete form in DGM_DATA comes first, then the mirror: a folder is read in place, an
    address is downloaded into DGM_DATA.

    Raises:
        MissingData: files that are not there; says what to run.
        DataError: truncated or corrupt files, unreachable mirror; says what to run.
    """
    folder = data_root(root)
    forms = [form for form in info.forms if all((folder / f.path).exists() for f in form)]
    problem = None
    for form in forms:
        try:
            return {Path(f.path).name: read_verified(folder / f.path, f) for f in form}
        except DataError as error:
            problem = problem or error
    if problem is not None:
        raise DataError(f"{problem}. Run `dgm data fetch {info.name}` to replace it")
    mirror = find_mirror()
    for form in info.forms if mirror else ():
        content = _read_from_mirror(form, folder, mirror)
        if content is not None:
            return content
    raise MissingData(_missing(info, folder, mirror))


def _read_from_mirror(form: Form, folder: Path, mirror: Mirror) -> dict[str, bytes] | None:
    """The form from the mirror, completed by what DGM_DATA has; None if a file is lacking."""
    paths = {}
    for file in form:
        local = folder / file.path
        if local.exists():
            paths[file] = local
        elif mirror.folder is None:
            if not _bring(file, mirror, local, progress=True):
                return None
            paths[file] = local
        elif mirror.has(file):
            paths[file] = mirror.folder / file.path
        else:
            return None
    try:
        return {Path(file.path).name: read_verified(path, file) for file, path in paths.items()}
    except DataError as error:
        raise DataError(
            f"{error}. The mirror DGM_MIRROR={mirror.address} or the copy in {folder} is damaged: "
            "replace that file, or unset DGM_MIRROR and run `dgm data fetch`"
        ) from None


def _missing(info: DatasetInfo, folder: Path, mirror: Mirror | None) -> str:
    have = [f for f in info.files if (folder / f.path).exists()]
    state = "only some of its files are" if have else "it is not"
    asked = f", and the mirror DGM_MIRROR={mirror.address} does not have it" if mirror else ""
    return (
        f"{info.name}: {state} in {folder}{asked}. Run `dgm data fetch {info.name}` "
        f"(licence: {info.licence}), or set DGM_MIRROR to a folder or address that has it"
    )


@dataclass(frozen=True)
class Fetched:
    """What `fetch` did for one file: "kept", "mirror" or "public", and where it stands now."""

    path: Path
    origin: str


def fetch(
    info: DatasetInfo, root: str | os.PathLike | None = None, *, progress: bool = True
) -> list[Fetched]:
    """Bring every file of a set into DGM_DATA, proved; good copies stay, bad ones are replaced.

    Raises:
        DataError: unreachable mirror or address, wrong checksum, full disk. No half-written file
            is left, and a good copy is never touched.
    """
    folder = data_root(root)
    for form in info.forms:
        if all(_is_good(folder / f.path, f) for f in form):
            return [Fetched(folder / f.path, "kept") for f in form]
    mirror = find_mirror()
    for form in info.forms if mirror else ():
        fetched = _fetch_form(form, folder, mirror, progress)
        if fetched is not None:
            return fetched
    return [_fetch_public(info, file, folder, progress) for file in info.forms[-1]]


def _fetch_form(form: Form, folder: Path, mirror: Mirror, progress: bool) -> list[Fetched] | None:
    """A form from the mirror; None if the mirror lacks a file of it."""
    if mirror.folder is not None:
        lacking = [f for f in form if not mirror.has(f) and not _is_good(folder / f.path, f)]
        if lacking:
            return None  # before anything is copied
    fetched = []
    for file in form:
        target = folder / file.path
        if _is_good(target, file):
            fetched.append(Fetched(target, "kept"))
        elif _bring(file, mirror, target, progress):
            fetched.append(Fetched(target, "mirror"))
        else:
            return None
    return fetched


def _bring(file: RemoteFile, mirror: Mirror, target: Path, progress: bool) -> bool:
    """Download from the mirror; False if it does not have the file."""
    try:
        download(file, mirror.locate(file), target, progress=progress)
    except NotThereError:
        return False
    except UnreachableError as error:
        raise DataError(
            f"the mirror DGM_MIRROR={mirror.address} cannot be reached: {error}. "
            "Correct it, or unset it to use the public addresses"
        ) from None
    return True


def _fetch_public(info: DatasetInfo, file: RemoteFile, folder: Path, progress: bool) -> Fetched:
    """One file from the first public address that gives it whole."""
    target = folder / file.path
    if _is_good(target, file):
        return Fetched(target, "kept")
    problems = []
    addresses = public_addresses(info, file)
    if not addresses:
        raise DataError(
            f"{info.name}: {Path(file.path).name} has no public address; it was made from "
            f"{info.source}. Set DGM_MIRROR to a folder or address that has it"
        )
    for address in addresses:
        try:
            download(file, address, target, progress=progress)
            return Fetched(target, "public")
        except (NotThereError, UnreachableError) as error:
            problems.append(str(error))
    raise DataError(
        f"{info.name}: {Path(file.path).name} could not be downloaded: {'; '.join(problems)}. "
        "Try again later, or set DGM_MIRROR to a folder or address that has it"
    )


def public_addresses(info: DatasetInfo, file: RemoteFile) -> tuple[str, ...]:
    """Where a file is published; torchvision's own tables for the sets it knows."""
    if info.torchvision_class is None:
        return file.urls
    published = getattr(import_torchvision().datasets, info.torchvision_class)
    name = Path(file.path).name
    if hasattr(published, "mirrors"):
        return tuple(f"{base.rstrip('/')}/{name}" for base in published.mirrors)
    return (published.url,)


def _is_good(path: Path, file: RemoteFile) -> bool:
    try:
        verify(path, file)
    except DataError:
        return False
    return True


def present_files(info: DatasetInfo, folder: Path) -> list[RemoteFile]:
    """The files of any form that stand in a folder, proved or not."""
    return [file for file in info.files if (folder / file.path).exists()]


def state(
    info: DatasetInfo, root: str | os.PathLike | None = None, *, mirror: Mirror | None = None
) -> str:
    """Where a set is, by looking at names alone.

    "embedded"; "here" in DGM_DATA; "mirror", a folder that has it; "incomplete" in DGM_DATA;
    "absent", which an address as mirror may yet have.
    """
    if info.embedded:
        return "embedded"
    folder = data_root(root)
    if any(all((folder / f.path).exists() for f in form) for form in info.forms):
        return "here"
    if mirror and any(all(mirror.has(f) for f in form) for form in info.forms):
        return "mirror"
    return "incomplete" if present_files(info, folder) else "absent"
