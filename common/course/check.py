"""Everything that can be said of a project without running it: all rules over all its files."""

import os
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path

from common import schema
from common.course.checks import Context, is_small, layout
from common.course.checks import style as styles
from common.course.cycle import CYCLE_FILE, Cycle
from common.course.git import GitError, Repository
from common.course.problems import Problem
from common.course.records import ASSIGNMENTS_FILE, FROZEN_FILE, Assignments, Frozen

RULES = (  # after `layout`, which alone sees files too large to be read
    *("text", "metadata", "notebook", "readme", "claims", "freshness", "numbers"),
    *("weights", "code", "licence", "personal", "secrets"),
)
RECORDS = {CYCLE_FILE: Cycle, FROZEN_FILE: Frozen, ASSIGNMENTS_FILE: Assignments}
YIELDING = ("metadata.", "readme.", "notebook.")  # rules that a place to fill on their line answers
SKIPPED = {"__pycache__", ".git", ".ipynb_checkpoints"}


def check_tree(
    root: Path, slugs: Iterable[str] | None = None, *, style: bool = False
) -> list[Problem]:
    """Check the course's own records and the named projects, all of them by default.

    `style` asks black and ruff too, which look at the files while the rules do.
    """
    files = tree_files(root, "projects")
    chosen = project_slugs(files) if slugs is None else list(slugs)
    own = {
        slug: [path for path in files if path.startswith(f"projects/{slug}/")] for slug in chosen
    }
    started = styles.start_checks(
        root, [p for paths in own.values() for p in paths] if style else []
    )
    found = list(record_problems(root))
    found += layout.link_problems(root, [path for path in files if path.count("/") <= 1])
    for slug, paths in own.items():
        found += check_project(root, slug, paths)
    found += styles.problems(root, started)
    once = dict.fromkeys(found)  # projects share the repository's own files
    return sorted(once, key=lambda problem: problem.order)


def check_project(root: Path, slug: str, files: Sequence[str] | None = None) -> list[Problem]:
    """Everything that the rules find in one project, most serious first.

    `files`: the paths, relative to `root`, that belong to the project; None lists those that git
    tracks or could track, or every file below the folder where `root` is no git work tree.
    """
    listed = tree_files(root, f"projects/{slug}") if files is None else files
    whole = Context(root, slug, tuple(sorted(filter(is_utf8, listed))))
    huge = {path for path in whole.files if is_huge(root / path)}
    others = Context(root, slug, tuple(path for path in whole.files if path not in huge))
    found = list(layout.check(whole))
    for rule in RULES:
        found += [
            problem for problem in rule_module(rule).check(others) if problem.path not in huge
        ]
    found += [unreadable_name(path) for path in listed if not is_utf8(path)]
    return sorted(without_filled(found), key=lambda problem: problem.order)


def is_huge(path: Path) -> bool:
    """Whether a file is too large for rules to read: `layout` says so, the others leave it out."""
    is_weight = path.suffix.lower() in layout.WEIGHTS | {".safetensors"}
    return path.is_file() and not path.is_symlink() and not is_small(path) and not is_weight


def is_utf8(path: str) -> bool:
    """Whether a file's name is UTF-8; other bytes come as lone surrogates (os.fsdecode)."""
    return not any("\udc80" <= letter <= "\udcff" for letter in path)


def unreadable_name(path: str) -> Problem:
    """What to say of a file whose name most programs cannot show."""
    shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    message = "the name is not UTF-8, so git, browsers and other machines show it differently"
    return Problem(shown, 0, "layout.name", message, "rename it, with letters a-z at best")


def rule_module(name: str):
    """The module of a rule; it has `check(context)`."""
    return import_module(f"common.course.checks.{name}")


def without_filled(problems: list[Problem]) -> list[Problem]:
    """The problems, less those about the form of a line that a person has yet to fill."""
    to_fill = {(problem.path, problem.line) for problem in problems if problem.level == "fill"}
    return [
        problem
        for problem in problems
        if problem.level == "fill"
        or (problem.path, problem.line) not in to_fill
        or not problem.code.startswith(YIELDING)
    ]


def project_slugs(files: Iterable[str]) -> list[str]:
    """The folders of projects/ that have files."""
    parts = (path.split("/") for path in files)
    return sorted({names[1] for names in parts if len(names) > 2 and names[0] == "projects"})


def tree_files(root: Path, folder: str) -> list[str]:
    """The files below a folder, relative to the root: git's view, or all where there is no git."""
    if (root / ".git").exists():
        try:
            listed = Repository(root).work_files(folder)
        except GitError:
            listed = walk(root, folder)
        return [path for path in listed if os.path.lexists(root / path)]
    return walk(root, folder)


def walk(root: Path, folder: str) -> list[str]:
    """Every file below a folder, relative to the root; links are listed, not followed."""
    found = []
    for place, folders, names in os.walk(root / folder):
        folders[:] = [name for name in folders if name not in SKIPPED]
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        found += [(Path(place) / name).relative_to(root).as_posix() for name in [*names, *links]]
    return sorted(found)


def record_problems(root: Path) -> Iterable[Problem]:
    """What is wrong with the course's own files, where they are there."""
    for path, kind in RECORDS.items():
        if not (root / path).exists():
            continue
        try:
            schema.read(root / path, kind)
        except schema.SchemaError as error:
            for fault in error.faults:
                message = fault.message.removesuffix(".")
                yield Problem(path, fault.line, "records.schema", message)
