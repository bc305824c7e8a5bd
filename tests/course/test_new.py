"""`dgm new` explains what it refuses, writes whole folders, and what it writes is green."""

import json
import os
import shutil
import subprocess
import sys
import tomllib

import pytest

from common.cli import main
from common.course.check import check_project
from common.course.scaffold import NewProject, check_slug, create, paper_address, suggest
from common.errors import UserError
from common.projects import FILL, ROOT, read_project

PAPER = "https://arxiv.org/abs/1509.00519"


@pytest.fixture
def root(tmp_path):
    """A tree with the template, one project and one record of a renamed project."""
    shutil.copytree(ROOT / "templates" / "project", tmp_path / "templates" / "project")
    (tmp_path / "projects" / "real_nvp").mkdir(parents=True)
    (tmp_path / "reviews").mkdir()
    (tmp_path / "reviews" / "frozen.toml").write_text(
        'schema = "frozen/1"\n[[version]]\nslug = "old_name"\nversion = "v1"\n'
        f'date = 2026-01-01\ncommit = "{"0" * 40}"\ntree = "{"1" * 40}"\n'
    )
    return tmp_path


@pytest.mark.parametrize(
    ("slug", "told"),
    [
        ("Real-NVP", "try 'real_nvp'"),
        ("2fast", "a letter first"),
        ("Öğrenme Iı", "try 'ogrenme_ii'"),
        ("", "a letter first"),
        ("a" * 41, "at most 40"),
        ("../climb", "try 'climb'"),
        ("class", "Python language"),
        ("match", "Python language"),
        ("con", "reserved"),
        ("tests", "reserved"),
        ("real_nvp", "is taken"),
        ("realnvp", "underscores only"),
        ("old_name", "is taken"),
    ],
)
def test_a_slug_that_cannot_be_is_explained(root, slug, told):
    with pytest.raises(UserError) as caught:
        check_slug(slug, root)
    assert told in str(caught.value)
    assert not (root / "projects" / "iwae").exists()


def test_suggestions_are_slugs(root):
    for text in ("VQ-VAE 2", "β-VAE", "ıĞÜŞ", "GPT2Model"):
        check_slug(suggest(text), root)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://arxiv.org/pdf/1509.00519v4.pdf", PAPER),
        ("http://arxiv.org/abs/1509.00519", PAPER),
        ("https://proceedings.mlr.press/v37/germain15.html", None),
    ],
)
def test_addresses_of_papers(address, expected):
    assert paper_address(address) == (expected or address)


@pytest.mark.parametrize("address", ["", "arxiv 1509", "ftp://a.b/c", "https://x", 'https://a.b/"'])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(UserError, match="web address"):
        paper_address(address)


def test_metadata_of_a_new_project_is_valid_whatever_the_title(root):
    project = NewProject(
        "iwae", "Öğren: 'TITLE' & [more]", PAPER, authors=("Burda, Y.", "TITLE"), group="g-07"
    )
    table = read_project(create(root, project))
    assert table.paper["authors"] == ("Burda, Y.", "TITLE")
    assert table.paper["year"] == 2015
    assert table.title == table.paper["title"] == "Öğren: 'TITLE' & [more]"
    assert table.group["key"] == "g-07"
    text = (table.folder / "project.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["group"]["members"] == ["p-00"]
    assert FILL in text


@pytest.mark.parametrize("title", ["", "two\x07bells", 'a "quoted" one', "back\\slash"])
def test_titles_that_would_break_a_file_are_refused(root, title):
    with pytest.raises(UserError, match="title"):
        create(root, NewProject("iwae", title, PAPER))
    assert sorted(path.name for path in (root / "projects").iterdir()) == ["real_nvp"]


def test_nothing_but_marked_places_is_wrong_with_a_new_project(root):
    create(root, NewProject("iwae", "Importance Weighted Autoencoders", PAPER))
    shutil.rmtree(root / "projects" / "real_nvp")
    (root / "LICENSE").write_text("MIT License")
    found = check_project(root, "iwae")
    assert {problem.level for problem in found} == {"fill"}, found
    assert {problem.path.split("/")[-1] for problem in found} == {
        "README.md",
        "demo.ipynb",
        "model.py",
        "project.toml",
        "test_iwae.py",
        "train.py",
    }


@pytest.mark.parametrize("year", [-5, 99999])
def test_a_year_that_no_paper_has_is_refused(root, year):
    with pytest.raises(UserError, match=f"--year is {year}"):
        create(root, NewProject("iwae", "T", PAPER, year=year))


def test_a_template_behind_a_link_is_not_copied(root, tmp_path):
    shutil.move(root / "templates" / "project", tmp_path / "moved")
    (root / "templates" / "project").symlink_to(tmp_path / "moved")
    with pytest.raises(UserError, match="is a link"):
        create(root, NewProject("iwae", "T", PAPER))


def test_keys_are_no_addresses(root):
    with pytest.raises(UserError, match="pseudonym"):
        create(root, NewProject("iwae", "T", PAPER, group="ada" + "@" + "example.org"))


def test_a_folder_that_appears_meanwhile_is_not_overwritten(root, monkeypatch):
    """Two people make the same project at once: the second is told, and the first loses nothing."""
    monkeypatch.setattr("common.course.scaffold.check_slug", lambda slug, root: None)
    (root / "projects" / "iwae").mkdir()
    (root / "projects" / "iwae" / "mine.py").write_text("x = 1\n")
    with pytest.raises(UserError, match="could not be made"):
        create(root, NewProject("iwae", "T", PAPER))
    assert [path.name for path in (root / "projects" / "iwae").iterdir()] == ["mine.py"]
    assert not [path for path in (root / "projects").iterdir() if path.name.startswith(".")]


def test_the_command_names_the_next_step(root, monkeypatch, capsys):
    (root / ".git").mkdir()
    monkeypatch.chdir(root)
    assert main(["new", "iwae", "--title", "T", "--paper", PAPER]) == 0
    assert "next: dgm demo iwae" in capsys.readouterr().out
    assert main(["new", "iwae", "--title", "T", "--paper", PAPER]) == 2
    assert "is taken" in capsys.readouterr().err


def test_a_new_project_is_green(tmp_path):
    """In a copy of the repository: its tests pass, its notebook runs and equals what was stored."""
    for name in ("common", "tests", "templates", "pyproject.toml"):
        source, target = ROOT / name, tmp_path / name
        ignore = shutil.ignore_patterns("__pycache__", "course", "benchmarks")
        (
            shutil.copytree(source, target, ignore=ignore)
            if source.is_dir()
            else shutil.copy(source, target)
        )
    folder = create(tmp_path, NewProject("iwae", "Importance Weighted Autoencoders", PAPER))
    stored = outputs(folder / "demo.ipynb")
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = "-m pytest -q -p no:cacheprovider --nbmake --overwrite projects/iwae"
    done = subprocess.run(
        [sys.executable, *command.split()],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert outputs(folder / "demo.ipynb") == stored


def outputs(path):
    """The texts that a notebook's cells printed and showed, pictures left aside."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [
        "".join(output.get("text") or output.get("data", {}).get("text/markdown", ""))
        for cell in cells
        for output in cell.get("outputs", [])
    ]
