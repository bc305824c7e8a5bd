"""project.toml of a change: a group does not change itself, a new project is its author's."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from common import schema
from common.course.changes import Change, read_blobs
from common.course.checks.metadata import SCHEMA_HINT
from common.course.guarding.people import Author, Records, Table, read_table
from common.course.guarding.places import ASK, refusal
from common.course.problems import Problem
from common.course.scaffold import squeezed
from common.projects import ProjectTable

SLUG = re.compile(r"[a-z][a-z0-9_]{0,39}")
PATHS = re.compile(r"(?:^|[\\/])\.\.(?:[\\/]|$)|^[\\/~]|^[A-Za-z]:[\\/]|\\|^file:", re.IGNORECASE)
FIELDS = ("slug", "builds_on", "borrowed", "goal", "capabilities", "semester", "licence")
PROSE = ("reason", "protocol", "withdrawn", "paper_source", "source")


def table_problems(
    change: Change, data: bytes, author: Author, records: Records
) -> Iterator[Problem]:
    """A project.toml that was changed or is new."""
    slug = change.path.split("/")[1]
    try:
        table = tomllib.loads(data.decode("utf-8-sig").replace("\r\n", "\n"))
        checked = schema.adapter(ProjectTable).validate_python(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = schema.field_name(first["loc"])
        message = f"is no project.toml: {where}: {first['msg']}"[:200]
        yield refusal(change, "project.invalid", message, SCHEMA_HINT)
        if not isinstance(table, dict):
            return
        checked = None
    except (ValueError, RecursionError) as error:
        message = f"is no valid TOML: {str(error)[:100]}"
        yield refusal(change, "project.invalid", message, SCHEMA_HINT)
        return
    for field, text in climbing(table):
        message = f"{field} is {text[:60]!r}, a path that leads out of the folder"
        yield refusal(change, "project.path", message, "name files of the project plainly")
    if checked is None:
        return
    if checked.slug != slug:
        message = f"slug is {checked.slug[:60]!r}, but the folder is projects/{slug}"
        yield refusal(change, "project.slug", message, f'write slug = "{slug}"')
    if checked.group.names:
        message = "group.names has real names, which only `dgm publish` writes, with consent"
        yield refusal(change, "personal.names", message, "take the line out")
    before = records.table(slug)
    if before is None:
        yield from new_problems(change, slug, read_table(data), author, records)
    elif membership(before, records) != membership(read_table(data), records):
        message = "changes the group, its members or the semester"
        yield refusal(change, "project.membership", message, ASK)


def membership(table: Table, records: Records) -> tuple[object, ...]:
    """What a group does not change by itself; no semester is the present one."""
    return table.group, table.members, table.semester or records.cycle.semester


def climbing(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The fields with a path in them that leads elsewhere."""
    waiting = [(name, table[name]) for name in FIELDS if name in table]
    while waiting:
        name, value = waiting.pop(0)
        if isinstance(value, str):
            if name.rpartition(".")[2] not in PROSE and PATHS.search(value):
                yield name, value
        elif isinstance(value, dict):
            waiting += [(f"{name}.{key}", item) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [(name, item) for item in value]


def new_problems(
    change: Change, slug: str, table: Table, author: Author, records: Records
) -> Iterator[Problem]:
    """A project that the branch does not have yet: whose it is, and how it may be called."""
    cycle = records.cycle
    if author.key not in table.members:
        message = f"{author.account} is not among group.members, so nobody vouches for it"
        hint = f'members = ["{author.key}", ...]' if author.key else "ask for a key in [handles]"
        yield refusal(change, "project.not-member", message, hint)
    if staff := sorted(set(table.members) & set(cycle.instructors)):
        message = f"names {staff[0]}, an instructor, as a member"
        yield refusal(change, "project.membership", message, "name the students of the group")
    if not cycle.group.min <= len(set(table.members)) <= cycle.group.max:
        message = (
            f"the group has {len(set(table.members))} members, expected {cycle.group.min} to "
            f"{cycle.group.max}"
        )
        yield refusal(change, "project.group-size", message, ASK)
    if table.semester not in (None, cycle.semester):
        message = f"semester is {table.semester[:40]!r}, but this one is {cycle.semester}"
        yield refusal(change, "project.semester", message, f'semester = "{cycle.semester}"')
    for other in sorted(records.slugs):
        owner = records.table(other) if squeezed(other) == squeezed(slug) else None
        if owner is not None:
            message = f"{slug} can be taken for the project {other}"
            yield refusal(change, "name.collides", message, "choose a slug that says more")
    if (owner := other_group(table, author, records)) is not None:
        message = f"the group {table.group} has other members: {', '.join(owner.members)}"
        yield refusal(change, "project.group-taken", message, "choose another group key")
    others = [key for key in table.members if key != author.key]
    if others:
        message = f"says that {', '.join(others)} take part; do they?"
        hint = "each other member confirms it in the pull request"
        yield Problem(change.path, 0, "project.partners", message, hint, "warning")


def other_group(table: Table, author: Author, records: Records) -> Table | None:
    """A group of the same key on the branch that the author is no member of."""
    paths = [f"projects/{slug}/project.toml" for slug in sorted(records.slugs)]
    blobs = [records.entries[path].blob for path in paths]
    for data in read_blobs(records.repository, blobs).values():
        if table.group.encode() in data:
            other = read_table(data)
            if other.group == table.group and author.key not in other.members:
                return other
    return None


def slug_problems(change: Change, slug: str) -> Iterator[Problem]:
    """A new folder whose name is no slug."""
    if not SLUG.fullmatch(slug):
        message = f"projects/{slug[:60]} is no name of a project"
        hint = "a slug is lower-case letters a-z, digits and _, a letter first"
        yield refusal(change, "name.slug", message, hint)
