"""Who may do what, as the branch that is to take a change says: never as the change says."""

import os
import re
import tomllib
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from common import schema
from common.course.changes import Entry, read_blobs, read_entries
from common.course.cycle import ACCOUNT, CYCLE_FILE, Cycle
from common.course.git import Repository
from common.course.records import ASSIGNMENTS_FILE, FROZEN_FILE, Assignments, Frozen
from common.errors import UserError

T = TypeVar("T")
OWN = (CYCLE_FILE, ASSIGNMENTS_FILE, FROZEN_FILE)


@dataclass(frozen=True)
class Author:
    """Who opened a pull request: the account, and the public key it stands for ("" if none)."""

    account: str
    key: str
    is_instructor: bool


@dataclass(frozen=True)
class Table:
    """What matters of a project.toml, read forgivingly: of a broken file what could be read."""

    group: str
    members: tuple[str, ...]
    semester: str | None


@dataclass(frozen=True)
class Records:
    """The course as one commit of the branch has it."""

    repository: Repository
    commit: str
    moment: datetime
    contents: dict[str, bytes] = field(default_factory=dict, compare=False)

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Every file of the commit by path."""
        return {entry.path: entry for entry in read_entries(self.repository, self.commit)}

    @cached_property
    def cycle(self) -> Cycle:
        """The rules of the semester; raises UserError if the branch has none."""
        cycle = self.read(CYCLE_FILE, Cycle)
        if cycle is None:
            raise UserError(
                f"there is no {CYCLE_FILE} at {self.commit[:12]}, so nobody's part can be told; "
                "name the course's main branch with --base."
            )
        return cycle

    @cached_property
    def frozen(self) -> Frozen:
        """The frozen versions."""
        return self.read(FROZEN_FILE, Frozen) or Frozen()

    @cached_property
    def assignments(self) -> Assignments:
        """Who reviews what."""
        return self.read(ASSIGNMENTS_FILE, Assignments) or Assignments()

    def read(self, path: str, kind: type[T]) -> T | None:
        """One of the course's own files; None if it is not there, SchemaError if it is wrong."""
        data = self.data(path)
        where = f"{path} at {self.commit[:12]}"
        return None if data is None else schema.parse(data.decode("utf-8-sig"), kind, where)

    def data(self, path: str) -> bytes | None:
        """A file of the commit; each is read once."""
        entry = self.entries.get(path)
        if entry is None:
            return None
        if entry.blob not in self.contents:  # the course's own files are read with the first
            known = [self.entries[name].blob for name in OWN if name in self.entries]
            asked = [entry.blob, *(known if not self.contents else ())]
            self.contents.update(read_blobs(self.repository, asked))
        return self.contents[entry.blob]

    @cached_property
    def slugs(self) -> set[str]:
        """The projects: folders with a project.toml."""
        parts = (path.split("/") for path in self.entries)
        return {
            p[1] for p in parts if len(p) == 3 and p[0] == "projects" and p[2] == "project.toml"
        }

    @cached_property
    def taken(self) -> dict[str, str]:
        """Names that no new project may have, with the reason."""
        names = (path.split("/") for path in self.entries)
        taken = {
            parts[1]: f"{parts[0]}/{parts[1]} is there already"
            for parts in names
            if parts[0] in ("projects", "reviews") and len(parts) > 2
        }
        for entry in self.frozen.version:
            taken.setdefault(entry.slug, f"{FROZEN_FILE} has a project of this name")
        return taken

    def table(self, slug: str) -> Table | None:
        """What a project.toml of the branch says; None if there is none."""
        data = self.data(f"projects/{slug}/project.toml")
        return None if data is None else read_table(data)

    def members(self, slug: str) -> tuple[str, ...]:
        """The public keys of those who make a project."""
        table = self.table(slug)
        return table.members if table else ()

    def reviews(self, slug: str, key: str) -> bool:
        """Whether somebody is assigned to review a project."""
        left = key in self.assignments.dropped
        return bool(key) and not left and key in self.assignments.reviewers(slug)

    def is_frozen(self, slug: str, version: str) -> bool:
        """Whether a version of a project is frozen."""
        return self.frozen.find(slug, version) is not None

    def is_past(self, deadline: str) -> bool:
        """Whether a deadline is over; one that is not set never is."""
        is_set = getattr(self.cycle.dates, deadline) is not None
        return is_set and self.moment > self.cycle.deadline(deadline)

    def is_over(self, slug: str) -> bool:
        """Whether a project went through its cycle: an earlier semester's, or published."""
        table = self.table(slug)
        semester = table.semester if table else None
        return semester not in (None, self.cycle.semester) or self.is_past("publication")


def read_table(data: bytes) -> Table:
    """Group, members and semester of a project.toml, whatever else is wrong with it."""
    try:
        table = tomllib.loads(data.decode("utf-8-sig").replace("\r\n", "\n"))
    except (ValueError, RecursionError):
        return Table("", (), None)
    group = table.get("group")
    group = group if isinstance(group, dict) else {}
    members = group.get("members")
    keys = (
        [key for key in members if isinstance(key, str) and key]
        if isinstance(members, list)
        else []
    )
    semester = table.get("semester")
    return Table(
        str(group.get("key", "")), tuple(keys), semester if isinstance(semester, str) else None
    )


def identify(cycle: Cycle, account: str) -> Author:
    """Whose account it is; raises UserError for what is no account.

    `handles` of the cycle says whose account it is; any other account is the key of the same name.
    An account named like a key that belongs to another account is a stranger's.
    """
    if not re.fullmatch(ACCOUNT, account):
        raise UserError(
            f"--author is {os.fsencode(account)!r}, expected the account that opened the pull "
            "request: letters, digits and hyphens, without @."
        )
    accounts = {name.lower(): key for name, key in cycle.handles.items()}
    name = account.lower()
    key = accounts.get(name, "" if name in accounts.values() else name)
    return Author(account, key, bool(key) and key in cycle.instructors)
