"""The instructor's private folder, $DGM_PRIVATE: people, bids, conflicts, adjudication, grades.

It never lies inside a git work tree where git would see it; nothing in it is ever committed.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from common import schema
from common.course.git import GitError, Repository
from common.errors import UserError
from common.schema import Flag, Key, Text, strict_table

VARIABLE = "DGM_PRIVATE"


@strict_table
@dataclass(frozen=True)
class Person:
    """One person of the course. `key` is public (reviews, project.toml); the rest is not."""

    key: Key
    name: Text
    group: Key | None = None  # key of the group, as in project.toml
    email: str = ""
    student_number: str = ""
    reviews: Flag = True  # False: not a candidate reviewer
    consent: Flag = False  # the name may stand in the published repository
    topics: tuple[Text, ...] = ()


@strict_table
@dataclass(frozen=True)
class Roster:
    """roster.toml: everybody, once."""

    schema: Literal["roster/1"]
    person: tuple[Person, ...] = ()

    def __post_init__(self):
        keys = [person.key for person in self.person]
        for key in keys:
            if keys.count(key) > 1:
                raise ValueError(f"the key {key!r} is used by two people; keys are unique")


@strict_table
@dataclass(frozen=True)
class Bid:
    """How much a reviewer wants a project: -2 (rather not) to 2 (eager)."""

    reviewer: Key
    project: Text
    value: Annotated[int, Field(strict=True, ge=-2, le=2)]


@strict_table
@dataclass(frozen=True)
class Bids:
    """bids.toml."""

    schema: Literal["bids/1"]
    bid: tuple[Bid, ...] = ()


@strict_table
@dataclass(frozen=True)
class Conflict:
    """A reviewer who must not review a project."""

    reviewer: Key
    project: Text
    reason: str = ""


@strict_table
@dataclass(frozen=True)
class Conflicts:
    """conflicts.toml."""

    schema: Literal["conflicts/1"]
    conflict: tuple[Conflict, ...] = ()


def private_folder(root: Path) -> Path:
    """The private folder; raises UserError where it is unset, missing, or git could see it."""
    named = os.environ.get(VARIABLE, "")
    if not named:
        raise UserError(
            f"${VARIABLE} is not set; it names the instructor's private folder, outside of the "
            f"repository: export {VARIABLE}=~/course-private"
        )
    folder = Path(named).expanduser().resolve()
    if not folder.is_dir():
        raise UserError(f"${VARIABLE} is {folder}, which is no folder; make it, or name another.")
    refuse_tracked(folder, root)
    return folder


def refuse_tracked(folder: Path, root: Path) -> None:
    """Raise UserError if a folder lies in this work tree, or in another that does not ignore it."""
    if folder.is_relative_to(root.resolve()) or root.resolve().is_relative_to(folder):
        raise UserError(
            f"{folder} lies in the repository (or around it); private files must be outside of it."
        )
    try:
        top = Path(Repository(folder).git("rev-parse", "--show-toplevel").strip())
    except GitError:
        return
    if not Repository(top).is_ignored(folder / "grades.toml"):
        raise UserError(
            f"{folder} lies in the git work tree {top} and is not ignored there; "
            "move it, or add it to that repository's .gitignore."
        )


def read_roster(folder: Path) -> Roster:
    """The people of the course; raises SchemaError with every mistake."""
    return schema.read(folder / "roster.toml", Roster)


def read_bids(folder: Path) -> Bids:
    """The bids; none if there is no file."""
    path = folder / "bids.toml"
    return schema.read(path, Bids) if path.exists() else Bids("bids/1")


def read_conflicts(folder: Path) -> Conflicts:
    """The conflicts; none if there is no file."""
    path = folder / "conflicts.toml"
    return schema.read(path, Conflicts) if path.exists() else Conflicts("conflicts/1")
