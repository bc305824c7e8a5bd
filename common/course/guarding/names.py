"""Names that would be another file elsewhere, that deceive a reader, or that a program obeys."""

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from common.course.changes import LINK, PROGRAM, SUBMODULE, Change
from common.course.checks.layout import (
    MAX_PATH,
    STRAY_FOLDERS,
    STRAY_NAMES,
    same_on_disk,
    unstorable,
)
from common.course.guarding.places import refusal
from common.course.problems import Problem

MAX_DEPTH = 6
OBEYED = {
    # A program takes these for its settings, or runs them unasked.
    "conftest.py": "pytest runs it before any test",
    "pytest.ini": "pytest takes its settings from it",
    ".pytest.ini": "pytest takes its settings from it",
    "tox.ini": "pytest takes its settings from it",
    "setup.cfg": "pytest takes its settings from it",
    "pyproject.toml": "every tool takes its settings from it",
    "setup.py": "installers run it",
    "sitecustomize.py": "Python runs it at its start",
    "usercustomize.py": "Python runs it at its start",
    "ipython_config.py": "the notebook's kernel runs it",
    "jupyter_config.json": "Jupyter takes its settings from it",
    "matplotlibrc": "matplotlib takes its settings from it",
    "ruff.toml": "the linter takes its settings from it",
    "mypy.ini": "the type checker takes its settings from it",
    "makefile": "make runs it",
    "gnumakefile": "make runs it",
    "dockerfile": "docker runs it",
    "action.yml": "GitHub runs it",
    "action.yaml": "GitHub runs it",
    ".gitattributes": "git changes files as it says",
    ".gitmodules": "git fetches other repositories as it says",
    ".gitignore": "git leaves out files as it says",
    "codeowners": "GitHub asks whom it says",
}
ALIKE = str.maketrans(
    # Letters that look like a Latin one, in lower case: Cyrillic, Greek, and digits in some fonts.
    "абвгеёіјкмнорсԁтухѕԛԝһпьαγεικνορτυωχημ",
    "a6breeijkmhopcdtyxsqwhnbayeiknoptuwxnu",
)
HIDDEN = {"Cf", "Co", "Cn", "Zl", "Zp"}  # letters of these kinds are not seen


def name_problems(change: Change) -> Iterator[Problem]:
    """What is wrong with the kind and the name of a path that its author may touch."""
    yield from mode_problems(change)
    parts = change.path.split("/")
    for part in parts:
        if found := part_problem(part):
            yield refusal(change, *found)
            break
    if len(change.path) > MAX_PATH or len(parts) > MAX_DEPTH:
        message = (
            f"the path has {len(change.path)} characters in {len(parts)} steps, expected at most "
            f"{MAX_PATH} in {MAX_DEPTH}"
        )
        yield refusal(change, "name.deep", message, "fewer folders, shorter names")
    if left := next((part for part in parts[:-1] if part in STRAY_FOLDERS), None):
        yield refusal(change, "name.stray", f"{left} is left over by a program", "git rm it")
    elif STRAY_NAMES.fullmatch(parts[-1]):
        yield refusal(change, "name.stray", "is left over by a program", "git rm it")
    is_top = parts[0] == "projects" and len(parts) == 3
    if is_top and change.path.endswith(".py") and parts[2][:-3] in sys.stdlib_module_names:
        message = f"hides Python's own module {parts[2][:-3]} from the notebook beside it"
        yield refusal(change, "name.shadows", message, "choose another name")


def mode_problems(change: Change) -> Iterator[Problem]:
    """Links, submodules and programs."""
    if change.mode == LINK:
        message = "is a symbolic link, which could lead out of the folder"
        yield refusal(change, "kind.link", message, "put the file itself there")
    elif change.mode == SUBMODULE:
        message = "is a submodule: another repository, which nobody here has read"
        yield refusal(change, "kind.submodule", message, "add the files themselves")
    elif change.mode == PROGRAM:
        message = "is marked as a program (executable)"
        hint = "git update-index --chmod=-x, and commit"
        yield refusal(change, "kind.executable", message, hint)


def part_problem(part: str) -> tuple[str, str, str] | None:
    """Rule, message and hint for a step of a path that cannot be accepted."""
    rename = "rename it: letters, digits, - and _"
    if any(unicodedata.category(letter) in HIDDEN for letter in part):
        return "name.invisible", "the name has letters that cannot be seen", rename
    if reason := unstorable(part):
        return "name.unstorable", f"the name {reason}", rename
    if is_mixed(part):
        message = "the name mixes alphabets, so that it can be taken for another"
        return "name.deceives", message, rename
    lowered = part.casefold()
    if lowered in OBEYED:
        return "name.obeyed", f"{part} is not for projects: {OBEYED[lowered]}", "take it out"
    if lowered.endswith(".pth"):
        message = "a .pth file is weights (which run code when loaded) or a path that Python obeys"
        return "name.obeyed", message, "weights are .safetensors"
    if part.startswith("."):
        return "name.hidden", f"{part} is a hidden file or folder", "take it out"
    if "~" in part:
        return "name.unstorable", "the name has a ~, a short name of another on Windows", rename
    return None


def is_mixed(name: str) -> bool:
    """Whether a word has letters of two alphabets, or letters in another shape.

    >>> is_mixed("model.py"), is_mixed("g\u00f6rsel.png"), is_mixed("m\u043edel.py")
    (False, False, True)
    """
    words = re.split(r"[\W_]+", name)
    scripts = [{script(letter) for letter in word if letter.isalpha()} for word in words]
    return max(map(len, scripts)) > 1 or name != unicodedata.normalize("NFKC", name)


def script(letter: str) -> str:
    """The alphabet of a letter, by the first word of its name."""
    return unicodedata.name(letter, "UNKNOWN").split(" ")[0]


def looks(path: str) -> str:
    """What a path looks like: two that look the same are confused by disks or by people."""
    plain = unicodedata.normalize("NFKC", same_on_disk(unicodedata.normalize("NFKC", path)))
    shown = "".join(c for c in plain if unicodedata.category(c) not in HIDDEN)
    return same_on_disk(shown).translate(ALIKE)


def collision_problems(changes: Iterable[Change], paths: Iterable[str]) -> Iterator[Problem]:
    """Changed paths, or folders of them, that look like another path there is."""
    first: dict[str, set[str]] = {}
    for path in paths:
        for place in steps(path):
            first.setdefault(looks(place), set()).add(place)
    for change in changes:
        for place in steps(change.path):
            others = sorted(first.get(looks(place), set()) - {place})
            if others and not change.is_gone:
                message = f"{place} is the same name as {others[0]} on some disks, or looks like it"
                yield refusal(change, "name.collides", message, "rename one of them")
                break


def steps(path: str) -> list[str]:
    """A path and the folders above it, from projects/SLUG on."""
    pure = PurePosixPath(path)
    return [p.as_posix() for p in (pure, *pure.parents) if len(p.parts) > 1]
