"""The rules of `dgm check`, one file an area; each has `check(context) -> Iterator[Problem]`.

No rule runs the project's code: files are read, Python is parsed, notebooks are JSON.
"""

import ast
import json
import stat
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from common import schema
from common.course.documents import DocumentError, decode
from common.notebooks import schema_faults
from common.projects import ProjectTable
from common.results import Result, parse_result

MAX_TEXT_BYTES = 5 * 2**20  # no rule reads text beyond it; checks.layout allows less


def is_small(path: Path) -> bool:
    """Whether this is an ordinary file, no link, that is small enough to be read as text."""
    try:
        state = path.lstat()
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(state.st_mode) and state.st_size <= MAX_TEXT_BYTES


@dataclass(frozen=True)
class Context:
    """One project in one tree: what every rule may look at.

    `root` is the top of the tree (a work tree, or an export of a commit), `slug` the project's
    folder name below projects/, `files` every file of the folder that is tracked or could be,
    relative to `root`, with slashes (links are listed, never followed).
    """

    root: Path
    slug: str
    files: tuple[str, ...]

    def __hash__(self) -> int:
        return id(self)

    @property
    def folder(self) -> str:
        """The project's folder, relative to the root: `projects/<slug>`."""
        return f"projects/{self.slug}"

    def path(self, name: str) -> str:
        """A file of the project, relative to the root: `projects/<slug>/<name>`."""
        return f"{self.folder}/{name}"

    def has(self, name: str) -> bool:
        """Whether the project has this file."""
        return self.path(name) in self.files

    @cache  # noqa: B019  a context lives as long as one check
    def text(self, path: str) -> str | None:
        """A file (relative to the root) as text; None if binary, huge, a link or not there."""
        full = self.root / path
        if not is_small(full):
            return None
        try:
            return decode(full.read_bytes(), path)
        except (DocumentError, OSError):
            return None

    @cached_property
    def project(self) -> ProjectTable | None:
        """The metadata if it is valid; `checks.metadata` says what is wrong where it is not."""
        text = self.text(self.path("project.toml"))
        if text is None:
            return None
        try:
            return schema.parse(text, ProjectTable)
        except schema.SchemaError:
            return None

    @property
    def python_files(self) -> list[str]:
        """The project's Python files."""
        return [path for path in self.files if path.endswith(".py")]

    @property
    def notebooks(self) -> list[str]:
        """The project's notebooks."""
        return [path for path in self.files if path.endswith(".ipynb")]

    @cache  # noqa: B019
    def module(self, path: str) -> ast.Module | None:
        """A Python file as a syntax tree; None if it is not valid Python."""
        try:
            return ast.parse(self.text(path) or "", filename=path)
        except (SyntaxError, ValueError, RecursionError):
            return None

    @cache  # noqa: B019
    def notebook(self, path: str) -> dict[str, Any] | None:
        """A notebook as JSON, valid by the notebook format; None if it is none."""
        try:
            table = json.loads(self.text(path) or "")
        except (ValueError, RecursionError):
            return None
        return None if any(schema_faults(table)) else table

    def has_result(self, goal_id: str) -> bool:
        """Whether results/ has a file for this goal, valid or not."""
        return self.has(f"results/{goal_id}.json")

    @cache  # noqa: B019
    def result(self, goal_id: str) -> Result | None:
        """The measured number of a goal; None if there is none, or its file is not valid."""
        if not self.has_result(goal_id):
            return None
        try:
            return parse_result(self.text(self.path(f"results/{goal_id}.json")) or "")
        except schema.SchemaError:
            return None
