"""The kinds of laws of tests/laws, each with what it asks of a model."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from common.course.site.laws.classes import Module, TestClass, read_module

PACKAGE = "tests.laws"
ROW = re.compile(r"^(\w+) +(\S.*?) {2,}(\S.*)$", re.MULTILINE)  # of the table in its docstring


@dataclass(frozen=True)
class Law:
    """One law: the test that states it, its docstring, and where it stands."""

    test: str
    text: str
    module: str
    line: int

    @property
    def sentence(self) -> str:
        """The law in words: its test's name."""
        return self.test.removeprefix("test_").replace("_", " ")


@dataclass(frozen=True)
class Kind:
    """A kind of models: what holds for it in short, and its laws without those of other kinds."""

    name: str
    holds: str
    offers: str
    text: str
    laws: tuple[Law, ...]
    includes: tuple[str, ...]  # other kinds, whose laws hold too


@dataclass(frozen=True)
class Laws:
    """The package of the laws, by dotted name."""

    modules: Mapping[str, Module]
    table: Mapping[str, tuple[str, str]]  # what holds and what the model offers, by kind
    names: tuple[str, ...]  # of the kinds, in the order of their table

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """Every kind, in the order of the table."""
        return tuple(self.kind(name) for name in self.names)

    def kind(self, name: str) -> Kind:
        """One kind; laws that it shares with another are the other's."""
        line = list(self.ancestors(f"{PACKAGE}.{name}"))
        others = [each for each in line[1:] if self.is_kind(each)]
        shared = {inner.name for each in others for inner in self.ancestors(each.name)}
        own = [each for each in line if each.name not in shared]
        holds, offers = self.table.get(name, ("", ""))
        found = {}
        for each in own:
            module = each.name.rpartition(".")[0]
            for test, at in each.tests.items():
                found.setdefault(test, Law(test, at.text, module, at.line))
        includes = tuple(each.last for each in others)
        text = line[0].text if line else ""
        return Kind(name, holds, offers, text, tuple(found.values()), includes)

    def is_kind(self, entry: TestClass) -> bool:
        """Whether a class is one of the kinds that projects take."""
        return entry.last in self.names

    def ancestors(self, name: str) -> Iterator[TestClass]:
        """A class and those it inherits from, nearest first, each once."""
        seen, waiting = set(), [name]
        while waiting:
            entry = self.find(waiting.pop(0))
            if entry is not None and entry.name not in seen:
                seen.add(entry.name)
                yield entry
                waiting += entry.bases

    def find(self, name: str) -> TestClass | None:
        """The class of a dotted name, through what the package hands on."""
        module, _, last = name.rpartition(".")
        if module == PACKAGE:
            target = (
                self.modules[PACKAGE].imports.get(last, name) if PACKAGE in self.modules else name
            )
            module = target.rpartition(".")[0]
            name = target
        return self.modules[module].classes.get(name) if module in self.modules else None


def read_laws(root: Path) -> Laws:
    """The laws of a tree; none where it has no tests/laws."""
    modules, text = {}, ""
    for path in sorted((root / "tests" / "laws").glob("*.py")):
        if path.name.startswith("test_"):
            continue
        name = PACKAGE if path.stem == "__init__" else f"{PACKAGE}.{path.stem}"
        source = path.read_text(encoding="utf-8")
        text = source if name == PACKAGE else text
        modules[name] = read_module(source, name)
    handed = modules[PACKAGE].imports if PACKAGE in modules else {}
    known = {last: full.rpartition(".") for last, full in handed.items()}
    kinds = [last for last, (at, _, _) in known.items() if handed[last] in classes_of(modules, at)]
    table = {row[1]: (row[2], row[3]) for row in ROW.finditer(text) if row[1] in kinds}
    order = [*table, *(name for name in kinds if name not in table)]
    return Laws(modules, table, tuple(order))


def classes_of(modules: Mapping[str, Module], name: str) -> Mapping[str, TestClass]:
    """The classes of a module that may not be there."""
    return modules[name].classes if name in modules else {}
