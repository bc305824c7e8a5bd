"""`dgm check --fix` mends the mechanical, once, and leaves prose and links alone."""

import json

import pytest

from common.cli import main
from common.course.check import check_project, check_tree
from common.course.checks.fix import fix_project
from tests.course.tiny_project import make_project, write_json


@pytest.fixture
def folder(tmp_path):
    return make_project(tmp_path)


def fix(folder):
    return list(fix_project(folder.parents[1], folder.name))


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def damage(folder):
    notebook = json.loads((folder / "demo.ipynb").read_text(encoding="utf-8"))
    notebook["metadata"]["widgets"] = {"state": {}}
    notebook["metadata"]["language_info"]["version"] = "3.13.0"
    notebook["metadata"]["kernelspec"] = {"display_name": "my env", "name": "my-env"}
    notebook["cells"][2]["metadata"]["execution"] = {"iopub.status.idle": "now"}
    notebook["cells"][6]["metadata"]["executionInfo"] = {"user": {"displayName": "somebody"}}
    notebook["cells"][2]["source"] = ["from projects.tiny.model import (NUM_COINS)"]
    write_json(folder / "demo.ipynb", notebook)
    code = '"""The model."""\nimport sys\nimport os\nNUM_COINS  =  784\nprint(os, sys)\n'
    (folder / "model.py").write_bytes(b"\xef\xbb\xbf" + code.replace("\n", "\r\n").encode())
    text = (folder / "README.md").read_text(encoding="utf-8")
    text = text.replace("90.442 ±", "80.442 ±").replace("None.", "Nne,   we thinck .")
    (folder / "README.md").write_text(text, encoding="utf-8")


def test_everything_mechanical_is_mended_and_prose_stays(folder):
    damage(folder)
    done = fix(folder)
    assert len(done) == 5
    left = [p for p in check_project(folder.parents[1], "tiny") if p.code != "freshness.code"]
    assert left == []
    assert "90.442 ±" in (folder / "README.md").read_text(encoding="utf-8")
    assert "Nne,   we thinck ." in (folder / "README.md").read_text(encoding="utf-8")
    data = (folder / "model.py").read_bytes()
    assert data == (
        b'"""The model."""\n\nimport os\nimport sys\n\nNUM_COINS = 784\nprint(os, sys)\n'
    )
    notebook = json.loads((folder / "demo.ipynb").read_text(encoding="utf-8"))
    assert "".join(notebook["cells"][2]["source"]) == "from projects.tiny.model import NUM_COINS"


def test_code_in_another_declared_encoding_keeps_it(folder):
    text = "# -*- coding: latin-1 -*-\nNAME  =  'é'\n"
    (folder / "old.py").write_bytes(text.encode("latin-1"))
    fix(folder)
    assert (folder / "old.py").read_bytes().decode("latin-1").endswith('\nNAME = "é"\n')


def test_mending_twice_changes_nothing_more(folder):
    damage(folder)
    fix(folder)
    before = snapshot(folder)
    assert fix(folder) == []
    assert snapshot(folder) == before


def test_a_good_project_is_not_touched(folder):
    before = snapshot(folder)
    assert fix(folder) == []
    assert snapshot(folder) == before


def test_what_cannot_be_read_is_left_as_it_is(folder):
    (folder / "model.py").write_text("def broken(:\n")
    (folder / "demo.ipynb").write_text("{")
    (folder / "project.toml").write_text("[")
    (folder / "results" / "coins.json").write_text("[]")
    before = snapshot(folder)
    fix(folder)
    assert snapshot(folder) == before


def test_links_out_of_the_project_are_not_followed(folder, tmp_path):
    outside = tmp_path / "outside.py"
    outside.write_text("x  =  1\n")
    (folder / "linked.py").symlink_to(outside)
    fix(folder)
    assert outside.read_text() == "x  =  1\n"


def test_a_damaged_result_keeps_the_table_as_it_is(folder):
    (folder / "results" / "coins.json").write_text("{}")
    before = (folder / "README.md").read_text(encoding="utf-8")
    fix(folder)
    assert (folder / "README.md").read_text(encoding="utf-8") == before


def test_the_command_says_what_it_changed_and_checks_again(folder, monkeypatch, capsys):
    root = folder.parents[1]
    (root / ".git").mkdir()
    monkeypatch.chdir(root)
    damage(folder)
    assert main(["check", "--fix"]) == 0
    shown = capsys.readouterr().out
    assert "fixed: projects/tiny/README.md: results table" in shown
    assert "claims.table" not in shown
    assert main(["check", "tiny", "--fix"]) == 0
    assert "nothing to fix" in capsys.readouterr().out
    assert check_tree(root) != []
