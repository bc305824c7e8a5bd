"""What can be said of a change without running any of it: formatting, lint, `dgm check`, reviews.

The change is written to a folder of its own, from git's objects and with hooks off, and read by the
checker that is installed: in CI the one of the base branch.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.course.changes import find_span, read_changes
from common.course.check import check_tree
from common.course.checks import style
from common.course.ci.plan import selection
from common.course.git import Repository
from common.course.problems import Problem
from common.course.reviewing.files import check_files, named_files
from common.course.selecting.affected import Affected


def static_problems(root: Path, base: str, head: str) -> tuple[Affected, list[Problem]]:
    """What is wrong with what base...head touches."""
    repository = Repository(root)
    found = selection(root, base, head)
    os.environ["PYTHONSAFEPATH"] = "1"  # black and ruff are ours, whatever lies in the folder
    with written(repository, found.head) as folder:
        problems = list(check_tree(folder, found.check, style=True)) if found.check else []
        span = find_span(repository, base, head)
        paths = [change.path for change in read_changes(repository, span) if not change.is_gone]
        rest = [path for path in paths if path.endswith(".py") and not is_of(path, found.check)]
        problems += style.problems(folder, style.start_checks(folder, rest)) if rest else []
        if found.reviews:
            problems += check_files(folder, named_files(folder, found.reviews))
    return found, problems


def is_of(path: str, slugs: list[str]) -> bool:
    """Whether `dgm check` of these projects has looked at a file already."""
    parts = path.split("/")
    return parts[0] == "projects" and len(parts) > 2 and parts[1] in slugs


@contextmanager
def written(repository: Repository, commit: str) -> Iterator[Path]:
    """A commit's files in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="dgm-static-") as scratch:
        folder = Path(scratch).resolve() / "change"
        safe = ("-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false")
        repository.run(*safe, "worktree", "add", "--quiet", "--detach", str(folder), commit)
        try:
            yield folder
        finally:
            repository.run("worktree", "remove", "--force", str(folder))
