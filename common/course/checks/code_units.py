"""A project's Python as its rules read it: files and notebook cells, parsed, names resolved.

Nothing is executed or imported. In a notebook, lines for IPython (`%matplotlib inline`, `!ls`,
`help?`) are set aside, so that the rest of the cell is Python.
"""

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from common import json_lines
from common.course.checks import Context
from common.notebooks import source

MAGIC = re.compile(r"^\s*(?:[%!]|\?|(?:[\w, ]+=\s*)[%!]|.*\?\s*$)")
OTHER_LANGUAGE = re.compile(
    r"^\s*%%(?:bash|sh|script|html|javascript|js|latex|markdown|perl|ruby|svg|writefile|cmd|system)\b"
    r"|^\s*%%!"
)
MAX_MAGICS = 200


@dataclass
class Unit:
    """A piece of Python: a file, or one code cell of a notebook."""

    path: str
    text: str
    cell: int | None = None
    tree: ast.Module = field(default_factory=lambda: ast.Module([], []))
    error: tuple[int, str] | None = None  # line of the unit, and what is wrong
    magics: list[tuple[int, str]] = field(default_factory=list)  # line of the unit, and its text
    lines: "NotebookLines | None" = None

    @property
    def is_test(self) -> bool:
        """Whether this is a test file, which may do what a model may not."""
        name = self.path.rsplit("/", 1)[-1]
        return name.startswith("test_") or name == "conftest.py"

    def line(self, number: int) -> int:
        """The line of the file for a line (from 1) of the unit."""
        if self.lines is None or self.cell is None:
            return number
        return self.lines.of(self.cell, number - 1)

    @cached_property
    def names(self) -> dict[str, str]:
        """What each imported name stands for: {"np": "numpy", "load": "torch.load"}."""
        return imported_names(self.tree)

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Every call of a dotted name, with imports resolved: `t.load(f)` is "torch.load"."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and (name := self.resolve(node.func)):
                yield name, node

    def resolve(self, node: ast.expr) -> str:
        """The dotted name of an expression, its imports resolved; "" if it is none."""
        name = dotted(node)
        first, _, rest = name.partition(".")
        full = self.names.get(first, first)
        return f"{full}.{rest}" if rest else full


class NotebookLines:
    """The line of a notebook's file for a line of a cell's source; read when first asked."""

    def __init__(self, text: str):
        self.text = text

    @cached_property
    def lines(self) -> dict[json_lines.Location, int]:
        """The line of every place of the JSON text."""
        try:
            return json_lines.line_numbers(self.text)
        except (ValueError, RecursionError, IndexError):
            return {}

    def of(self, cell: int, line: int) -> int:
        """The line of the file for a line (from 0) of a cell's source."""
        return self.at(("cells", cell, "source", line))

    def at(self, location: json_lines.Location) -> int:
        """The line of the file for a place of the JSON."""
        return json_lines.line_of(location, self.lines)


@lru_cache(maxsize=2)
def units(context: Context) -> list[Unit]:
    """Every Python file and every code cell of a project."""
    found = []
    for path in context.python_files:
        text = context.text(path)
        if text is not None:
            found.append(parsed(Unit(path, text)))
    for path in context.notebooks:
        notebook = context.notebook(path)
        lines = NotebookLines(context.text(path) or "")
        for index, cell in enumerate(notebook["cells"] if notebook else ()):
            if cell["cell_type"] == "code":
                found.append(parsed_cell(Unit(path, source(cell), index, lines=lines)))
    return found


def parsed(unit: Unit) -> Unit:
    """The unit with its syntax tree, or with the line and message of its first error."""
    tree, error = parse(unit.text)
    if tree is None:
        unit.error = error
    else:
        unit.tree = tree
    return unit


def parsed_cell(unit: Unit) -> Unit:
    """A notebook cell, parsed with its lines for IPython set aside."""
    lines = unit.text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if OTHER_LANGUAGE.match(first):
        unit.magics = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
        return unit
    for _ in range(MAX_MAGICS):
        tree, error = parse("\n".join(lines))
        if tree is not None:
            unit.tree, unit.error = tree, None
            break
        number, _ = unit.error = error
        if not (1 <= number <= len(lines) and MAGIC.match(lines[number - 1])):
            break
        line = lines[number - 1]
        unit.magics.append((number, line.strip()))
        lines[number - 1] = line[: len(line) - len(line.lstrip())] + "pass"
    return unit


def parse(text: str) -> tuple[ast.Module | None, tuple[int, str]]:
    """The syntax tree, or None with the line and the reason."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in strings, for instance
            return ast.parse(text), (0, "")
    except SyntaxError as error:
        return None, (error.lineno or 1, error.msg or "invalid syntax")
    except (ValueError, RecursionError, MemoryError) as error:
        return None, (1, str(error) or "too deeply nested")


def dotted(node: ast.AST) -> str:
    """`torch.cuda.seed` from its nodes; "" if anything but names and attributes is in it."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def imported_names(tree: ast.Module) -> dict[str, str]:
    """The names that imports bind, with what they stand for."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    names[alias.asname] = alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names
