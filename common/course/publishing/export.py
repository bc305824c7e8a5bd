"""The public tree: what of a commit is exported, and how files change on the way."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from common import schema
from common.course.documents import DocumentError, decode
from common.course.git import Repository
from common.course.private import Roster
from common.course.records import ASSIGNMENTS_FILE, Assignments, Frozen
from common.projects import FILL

SUBMODULE, LINK = "160000", "120000"
BATCH_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Entry:
    """One tracked file of a commit."""

    path: str
    mode: str
    blob: str
    size: int

    @property
    def is_executable(self) -> bool:
        """Whether it may be run."""
        return self.mode == "100755"


@dataclass(frozen=True)
class Omission:
    """Something that is left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Rules:
    """What decides over each file: the committed records, and who agreed to be named."""

    frozen: Frozen
    assignments: Assignments
    roster: Roster | None = None
    earlier: frozenset[str] = frozenset()  # projects of earlier semesters, public already

    def names(self, group: Mapping[str, object]) -> list[str]:
        """The names of a group's people who agreed, in alphabetical order.

        Not in the order of the keys: who agreed to be named did not agree to be known as a reviewer.
        """
        people = self.roster.person if self.roster else ()
        members = group.get("members")
        keys = set(members) if isinstance(members, list) else set()
        return sorted(
            person.name
            for person in people
            if person.consent and (person.key in keys or person.group == group.get("key", ""))
        )

    def omission(self, path: str) -> Omission | None:
        """Why a file is left out whatever it holds; None if it is not."""
        parts = path.split("/")
        if parts[0] not in {"projects", "reviews"} or len(parts) < 3:
            return None
        slug = parts[1]
        if slug in self.earlier:
            return None
        if self.frozen.find(slug, "v1") is None:
            return Omission("/".join(parts[:2]), "version 1 was never frozen")
        if parts[0] == "projects" or parts[2:] == ["response.md"]:
            return None
        reviewer = parts[2].removesuffix(".md").removesuffix(".verification")
        is_review = len(parts) == 3 and parts[2].endswith(".md")
        if is_review and reviewer in self.assignments.reviewers(slug):
            return None
        return Omission(path, "a draft: not of a reviewer who is assigned")


def entries(repository: Repository, commit: str) -> list[Entry]:
    """Every tracked file of a commit, links and submodules too."""
    found = []
    for line in repository.git("ls-tree", "-r", "-z", "-l", "--full-tree", commit).split("\0"):
        if line:
            about, path = line.split("\t", 1)
            mode, _, blob, size = about.split()
            found.append(Entry(path, mode, blob, 0 if size == "-" else int(size)))
    return found


def contents(repository: Repository, wanted: Iterable[Entry]) -> Iterator[tuple[Entry, bytes]]:
    """The files with what they hold, a few megabytes at a time."""
    batch: list[Entry] = []
    for entry in wanted:
        batch.append(entry)
        if sum(one.size for one in batch) > BATCH_BYTES or len(batch) >= 1000:
            yield from read_batch(repository, batch)
            batch = []
    if batch:
        yield from read_batch(repository, batch)


def read_batch(repository: Repository, batch: list[Entry]) -> Iterator[tuple[Entry, bytes]]:
    """The blobs of a few files, in one call of git."""
    data = "".join(f"{entry.blob}\n" for entry in batch).encode()
    output = repository.run("cat-file", "--batch", data=data)
    start = 0
    for entry in batch:
        end = output.index(b"\n", start)
        size = int(output[start:end].split()[2])
        yield entry, output[end + 1 : end + 1 + size]
        start = end + 1 + size + 1


