"""What a committed notebook must not contain is found without executing it."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from common.notebooks import NotebookError, execute, problems


def good_notebook():
    output = new_output("stream", text="3\n")
    cells = [
        new_markdown_cell("# Title"),
        new_code_cell("print(3)", execution_count=1, outputs=[output]),
    ]
    return new_notebook(cells=cells)


def written(tmp_path, notebook):
    path = tmp_path / "demo.ipynb"
    nbformat.write(notebook, path)
    return path


def test_a_good_notebook_has_no_problem(tmp_path):
    assert list(problems(written(tmp_path, good_notebook()))) == []


def break_order(notebook):
    notebook.cells[1].execution_count = 7


def break_with_error(notebook):
    notebook.cells[1].outputs = [
        new_output("error", ename="ValueError", evalue="bad", traceback=[])
    ]


def break_with_path(notebook):
    notebook.cells[1].outputs[0].text = "saved to " + "/".join(["", "home", "someone", "x.png"])


def break_with_widgets(notebook):
    notebook.metadata["widgets"] = {"state": {}}


def break_with_size(notebook):
    notebook.cells[0].source = "x" * 1_000_001


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (break_order, "not executed from top to bottom"),
        (break_with_error, "ValueError: bad"),
        (break_with_path, "path of one machine"),
        (break_with_widgets, "widget state"),
        (break_with_size, "shrink"),
    ],
)
def test_a_damaged_notebook_is_told_apart(tmp_path, damage, told):
    notebook = good_notebook()
    damage(notebook)
    path = written(tmp_path, notebook)
    found = list(problems(path))
    assert len(found) == 1
    assert told in found[0]


def test_a_file_that_is_no_notebook_is_a_message_not_a_traceback(tmp_path):
    path = tmp_path / "demo.ipynb"
    path.write_text("not json")
    assert "is not a notebook" in next(problems(path))


def test_executing_writes_a_page_and_leaves_the_committed_file_alone(tmp_path):
    notebook = new_notebook(cells=[new_code_cell("import os; print(os.environ['DGM_PRESET'])")])
    path = written(tmp_path, notebook)
    before = path.read_bytes()
    page = execute(path, tmp_path / "out", preset="smoke")
    assert "smoke" in page.read_text(encoding="utf-8")
    assert path.read_bytes() == before


def test_the_page_is_whole_without_a_network_and_nobody_is_warned(tmp_path, capfd):
    text = "Of $x_1$, and\n\n$$\\sum_k y_k$$\n\n\\begin{equation}z^2\\end{equation}"
    notebook = new_notebook(cells=[new_markdown_cell(text), new_code_cell("3")])
    path = written(tmp_path, notebook)
    page = execute(path, tmp_path / "out", preset="smoke").read_text(encoding="utf-8")
    assert page.count("<math") == 3
    assert "<msub><mi>x</mi><mn>1</mn></msub>" in page
    assert not re.search(r"<script[^>]*\bsrc=|<link[^>]*\bhref=|\bimport\(", page)
    assert f"<title>{tmp_path.name}</title>" in page
    assert "WARNING" not in capfd.readouterr().err


def test_a_failing_cell_is_named(tmp_path):
    path = written(tmp_path, new_notebook(cells=[new_code_cell("1 / 0")]))
    with pytest.raises(NotebookError, match="ZeroDivisionError"):
        execute(path, tmp_path / "out", preset="smoke")
