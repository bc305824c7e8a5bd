"""Formatting and lint as `make lint` has them: black and ruff over a project's files."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from common import json_lines
from common.course.checks import is_small
from common.course.problems import Problem
from common.projects import ROOT

FORMATTED = (".py", ".ipynb")


@dataclass(frozen=True)
class Started:
    """A tool that runs while other things are checked; `process` is None if it is not installed."""

    process: subprocess.Popen | None

    def output(self) -> tuple[str, str]:
        """What it wrote to stdout and stderr."""
        return self.process.communicate() if self.process else ("", "")


def start(root: Path, tool: str, arguments: Sequence[str], paths: Sequence[str]) -> Started:
    """Start `python -m tool` on files (relative to the root) with the repository's settings."""
    if not paths or find_spec(tool) is None:
        return Started(None)
    settings = next(folder for folder in (root, ROOT) if (folder / "pyproject.toml").exists())
    command = [sys.executable, "-m", tool, *arguments]
    command += ["--config", str(settings / "pyproject.toml"), "--", *paths]
    quiet = os.environ | {"NO_COLOR": "1"}
    return Started(
        subprocess.Popen(
            command,
            cwd=root,
            env=quiet,
            text=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    )


def start_checks(root: Path, files: Sequence[str]) -> tuple[Started, Started]:
    """Start black and ruff, which only look, on those of the files that they know."""
    paths = [path for path in files if path.endswith(FORMATTED) and is_small(root / path)]
    black = start(root, "black", ["--check"], paths)
    ruff = start(root, "ruff", ["check", "--output-format", "json", "--no-cache"], paths)
    return black, ruff


def problems(root: Path, started: tuple[Started, Started]) -> list[Problem]:
    """What black and ruff said, once they are done."""
    black, ruff = started
    found = []
    for line in black.output()[1].splitlines():
        for prefix in ("would reformat ", "error: cannot format "):
            if line.startswith(prefix):
                found.append(black_problem(root, prefix, line.removeprefix(prefix)))
    try:
        entries = json.loads(ruff.output()[0] or "[]")
    except ValueError:
        entries = []
    return found + [ruff_problem(root, entry) for entry in entries]


def black_problem(root: Path, prefix: str, rest: str) -> Problem:
    """A file that black would change, or cannot read."""
    if prefix.startswith("would"):
        hint = "`dgm check --fix` formats it"
        message = "is not formatted as black does"
        return Problem(below(root, rest), 0, "style.format", message, hint, fixable=True)
    name, _, reason = rest.partition(": ")
    return Problem(below(root, name), 0, "style.format", f"black cannot read it: {reason[:120]}")


def ruff_problem(root: Path, entry: dict) -> Problem:
    """One complaint of ruff; in a notebook its line is that of a cell."""
    path, line = below(root, entry["filename"]), (entry.get("location") or {}).get("row", 0)
    message = f"{entry['message']} ({entry.get('code') or 'syntax'})"
    if entry.get("cell") is not None:
        cell = entry["cell"] - 1  # ruff counts from one
        message, line = f"cell {cell}: {message}", notebook_line(root / path, cell, line)
    is_import_order = entry.get("code") == "I001"
    hint = "`dgm check --fix` mends it" if is_import_order else ""
    return Problem(path, line, "style.lint", message, hint, fixable=is_import_order)


def notebook_line(path: Path, cell: int, line: int) -> int:
    """The line of a notebook's file on which a line of a cell's source stands."""
    try:
        lines = json_lines.line_numbers(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0
    return json_lines.line_of(("cells", cell, "source", line - 1), lines)


def below(root: Path, name: str) -> str:
    """A path as tools print it, relative to the root with slashes."""
    path = Path(name)
    try:
        return path.resolve().relative_to(root.resolve()).as_posix() if path.is_absolute() else name
    except ValueError:
        return name


def formatted(root: Path, files: Sequence[str]) -> dict[str, tuple[bytes, bytes]]:
    """The files that black and ruff's import order change, with their old and new content.

    The tools work on copies: the caller writes whole files or nothing.
    """
    paths = [path for path in files if path.endswith(FORMATTED) and is_small(root / path)]
    before: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        settings = root if (root / "pyproject.toml").exists() else ROOT
        shutil.copy(settings / "pyproject.toml", copy / "pyproject.toml")
        for path in paths:
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            before[path] = (root / path).read_bytes()
            (copy / path).write_bytes(before[path])
        fix = ["check", "--quiet", "--no-cache", "--select", "I", "--fix-only"]
        start(copy, "ruff", fix, paths).output()
        start(copy, "black", ["--quiet"], paths).output()
        changed = {}
        for path in paths:
            data = (copy / path).read_bytes()
            if data != before[path]:
                changed[path] = (before[path], data)
    return changed
