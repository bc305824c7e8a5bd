"""Every text of a project with the line it stands on: files, notebook cells, outputs, metadata."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from common.course.checks import Context
from common.course.checks.code_units import NotebookLines
from common.json_lines import Location


@dataclass(frozen=True)
class Piece:
    """A text, the file it is from, and the line of the file for a line (from 1) of the text."""

    path: str
    text: str
    line: Callable[[int], int]
    kind: str  # "file", "source", "output" or "metadata"


def pieces(context: Context) -> Iterator[Piece]:
    """The texts of a project and of the reviews of it; pictures and binary files have none."""
    for path in context.files:
        if path.endswith(".ipynb") and (notebook := context.notebook(path)) is not None:
            yield from notebook_pieces(path, notebook, NotebookLines(context.text(path) or ""))
        elif (text := context.text(path)) is not None:
            yield Piece(path, text, int, "file")
    folder = context.root / "reviews" / context.slug
    for full in sorted(folder.glob("*.md")) if folder.is_dir() else ():
        path = full.relative_to(context.root).as_posix()
        if (text := context.text(path)) is not None:
            yield Piece(path, text, int, "file")


def notebook_pieces(path: str, notebook: dict[str, Any], lines: NotebookLines) -> Iterator[Piece]:
    """The cells' sources, what they put out, and the metadata of cells and notebook."""
    for index, cell in enumerate(notebook["cells"]):
        where = ("cells", index)
        for kind, name in (("source", "source"), ("output", "outputs"), ("metadata", "metadata")):
            for location, text in joined(cell.get(name), (*where, name)):
                yield Piece(path, text, line_counter(lines, location), kind)
    for location, text in joined(notebook.get("metadata"), ("metadata",)):
        yield Piece(path, text, line_counter(lines, location), "metadata")


def joined(value: Any, location: Location) -> Iterator[tuple[Location, str]]:
    """The texts in a JSON value, lists of lines as one; pictures are left out."""
    if isinstance(value, str):
        yield location, value
    elif isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        yield location, "".join(value)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from joined(item, (*location, index))
    elif isinstance(value, dict):
        for name, item in value.items():
            if not name.startswith("image/"):
                yield from joined(item, (*location, name))


def line_counter(lines: NotebookLines, location: Location) -> Callable[[int], int]:
    """The line of the file for a line of a text of the notebook."""
    return lambda number: lines.at((*location, number - 1))
