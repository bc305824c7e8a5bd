"""The classes of a file of tests as their text says: bases, tests, tests that are switched off."""

import ast
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

TEST = "test_"
COMMENT = re.compile(r"#\s*(.*)")


@dataclass(frozen=True)
class Test:
    """A test: the line it begins at, and the first paragraph of its docstring."""

    line: int
    text: str


@dataclass(frozen=True)
class TestClass:
    """A class: its dotted name, those of its bases, its own tests, and those it switches off.

    A test is switched off by `test_x = None  # the reason`.
    """

    name: str
    line: int
    text: str
    bases: tuple[str, ...]
    tests: Mapping[str, Test]
    off: Mapping[str, str]

    @property
    def last(self) -> str:
        """Its name in its module."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True)
class Module:
    """A file: its classes by dotted name, and what the names that it imports stand for."""

    classes: Mapping[str, TestClass]
    imports: Mapping[str, str]


def read_module(text: str, name: str) -> Module:
    """The classes of a module of this dotted name; none where its text is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Module({}, {})
    imports = imported(tree)
    local = {each.name: f"{name}.{each.name}" for each in tree.body if is_class(each)}
    lines = text.split("\n")
    found = [read_class(each, name, imports | local, lines) for each in tree.body if is_class(each)]
    return Module({each.name: each for each in found}, imports)


def is_class(node: ast.stmt) -> bool:
    """Whether a statement defines a class."""
    return isinstance(node, ast.ClassDef)


def imported(tree: ast.Module) -> dict[str, str]:
    """What each name stands for that the imports at the top of a module bind."""
    names = {}
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def read_class(
    node: ast.ClassDef, module: str, names: Mapping[str, str], lines: list[str]
) -> TestClass:
    """One class."""
    tests, off = {}, {}
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name.startswith(TEST):
            tests[statement.name] = Test(statement.lineno, first_paragraph(statement))
        elif isinstance(statement, ast.Assign) and is_none(statement.value):
            for target in statement.targets:
                if isinstance(target, ast.Name) and target.id.startswith(TEST):
                    off[target.id] = reason(statement, lines)
    bases = tuple(filter(None, (dotted(base, names) for base in node.bases)))
    return TestClass(f"{module}.{node.name}", node.lineno, first_paragraph(node), bases, tests, off)


def is_none(value: ast.expr) -> bool:
    """Whether an expression is `None`."""
    return isinstance(value, ast.Constant) and value.value is None


def reason(statement: ast.stmt, lines: list[str]) -> str:
    """The comment behind a statement."""
    found = COMMENT.search(lines[statement.end_lineno - 1][statement.end_col_offset :])
    return found[1].strip() if found else ""


def first_paragraph(node: ast.ClassDef | ast.FunctionDef) -> str:
    """What a docstring begins with, on one line."""
    text = ast.get_docstring(node) or ""
    return " ".join(text.split("\n\n")[0].split())


def dotted(node: ast.expr, names: Mapping[str, str]) -> str:
    """The dotted name that a base class stands for; "" where it is none."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([names.get(node.id, node.id), *reversed(parts)])
