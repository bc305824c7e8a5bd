"""Notebooks: what a committed one must be, and how one is executed and shown as a page.

`dgm check` asks for the first and executes nothing.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import write_text
from common.json_lines import Location

MAX_BYTES = 1_000_000
MACHINE_PATH = re.compile(
    r"(?<![\w.])/(home|Users|root|tmp|mnt|scratch|workspace)/|[A-Z]:\\{1,2}Users"
)
WIDGET = "application/vnd.jupyter.widget-view+json"


class NotebookError(UserError):
    """A notebook that is missing, unreadable, or whose execution failed."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a notebook: a stable code, where in its JSON, and what."""

    code: str
    location: Location
    message: str

    def __str__(self) -> str:
        is_in_cell = len(self.location) > 1 and self.location[0] == "cells"
        return f"cell {self.location[1]}: {self.message}" if is_in_cell else self.message


def problems(path: Path) -> Iterator[str]:
    """What keeps a committed notebook from being publishable, one message a problem."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        yield "does not exist"
        return
    except UnicodeDecodeError as error:
        yield f"is not a notebook: {error!r}"
        return
    yield from map(str, faults(text))


def faults(text: str) -> Iterator[Fault]:
    """What keeps a notebook from being publishable; nothing is executed."""
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        yield Fault("json", (), f"is not a notebook: {error!r}")
        return
    broken = list(schema_faults(notebook))
    yield from broken
    if broken:
        return
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        size = f"{len(text.encode('utf-8', 'replace')):,}"
        yield Fault(
            "size", (), f"is {size} bytes, expected under {MAX_BYTES:,}: shrink its figures"
        )
    if "widgets" in notebook["metadata"]:
        message = "carries widget state: clear it (a progress bar in plain text needs none)"
        yield Fault("widgets", ("metadata", "widgets"), message)
    code = [
        (index, cell["execution_count"])
        for index, cell in enumerate(notebook["cells"])
        if cell["cell_type"] == "code" and source(cell).strip()
    ]
    for expected, (index, count) in enumerate(code, 1):
        if count != expected:
            message = "is not executed from top to bottom: restart, run all cells and save"
            yield Fault("order", ("cells", index, "execution_count"), message)
            break
    for index, cell in enumerate(notebook["cells"]):
        yield from cell_faults(cell, ("cells", index))


def schema_faults(notebook: Any) -> Iterator[Fault]:
    """Where a JSON value is not a notebook of format 4; nothing else is looked at if it is not."""
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        yield Fault("schema", (), "is not a notebook: it has no list of cells")
        return
    minor = notebook.get("nbformat_minor")
    if notebook.get("nbformat") != 4 or type(minor) is not int or minor < 0:
        found = f"{notebook.get('nbformat')!r}.{minor!r}"
        message = f"is not a notebook of format 4, but of {found[:40]}: save it with Jupyter again"
        yield Fault("schema", ("nbformat",), message)
        return
    from nbformat.validator import iter_validate

    try:
        if error := next(iter(iter_validate(notebook)), None):
            yield next(broken_cells(notebook), None) or schema_fault((), error)
    except (RecursionError, TypeError, KeyError, AttributeError):
        # nbformat stumbles over describing what is wrong with some notebooks
        yield Fault("schema", (), "is not a valid notebook: save it with Jupyter again")


def broken_cells(notebook: dict[str, Any]) -> Iterator[Fault]:
    """The first mistake of each cell that is none, with the place in the cell."""
    from nbformat.validator import iter_validate

    minor = notebook["nbformat_minor"]
    for index, cell in enumerate(notebook["cells"]):
        kind = cell.get("cell_type") if isinstance(cell, dict) else None
        if kind not in ("markdown", "code", "raw"):
            yield Fault("schema", ("cells", index), f"has no known cell_type, but {kind!r}")
            continue
        for error in iter_validate(cell, ref=f"{kind}_cell", version=4, version_minor=minor):
            yield schema_fault(("cells", index, *error.relative_path), error)
            break


def schema_fault(location: Location, error: Exception) -> Fault:
    """A complaint of the notebook format's schema."""
    message = first_line(getattr(error, "message", error))
    return Fault("schema", location, f"is not a valid notebook: {message}")


def first_line(text: object) -> str:
    """The first line of a message, at most 120 characters."""
    line = str(text).strip().split("\n")[0]
    return line if len(line) <= 120 else f"{line[:117]}..."


def cell_faults(cell: dict[str, Any], location: Location) -> Iterator[Fault]:
    """What is wrong with one cell of a valid notebook."""
    tags = cell["metadata"].get("tags", [])
    if "raises-exception" in tags:
        message = "is tagged raises-exception: a cell that fails shows nothing that can be trusted"
        place = (*location, "metadata", "tags", tags.index("raises-exception"))
        yield Fault("raises", place, message)
    count = cell.get("execution_count")
    for index, output in enumerate(cell.get("outputs", [])):
        place = (*location, "outputs", index)
        if output["output_type"] == "execute_result" and output["execution_count"] != count:
            message = f"its result is of execution {output['execution_count']}, not of {count}"
            yield Fault("order", (*place, "execution_count"), f"{message}: run all cells and save")
        if WIDGET in output.get("data", {}):
            message = "its output is a widget, which a page cannot show: print plain text"
            yield Fault("widget", (*place, "data", WIDGET), message)
        if output["output_type"] == "error":
            message = f"its output is an error: {output['ename']}: {first_line(output['evalue'])}"
            yield Fault("error", place, message)
    for name in ("source", "outputs"):
        for place, text in strings(cell.get(name, []), (*location, name)):
            if found := MACHINE_PATH.search(text):
                message = f"names a path of one machine ({found.group()}...)"
                yield Fault("machine-path", place, f"{message}: use paths of the repository")
                return


def strings(value: Any, location: Location) -> Iterator[tuple[Location, str]]:
    """Every text in a JSON value with its location, less base64 pictures, which mean nothing."""
    if isinstance(value, str):
        yield location, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from strings(item, (*location, index))
    elif isinstance(value, dict):
        for name, item in value.items():
            if not name.startswith("image/"):
                yield from strings(item, (*location, name))


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
    import zmq
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from tqdm import tqdm
    from traitlets.config import Config

    from common.notebook_page import page

    if not path.exists():
        raise NotebookError(f"{path} does not exist.")
    notebook = nbformat.read(path, as_version=4)
    bar = tqdm(
        total=len(notebook.cells), desc="notebook", unit="cell", ncols=79, leave=False, disable=None
    )
    encryption = "auto" if zmq.has("curve") else "disabled"  # else a warning about eavesdroppers
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        config=Config(KernelManager={"transport_encryption": encryption}),
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
    html = folder / f"{path.stem}.html"
    write_text(html, page(notebook, title=path.parent.name))
    return html
