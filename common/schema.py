"""TOML files against a dataclass: every mistake at once, each with its line and what was expected.

A file's schema is a frozen dataclass with type hints; pydantic checks the values. `read` gives the
object or raises, `faults` gives the list of mistakes.
"""

import dataclasses
import difflib
import re
import tomllib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

import annotated_types
from pydantic import (
    ConfigDict,
    Strict,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    with_config,
)

from common.errors import UserError

T = TypeVar("T")
Location = tuple[str | int, ...]

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
Number = Annotated[float, Strict()]
Count = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]

at_least = annotated_types.Ge
strict_table = with_config(ConfigDict(extra="forbid"))
"""Decorator of a dataclass that is read from a table: unknown fields are mistakes."""

EXPECTED = {
    "missing": "is missing",
    "string_type": "expected a text",
    "string_too_short": "expected a text that is not empty",
    "float_type": "expected a number",
    "int_type": "expected a whole number",
    "bool_type": "expected true or false",
    "tuple_type": "expected a list",
    "dataclass_type": "expected a table",
    "finite_number": "expected a finite number",
}


@dataclass(frozen=True)
class Fault:
    """One mistake in a file: the line (from 1; 0 if the whole file), the field, and what is wrong."""

    line: int
    field: str
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.message}"


class SchemaError(UserError):
    """A file that cannot be read as what it should be; `faults` has every mistake."""

    def __init__(self, path: Path | str, faults: Sequence[Fault]):
        self.path, self.faults = path, tuple(faults)
        shown = "\n  ".join(str(fault) for fault in faults[:20])
        more = f"\n  and {len(faults) - 20} more" if len(faults) > 20 else ""
        super().__init__(f"{path}: {shown}{more}")


def read(path: Path, schema: type[T]) -> T:
    """The file as a `schema`; raises SchemaError with every mistake in it."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SchemaError(path, [Fault(0, "", "does not exist.")]) from None
    except UnicodeDecodeError as error:
        fault = Fault(0, "", f"is not UTF-8 at byte {error.start}; save it as UTF-8.")
        raise SchemaError(path, [fault]) from None
    return parse(text, schema, path)


def parse(text: str, schema: type[T], path: Path | str = "TOML") -> T:
    """The text as a `schema`; raises SchemaError with every mistake in it."""
    try:
        table = tomllib.loads(text.replace("\r\n", "\n"))
    except (ValueError, RecursionError) as error:
        line = re.search(r"at line (\d+)", str(error))
        fault = Fault(int(line.group(1)) if line else 0, "", f"not valid TOML: {error}.")
        raise SchemaError(path, [fault]) from None
    return validated(table, schema, lambda: line_numbers(text), path)


def validated(
    table: Any, schema: type[T], lines: Callable[[], Mapping[Location, int]], path: Path | str
) -> T:
    """A table that was read as a `schema`; raises SchemaError with every mistake at its line."""
    try:
        return adapter(schema).validate_python(table)
    except ValidationError as error:
        found = lines()
        faults = [fault_of(entry, schema, found) for entry in error.errors(include_url=False)]
        raise SchemaError(path, sorted(faults, key=lambda fault: fault.line)) from None


def faults(text: str, schema: type) -> tuple[Fault, ...]:
    """Every mistake in the text; none if it is a `schema`."""
    try:
        parse(text, schema)
    except SchemaError as error:
        return error.faults
    return ()


@cache
def adapter(schema: type[T]) -> TypeAdapter[T]:
    """Pydantic's compiled check of a dataclass, made once."""
    return TypeAdapter(schema)


def fault_of(error: Mapping[str, Any], schema: type, lines: Mapping[Location, int]) -> Fault:
    """A pydantic error in our words, at its line."""
    location: Location = error["loc"]
    name = field_name(location)
    if error["type"] in {"unexpected_keyword_argument", "extra_forbidden"}:
        message = unknown_field(location, schema)
    elif error["type"] in {"missing", "missing_argument"}:
        message = f"{name} is missing."
    elif error["type"] == "value_error":
        message = f"{name}: {error['ctx']['error']}" if name else str(error["ctx"]["error"])
    else:
        expected = EXPECTED.get(error["type"]) or told(error)
        message = f"{name} is {shorten(error['input'])}, {expected}."
    return Fault(line_of(location, lines), name, message)


