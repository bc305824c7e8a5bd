"""Signatures as HTML, whose types lead to where they are documented."""

from collections.abc import Callable, Iterator

from griffe import Class, Expr, ExprName, Function, Object, Parameter, ParameterKind, Parameters
from markupsafe import Markup, escape

WIDTH = 76
Link = Callable[[str], str | None]  # from a dotted name to a relative link


def signature(entry: Object, link: Link) -> Markup:
    """How a function, method, property or class is called.

    One line where it fits into WIDTH characters, else a line for each argument.
    """
    if isinstance(entry, Class):
        made = entry.members.get("__init__")
        given = made.parameters if isinstance(made, Function) else None
        rows, end = list(arguments(given, link)) if given else [], Markup("")
        if not rows:
            return Markup("<b>{}</b>").format(entry.name)
    elif isinstance(entry, Function):
        rows, end = list(arguments(entry.parameters, link)), returned(entry.returns, link)
    else:
        return Markup("<b>{}</b>{}").format(entry.name, typed(entry.annotation, link))
    return laid_out(entry.name, rows, end)


def laid_out(name: str, rows: list[Markup], end: Markup) -> Markup:
    """Name, arguments and return type, on one line or on several."""
    line = Markup("<b>{}</b>({}){}").format(name, Markup(", ").join(rows), end)
    if len(line.striptags()) <= WIDTH:
        return line
    inner = Markup("").join(Markup("    {},\n").format(row) for row in rows)
    return Markup("<b>{}</b>(\n{}){}").format(name, inner, end)


def arguments(parameters: Parameters, link: Link) -> Iterator[Markup]:
    """The arguments without `self`, with the bare `/` and `*` between them."""
    before = None
    for parameter in parameters:
        kind = parameter.kind
        if before is None and parameter.name in {"self", "cls"}:
            continue
        if before is ParameterKind.positional_only and kind is not before:
            yield Markup("/")
        if kind is ParameterKind.keyword_only and before not in {
            ParameterKind.keyword_only,
            ParameterKind.var_positional,
        }:
            yield Markup("*")
        yield argument(parameter, link)
        before = kind
    if before is ParameterKind.positional_only:
        yield Markup("/")


def argument(parameter: Parameter, link: Link) -> Markup:
    """One argument: its stars, name, type and default."""
    stars = {ParameterKind.var_positional: "*", ParameterKind.var_keyword: "**"}
    shown = Markup("{}{}").format(stars.get(parameter.kind, ""), parameter.name)
    shown += typed(parameter.annotation, link)
    if parameter.default is None or parameter.kind in stars:
        return shown
    equals = " = " if parameter.annotation is not None else "="
    return shown + equals + expression(parameter.default, link)


def typed(annotation: Expr | str | None, link: Link) -> Markup:
    """A type after its colon; nothing where none is given."""
    return Markup("") if annotation is None else ": " + expression(annotation, link)


def returned(annotation: Expr | str | None, link: Link) -> Markup:
    """A return type after its arrow; nothing where none is given."""
    return Markup("") if annotation is None else Markup(" -&gt; ") + expression(annotation, link)


def expression(value: Expr | str, link: Link) -> Markup:
    """A type or a default, each name of which that is documented is a link."""
    parts = value.iterate(flat=True) if isinstance(value, Expr) else [value]
    return Markup("").join(named(part, link) for part in parts)


def named(part: Expr | str, link: Link) -> Markup:
    """A piece of an expression."""
    if not isinstance(part, ExprName):
        return escape(str(part))
    place = link(part.canonical_path)
    return (
        escape(part.name)
        if place is None
        else Markup('<a href="{}">{}</a>').format(place, part.name)
    )
