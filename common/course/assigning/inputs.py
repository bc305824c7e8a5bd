"""What an assignment depends on: frozen version 1s, the roster, bids and conflicts; and their hash.

Groups and topics of a project are read from its version 1 as frozen, so that what developers edit
later does not change the input.
"""

import difflib
import hashlib
import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.course.assigning.candidates import Instance, Reviewer, Work
from common.course.cycle import read_cycle
from common.course.git import GitError, Repository
from common.course.private import Roster, read_bids, read_conflicts, read_roster
from common.course.records import FrozenVersion, read_frozen
from common.errors import UserError
from common.projects import takes_part

CODE = (".py", ".ipynb")
NOTHING = "a an and deep for generative learning model models networks neural of the with"
GENERAL = frozenset(re.findall(r"\w+", NOTHING))  # words that tell no topic from another


@dataclass(frozen=True)
class Inputs:
    """What the solver sees, before kept pairs; `notes` say what was left out and why."""

    reviewers: tuple[Reviewer, ...]
    projects: tuple[Work, ...]
    per_project: int
    conflicts: frozenset[tuple[str, str]]
    bids: Mapping[tuple[str, str], int]
    groups: Mapping[str, frozenset[str]]  # of everybody, also of those who do not review
    notes: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """A hash that two inputs share exactly if the solver cannot tell them apart."""
        table = {
            "reviewers": sorted(
                [r.key, sorted(r.groups), sorted(r.topics)] for r in self.reviewers
            ),
            "projects": sorted(
                [w.slug, w.group, sorted(w.developers), sorted(w.topics)] for w in self.projects
            ),
            "per_project": self.per_project,
            "conflicts": sorted(self.conflicts),
            "bids": sorted([*pair, value] for pair, value in self.bids.items() if value),
        }
        text = json.dumps(table, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def instance(self, kept: Iterable[tuple[str, str]] = ()) -> Instance:
        """The input of the matching, with pairs (reviewer, project) that stand."""
        return Instance(
            reviewers=self.reviewers,
            projects=self.projects,
            per_project=self.per_project,
            conflicts=self.conflicts,
            bids=self.bids,
            kept=frozenset(kept),
            kept_groups=self.groups,
        )


def read_inputs(
    root: Path,
    private: Path,
    per_project: int,
    *,
    dropped: Iterable[str] = (),
    withdrawn: Iterable[str] = (),
) -> Inputs:
    """The inputs as they are now, without the people and projects that left.

    Raises UserError where a project's developers cannot be told, or a conflict names somebody or
    something that does not exist.
    """
    roster = read_roster(private)
    works, notes = frozen_works(root, set(withdrawn))
    if not works:
        raise UserError(
            "no version 1 is frozen, so there is nothing to review; `dgm freeze v1` comes first."
            + "".join(f"\n  {note}" for note in notes)
        )
    groups = groups_of(roster, works)
    reviewers = tuple(
        Reviewer(person.key, groups[person.key], topics_of(person.topics))
        for person in roster.person
        if person.reviews and person.key not in set(dropped)
    )
    slugs = {work.slug for work in works}
    known = slugs | {path.name for path in root.glob("projects/*")} | set(withdrawn)
    conflicts, bids = read_conflicts(private).conflict, read_bids(private).bid
    for entry in conflicts:
        require_known(entry.reviewer, set(groups), "conflicts.toml", "roster.toml")
        require_known(entry.project, known, "conflicts.toml", "projects/")
    notes += unknown_bids(bids, set(groups), known)
    notes += strangers(roster, works)
    return Inputs(
        reviewers=reviewers,
        projects=works,
        per_project=per_project,
        conflicts=frozenset((c.reviewer, c.project) for c in conflicts if c.project in slugs),
        bids={(b.reviewer, b.project): b.value for b in bids if b.project in slugs},
        groups=groups,
        notes=tuple(notes),
    )


def frozen_works(root: Path, withdrawn: set[str]) -> tuple[tuple[Work, ...], list[str]]:
    """The projects whose version 1 is frozen and holds code, and why the others are left out."""
    repository = Repository(root)
    semester = read_cycle(root).semester
    entries = [
        v
        for v in read_frozen(root).version
        if v.version == "v1" and v.slug not in withdrawn and takes_part(root, v.slug, semester)
    ]
    listings = Listings(repository)
    tables = repository.read_all([f"{entry.tree}:project.toml" for entry in entries])
    works, notes = [], []
    for entry, table in zip(entries, tables, strict=True):
        files = listings.files(entry)
        if files is None:
            notes.append(
                f"{entry.slug}: version 1 is not in this clone, so its present project.toml is "
                "used; `git fetch --unshallow --tags` gets it"
            )
        elif not any(size and path.endswith(CODE) for path, size in files.items()):
            notes.append(f"{entry.slug}: version 1 has no code and no notebook; not assigned")
            continue
        works.append(work_of(root, entry, table))
    recorded = {entry.slug for entry in entries} | withdrawn
    for path in sorted(root.glob("projects/*/project.toml")):
        if path.parent.name not in recorded and takes_part(root, path.parent.name, semester):
            notes.append(f"{path.parent.name}: version 1 is not frozen; not assigned")
    return tuple(works), notes


class Listings:
    """Files and sizes of frozen versions; one git call for all that share a commit."""

    def __init__(self, repository: Repository):
        self.repository = repository
        self.of_commit: dict[str, dict[str, dict[str, int]] | None] = {}

    def files(self, entry: FrozenVersion) -> dict[str, int] | None:
        """Sizes by path below the project's folder; None if this clone does not have the version."""
        if entry.commit not in self.of_commit:
            self.of_commit[entry.commit] = self.by_project(entry.commit)
        projects = self.of_commit[entry.commit]
        return self.listed(entry.tree) if projects is None else projects.get(entry.slug, {})

    def by_project(self, commit: str) -> dict[str, dict[str, int]] | None:
        """The files of every project at a commit; None if the commit is not in this clone."""
        everything = self.listed(commit, "projects/")
        if everything is None:
            return None
        found = defaultdict(dict)
        for path, size in everything.items():
            _, slug, name = path.split("/", 2) if path.count("/") > 1 else ("", "", path)
            found[slug][name] = size
        return found

    def listed(self, tree: str, folder: str = "") -> dict[str, int] | None:
        """Sizes by path below a commit or tree; None if it is not in this clone."""
        where = ("--", folder) if folder else ()
        try:
            lines = self.repository.git("ls-tree", "-r", "-l", "-z", tree, *where).split("\0")
        except GitError:
            return None
        sizes = {}
        for about, path in (line.split("\t", 1) for line in lines if line):
            size = about.split()[3]
            sizes[path] = int(size) if size.isdigit() else 0
        return sizes


def work_of(root: Path, entry: FrozenVersion, frozen: bytes | None) -> Work:
    """The project by project.toml as frozen; by the present one where that cannot be read."""
    present = root / "projects" / entry.slug / "project.toml"
    texts = [frozen, present.read_bytes() if present.exists() else None]
    for text in texts:
        table = table_of(text)
        group = table.get("group") if isinstance(table.get("group"), dict) else {}
        key, members = group.get("key"), group.get("members")
        if isinstance(key, str) and key and isinstance(members, list):
            words = [table.get("family"), table.get("title")]
            return Work(
                entry.slug,
                key,
                frozenset(member for member in members if isinstance(member, str)),
                topics_of(word for word in words if isinstance(word, str)),
            )
    raise UserError(
        f"the group of {entry.slug} cannot be read from its project.toml, neither as frozen nor as "
        f"it is; mend [group] key and members in projects/{entry.slug}/project.toml."
    )


def table_of(text: bytes | None) -> dict[str, Any]:
    """A TOML text as a table; empty if it is none."""
    try:
        return tomllib.loads((text or b"").decode("utf-8-sig").replace("\r\n", "\n"))
    except ValueError:
        return {}


def topics_of(texts: Iterable[str]) -> frozenset[str]:
    """Topics in lower case, whole and word by word, without words that say nothing.

    >>> sorted(topics_of(["Normalizing flows", "Generative models"]))
    ['flows', 'generative models', 'normalizing', 'normalizing flows']
    """
    whole = {" ".join(text.casefold().split()) for text in texts}
    words = {word for text in whole for word in re.findall(r"[\w-]+", text)}
    return frozenset((whole | words) - GENERAL - {""})


def groups_of(roster: Roster, works: Iterable[Work]) -> dict[str, frozenset[str]]:
    """Everybody's groups: as the roster says, and every group whose project names them."""
    groups = {person.key: {person.group} - {None} for person in roster.person}
    for work in works:
        for key in work.developers & set(groups):
            groups[key].add(work.group)
    return {key: frozenset(found) for key, found in groups.items()}


def require_known(name: str, known: set[str], file: str, where: str) -> None:
    """Raise UserError for a name that a private file spells differently."""
    if name not in known:
        near = difflib.get_close_matches(name, sorted(known), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "correct it, or take the line out."
        raise UserError(f"{file} names {name!r}, which is not in {where}; {hint}")


def unknown_bids(bids: Iterable, keys: set[str], slugs: set[str]) -> list[str]:
    """Notes about bids of or for what does not exist."""
    unknown = {bid.reviewer for bid in bids} - keys | {bid.project for bid in bids} - slugs
    return [f"bids.toml names {name!r}, which does not exist; ignored" for name in sorted(unknown)]


def strangers(roster: Roster, works: Iterable[Work]) -> list[str]:
    """Notes about developers whom the roster does not have."""
    keys = {person.key for person in roster.person}
    return [
        f"{work.slug}: {key} is a developer and not in roster.toml"
        for work in works
        for key in sorted(work.developers - keys)
    ]
