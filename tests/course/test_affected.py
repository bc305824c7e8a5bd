"""A change selects what it touches and nothing else, whatever its paths are called."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from common.cli import main
from common.course.selecting.affected import affected
from common.course.selecting.imports import imported, imported_by_notebook, parsed_names
from common.errors import UserError
from common.projects import ROOT
from tests.course.repositories import commit, make_repository, run_git, write

FILES = {
    "common/__init__.py": "",
    "common/data/__init__.py": "from common.data.load import load\n",
    "common/data/load.py": "def load():\n    from common.data import shapes\n",
    "common/data/shapes.py": "x = 1\n",
    "common/data/rare.py": "x = 1\n",
    "common/figures/__init__.py": "",
    "common/figures/plane.py": "x = 1\n",
    "common/features/__init__.py": "",
    "common/features/net.safetensors": "weights",
    "common/course/check.py": "from common.course.checks import rules\n",
    "common/course/checks/__init__.py": "",
    "common/course/checks/rules.py": "x = 1\n",
    "common/commands/__init__.py": "",
    "common/commands/train.py": "from common.data import load\n",
    "common/cli.py": 'import_module(f"common.commands.{name}")\n',
    "tests/laws/__init__.py": "from tests.laws.flow import Flow\n",
    "tests/laws/flow.py": "Flow = 1\n",
    "tests/common/test_data.py": "from common.data import load\n",
    "tests/common/test_cli.py": "from common.cli import main\n",
    "tests/common/test_alone.py": "import os\n",
    "tests/course/test_guides.py": "import os\n",
    "pyproject.toml": "",
    "README.md": "",
    "reviews/alpha/r-01.md": "a review",
    "reviews/beta/r-01.md": "a review",
    # alpha <- beta <- gamma by builds_on and by import; delta alone
    "projects/alpha/train.py": "from common.data import load\n",
    "projects/beta/train.py": "from common.data.rare import x\nfrom projects.alpha import model\n",
    "projects/gamma/model.py": "import torch\n",
    "projects/delta/test_delta.py": "from tests import laws\n",
    "projects/delta/model.py": '"""Not projects.alpha, and not common.data either."""\n',
    "projects/delta/demo.ipynb": json.dumps(
        {
            "cells": [
                {"cell_type": "markdown", "source": "import common.data"},
                {
                    "cell_type": "code",
                    "source": ["%matplotlib inline\n", "from common.figures import plane\n"],
                },
            ]
        }
    ),
}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The repository before any change; branches are made of it."""
    root = make_repository(tmp_path_factory.mktemp("course"), ["alpha", "beta", "gamma", "delta"])
    for path, text in FILES.items():
        write(root / path, text)
    table = root / "projects/gamma/project.toml"
    write(table, 'builds_on = [\n  "beta",  # and so alpha\n]\n' + table.read_text())
    commit(root, "the rest")
    return root


def after(course: Path, *changes, **options):
    """What is affected after changes: a path to append to, `-path` to remove, or a function."""
    run_git(course, "checkout", "-q", "-B", "change", "main")
    for change in changes:
        if callable(change):
            change(course)
        elif change.startswith("-"):
            (course / change[1:]).unlink()
        else:
            path = course / change
            write(path, (path.read_text() if path.exists() else "") + "\n# changed\n")
    commit(course, "a change")
    return affected(course, "main", **options)


@pytest.mark.parametrize(
    ("path", "projects"),
    [
        ("projects/delta/model.py", ["delta"]),
        ("projects/gamma/README.md", ["gamma"]),
        ("projects/beta/figures/a.png", ["beta", "gamma"]),
        ("projects/alpha/model.py", ["alpha", "beta", "gamma"]),
        ("common/data/shapes.py", ["alpha", "beta", "gamma"]),  # through load, inside a function
        ("common/data/rare.py", ["beta", "gamma"]),
        ("-common/data/rare.py", ["beta", "gamma"]),
        ("common/figures/plane.py", ["delta"]),  # by a notebook
        ("common/figures/style.mplstyle", ["delta"]),  # lies beside the module
        ("common/features/net.safetensors", []),
        ("tests/laws/flow.py", ["delta"]),
        ("common/course/checks/rules.py", []),
        ("common/new.py", []),
        ("README.md", []),
        ("docs/a/b.md", []),
        ("tests/common/test_alone.py", []),
        ("reviews/alpha/r-01.md", []),
        *((path, ["alpha", "beta", "delta", "gamma"]) for path in (
            *("pyproject.toml", "constraints.txt", "Makefile", ".ci/run", ".gitattributes"),
            *(".github/workflows/a.yml", "unheard/of", "common/__init__.py"),
        )),
    ],
)  # fmt: skip
def test_projects_are_those_that_a_path_touches(course, path, projects):
    assert after(course, path).projects == projects


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("common/data/shapes.py", ["common/test_cli.py", "common/test_data.py"]),
        ("tests/common/test_alone.py", ["common/test_alone.py"]),
        ("README.md", ["course/test_guides.py"]),
        ("projects/delta/model.py", []),
    ],
)
def test_tests_are_those_that_import_what_changed(course, path, names):
    assert after(course, path).tests == [f"tests/{name}" for name in names]


