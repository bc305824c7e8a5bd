"""Project configurations are frozen dataclasses; a command line may override any field, typed."""

import dataclasses
import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from common.errors import UserError

TRUE, FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


class ConfigError(UserError):
    """A field that a Config does not have, or a value that is not of its type."""


def override(config: Any, assignments: Iterable[str]) -> Any:
    """A copy of `config` with `name=value` texts applied, each parsed by the field's type.

    A field may be named by its first words where no other begins with them: `hidden=256` sets
    `hidden_sizes`. Raises ConfigError for an unknown field or a bad value, naming the fields and
    types there are.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Config:
    ...     hidden_sizes: tuple[int, ...] = (500,)
    ...     learning_rate: float = 1e-3
    >>> override(Config(), ["hidden_sizes=256,256", "learning_rate=1e-2"])
    Config(hidden_sizes=(256, 256), learning_rate=0.01)
    """
    hints = get_type_hints(type(config))
    changes = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        name = full_name(name.strip(), hints)
        if not equals:
            raise ConfigError(f"--set {assignment!r} is not of the form FIELD=VALUE.")
        if name not in hints:
            near = difflib.get_close_matches(name, hints, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"there is no field {name!r}.{hint} Fields:\n{describe(config)}")
        try:
            changes[name] = parse(text.strip(), hints[name])
        except ValueError as error:
            raise ConfigError(
                f"{name}={text!r}: expected {type_name(hints[name])} ({error}). "
                f"Fields:\n{describe(config)}"
            ) from error
    return replace(config, changes)


def full_name(name: str, names: Iterable[str]) -> str:
    """The one of `names` whose first words are `name`, or `name` itself.

    >>> full_name("hidden", ["data", "hidden_sizes"]), full_name("size", ["hidden_sizes"])
    ('hidden_sizes', 'size')
    """
    longer = [known for known in names if known.startswith(f"{name}_")]
    return longer[0] if len(longer) == 1 and name not in names else name


def replace(config: Any, changes: Mapping[str, Any]) -> Any:
    """`dataclasses.replace`, with a Config's own complaints told as ConfigError."""
    try:
        return dataclasses.replace(config, **changes)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def parse(text: str, hint: Any) -> Any:
    """The value that `text` spells in the type `hint`; raises ValueError if it spells none.

    >>> parse("1e-3", float), parse("500,500", tuple[int, ...]), parse("none", int | None)
    (0.001, (500, 500), None)
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if type(None) in arguments and text.lower() in {"none", "null", ""}:
            return None
        return parse(text, next(kind for kind in arguments if kind is not type(None)))
    if origin is Literal:
        if text not in arguments:
            raise ValueError(f"{text!r} is not one of them")
        return text
    if origin is tuple:
        inner = text.strip("()[] ")
        return tuple(parse(part.strip(), arguments[0]) for part in inner.split(",") if part.strip())
    if hint is bool:
        return parse_bool(text)
    if hint is int:
        return int(text.replace("_", ""))
    if hint in (float, str):
        return hint(text)
    raise ValueError(f"fields of type {type_name(hint)} cannot be set from the command line")


def parse_bool(text: str) -> bool:
    """`true` or `false` in the usual spellings."""
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def type_name(hint: Any) -> str:
    """How a type is named to a person: `int`, `tuple[int, ...]`, `one of a, b`."""
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, get_args(hint)))
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)


def describe(config: Any) -> str:
    """The fields of a Config, one a line: name, type and present value."""
    hints = get_type_hints(type(config))
    width = max(map(len, hints))
    return "\n".join(
        f"  {name:<{width}}  {type_name(hint)} = {getattr(config, name)!r}"
        for name, hint in hints.items()
    )


def to_dict(config: Any) -> dict[str, Any]:
    """A Config as plain JSON values (tuples become lists)."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(config).items()
    }


def from_dict(kind: type, values: Mapping[str, Any]) -> Any:
    """The Config of type `kind` that `to_dict` wrote; raises ConfigError on unknown fields.

    A field that was added to the Config since keeps its default.
    """
    names = {field.name for field in dataclasses.fields(kind)}
    unknown = sorted(set(values) - names)
    if unknown:
        raise ConfigError(
            f"fields {', '.join(unknown)} are not in {kind.__module__}.Config (any more); "
            f"it has: {', '.join(sorted(names))}."
        )
    return kind(
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
    )