def told(error: Mapping[str, Any]) -> str:
    """What pydantic expected, as the end of our sentence."""
    if error["type"] == "literal_error":
        return f"expected {error['ctx']['expected']}"
    if error["type"] == "string_pattern_mismatch":
        return f"expected a text like {error['ctx']['pattern']}"
    message = error["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return f"expected {message[0].lower()}{message[1:]}"


def shorten(value: Any) -> str:
    """A value as it fits into a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def field_name(location: Location) -> str:
    """`goal[2].target` from ("goal", 1, "target"): people count from one."""
    name = ""
    for part in location:
        name += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if name else part
    return name


def unknown_field(location: Location, schema: type) -> str:
    """What to say of a field that the schema does not have."""
    known = known_fields(location[:-1], schema)
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}."
    where = f" in {field_name(location[:-1])}" if location[:-1] else ""
    return f"unknown field {location[-1]!r}{where}; {hint}"


def known_fields(location: Location, schema: Any) -> list[str]:
    """The field names of the dataclass at a location inside `schema`."""
    for part in location:
        schema = inner_type(schema, part)
    if not dataclasses.is_dataclass(schema):
        return []
    return [field.name for field in dataclasses.fields(schema)]


def inner_type(schema: Any, part: str | int) -> Any:
    """The type of a field of a dataclass, or of the items of a sequence, options unwrapped."""
    if isinstance(part, str) and dataclasses.is_dataclass(schema):
        schema = typing.get_type_hints(schema).get(part)
    elif isinstance(part, int):
        schema = (typing.get_args(schema) or (None,))[0]
    if isinstance(schema, types.UnionType) or typing.get_origin(schema) is typing.Union:
        schema = next(kind for kind in typing.get_args(schema) if kind is not type(None))
    return schema


def line_of(location: Location, lines: Mapping[Location, int]) -> int:
    """The line of a field, or of the nearest table that holds it."""
    for end in range(len(location), 0, -1):
        if location[:end] in lines:
            return lines[location[:end]]
    return min(1, len(lines))


HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
ASSIGNMENT = re.compile(
    r"""^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*="""
)


def line_numbers(text: str) -> dict[Location, int]:
    """The line of every table and field of a valid TOML text, by location.

    >>> line_numbers('a = 1\\n[[goal]]\\nid = "x"\\n')
    {('a',): 1, ('goal', 0): 2, ('goal', 0, 'id'): 3}
    """
    found: dict[Location, int] = {}
    counts: dict[Location, int] = {}
    table: Location = ()
    lines = text.replace("\r\n", "\n").split("\n")
    number = 0
    while number < len(lines):
        line, start = lines[number], number
        number += 1
        if header := HEADER.match(line):
            table = open_table(header, counts)
            found.setdefault(table, start + 1)
        elif key := ASSIGNMENT.match(line):
            while number < len(lines) and not is_whole("\n".join(lines[start:number])):
                number += 1
            found.setdefault(table + parts(key.group(1)), start + 1)
    return found


def open_table(header: re.Match[str], counts: dict[Location, int]) -> Location:
    """The location that a `[table]` or `[[array]]` line opens; arrays are counted."""
    location: Location = ()
    names = parts(header.group(2))
    for depth, name in enumerate(names):
        location = (*location, name)
        is_new_item = header.group(1) == "[[" and depth == len(names) - 1
        if is_new_item:
            counts[location] = counts.get(location, -1) + 1
        if location in counts:
            location = (*location, counts[location])
    return location


def parts(dotted: str) -> tuple[str, ...]:
    """The names of a dotted key, quotes removed."""
    return tuple(part.strip("\"'") for part in re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", dotted))


def is_whole(assignment: str) -> bool:
    """Whether these lines are a complete `key = value`."""
    try:
        tomllib.loads(assignment)
    except tomllib.TOMLDecodeError:
        return False
    return True