def write_tree(
    repository: Repository, commit: str, rules: Rules, destination: Path
) -> tuple[list[Omission], list[str]]:
    """Write the public files of a commit below a new folder.

    Returns what was left out, and the links: they are not written, and no public tree has any.
    """
    omissions: dict[str, Omission] = {}
    links, kept = [], []
    for entry in entries(repository, commit):
        omission = rules.omission(entry.path)
        if entry.mode == SUBMODULE:
            omission = omission or Omission(entry.path, "a submodule: another repository")
        if omission:
            omissions.setdefault(omission.path, omission)
        elif entry.mode == LINK:
            links.append(entry.path)
        else:
            kept.append(entry)
    for entry, data in contents(repository, kept):
        if is_draft(entry.path, data):
            omissions[entry.path] = Omission(entry.path, f"a draft: {FILL} is left in it")
            continue
        path = destination / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(public_content(entry.path, data, rules))
        path.chmod(0o755 if entry.is_executable else 0o644)
    drop_orphans(destination, omissions)
    return sorted(omissions.values(), key=lambda omission: omission.path), links


def is_draft(path: str, data: bytes) -> bool:
    """Whether a review, response or verification is not finished."""
    if not path.startswith("reviews/") or path.count("/") < 2 or not path.endswith(".md"):
        return False
    try:
        return FILL in decode(data, path)
    except DocumentError:
        return True


def drop_orphans(destination: Path, omissions: dict[str, Omission]) -> None:
    """Remove verifications whose review was left out as a draft."""
    for path in list(omissions):
        if path.startswith("reviews/") and path.endswith(".md"):
            orphan = f"{path.removesuffix('.md')}.verification.md"
            if (destination / orphan).exists():
                (destination / orphan).unlink()
                omissions[orphan] = Omission(orphan, "it verifies a draft")


def public_content(path: str, data: bytes, rules: Rules) -> bytes:
    """What a file holds in the public tree."""
    parts = path.split("/")
    is_project = len(parts) == 3 and parts[0] == "projects" and parts[2] == "project.toml"
    if not is_project and path != ASSIGNMENTS_FILE:
        return data
    try:
        text = decode(data, path)
        before = tomllib.loads(text)
    except (DocumentError, tomllib.TOMLDecodeError):
        return data  # as it is; the privacy check reads it
    if path == ASSIGNMENTS_FILE:
        after = {name: value for name, value in before.items() if name != "dropped"}
        return edited(text, before, after).encode()
    after = without_hours(before)
    group = after.get("group")
    if isinstance(group, dict):
        group.pop("names", None)
        if names := rules.names(group):
            group["names"] = names
    return edited(text, before, after).encode()


def without_hours(value: object) -> object:
    """A table without any field `hours`, at any depth."""
    if isinstance(value, dict):
        return {name: without_hours(inner) for name, inner in value.items() if name != "hours"}
    if isinstance(value, list):
        return [without_hours(item) for item in value]
    return value


def edited(text: str, before: object, after: object) -> str:
    """The text of a TOML file with other values: lines go or come, comments and order stay.

    Where a change of lines does not give `after`, the file is written anew.
    """
    if before == after:
        return text
    lines = text.split("\n")
    gone: set[int] = set()
    place = None
    for location, number in schema.line_numbers(text).items():
        is_group = location[0] == "group"
        if location[-1] in {"hours", "dropped"} or location == ("group", "names"):
            gone.update(range(number - 1, end_of_assignment(lines, number - 1)))
        elif is_group and len(location) == 2:
            place = end_of_assignment(lines, number - 1)
    names = after.get("group", {}).get("names") if isinstance(after, dict) else None
    kept = []
    for index in range(len(lines) + 1):
        if index == place and names:
            kept.append(tomli_w.dumps({"names": names}).rstrip("\n"))
        if index < len(lines) and index not in gone:
            kept.append(lines[index])
    result = "\n".join(kept)
    try:
        is_right = tomllib.loads(result) == after
    except tomllib.TOMLDecodeError:
        is_right = False
    return result if is_right else tomli_w.dumps(after)


def end_of_assignment(lines: list[str], start: int) -> int:
    """The index behind the last line of the assignment that begins at `start`."""
    end = start + 1
    while end < len(lines) and not schema.is_whole("\n".join(lines[start:end])):
        end += 1
    return end
