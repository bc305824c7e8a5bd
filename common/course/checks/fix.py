"""What `dgm check --fix` mends: the mechanical, never the prose."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.course.check import tree_files
from common.course.checks import Context, style
from common.course.checks.claims import README, updated_readme
from common.course.checks.notebook import EXECUTION_KEYS
from common.course.checks.text import BOM, text_files
from common.files import replace_bytes

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def fix_project(root: Path, slug: str) -> Iterator[str]:
    """Mend one project and say of each change what it was; each file is written whole."""
    files = tuple(tree_files(root, f"projects/{slug}"))
    for path in text_files(Context(root, slug, files)):
        yield from fix_line_ends(root, path)
    context = Context(root, slug, files)  # anew: a context remembers what it has read
    for path in context.notebooks:
        before = (root / path).read_bytes()
        notebook = context.notebook(path)
        if notebook is not None and (done := clean_notebook(notebook)):
            text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
            replace_bytes(root / path, before, text.encode())
            yield f"{path}: {', '.join(done)}"
    for path, (before, after) in style.formatted(root, files).items():
        replace_bytes(root / path, before, after)
        yield f"{path}: formatted"
    yield from fix_table(Context(root, slug, files))


def fix_line_ends(root: Path, path: str) -> Iterator[str]:
    """Unix line ends, and no byte-order mark."""
    data = (root / path).read_bytes()
    if b"\0" in data:
        return
    mended = data.removeprefix(BOM).replace(b"\r\n", b"\n")
    if mended != data:
        replace_bytes(root / path, data, mended)
        yield f"{path}: line ends or byte-order mark"


def clean_notebook(notebook: dict[str, Any]) -> list[str]:
    """Take out of a notebook what the last execution left; returns what was done."""
    done = []
    metadata = notebook["metadata"]
    if (metadata.get("kernelspec") or {}).get("name") != KERNEL["name"]:
        metadata["kernelspec"] = dict(KERNEL)
        done.append("kernel")
    if metadata.pop("widgets", None) is not None:
        done.append("widget state")
    if (metadata.get("language_info") or {}).pop("version", None) is not None:
        done.append("version of Python")
    stamps = [
        cell["metadata"].pop(name, None) for cell in notebook["cells"] for name in EXECUTION_KEYS
    ]
    if any(stamp is not None for stamp in stamps):
        done.append("timestamps and accounts of executions")
    return done


def fix_table(context: Context) -> Iterator[str]:
    """The README's results table as the results make it."""
    path = context.path(README)
    text, updated = context.text(path), updated_readme(context)
    if context.has(README) and updated is not None and updated != text:
        replace_bytes(context.root / path, text.encode(), updated.encode())
        yield f"{path}: results table"
