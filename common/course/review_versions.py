"""Version 1 and 2 as frozen, found in this clone: by commit, or by tree after a rebase."""

from dataclasses import dataclass
from pathlib import Path

from common.course.git import GitError, Repository
from common.course.records import FrozenVersion, read_frozen

PUBLISHED_FILE = "reviews/published.toml"


@dataclass(frozen=True)
class Version:
    """A frozen version: the record, and the commit of this clone that has it (None: not here)."""

    record: FrozenVersion
    commit: str | None


def has_history(root: Path) -> bool:
    """Whether commits can be looked up: a git repository that is no published export."""
    return (root / ".git").exists() and not (root / PUBLISHED_FILE).exists()


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