def test_the_checker_and_the_records_have_all_checked_and_nothing_trained(course):
    everyone = ["alpha", "beta", "delta", "gamma"]
    for path in ("common/course/checks/rules.py", "reviews/cycle.toml", "templates/a"):
        found = after(course, path)
        assert (found.check, found.projects) == (everyone, [])
    assert after(course, "reviews/cycle.toml").reviews == ["alpha", "beta"]
    assert after(course, "reviews/beta/r-01.md").reviews == ["beta"]
    assert after(course, "projects/alpha/project.toml").reviews == ["alpha"]


def test_reasons_name_the_way(course):
    found = after(course, "common/data/shapes.py")
    assert found.why["alpha"] == "imports common.data -> common.data.load -> common.data.shapes"
    assert found.why["gamma"] == "builds on beta"
    assert after(course, "Makefile").everything == "Makefile"


def test_a_renamed_and_a_deleted_project_are_gone_and_their_users_affected(course):
    def rename(root):
        run_git(root, "mv", "projects/alpha", "projects/omega")

    found = after(course, rename)
    assert (found.projects, found.gone) == (["beta", "gamma", "omega"], ["alpha"])
    found = after(course, lambda root: run_git(root, "rm", "-rq", "projects/delta"))
    assert (found.projects, found.gone) == ([], ["delta"])


