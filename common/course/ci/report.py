"""What a step tells: values for later jobs, a summary for people, annotations; quiet on a laptop."""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from common.course.problems import command_text, one_line, property_text


def write_outputs(values: Mapping[str, str]) -> None:
    """Values for the jobs that need this one ($GITHUB_OUTPUT), printed too."""
    lines = [f"{name}={one_line(value)}" for name, value in values.items()]
    print("\n".join(lines))
    append("GITHUB_OUTPUT", lines)


def write_summary(*lines: str) -> None:
    """Markdown for the page of the run ($GITHUB_STEP_SUMMARY)."""
    append("GITHUB_STEP_SUMMARY", [*lines, ""])


def append(variable: str, lines: list[str]) -> None:
    """Lines at the end of the file that a variable of the runner names, if it does."""
    if path := os.environ.get(variable):
        with open(path, "a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))


def code(text: str) -> str:
    """A text from a change as it may stand in the summary: no mark-up of it counts."""
    return "`" + one_line(text).replace("`", "'").replace("|", "¦") + "`"


def annotate(title: str, message: str, path: str = "") -> None:
    """An error on the page of the run; on a laptop a line."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        place = f"file={property_text(path)}," if path else ""
        print(f"::error {place}title={property_text(title)}::{command_text(message)}", flush=True)
    else:
        print(one_line(f"error: {title}: {message}"), flush=True)


@contextmanager
def unheard() -> Iterator[None]:
    """What is printed meanwhile gives no commands to the runner: it is what students' code says."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        yield
        return
    word = secrets.token_hex(16)
    print(f"::stop-commands::{word}", flush=True)
    try:
        yield
    finally:
        print(f"\n::{word}::", flush=True)


def foreign_environment() -> dict[str, str]:
    """The environment for code of a change: nothing in it that speaks to the runner."""
    ours = ("GITHUB_", "ACTIONS_", "RUNNER_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
