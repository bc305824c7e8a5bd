"""`dgm freeze`: what was on the main branch at a deadline becomes version 1 or 2, once and for all.

The record in reviews/frozen.toml is the truth: the commit, and git's hash of the project's folder,
by which the version is found again after a rebase. Tags are a convenience.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from common.course.cycle import Cycle, now, read_cycle
from common.course.git import Repository
from common.course.records import (
    FROZEN_FILE,
    VERSIONS,
    Frozen,
    FrozenVersion,
    read_frozen,
    replace_record,
)
from common.errors import UserError

HEADER = "Written by `dgm freeze`. What is frozen never moves; do not edit."
SHARED = 0.5  # two folders that share so many of their files are the same project, renamed


@dataclass(frozen=True)
class Outcome:
    """What became of one project: "frozen", "kept" (it was frozen before) or "skipped", and why."""

    slug: str
    kind: str
    message: str
    entry: FrozenVersion | None = None
    warning: str = ""


def freeze(
    root: Path,
    version: str,
    slugs: Sequence[str] = (),
    *,
    early: bool = False,
    branch: str | None = None,
    dry_run: bool = False,
    tags: bool = True,
    moment: datetime | None = None,
) -> list[Outcome]:
    """Freeze a version of the named projects, of all by default, and say what became of each.

    `early` takes the branch as it is now, before the deadline, for projects named one by one. Raises
    UserError, with nothing written, where the deadline is to come, the clone is shallow, the branch
    does not exist, or the record was changed meanwhile.
    """
    moment = moment or now()
    repository, cycle, before = Repository(root), read_cycle(root), read_frozen(root)
    check_request(cycle, version, slugs, early, moment)
    branch = branch or the_main_branch(repository)
    deadline = min(cycle.deadline(version), moment)
    commit = commit_to_freeze(repository, branch, moment if early else deadline)
    trees = repository.trees(commit, "projects")
    outcomes = [
        freeze_one(
            repository, cycle, before, slug, version, commit, trees, moment if early else deadline
        )
        for slug in (slugs or candidates(before, version, trees))
    ]
    new = [outcome.entry for outcome in outcomes if outcome.kind == "frozen"]
    if dry_run:
        return outcomes
    if new:
        after = Frozen(version=tuple(sorted((*before.version, *new), key=record_order)))
        replace_record(root / FROZEN_FILE, before, after, HEADER)
    return [tagged(repository, outcome) for outcome in outcomes] if tags else outcomes


def record_order(entry: FrozenVersion) -> tuple[str, str]:
    """By project, then version."""
    return entry.slug, entry.version


def check_request(
    cycle: Cycle, version: str, slugs: Sequence[str], early: bool, moment: datetime
) -> None:
    """Raise UserError for a version that does not exist, or one that is not due."""
    if version not in VERSIONS:
        raise UserError(f"the version is {version!r}, expected v1 or v2.")
    if early and not slugs:
        raise UserError("--early needs the projects whose groups asked for it: dgm freeze v2 made.")
    deadline = cycle.deadline(version)
    if moment < deadline and not early:
        left = (deadline - moment).total_seconds() / 86400
        raise UserError(
            f"the deadline of {version} is {deadline:%Y-%m-%d %H:%M %Z}, in {left:.1f} days; run it "
            f"then, or freeze a group that is ready: dgm freeze {version} SLUG --early"
        )


def the_main_branch(repository: Repository) -> str:
    """The branch that counts; raises UserError in a clone that has none."""
    repository.head()
    branch = repository.main_branch()
    if branch == "HEAD":
        raise UserError(
            "there is neither a branch main nor origin/main here, and only what is on main counts; "
            "git fetch origin main, or name the branch with --branch"
        )
    return branch


def commit_to_freeze(repository: Repository, branch: str, moment: datetime) -> str:
    """The last commit of the branch at a moment; raises UserError where there is none to be found."""
    repository.head()
    if repository.resolve(branch) is None:
        raise UserError(f"there is no branch {branch!r}; fetch it, or name another with --branch.")
    if repository.is_shallow():
        raise UserError(
            "this clone is shallow, so what was on main at the deadline cannot be told; run: "
            "git fetch --unshallow"
        )
    commit = repository.commit_at(moment, branch)
    if commit is None:
        raise UserError(f"{branch} had no commit at {moment:%Y-%m-%d %H:%M %Z}.")
    return commit


def candidates(before: Frozen, version: str, trees: Iterable[str]) -> list[str]:
    """The projects that a freeze is about: what is on main, and what was frozen or begun before."""
    recorded = {entry.slug for entry in before.version}
    return sorted(set(trees) | recorded)


def semester_of(repository: Repository, slug: str, commit: str) -> str | None:
    """The semester that a project names at a commit; None if it names none that can be read."""
    data = repository.read(commit, f"projects/{slug}/project.toml") or b""
    try:
        named = tomllib.loads(data.decode("utf-8-sig")).get("semester")
    except ValueError:
        return None
    return named if isinstance(named, str) else None


def freeze_one(
    repository: Repository,
    cycle: Cycle,
    before: Frozen,
    slug: str,
    version: str,
    commit: str,
    trees: dict[str, str],
    date: datetime,
) -> Outcome:
    """What becomes of one project; nothing is written."""
    standing = before.find(slug, version)
    if standing is not None:
        return Outcome(slug, "kept", f"frozen before, at {standing.commit[:12]}", standing)
    if slug not in trees:
        return Outcome(slug, "skipped", absent(repository, before, slug, commit, trees))
    files = set(repository.files(commit, f"projects/{slug}"))
    for name in ("project.toml", "model.py"):
        if f"projects/{slug}/{name}" not in files:
            return Outcome(slug, "skipped", f"projects/{slug} had no {name} at {commit[:12]}")
    if version == "v2" and before.find(slug, "v1") is None:
        return Outcome(slug, "skipped", "version 1 was never frozen: dgm freeze v1 comes first")
    semester = semester_of(repository, slug, commit)
    if semester not in (None, cycle.semester):
        return Outcome(slug, "skipped", f"a project of {semester}")
    entry = FrozenVersion(slug, version, date.replace(microsecond=0), commit, trees[slug])
    return Outcome(slug, "frozen", f"at {commit[:12]}", entry)


def absent(
    repository: Repository, before: Frozen, slug: str, commit: str, trees: dict[str, str]
) -> str:
    """Why a project is not there: never on main, or gone, perhaps under another name."""
    earlier = before.find(slug, "v1")
    if earlier is None:
        return f"projects/{slug} was not on main at {commit[:12]}"
    recorded = {entry.slug for entry in before.version}
    new = {name: tree for name, tree in trees.items() if name not in recorded}
    other = renamed_to(repository, earlier, new)
    if other is None:
        return f"projects/{slug} is gone from main since version 1; restore the folder"
    return (
        f"projects/{slug} was renamed to {other} after version 1; the slug is what reviews and "
        f"records refer to: git mv projects/{other} projects/{slug}"
    )


def renamed_to(
    repository: Repository, earlier: FrozenVersion, trees: Mapping[str, str]
) -> str | None:
    """The folder (name and tree) that shares most of its files with a frozen version, if any does."""
    old = repository.blobs(earlier.tree)
    shares = {
        slug: len(old & repository.blobs(tree)) / max(1, len(old)) for slug, tree in trees.items()
    }
    best = max(shares, key=shares.__getitem__, default=None)
    return best if best is not None and shares[best] >= SHARED else None


def tagged(repository: Repository, outcome: Outcome) -> Outcome:
    """The outcome after its tag was set where it is missing, with a warning where that cannot be."""
    if outcome.entry is None:
        return outcome
    entry = outcome.entry
    name = f"{entry.version}/{entry.slug}"
    found = find_commit(repository, entry)
    if found is None:
        warning = f"commit {entry.commit[:12]} and its tree are not in this clone: git fetch --all"
    elif found != entry.commit:
        warning = f"history was rewritten; the same tree stands at {found[:12]}"
    elif not repository.tag(name, entry.commit):
        warning = (
            f"the tag {name} stands elsewhere; the record wins: git tag -f {name} {found[:12]}"
        )
    else:
        return outcome
    return Outcome(outcome.slug, outcome.kind, outcome.message, entry, warning)


def find_commit(repository: Repository, entry: FrozenVersion) -> str | None:
    """A commit in this clone at which the project is as it was frozen: the recorded one, or, after a
    rebase, another with the same tree; None if there is none."""
    folder = f"projects/{entry.slug}"
    if repository.tree(entry.commit, folder) == entry.tree:
        return entry.commit
    return repository.commit_of_tree(folder, entry.tree)