def test_strange_names_are_names(course, capsys, monkeypatch):
    names = ["a b", "öğrenci", "with\nline\n::error::forged", 'quo"te', "\udcff"]
    for name in names:
        found = after(
            course, lambda root, n=name: write(root / f"projects/{n}/project.toml", "x = 1\n")
        )
        assert found.projects == [name]
        monkeypatch.chdir(course)
        assert main(["affected", "--base", "main"]) == 0
        told = capsys.readouterr().out
        assert not any(line.lstrip().startswith("::") for line in told.split("\n"))
        assert main(["affected", "--base", "main", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["projects"] == [name]


def test_links_and_submodules_are_seen_and_not_followed(course):
    def link(root):
        os.symlink("../alpha/model.py", root / "projects/delta/borrowed.py")

    found = after(course, link)
    assert found.projects == ["delta"]
    run_git(course, "branch", "-f", "linked", "change")
    run_git(course, "checkout", "-q", "linked")
    write(course / "projects/alpha/model.py", "x = 2\n")
    commit(course, "what the link leads to")
    assert affected(course, "change", "linked").projects == ["alpha", "beta", "delta", "gamma"]

    def submodule(root):
        head = run_git(root, "rev-parse", "HEAD").strip()
        modules = '[submodule "x"]\n\tpath = projects/gamma/sub\n\turl = ./x\n\tignore = all\n'
        write(root / ".gitmodules", modules)
        run_git(root, "config", "submodule.x.ignore", "all")
        run_git(root, "update-index", "--add", "--cacheinfo", f"160000,{head},projects/gamma/sub")

    assert "gamma" in after(course, submodule).projects
    run_git(course, "config", "--unset", "submodule.x.ignore")


def test_only_what_the_branch_brings_counts_not_what_the_base_got_meanwhile(course):
    after(course, "projects/delta/model.py")
    run_git(course, "checkout", "-q", "-B", "later", "main")
    write(course / "pyproject.toml", "# newer\n")
    commit(course, "main goes on")
    assert affected(course, "later", "change").projects == ["delta"]
    run_git(course, "checkout", "-q", "change")
    run_git(course, "merge", "-q", "--no-edit", "later")
    assert affected(course, "later", "change").projects == ["delta"]
    assert affected(course, "change", "change").projects == []


def test_bad_input_says_what_to_do(course, tmp_path, capsys, monkeypatch):
    with pytest.raises(UserError, match="there is no commit 'nothing' here; fetch it"):
        affected(course, "nothing")
    with pytest.raises(UserError, match="there is no commit '--all'"):
        affected(course, "--all")
    with pytest.raises(UserError, match="is no git repository"):
        affected(tmp_path, "main")
    run_git(course, "checkout", "-q", "--orphan", "stranger")
    commit(course, "no common past")
    with pytest.raises(UserError, match="no commit in common"):
        affected(course, "main", "stranger")
    run_git(course, "checkout", "-q", "main")
    after(course, "README.md")
    shallow = tmp_path / "shallow"
    run_git(tmp_path, "clone", "-q", "--depth", "1", "--no-single-branch", course.as_uri(), shallow)
    with pytest.raises(UserError, match="fetch --unshallow"):
        affected(shallow, "origin/main", "origin/change")
    monkeypatch.chdir(course)
    assert main(["affected", "--base", "nothing"]) == 2
    assert capsys.readouterr().err.startswith("dgm affected: there is no commit 'nothing'")


def test_the_command_names_the_next_step(course, capsys, monkeypatch):
    monkeypatch.chdir(course)
    for path, told in [
        ("projects/delta/model.py", "next: python -m pytest projects/delta"),
        ("common/new.py", "next: nothing has to be run"),
        ("reviews/beta/r-01.md", "next: dgm review check beta"),
        ("Makefile", "next: make lint test"),
    ]:
        after(course, path)
        assert main(["affected", "--base", "main"]) == 0
        assert capsys.readouterr().out.endswith(f"{told}\n")


# --- imports by their form -----------------------------------------------------------------------

SOURCES = [
    "import common.data as d, os, projects.made\n",
    "from common.data import (  # why\n    a as b,\n    c,  # and\n)\n",
    "from common import data; import tests.laws\n",
    "if True: import common.data\n",
    "from common \\\n    import data\n",
    "import os; from common.x import y",
    "from . import model\nfrom .model import VAE\nfrom .. import other\n",
    "import importlib\nimportlib.import_module('common.data')\n__import__('tests')\n",
    'importlib.import_module(f"common.commands.{name}")\n',
    "def f():\n\tfrom common.a import b\n",
    "class A:\r\n    from common.a import b\r\nimport common.c\r\n",
    "import ｃommon.data\n",
    "from common.a import *\n",
    "import commonplace, testsuite\nfrom projectsx import y\n",
    "import common.data\x0cimport common.other\n",
    "try:import common.a\nexcept ImportError:import common.b\n",
    "# -*- coding: latin-1 -*-\nimport common.a\n",
    "this is no python import common.a (\n",
    "",
]


@pytest.mark.parametrize("source", SOURCES)
def test_the_quick_reader_finds_what_the_parser_finds(source):
    data = source.encode()
    assert imported(data, "projects/a/b.py") >= set(parsed_names(data, "projects/a/b.py"))


def test_the_quick_reader_agrees_with_the_parser_on_every_file_of_ours():
    listed = subprocess.check_output(["git", "-C", ROOT, "ls-files", "-z", "*.py"], text=True)
    found, extra = 0, []
    for path in listed.split("\0")[:-1]:
        if (ROOT / path).exists():
            data = (ROOT / path).read_bytes()
            exact = set(parsed_names(data, path))
            assert imported(data, path) >= exact, path
            extra += [path] if imported(data, path) > exact else []
            found += len(exact)
    assert found > 500
    assert len(extra) <= 3  # an import shown in a docstring or in a text


def test_relative_imports_and_names_are_resolved():
    assert imported(b"from ..b import c\n", "projects/a/d.py") == {"projects.b", "projects.b.c"}
    assert imported(b"import common.a as x # common.b\n", "a.py") == {"common.a"}
    assert imported(b"import commonplace\n", "a.py") == frozenset()


@pytest.mark.parametrize("data", [b"", b"[]", b'{"cells": [1]}', b"[" * 100_000, b"\xff"])
def test_a_broken_notebook_imports_nothing(data):
    assert imported_by_notebook(data, "a.ipynb") == frozenset()
