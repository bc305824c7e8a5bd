"""Texts and Python of a change, read and never run: what is private, forged, or kills."""

import ast
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from common.course.changes import Change
from common.course.checks import Context
from common.course.checks.code import execution_reason
from common.course.checks.code_units import Unit, dotted, units
from common.course.checks.personal import private_problem
from common.course.checks.project_texts import pieces
from common.course.checks.secrets import check as secrets
from common.course.guarding.contents import notebook_problems, said_problems
from common.course.guarding.places import refusal
from common.course.privacy import find_private
from common.course.problems import Problem

KILLS = {
    *("os.kill", "os.killpg", "os.abort", "os._exit", "os.getppid", "os.pidfd_open"),
    *("signal.raise_signal", "signal.pthread_kill", "signal.pidfd_send_signal"),
    *("faulthandler._sigsegv", "faulthandler._sigabrt", "ctypes.string_at", "sys.settrace"),
    *("resource.setrlimit", "os.setsid", "os.setpgid", "os.ptrace"),
}
PLUGINS = ("pytest_plugins",)
LOOKUPS = {"getattr", "globals", "vars", "__builtins__", "importlib.import_module", "__import__"}
OPAQUE = ("os", "signal", "sys", "builtins", "posix", "subprocess")
SAME = {"posix": "os", "nt": "os", "_signal": "signal"}


@dataclass(frozen=True)
class Proposed(Context):
    """Files of a change as a context of `dgm check`, their contents from git and not from disk."""

    contents: Mapping[str, bytes] = None

    __hash__ = Context.__hash__

    def text(self, path: str) -> str | None:
        """A file as text; None if it is none."""
        data = self.contents.get(path)
        if data is None or b"\0" in data:
            return None
        try:
            return data.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError:
            return None


def proposed(contents: Mapping[str, bytes]) -> Proposed:
    """A context of these files and of no folder."""
    return Proposed(Path(os.devnull), "", tuple(sorted(contents)), contents)


def text_problems(
    changes: Mapping[str, Change], contents: Mapping[str, bytes]
) -> Iterator[Problem]:
    """What the texts, notebooks and code among these files must not hold."""
    context = proposed(contents)
    for path in context.notebooks:
        if context.notebook(path) is None:
            message = "is no valid notebook, so what is in it cannot be told"
            yield refusal(changes[path], "notebook.invalid", message, "save it with Jupyter again")
        else:
            yield from notebook_problems(changes[path], context.notebook(path))
    for path in context.files:
        if (text := context.text(path)) is not None:
            yield from said_problems(changes[path], text)
    for piece in pieces(context):
        if piece.path.endswith(".ipynb"):
            for problem in said_problems(changes[piece.path], piece.text):
                line = piece.line(problem.line)
                yield Problem(problem.path, line, problem.code, problem.message, problem.hint)
        for private in find_private(piece.text):
            yield private_problem(piece.path, piece.line(private.line), private)
    for path in context.files:
        for private in find_private(path.rsplit("/", 1)[-1]):
            yield private_problem(path, 0, private)
    yield from secrets(context)
    for unit in units(context):
        yield from unit_problems(changes[unit.path], unit)


def unit_problems(change: Change, unit: Unit) -> Iterator[Problem]:
    """Code that ends processes is refused; what a person should look at is flagged."""
    flagged = set()
    inner = {id(node.value) for node in ast.walk(unit.tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(unit.tree):
        name = "" if id(node) in inner else resolved(unit, node)
        first_two = ".".join(name.split(".")[:2])  # os.kill of os.kill.__call__
        if first_two in KILLS or name.startswith("psutil."):
            message = f"{first_two} reaches for the process that runs it"
            hint = "a project trains and measures; what runs it is not its business"
            yield Problem(change.path, line_of(unit, node), "code.kills", message, hint)
            return
        reason = flag_reason(unit, node, name)
        if reason and reason not in flagged:
            flagged.add(reason)
            hint = "a person should look at it before this is merged"
            line = line_of(unit, node)
            yield Problem(change.path, line, "code.unsafe", reason, hint, "warning")


def resolved(unit: Unit, node: ast.AST) -> str:
    """The full dotted name of what a node reads or imports; "" if it is none."""
    if isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        name = next((n for n in map(canonical, names) if n in KILLS), names[0])
    elif isinstance(node, ast.Import):
        name = node.names[0].name
    elif isinstance(node, ast.Attribute | ast.Name):
        name = unit.resolve(node)
    else:
        return ""
    return canonical(name)


def canonical(name: str) -> str:
    """A dotted name with `posix.kill` told as os.kill."""
    first, _, rest = name.partition(".")
    return f"{SAME.get(first, first)}.{rest}" if rest else name


def flag_reason(unit: Unit, node: ast.AST, name: str) -> str:
    """Why a person should look at a node; "" for most."""
    if isinstance(node, ast.Call):
        called = unit.resolve(node.func)
        first = dotted(node.args[0]) if node.args else ""
        if called in LOOKUPS and unit.names.get(first, first) in OPAQUE:
            return f"{called}({first}, ...) hides what is called"
        if reason := execution_reason(called):
            return f"{called} {reason}"
    if isinstance(node, ast.Name) and name in PLUGINS:
        return f"{name} loads plugins into pytest"
    return ""


def line_of(unit: Unit, node: ast.AST) -> int:
    """The line of the file on which a node stands."""
    return unit.line(getattr(node, "lineno", 1))
