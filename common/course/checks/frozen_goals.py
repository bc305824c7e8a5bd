"""The goals of a project's version 1, as it was frozen."""

from pathlib import Path

from common import schema
from common.course.git import GitError, Repository
from common.course.records import read_frozen, was_published
from common.errors import UserError
from common.projects import Goal, ProjectTable


def frozen_goals(root: Path, slug: str) -> tuple[tuple[Goal, ...], str]:
    """The goals of version 1, and what kept us from reading them ("" if nothing).

    There are none before the freeze, and none in a published tree, whose history is not there.
    """
    if was_published(root, slug) or not (root / ".git").exists():
        return (), ""
    try:
        record = read_frozen(root).find(slug, "v1")
    except UserError:
        return (), ""  # `dgm check` reports the record itself
    if record is None:
        return (), ""
    path = f"projects/{slug}"
    repository = Repository(root)
    try:
        commit = record.commit
        if repository.tree(commit, path) != record.tree:
            commit = repository.commit_of_tree(path, record.tree) or ""
        data = repository.read(commit, f"{path}/project.toml") if commit else None
    except GitError:
        data = None
    if data is None:
        return (), "version 1 as frozen is not in this clone, so its goals cannot be compared"
    try:
        return schema.parse(data.decode("utf-8-sig", "replace"), ProjectTable).goal, ""
    except schema.SchemaError:
        return (), ""
