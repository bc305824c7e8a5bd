"""A project's code: a page for each Python file, with an anchor on each line."""

from collections.abc import Iterator

from common.course.documents import DocumentError, read_text
from common.course.site.entries import Entry
from common.course.site.pages import Page
from common.course.site.rendering import render_code

ORDER = ("model.py", "train.py")  # then the others, the tests last


def code_files(entry: Entry, files: frozenset[str]) -> list[str]:
    """The Python files of a project, in the order in which to read them; empty ones left out."""
    names = [name for name in files if name.endswith(".py") and "/" not in name]
    shown = [name for name in names if (entry.project.folder / name).stat().st_size]
    return sorted(shown, key=reading_order)


def reading_order(name: str) -> tuple[int, str]:
    """The model first, the tests last.

    >>> sorted(["test_made.py", "train.py", "masks.py", "model.py"], key=reading_order)
    ['model.py', 'train.py', 'masks.py', 'test_made.py']
    """
    if name in ORDER:
        return ORDER.index(name), name
    return (9 if name.startswith("test_") else 5), name


def path_of(entry: Entry, name: str) -> str:
    """The page of a file."""
    return f"{entry.folder}/code/{name}.html"


def pages(entry: Entry, names: list[str]) -> Iterator[Page]:
    """A page a file."""
    sources = {}
    for name in names:
        try:
            sources[name] = read_text(entry.project.folder / name)
        except DocumentError as error:
            sources[name] = f"(not shown: {error})"
    listed = [(name, path_of(entry, name), source.count("\n")) for name, source in sources.items()]
    for name, source in sources.items():
        yield Page(
            path_of(entry, name),
            f"{name} · {entry.project.title}",
            render_code(source, name),
            description=f"{name} of {entry.project.title}, with a link to each line.",
            section="index.html",
            template="code.html",
            context={"entry": entry, "file_name": name, "files": listed, "tab": "code"},
        )
