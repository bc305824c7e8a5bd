"""What a check found, and how it is shown: to people, to programs, as annotations on the lines."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LEVELS = ("error", "warning", "fill")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what, and what to do about it.

    `path` is relative to the repository, with slashes. `line` counts from 1; 0 is the whole file.
    `code` is `area.rule`, stable for programs. `level`: "error" fails, "warning" does not, "fill"
    is a clearly marked place that a person has yet to fill (an error where the check is strict).
    """

    path: str
    line: int
    code: str
    message: str
    hint: str = ""
    level: str = "error"
    fixable: bool = False

    @property
    def order(self) -> tuple[int, str, int, str]:
        """Errors first, then by place."""
        return (LEVELS.index(self.level), self.path, self.line, self.code)


def failing(problems: Iterable[Problem], *, strict: bool = False) -> list[Problem]:
    """The problems that fail a check; `strict` counts the places to fill too."""
    levels = {"error", "fill"} if strict else {"error"}
    return [problem for problem in problems if problem.level in levels]


def as_text(problems: Sequence[Problem]) -> str:
    """For a person: one line a problem, the hint below it."""
    lines = []
    for problem in sorted(problems, key=lambda problem: problem.order):
        where = f"{problem.path}:{problem.line}" if problem.line else problem.path
        lines.append(one_line(f"{problem.level}: {where}: {problem.message} [{problem.code}]"))
        if problem.hint:
            lines.append(f"       {one_line(problem.hint)}")
    return "\n".join(lines)


def as_json(problems: Sequence[Problem]) -> str:
    """For a program: a list of objects."""
    ordered = sorted(problems, key=lambda problem: problem.order)
    text = json.dumps([dataclasses.asdict(problem) for problem in ordered], indent=2)
    return json_text(text)


def as_github(problems: Sequence[Problem]) -> str:
    """Workflow commands that put each problem on its line of a pull request."""
    kinds = {"error": "error", "warning": "warning", "fill": "notice"}
    lines = []
    for problem in sorted(problems, key=lambda problem: problem.order):
        line = f",line={problem.line}" if problem.line else ""
        place = f"file={property_text(problem.path)}{line},title={property_text(problem.code)}"
        message = " ".join(part for part in (problem.message, problem.hint) if part)
        lines.append(f"::{kinds[problem.level]} {place}::{command_text(message)}")
    return "\n".join(lines)


def one_line(text: str) -> str:
    """A text as one printable line that a log cannot take for a command of a workflow.

    >>> print(one_line("a name\\n::error::with a line end"))
    a name\\n::error::with a line end
    """
    line = printable(text).replace("##[", "#\\u0023[")
    return f"\\u003a{line[1:]}" if line.lstrip().startswith("::") else line


def printable(text: str, also: str = "\u00a0") -> str:
    """A text whose letters can all be shown: bytes that are no UTF-8 and controls are spelled out."""
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() or c in also else ascii(c)[1:-1] for c in shown)


def json_text(text: str) -> str:
    """JSON in which no text is a command of a workflow: `##[` is one wherever it stands."""
    return text.replace("##[", "#\\u0023[")


FORMATS = {"text": as_text, "json": as_json, "github": as_github}


def command_text(text: str) -> str:
    """Text that cannot end a workflow command or begin another."""
    shown = printable(text, also="\r\n\t\u00a0")
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def property_text(text: str) -> str:
    """The same for a property of a workflow command."""
    return command_text(text).replace(":", "%3A").replace(",", "%2C")
