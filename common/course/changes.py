"""What a change brings: the files that differ between a branch and a commit, as git's objects have them.

Nothing of the change is checked out, imported or run. Paths come from git with `-z`, so spaces, line
ends and other letters are themselves; a name that is not UTF-8 keeps its bytes (os.fsdecode).
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from common.course.git import GitError, Repository
from common.errors import UserError

LINK, SUBMODULE, PROGRAM = "120000", "160000", "100755"
NOTHING = "000000"
MAX_BYTES = 32 * 2**20  # a tree of ten folders that are all the same, ten deep, has 10^10 paths


@dataclass(frozen=True)
class Change:
    """One path that differs: its mode and object before and after; a rename is two of them."""

    path: str
    old_mode: str
    mode: str
    old_blob: str
    blob: str

    @property
    def is_new(self) -> bool:
        """Whether the path was not there before."""
        return self.old_mode == NOTHING

    @property
    def is_gone(self) -> bool:
        """Whether the path is not there any more."""
        return self.mode == NOTHING


@dataclass(frozen=True)
class Entry:
    """A path of a commit: its mode and object."""

    path: str
    mode: str
    blob: str


@dataclass(frozen=True)
class Span:
    """What lies between a branch and a commit: both ends, and where they parted (merge bases)."""

    base: str
    head: str
    parted: tuple[str, ...]


def find_span(repository: Repository, base: str, head: str = "HEAD") -> Span:
    """The ends of `base...head`; raises UserError for a name that is no commit, or no common past."""
    ends = [commit_named(repository, name) for name in (base, head)]
    try:
        parted = tuple(repository.git("merge-base", "--all", *ends).split())
    except GitError:
        parted = ()
    if ends[0] not in parted and repository.is_shallow():
        raise UserError(
            f"this clone is shallow, so where {head} left {base} cannot be told; run: "
            "git fetch --unshallow (in a workflow: fetch-depth: 0)"
        )
    if not parted:
        raise UserError(
            f"{base} and {head} have no commit in common; start from the branch that is to take the "
            f"change: git rebase --onto {base} --root"
        )
    return Span(*ends, parted)


def commit_named(repository: Repository, name: str) -> str:
    """The commit of a branch, tag or hash; raises UserError with what to do if there is none."""
    commit = None if name.startswith("-") or not name else repository.resolve(name)
    if commit is not None:
        return commit
    try:
        repository.git("rev-parse", "--git-dir")
    except GitError:
        raise UserError(
            f"{repository.root} is no git repository; run it in a clone of the course."
        ) from None
    raise UserError(
        f"there is no commit {name!r} here; fetch it (git fetch origin main) and name it as "
        "origin/main, a tag or a hash."
    )


def read_changes(repository: Repository, span: Span) -> list[Change]:
    """The paths that taking `head` would change on `base`, by path.

    They differ from where the two parted and from `base` as it is now. Of several merge bases (a
    criss-cross history) each counts. Raises TooMuch for a tree that unfolds to more paths than can be:
    git lists those as it finds them, and would compare all before it says a word.
    """
    repository.run_up_to(MAX_BYTES, "ls-tree", "-r", "-z", "--name-only", "--full-tree", span.head)
    found: dict[str, Change] = {}
    for start in span.parted:
        found |= {change.path: change for change in differences(repository, start, span.head)}
    if span.base not in span.parted and found:
        now = {change.path: change for change in differences(repository, span.base, span.head)}
        found = {path: now[path] for path in found if path in now}
    return [found[path] for path in sorted(found)]


def differences(repository: Repository, before: str, after: str) -> Iterator[Change]:
    """The paths that differ between two commits; renames are a deletion and an addition."""
    # .gitmodules of the change may ask git to keep silent about submodules
    options = ("-r", "-z", "--raw", "--no-renames", "--no-ext-diff", "--ignore-submodules=none")
    fields = repository.run("diff-tree", *options, before, after).split(b"\0")
    for about, path in zip(fields[:-1:2], fields[1::2], strict=True):
        old_mode, mode, old_blob, blob, _ = about.decode().removeprefix(":").split(" ")
        yield Change(os.fsdecode(path), old_mode, mode, old_blob, blob)


def read_entries(repository: Repository, commit: str, *folders: str) -> list[Entry]:
    """Every file, link and submodule of a commit, or of some of its folders."""
    found = []
    options = ("-r", "-z", "--full-tree")
    listed = repository.run_up_to(MAX_BYTES, "ls-tree", *options, commit, "--", *folders)
    for entry in listed.split(b"\0")[:-1]:
        about, path = entry.split(b"\t", 1)
        mode, _, blob = about.decode().split(" ")
        found.append(Entry(os.fsdecode(path), mode, blob))
    return found


def read_sizes(repository: Repository, blobs: Iterable[str]) -> dict[str, int]:
    """The sizes of objects in bytes, in one call and without reading them."""
    asked = list(dict.fromkeys(blobs))
    data = "".join(f"{blob}\n" for blob in asked).encode()
    form = "--batch-check=%(objectname) %(objecttype) %(objectsize)"
    lines = repository.run("cat-file", form, data=data).decode().splitlines()
    sizes = {}
    for line in lines:
        name, *about = line.split(" ")
        if len(about) == 2:  # else it is missing here
            sizes[name] = int(about[1])
    return sizes


def read_blobs(repository: Repository, blobs: Sequence[str]) -> dict[str, bytes]:
    """The contents of blobs, in one call."""
    asked = list(dict.fromkeys(blobs))
    found = repository.read_all(asked)
    return {blob: data for blob, data in zip(asked, found, strict=True) if data is not None}
