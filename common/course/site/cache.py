"""What need not be made again: for each project a record of what its pages were made from.

A project's pages depend on its folder, its reviews, the site's own code and templates, and on what its
links to other files lead to. The record holds one hash over the former and every answer to the latter.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from common.files import write_bytes
from common.projects import ROOT

LIBRARIES = (
    "griffelib",
    "jinja2",
    "nbconvert",
    "mistune",
    "pygments",
    "nh3",
    "math-core",
    "pillow",
)
IGNORED = ("__pycache__", ".ipynb_checkpoints", "runs")
NOT_SHOWN = (".safetensors",)  # large, and known by the hash in the result beside it


@dataclass(frozen=True)
class Record:
    """What was made of a project."""

    key: str
    files: tuple[str, ...]
    links: dict[str, str | None] = field(default_factory=dict)
    search: tuple[dict[str, str], ...] = ()


def project_files(folder: Path) -> frozenset[str]:
    """The ordinary files of a project's folder, relative to it; links lead elsewhere and are none."""
    found = set()
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        is_ordinary = path.is_file() and not path.is_symlink()
        if is_ordinary and not any(part in IGNORED for part in name.parts):
            found.add(name.as_posix())
    return frozenset(found)


def content_key(paths: Iterable[Path], facts: Iterable[Any]) -> str:
    """One hash over the content of files and over what else a page says."""
    digest = hashlib.sha256(own_key().encode())
    for path in sorted(paths):
        is_shown = not path.name.endswith(NOT_SHOWN)
        data = path.read_bytes() if is_shown else str(path.stat().st_size).encode()
        digest.update(f"{path.name}\0{len(data)}\0".encode() + data)
    digest.update(repr(list(facts)).encode())
    return digest.hexdigest()


@cache
def own_key() -> str:
    """One hash over the site's code, templates and libraries: with another, all is made again."""
    digest = hashlib.sha256()
    folders = (ROOT / "common" / "course", ROOT / "templates" / "site")
    inside = {path for folder in folders for path in folder.rglob("*")}
    for path in sorted(inside | set((ROOT / "common").glob("*.py"))):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    digest.update(repr([version(name) for name in LIBRARIES]).encode())
    return digest.hexdigest()


def read_record(path: Path) -> Record | None:
    """A record from its file; None if there is none that can be read."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        return Record(table["key"], tuple(table["files"]), table["links"], tuple(table["search"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_record(path: Path, record: Record) -> None:
    """Keep a record."""
    write_bytes(path, json.dumps(asdict(record)).encode(), durable=False)
