"""Notebooks: what a committed one must be, and how one is executed and shown as a page.

`python -m common.notebooks [FILE ...]` checks notebooks (all of projects/ by default) without
executing anything; `make lint` and pre-commit call it.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import write_text
from common.projects import ROOT

MAX_BYTES = 1_000_000
MACHINE_PATH = re.compile(
    r"(?<![\w.])/(home|Users|root|tmp|mnt|scratch|workspace)/|[A-Z]:\\{1,2}Users"
)


class NotebookError(UserError):
    """A notebook that is missing, unreadable, or whose execution failed."""


def problems(path: Path) -> Iterator[str]:
    """What keeps a committed notebook from being publishable, one message a problem."""
    try:
        text = path.read_text(encoding="utf-8")
        notebook = json.loads(text)
        cells = notebook["cells"]
    except FileNotFoundError:
        yield "does not exist"
        return
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        yield f"is not a notebook: {error!r}"
        return
    if len(text.encode()) > MAX_BYTES:
        yield f"is {len(text.encode()):,} bytes, expected under {MAX_BYTES:,}: shrink its figures"
    if "widgets" in notebook.get("metadata", {}):
        yield "carries widget state: clear it (a progress bar in plain text needs none)"
    code = [cell for cell in cells if cell.get("cell_type") == "code" and source(cell).strip()]
    counts = [cell.get("execution_count") for cell in code]
    if counts != list(range(1, len(code) + 1)):
        yield "is not executed from top to bottom: restart, run all cells and save"
    for number, cell in enumerate(cells):
        for problem in cell_problems(cell):
            yield f"cell {number}: {problem}"


def cell_problems(cell: dict[str, Any]) -> Iterator[str]:
    """What is wrong with one cell."""
    outputs = cell.get("outputs", [])
    for output in outputs:
        if output.get("output_type") == "error":
            yield f"its output is an error: {output.get('ename')}: {output.get('evalue')}"
    texts = [source(cell), *map(json.dumps, map(without_images, outputs))]
    found = MACHINE_PATH.search("\n".join(texts))
    if found:
        yield f"names a path of one machine ({found.group()}...): use paths of the repository"


def without_images(output: dict[str, Any]) -> dict[str, Any]:
    """An output less its base64 pictures, whose letters mean nothing."""
    data = {k: v for k, v in output.get("data", {}).items() if not k.startswith("image/")}
    return output | {"data": data}


def source(cell: dict[str, Any]) -> str:
    """A cell's text."""
    text = cell.get("source", "")
    return text if isinstance(text, str) else "".join(text)


def execute(path: Path, folder: Path, *, preset: str, timeout: int = 600) -> Path:
    """Run a notebook top to bottom with $DGM_PRESET set; returns the path of its HTML in `folder`.

    The committed notebook is not touched: the executed copy and the page go to `folder`. Raises
    NotebookError with the failing cell.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from nbconvert import HTMLExporter
    from tqdm import tqdm

    if not path.exists():
        raise NotebookError(f"{path} does not exist.")
    notebook = nbformat.read(path, as_version=4)
    bar = tqdm(total=len(notebook.cells), desc="notebook", unit="cell", ncols=79, leave=False)
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_complete=lambda cell, cell_index: bar.update(),
    )
    before = os.environ.get("DGM_PRESET")
    os.environ["DGM_PRESET"] = preset
    try:
        client.execute()
    except CellExecutionError as error:
        raise NotebookError(f"{path.name} failed with {error.ename}: {error.evalue}") from error
    except (CellTimeoutError, DeadKernelError) as error:
        raise NotebookError(f"{path.name} failed: {error}") from error
    finally:
        bar.close()
        os.environ.pop("DGM_PRESET")
        if before is not None:
            os.environ["DGM_PRESET"] = before
    write_text(folder / path.name, nbformat.writes(notebook))
    page, _ = HTMLExporter(template_name="lab").from_notebook_node(notebook)
    html = folder / f"{path.stem}.html"
    write_text(html, page)
    return html


def main(arguments: list[str]) -> int:
    """Check the named notebooks, or all of projects/; prints `file: problem` and returns 1 if any."""
    paths = [Path(argument) for argument in arguments] or sorted(ROOT.glob("projects/*/*.ipynb"))
    found = [(path, problem) for path in paths for problem in problems(path)]
    for path, problem in found:
        print(f"{path}: {problem}", file=sys.stderr)
    if not found:
        print(f"{len(paths)} notebook{'s' if len(paths) != 1 else ''} as they should be")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
