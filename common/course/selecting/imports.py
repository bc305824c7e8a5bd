"""The modules of this repository that a piece of Python imports, read and never run.

A thousand projects have to be read within a second, and parsing them all takes ten. So statements
that stand as everyone writes them are found by a pattern, and only a text with anything unusual in
it (a second statement on the line, a relative import, a line that goes on, `import_module`) is
parsed. The pattern may find an import in a docstring that is none: a project too many, never one too
few.
"""

import ast
import json
import re
import warnings
from collections.abc import Iterable, Iterator
from functools import cache

TOPS = ("common", "projects", "tests")
STATEMENT = re.compile(
    rb"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n(]*)|(?:from|import)\b([^\n]*))",
    re.MULTILINE,
)
SECOND = re.compile(rb"[;:][ \t]*(?:from|import)\b")  # on one line: `if slow: import common.data`
ODD = re.compile(rb"[;\\\x80-\xff]|^\.")
CODING = re.compile(rb"coding[:=][ \t]*(?!utf-?8)", re.IGNORECASE)
RARE = (b"import_module", b"__import__", b"\r", b"\x0b", b"\x0c", b"\0")
OURS = tuple(top.encode() for top in TOPS)
COMMENT = re.compile(rb"#[^\n]*")
MAGIC = re.compile(r"\s*[%!?]|.*\?\s*$")
NAME = re.compile(rb"([\w.]+)(?:\s+as\s+\w+)?")


def imported(data: bytes, path: str) -> frozenset[str]:
    """The dotted names of ours that a Python file imports: `from a.b import c` gives a.b and a.b.c.

    >>> sorted(imported(b"import torch\\nfrom common.data import load\\n", "projects/a/model.py"))
    ['common.data', 'common.data.load']
    """
    names = simple_names(data)
    return frozenset(parsed_names(data, path) if names is None else names)


def simple_names(data: bytes) -> set[str] | None:
    """The names in plain import statements, found by their form; None if one is not plain."""
    if any(sign in data for sign in RARE) or CODING.search(data, 0, 200):
        return None
    statements = STATEMENT.findall(data)
    if data.count(b"import") > len(statements) and SECOND.search(data):
        return None
    found: set[str] = set()
    for statement in set(statements):
        names = names_of(statement)
        if names is None:
            return None
        found |= names
    return found


@cache
def names_of(statement: tuple[bytes, bytes, bytes]) -> frozenset[str] | None:
    """The names of ours in one statement, None if it is not plain; thousands of files share them."""
    module, names, rest = statement
    if ODD.search(rest) or ODD.search(module) or ODD.search(names):
        return None
    found = set()
    if module.startswith(OURS):
        start = module.decode()
        found.add(start)
        for name in NAME.findall(COMMENT.sub(b"", names)):
            found.add(f"{start}.{name.decode()}")
    elif rest:
        for entry in COMMENT.sub(b"", rest).split(b","):
            name = NAME.match(entry.strip())
            if name and name[1].startswith(OURS):
                found.add(name[1].decode())
    return frozenset(filter(is_ours, found))


def parsed_names(data: bytes | str, path: str) -> Iterator[str]:
    """The same by Python's own parser; a text that is no Python imports nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from filter(is_ours, (alias.name for alias in node.names))
        elif isinstance(node, ast.ImportFrom):
            module = absolute(path, node.level, node.module or "")
            if is_ours(module):
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names if alias.name != "*")
        elif isinstance(node, ast.Call) and node.args and is_import_call(node.func):
            yield from filter(is_ours, named_module(node.args[0]))


def is_import_call(function: ast.expr) -> bool:
    """Whether a call imports a module by its name in a text."""
    name = getattr(function, "attr", None) or getattr(function, "id", None)
    return name in {"import_module", "__import__"}


def named_module(argument: ast.expr) -> Iterator[str]:
    """The module that a text names; `common.commands.*` for f"common.commands.{name}"."""
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        yield argument.value
    elif isinstance(argument, ast.JoinedStr) and isinstance(argument.values[0], ast.Constant):
        package, dot, rest = str(argument.values[0].value).rpartition(".")
        if dot and not rest and len(argument.values) == 2:
            yield f"{package}.*"


def absolute(path: str, level: int, module: str) -> str:
    """The module that a relative import in the file at `path` means."""
    if not level:
        return module
    package = path.split("/")[:-1]
    kept = package[: max(0, len(package) - (level - 1))]
    return ".".join([*kept, module] if module else kept)


def is_ours(name: str) -> bool:
    """Whether a dotted name is of this repository."""
    return name.split(".")[0] in TOPS


def imported_by_notebook(data: bytes, path: str) -> frozenset[str]:
    """The same for the code cells of a notebook."""
    try:
        cells = json.loads(data).get("cells", ())
        sources = [cell["source"] for cell in cells if cell.get("cell_type") == "code"]
        texts = [text if isinstance(text, str) else "".join(text) for text in sources]
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return frozenset()
    return frozenset(name for text in texts for name in cell_names(text, path))


def cell_names(text: str, path: str) -> Iterable[str]:
    """The names in a cell, whose lines for IPython are no Python."""
    data = text.encode("utf-8", "replace")
    names = simple_names(data)
    return parsed_names(python_lines(text), path) if names is None else names


def python_lines(text: str) -> str:
    """A cell without its lines for IPython, which begin with % or ! or end in ?."""
    lines = text.split("\n")
    return "\n".join("" if MAGIC.match(line) else line for line in lines)


@cache
def with_parents(name: str) -> tuple[str, ...]:
    """A module and the packages above it, which Python runs before it.

    >>> with_parents("common.data.load")
    ('common', 'common.data', 'common.data.load')
    """
    parts = name.split(".")
    return tuple(".".join(parts[:end]) for end in range(1, len(parts) + 1))
