"""What is proved of a review with git: the commit is version 1 as frozen, places exist, ids stay."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from common.course.documents import DocumentError, decode
from common.course.git import GitError, Repository
from common.course.problems import Problem
from common.course.records import PUBLISHED_FILE
from common.course.reviewing.places import Places
from common.course.reviewing.reviews import Review, parse_review
from common.course.reviewing.text import is_open, shorten, shown
from common.course.reviewing.versions import (
    Version,
    find_version,
    has_history,
    how_to_fetch,
)

COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def history_problems(root: Path, review: Review) -> Iterator[Problem]:
    """Everything that needs the repository's history."""
    path = shown(review.path)
    if not has_history(root, review.project):
        is_export = (root / PUBLISHED_FILE).exists()
        reason = f"{PUBLISHED_FILE} marks an export" if is_export else "no git"
        message = f"commit, places and ids were not compared with history: {reason}"
        yield Problem(path, 0, "review.history", message, level="warning")
        return
    if not review.project or is_open(review.project):
        return
    version = find_version(root, review.project, "v1")
    if version is None:
        message = f"version 1 of {shorten(review.project)} is not frozen"
        hint = "reviews are of frozen versions; the instructor runs `dgm freeze v1`"
        yield Problem(path, review.line_of("project"), "review.version", message, hint)
    else:
        yield from commit_problems(root, review, version)
        yield from place_problems(root, review, version)
    yield from id_problems(root, review)


def commit_problems(root: Path, review: Review, version: Version) -> Iterator[Problem]:
    """The commit is version 1 as frozen, or another with the same files after a rebase."""
    path, line = shown(review.path), review.line_of("commit")
    record = version.record
    if version.commit is None:
        message = f"version 1 as frozen ({record.commit[:12]}) is not in this clone"
        yield Problem(path, line, "review.history", message, how_to_fetch(root))
    if not review.commit or is_open(review.commit) or review.commit == record.commit:
        return
    if not COMMIT.fullmatch(review.commit):
        message = f"commit is {shorten(review.commit)!r}, expected 40 hex digits: {record.commit}"
        yield Problem(path, line, "review.commit", message)
    elif not same_files(root, review, version):
        message = f"commit is {review.commit[:12]}, expected version 1 as frozen: {record.commit}"
        hint = "the review is of what was frozen; look again at the places it names"
        yield Problem(path, line, "review.commit", message, hint)


def same_files(root: Path, review: Review, version: Version) -> bool:
    """Whether the project's folder at the review's commit is the frozen one."""
    tree = Repository(root).tree(review.commit, f"projects/{review.project}")
    return tree == version.record.tree


def place_problems(root: Path, review: Review, version: Version) -> Iterator[Problem]:
    """Every place that a finding names exists at the frozen commit."""
    if version.commit is None or not review.findings:
        return
    places = Places(Repository(root), version.commit, review.project)
    for finding in review.findings:
        for place in finding.where:
            if is_open(place):
                continue
            if fault := places.fault(place):
                line = finding.line_of("where")
                message = f"{finding.id}: {fault}"
                yield Problem(shown(review.path), line, "review.where", message)


def id_problems(root: Path, review: Review) -> Iterator[Problem]:
    """Ids stay: what was once committed is still there."""
    present = {finding.id for finding in review.findings}
    for identity, commit in sorted(ids_in_history(root, review).items()):
        if identity not in present:
            message = f"{identity} was there in {commit[:12]} and has vanished"
            hint = f"ids stay; put it back (git show {commit[:12]}:{shown(review.path)})"
            yield Problem(shown(review.path), 0, "review.id", message, hint)


def ids_in_history(root: Path, review: Review) -> dict[str, str]:
    """Every id that a committed version of this file had, with the last commit that had it."""
    repository, found = Repository(root), {}
    try:
        path = review.path.resolve().relative_to(root.resolve()).as_posix()
        listed = repository.git("log", "--follow", "--format=%x01%H", "--name-only", "--", path)
    except (GitError, ValueError):
        return {}
    for entry in listed.split("\x01")[1:]:
        commit, *names = [line for line in entry.split("\n") if line]
        if not names or PurePosixPath(names[-1]).name != review.path.name:
            break  # git took another reviewer's file for an older name of this one
        data = repository.read(commit, names[-1])
        if data is None:
            continue
        try:
            old = parse_review(decode(data), review.path)
        except DocumentError:
            continue
        for finding in old.findings:
            found.setdefault(finding.id, commit)
    return found
