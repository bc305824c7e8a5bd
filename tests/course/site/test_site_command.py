"""`dgm site`: bad input and a missing library are told in a line, laws are run and recorded."""

import sys

import pytest

from common.cli import main
from common.course.site.laws.record import RECORD, read_record
from tests.course.repositories import make_repository, write


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository of one project, whose test takes up the one law there is."""
    root = make_repository(tmp_path / "course", ["alpha"])
    write(root / "tests/laws/__init__.py", "from tests.laws.one import One\n")
    write(root / "tests/laws/one.py", "class One:\n    def test_it_is_one(self):\n        pass\n")
    test = "from tests import laws\n\n\nclass TestAlpha(laws.One):\n    pass\n"
    write(root / "projects/alpha/test_alpha.py", test)
    write(root / "pyproject.toml", '[tool.pytest.ini_options]\npythonpath = ["."]\n')
    monkeypatch.chdir(root)
    return root


def test_laws_are_run_and_recorded(root, capfd):
    assert main(["site", "laws"]) == 0
    assert "alpha: 1 test passed" in capfd.readouterr().out
    assert read_record(root).projects["alpha"].outcomes == {"TestAlpha.test_it_is_one": "passed"}
    assert main(["site", "laws", "alpha"]) == 0
    assert "alpha: 1 test passed, as before" in capfd.readouterr().out


def test_bad_input_is_told_in_a_line(root, capsys):
    assert main(["site", "laws", "alhpa"]) == 2
    assert "did you mean 'alpha'?" in capsys.readouterr().err
    write(root / RECORD, "{")
    assert main(["site", "laws"]) == 2
    assert "delete it and run `dgm site laws`" in capsys.readouterr().err


def test_a_missing_library_is_told_with_what_installs_it(root, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("common.course.site")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "griffe", None)
    assert main(["site", "build"]) == 2
    assert "griffe is not installed" in (told := capsys.readouterr().err)
    assert "pip install -e '.[site]'" in told
