"""The commits of a change: what they carry along stays in the repository, though later ones remove it."""

import os
import re
from collections.abc import Iterable, Iterator

from common.course.changes import Change, Span, read_sizes
from common.course.checks.layout import MAX_WEIGHT_BYTES, megabytes
from common.course.git import Repository
from common.course.privacy import find_private
from common.course.problems import Problem

MAX_COMMITS = 300
MAX_OBJECTS = 20_000
TRAILER = re.compile(r"^[A-Z][A-Za-z-]+-by: .*$", re.MULTILINE)
MESSAGES = "(commit messages)"


def history_problems(
    repository: Repository, span: Span, changes: list[Change]
) -> Iterator[Problem]:
    """Everything about the commits that are not on the branch yet."""
    new = (span.head, f"^{span.base}")
    form = "--format=%H %P%x00%B%x00"
    log = repository.git("log", "--no-color", "--no-show-signature", "-z", form, *new)
    fields = log.split("\0")[:-1]
    commits, messages = fields[::3], fields[1::3]
    roots = [commit.split(" ")[0] for commit in commits if commit.endswith(" ")]
    if roots:
        message = f"merges another history, which begins at {roots[0][:12]}"
        hint = "start from the course's main branch; a merge of it is fine"
        yield Problem("(history)", 0, "history.unrelated", message, hint)
    elif len(commits) > MAX_COMMITS:
        message = f"has {len(commits):,} commits, expected at most {MAX_COMMITS}"
        yield Problem("(history)", 0, "history.commits", message, "squash them: git rebase -i")
    elif commits:
        yield from object_problems(repository, new, {change.blob for change in changes})
        yield from message_problems(messages)


def object_problems(
    repository: Repository, new: tuple[str, str], told: set[str]
) -> Iterator[Problem]:
    """Files that some commit has and the last one has not, too large to be kept forever."""
    listed = repository.run("rev-list", "--objects", *new).split(b"\n")[:-1]
    if len(listed) > MAX_OBJECTS:
        message = f"its commits have {len(listed):,} objects, expected at most {MAX_OBJECTS:,}"
        yield Problem("(history)", 0, "history.objects", message, "squash them: git rebase -i")
        return
    names = {line[:40].decode(): os.fsdecode(line[41:]) for line in listed}
    for blob, size in read_sizes(repository, names).items():
        if size > MAX_WEIGHT_BYTES and blob not in told:
            message = f"was {megabytes(size)} in an earlier commit, and stays in the history"
            hint = "rewrite the branch without it: git rebase -i, or squash"
            yield Problem(names[blob] or "(history)", 0, "history.size", message, hint)


def message_problems(messages: Iterable[str]) -> Iterator[Problem]:
    """What is private in commit messages, less the trailers that git and GitHub write."""
    for text in messages:
        for private in find_private(TRAILER.sub("", text)):
            message = f"a commit message has a {private.kind}: {private.masked}"
            hint = "git rebase -i, and reword it"
            yield Problem(MESSAGES, 0, "personal.message", message, hint, "warning")
