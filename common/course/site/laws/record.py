"""A record of the laws' last run: how each test of each project ended, and on what it was run.

An outcome counts only while the files that it was about are the same, byte for byte.
"""

import contextlib
import dataclasses
import hashlib
import json
import platform
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal

from pydantic import StringConstraints

from common import json_lines, schema
from common.course.ci.budget import run_within
from common.course.ci.project import PYTEST
from common.course.ci.report import foreign_environment, unheard
from common.course.cycle import now
from common.course.site.laws.kinds import read_laws
from common.course.site.laws.taken import TakenClass, taken_classes
from common.errors import UserError
from common.files import write_text
from common.projects import Project, read_project
from common.schema import Text, strict_table

RECORD = "build/laws.json"
SCHEMA = "laws/1"
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Outcome = Literal["passed", "failed", "skipped"]


@strict_table
@dataclass(frozen=True)
class ProjectRun:
    """The run of one project: the hash of what was run, where, and how each test ended."""

    inputs_sha256: Hash
    date: Text
    environment: Mapping[str, str]
    outcomes: Mapping[str, Outcome]  # by `TestClass.test_law`
    stopped: str = ""  # why it was stopped before its end


@strict_table
@dataclass(frozen=True)
class Record:
    """The last run of each project's laws."""

    schema: Literal["laws/1"] = SCHEMA
    projects: Mapping[str, ProjectRun] = field(default_factory=dict)


def read_record(root: Path) -> Record:
    """The record of a tree; an empty one where nothing was run. Raises UserError if it is damaged."""
    path = root / RECORD
    try:
        text = path.read_text(encoding="utf-8")
        return schema.validated(
            json.loads(text), Record, lambda: json_lines.line_numbers(text), path
        )
    except FileNotFoundError:
        return Record()
    except (ValueError, RecursionError, schema.SchemaError) as error:
        raise UserError(
            f"{RECORD} is no record of laws; delete it and run `dgm site laws`: {error}"
        ) from None


def write_record(root: Path, record: Record) -> None:
    """Write the record atomically."""
    write_text(root / RECORD, json.dumps(dataclasses.asdict(record), indent=1) + "\n")


def shared_sha256(root: Path) -> str:
    """One hash of what every law depends on: the laws themselves and what projects import."""
    tooling = (root / "common" / "course", root / "common" / "commands")
    files = [
        *(root / "tests" / "laws").rglob("*.py"),
        *(path for path in (root / "common").rglob("*.py") if not set(tooling) & set(path.parents)),
    ]
    return hash_of(root, files)


def inputs_sha256(root: Path, project: Project, shared: str) -> str:
    """One hash of all that the outcome of a project's laws depends on."""
    folders, waiting = {project.folder}, list(project.builds_on)
    while waiting:
        folder = root / "projects" / waiting.pop()
        if folder not in folders and (folder / "project.toml").is_file():
            folders.add(folder)
            waiting += read_project(folder).builds_on
    files = [path for folder in folders for path in folder.rglob("*.py")]
    return hashlib.sha256(f"{shared} {hash_of(root, files)}".encode()).hexdigest()


def hash_of(root: Path, files: Iterable[Path]) -> str:
    """One hash of files with their names."""
    digest = hashlib.sha256()
    for path in sorted(path for path in files if path.is_file() and not path.is_symlink()):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()} {len(data)} ".encode())
        digest.update(data)
    return digest.hexdigest()


def run_laws(
    root: Path, project: Project, classes: Sequence[TakenClass], shared: str, date: str
) -> ProjectRun:
    """Run the test classes that take up laws, under the project's budget in CI."""
    folder = project.folder.relative_to(root).as_posix()
    nodes = [f"{folder}/{each.file}::{each.name}" for each in classes]
    before = inputs_sha256(root, project, shared)
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        with unheard():
            ended = run_within(
                [*PYTEST, f"--junitxml={report}", *nodes],
                seconds=project.budget.seconds,
                memory_mb=project.budget.memory_mb,
                cwd=root,
                environment=foreign_environment() | {"OMP_NUM_THREADS": "1"},
            )
        return ProjectRun(before, date, environment(), outcomes(report), ended.stopped)


def outcomes(report: Path) -> dict[str, Outcome]:
    """How each test ended, as pytest reported; a test of several cases passes if all of them do."""
    found: dict[str, Outcome] = {}
    try:
        cases = ElementTree.parse(report).getroot().iter("testcase")
        for case in cases:
            name = case.get("name", "").partition("[")[0]
            key = f"{case.get('classname', '').rpartition('.')[2]}.{name}"
            found[key] = worse(found.get(key, "passed"), outcome(case))
    except (OSError, ElementTree.ParseError):
        return {}
    return found


def outcome(case: ElementTree.Element) -> Outcome:
    """How one case ended."""
    tags = {child.tag for child in case}
    if tags & {"failure", "error"}:
        return "failed"
    return "skipped" if "skipped" in tags else "passed"


def worse(one: Outcome, other: Outcome) -> Outcome:
    """The worse of two outcomes."""
    return max(one, other, key=("passed", "skipped", "failed").index)


def environment() -> dict[str, str]:
    """What a run depends on that is not in the tree."""
    found = {"python": platform.python_version(), "platform": sys.platform}
    with contextlib.suppress(PackageNotFoundError):
        found["torch"] = version("torch")
    return found


def run_projects(
    root: Path, projects: Sequence[Project], *, again: bool = False
) -> Iterator[tuple[str, str]]:
    """Run the laws of projects and keep the record after each; yields how it ended, in words.

    A project that was run on just these files is left alone, unless `again`.
    """
    laws, shared = read_laws(root), shared_sha256(root)
    for project in projects:
        record = read_record(root)
        known = record.projects.get(project.slug)
        classes = taken_classes(laws, project.folder)
        is_known = known is not None and known.inputs_sha256 == inputs_sha256(root, project, shared)
        if not classes:
            yield project.slug, "takes up no law"
        elif is_known and not known.stopped and not again:
            yield project.slug, f"{in_words(known)}, as before"
        else:
            run = run_laws(root, project, classes, shared, now().isoformat(timespec="seconds"))
            others = {slug: each for slug, each in record.projects.items() if slug != project.slug}
            write_record(root, Record(projects={**others, project.slug: run}))
            yield project.slug, in_words(run)


def in_words(run: ProjectRun) -> str:
    """How a run ended.

    >>> in_words(ProjectRun("0" * 64, "2026-11-21", {}, {"TestA.test_b": "passed"}))
    '1 test passed'
    """
    ended = list(run.outcomes.values())
    counts = {each: ended.count(each) for each in ("passed", "failed", "skipped")}
    parts = [f"{count} test{'s' * (count != 1)} {each}" for each, count in counts.items() if count]
    stopped = f"stopped by its budget of {run.stopped}" if run.stopped else ""
    return ", ".join(filter(None, [*parts, stopped])) or "ended without a report of any test"
