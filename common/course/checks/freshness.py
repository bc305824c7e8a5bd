"""Outputs are not older than the code they came from."""

import hashlib
from collections.abc import Iterator
from pathlib import PurePosixPath

from common import json_lines
from common.course.checks import Context
from common.course.checks.notebook import NAME as NOTEBOOK
from common.course.git import GitError, Repository
from common.course.problems import Problem
from common.results import Result, code_sha256


def check(context: Context) -> Iterator[Problem]:
    """Results against the present code and weights, the notebook against the code's history."""
    yield from result_problems(context)
    yield from notebook_problems(context)


def result_problems(context: Context) -> Iterator[Problem]:
    """Each goal's result: its code and its weights."""
    present = ""
    for goal in context.project.goal if context.project else ():
        result = context.result(goal.id)
        if result is None:
            continue
        path = context.path(f"results/{goal.id}.json")
        lines = json_lines.line_numbers(context.text(path) or "")
        present = present or code_sha256(context.root / context.folder)
        if present not in (result.code_sha256, result.verified_code_sha256):
            again = f"`dgm verify {context.slug} {goal.id} --record` computes the number again"
            if result.weights is None:
                again = f"`dgm reproduce {context.slug} {goal.id}` trains it again"
            line = json_lines.line_of(("code_sha256",), lines)
            message = "stale: the code was changed since this was measured or verified"
            yield Problem(path, line, "freshness.code", message, again, "warning")
        yield from weight_problems(context, path, result, lines)


def weight_problems(context: Context, path: str, result: Result, lines: dict) -> Iterator[Problem]:
    """The committed weights are those that the number was computed from."""
    if result.weights is None:
        return
    name = context.path(f"results/{result.weights}")
    line = json_lines.line_of(("weights",), lines)
    hint = f"restore the file from git, or `dgm reproduce {context.slug} {result.goal}`"
    weights = context.root / name
    if name not in context.files or weights.is_symlink() or not weights.is_file():
        message = f"the weights {result.weights} are not in results/"
        yield Problem(path, line, "freshness.weights", message, hint)
        return
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != result.weights_sha256:
        line = json_lines.line_of(("weights_sha256",), lines)
        message = f"{result.weights} is not the file that the number was computed from"
        yield Problem(path, line, "freshness.weights", message, hint)


def notebook_problems(context: Context) -> Iterator[Problem]:
    """The notebook was committed with the code it imports, or after it."""
    if not context.has(NOTEBOOK) or not (context.root / ".git").exists():
        return
    code = [path for path in context.python_files if is_shown(context, path)]
    path = context.path(NOTEBOOK)
    try:
        newer = newer_files(Repository(context.root), path, code)
    except GitError:
        return  # no history, no statement
    if newer:
        names = ", ".join(PurePosixPath(name).name for name in newer)
        message = f"stale: {names} changed after the notebook was last saved"
        hint = "run it from top to bottom again (a change of comments alone needs none)"
        yield Problem(path, 0, "freshness.notebook", message, hint, "warning")


def is_shown(context: Context, path: str) -> bool:
    """Whether a Python file is one that the notebook's outputs may come from."""
    name = PurePosixPath(path)
    return str(name.parent) == context.folder and not name.name.startswith("test_")


def newer_files(repository: Repository, notebook: str, code: list[str]) -> list[str]:
    """Which of the files were changed in commits that the notebook's last one does not contain.

    Changes that are not committed count as newer. Nothing is newer where history is cut off.
    """
    last = repository.git("log", "-1", "--format=%H", "--", notebook).strip()
    if not code or not last or repository.is_shallow():
        return []
    changed = repository.git("log", "--format=", "--name-only", f"{last}..HEAD", "--", *code)
    dirty = repository.git("status", "--porcelain", "-z", "--", notebook, *code).split("\0")
    touched = {entry[3:] for entry in dirty if entry}
    if notebook in touched:
        return []  # being worked on
    return sorted({*changed.split("\n"), *touched} & set(code))
