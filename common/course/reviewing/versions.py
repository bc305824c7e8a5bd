"""Version 1 and 2 as frozen, found in this clone: by commit, or by tree after a rebase."""

from dataclasses import dataclass
from pathlib import Path

from common import schema
from common.course.documents import decode
from common.course.git import GitError, Repository
from common.course.records import FrozenVersion, read_frozen, was_published
from common.errors import UserError
from common.projects import ProjectTable


@dataclass(frozen=True)
class Version:
    """A frozen version: the record, and the commit of this clone that has it (None: not here)."""

    record: FrozenVersion
    commit: str | None


def has_history(root: Path, slug: str) -> bool:
    """Whether a project's commits can be looked up: in a git repository, and not from an export."""
    return (root / ".git").exists() and not was_published(root, slug)


def find_version(root: Path, slug: str, name: str) -> Version | None:
    """`v1` or `v2` of a project as it was frozen; None if it is not frozen."""
    record = read_frozen(root).find(slug, name)
    if record is None:
        return None
    repository, folder = Repository(root), f"projects/{slug}"
    try:
        if repository.tree(record.commit, folder) == record.tree:
            return Version(record, record.commit)
        return Version(record, repository.commit_of_tree(folder, record.tree))
    except GitError:
        return Version(record, None)


def how_to_fetch(root: Path) -> str:
    """The git command that brings the history which this clone lacks."""
    try:
        is_shallow = Repository(root).is_shallow()
    except GitError:
        is_shallow = False
    if is_shallow:
        return "this clone is shallow; run: git fetch --unshallow --tags"
    return "run: git fetch --all --tags"


def project_table(root: Path, slug: str, version: Version | None) -> ProjectTable | None:
    """The metadata of a project at a version, or in the work tree if there is none to look at."""
    path = f"projects/{slug}/project.toml"
    try:
        if version is not None and version.commit is not None:
            data = Repository(root).read(version.commit, path)
        else:
            data = (root / path).read_bytes()
        return schema.parse(decode(data or b"", path), ProjectTable)
    except (OSError, ValueError, UserError):
        return None


def developers(root: Path, slug: str) -> set[str]:
    """The public keys of those who made a project, as version 1 and the work tree name them."""
    version = find_version(root, slug, "v1") if has_history(root, slug) else None
    keys: set[str] = set()
    for table in (project_table(root, slug, version), project_table(root, slug, None)):
        if table is not None:
            keys |= {table.group.key, *table.group.members}
    return keys
