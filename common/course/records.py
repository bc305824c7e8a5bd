"""The two committed records: reviews/frozen.toml (what counts) and reviews/assignments.toml (who)."""

import dataclasses
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import StringConstraints

from common import schema
from common.course.cycle import read_cycle
from common.errors import UserError
from common.files import write_text
from common.projects import takes_part
from common.schema import Count, Key, Text, strict_table

FROZEN_FILE = "reviews/frozen.toml"
ASSIGNMENTS_FILE = "reviews/assignments.toml"
PUBLISHED_FILE = "reviews/published.toml"
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
VERSIONS = ("v1", "v2")


@strict_table
@dataclass(frozen=True)
class FrozenVersion:
    """One version of one project as it was on the main branch at its deadline."""

    slug: Text
    version: Literal["v1", "v2"]
    date: datetime
    commit: Hash
    tree: Hash  # git's hash of the project folder: finds the version after a rebase


@strict_table
@dataclass(frozen=True)
class Frozen:
    """reviews/frozen.toml; this record is the truth, tags are a convenience."""

    schema: Literal["frozen/1"] = "frozen/1"
    version: tuple[FrozenVersion, ...] = ()

    def __post_init__(self):
        seen = [(entry.slug, entry.version) for entry in self.version]
        for slug, version in seen:
            if seen.count((slug, version)) > 1:
                raise ValueError(f"{version} of {slug} is recorded twice; keep the first record")

    def find(self, slug: str, version: str) -> FrozenVersion | None:
        """The record of a version, if it is frozen."""
        return next((v for v in self.version if (v.slug, v.version) == (slug, version)), None)


@strict_table
@dataclass(frozen=True)
class Pair:
    """A reviewer, by public key, of a project."""

    project: Text
    reviewer: Key


@strict_table
@dataclass(frozen=True)
class Assignments:
    """reviews/assignments.toml; written by `dgm assign`, committed, never recomputed silently."""

    schema: Literal["assignments/1"] = "assignments/1"
    semester: str = ""
    seed: Count = 0
    inputs_sha256: str = ""
    reviewers_per_project: Count = 1
    dropped: tuple[Key, ...] = ()  # reviewers who left the course
    withdrawn: tuple[Text, ...] = ()  # projects that left it
    pair: tuple[Pair, ...] = ()

    def __post_init__(self):
        seen = set()
        for pair in self.pair:
            if (pair.project, pair.reviewer) in seen:
                raise ValueError(f"{pair.reviewer} is assigned to {pair.project} twice")
            seen.add((pair.project, pair.reviewer))

    def reviewers(self, project: str) -> list[str]:
        """Who reviews a project, in order."""
        return sorted(pair.reviewer for pair in self.pair if pair.project == project)


def read_frozen(root: Path) -> Frozen:
    """The record of frozen versions; empty if there is none yet."""
    path = root / FROZEN_FILE
    return schema.read(path, Frozen) if path.exists() else Frozen()


def read_assignments(root: Path) -> Assignments:
    """The assignments; empty if there are none yet."""
    path = root / ASSIGNMENTS_FILE
    return schema.read(path, Assignments) if path.exists() else Assignments()


def was_published(root: Path, slug: str) -> bool:
    """Whether a project came here with a public export, and so without its history.

    reviews/published.toml marks an export. In it stand the projects of the semester that it names
    and of those before; what a later semester adds to such a tree has its history here.
    """
    path = root / PUBLISHED_FILE
    if not path.exists():
        return False
    try:
        exported = tomllib.loads(path.read_text(encoding="utf-8")).get("semester", "")
        current = read_cycle(root).semester
    except (UserError, ValueError, OSError):
        return True
    return exported in ("", current) or not takes_part(root, slug, current)


def toml_text(record: Any, header: str) -> str:
    """A record as TOML below a comment that says who owns the file."""
    table = dataclasses.asdict(record)
    table = {name: list(v) if isinstance(v, tuple) else v for name, v in table.items()}
    return f"# {header}\n{tomli_w.dumps(table)}"


def replace_record(path: Path, before: Any, after: Any, header: str) -> None:
    """Write `after`, unless the file on disk is no longer `before` (a concurrent edit).

    Raises UserError and writes nothing if somebody changed the file since it was read.
    """
    present = schema.read(path, type(before)) if path.exists() else type(before)()
    if present != before:
        raise UserError(f"{path} was changed by somebody else meanwhile; run the command again.")
    write_text(path, toml_text(after, header))
