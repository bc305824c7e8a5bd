"""Which laws a project's tests take up, with those that it switches off or states itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from common.course.site.laws.classes import Module, TestClass, read_module
from common.course.site.laws.kinds import Laws

TAKEN, OFF, OWN = "taken", "off", "own"


@dataclass(frozen=True)
class TakenClass:
    """A test class of a project: the kinds that it inherits, and what it does with each law."""

    file: str  # in the project's folder
    name: str
    line: int
    text: str
    kinds: tuple[str, ...]
    laws: Mapping[str, str]  # TAKEN, OFF or OWN, by the name of the test
    reasons: Mapping[str, str]  # of those that are off


def taken_classes(laws: Laws, folder: Path) -> list[TakenClass]:
    """The test classes of a project that inherit a kind of laws."""
    found = []
    for path in sorted(folder.glob("test_*.py")):
        if path.is_symlink() or not path.is_file():
            continue
        name = f"projects.{folder.name}.{path.stem}"
        module = read_module(path.read_text(encoding="utf-8", errors="replace"), name)
        classes = (each for each in module.classes.values() if each.last.startswith("Test"))
        taken = (taken_class(laws, module, each, path.name) for each in classes)
        found += [each for each in taken if each is not None]
    return found


def taken_class(laws: Laws, module: Module, entry: TestClass, file: str) -> TakenClass | None:
    """One class; None where it inherits no law."""
    line = list(lineage(laws, module, entry.name))
    kinds = [each.last for each in line if laws.is_kind(each) and is_law(laws, each)]
    if not kinds:
        return None
    states, reasons = {}, {}
    for each in reversed(line):  # the nearest has the last word
        is_theirs = is_law(laws, each)
        for test in each.tests:
            if is_theirs:
                states[test] = TAKEN
            elif test in states:
                states[test] = OWN
        for test, reason in each.off.items():
            if test in states:
                states[test], reasons[test] = OFF, reason
    reasons = {test: reason for test, reason in reasons.items() if states[test] == OFF}
    return TakenClass(
        file, entry.last, entry.line, entry.text, tuple(dict.fromkeys(kinds)), states, reasons
    )


def is_law(laws: Laws, entry: TestClass) -> bool:
    """Whether a class is of the package of the laws."""
    return laws.find(entry.name) is entry


def lineage(laws: Laws, module: Module, name: str) -> Iterator[TestClass]:
    """A class of a project and all it inherits from, nearest first, each once."""
    seen, waiting = set(), [name]
    while waiting:
        name = waiting.pop(0)
        entry = module.classes.get(name) or laws.find(name)
        if entry is not None and entry.name not in seen:
            seen.add(entry.name)
            yield entry
            waiting += entry.bases
