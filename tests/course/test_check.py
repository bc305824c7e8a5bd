"""`dgm check` over a tree: which projects, exit status, formats, git, frozen goals, speed."""

import json
import os
import subprocess
import sys
import time

import pytest

from common.cli import main
from common.course.check import check_project, check_tree
from common.course.git import Repository
from common.course.problems import failing
from common.projects import ROOT
from tests.course.tiny_project import make_project


def git(root, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t" + "@" + "example.org"]
    command = ["git", "-C", str(root), *identity, *arguments]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository with the tiny project, committed, as the current folder."""
    make_project(tmp_path)
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path, "first")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commit(root, message):
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", message)


def edit(root, name, old, new):
    path = root / "projects" / "tiny" / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def codes(problems):
    return {problem.code for problem in problems}


def test_a_good_project_passes_and_the_command_says_what_is_next(root, capsys):
    assert main(["check"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "1 project: 0 errors, 0 warnings"
    assert shown[-1].startswith("next: ")


def test_an_error_is_status_1_with_its_place_and_its_code(root, capsys):
    edit(root, "project.toml", "year = 2020", "year = 20")
    assert main(["check", "tiny"]) == 1
    shown = capsys.readouterr().out
    assert "error: projects/tiny/project.toml:13: " in shown
    assert "[metadata.paper]" in shown
    assert "1 project: 1 error, 0 warnings" in shown


def test_a_place_to_fill_fails_only_where_the_check_is_strict(root, capsys):
    edit(root, "project.toml", "A coin for every pixel.", "FILL-IN: the idea")
    assert main(["check"]) == 0
    assert "1 place to fill" in capsys.readouterr().out
    assert main(["check", "--strict"]) == 1
    assert "next: fill in what is marked" in capsys.readouterr().out
    assert main(["check", "--strict", "--format", "github"]) == 1
    assert "::error file=projects/tiny/project.toml,line=4," in capsys.readouterr().out


def test_the_form_of_a_line_that_is_to_be_filled_is_not_complained_of(root):
    edit(root, "project.toml", "year = 2020", "year = 0 # FILL-IN: the year")
    assert [p.level for p in check_tree(root)] == ["fill"]


def test_an_unknown_project_is_status_2_with_the_nearest(root, capsys):
    assert main(["check", "tini"]) == 2
    assert "did you mean 'tiny'?" in capsys.readouterr().err


def test_json_is_a_list_and_nothing_else(root, capsys):
    edit(root, "project.toml", "year = 2020", "year = 20")
    assert main(["check", "--json"]) == 1
    (problem,) = json.loads(capsys.readouterr().out)
    assert (problem["code"], problem["line"]) == ("metadata.paper", 13)


def test_a_file_that_was_deleted_but_is_tracked_is_missing(root):
    (root / "projects" / "tiny" / "README.md").unlink()
    assert "readme.missing" in codes(check_tree(root))


def test_a_file_that_git_ignores_is_no_file_of_the_project(root):
    (root / ".gitignore").write_text("*.png\n")
    git(root, "rm", "-q", "--cached", "projects/tiny/figures/samples.png")
    (problem,) = check_tree(root)
    assert problem.code == "readme.picture"
    assert "git ignores" in problem.message


def test_a_tree_without_git_is_walked(tmp_path):
    make_project(tmp_path)
    assert check_project(tmp_path, "tiny") == []
    (tmp_path / "projects" / "tiny" / "demo.ipynb").unlink()
    assert codes(check_project(tmp_path, "tiny")) == {"notebook.missing"}


def test_the_courses_own_records_are_checked_too(root):
    (root / "reviews" / "cycle.toml").write_text('schema = "cycle/1"\n')
    found = check_tree(root)
    assert codes(found) == {"records.schema"}
    assert {problem.path for problem in found} == {"reviews/cycle.toml"}


def freeze(root):
    head = Repository(root).head()
    tree = Repository(root).tree(head, "projects/tiny")
    record = f"""schema = "frozen/1"
[[version]]
slug = "tiny"
version = "v1"
date = 2026-11-01T00:00:00Z
commit = "{head}"
tree = "{tree}"
"""
    (root / "reviews" / "frozen.toml").write_text(record)
    commit(root, "freeze")


def rename_the_goal(root):
    for name in ("project.toml", "README.md", "demo.ipynb"):
        edit(root, name, "coins", "coin")
    results = root / "projects" / "tiny" / "results"
    (results / "coins.json").unlink()


def test_a_goal_of_version_1_must_not_vanish(root):
    freeze(root)
    assert check_tree(root) == []
    rename_the_goal(root)
    (problem,) = [p for p in check_tree(root) if p.code.startswith("metadata.")]
    assert (problem.code, problem.level, problem.line) == ("metadata.goal-vanished", "error", 20)
    assert "'coins'" in problem.message


def test_the_goals_of_version_1_are_found_after_history_was_rewritten(root):
    freeze(root)
    git(root, "commit", "-q", "--amend", "-m", "again")
    record = root / "reviews" / "frozen.toml"
    head = Repository(root).resolve("HEAD~1")
    record.write_text(record.read_text().replace(head, "0" * 40))
    rename_the_goal(root)
    assert "metadata.goal-vanished" in codes(check_tree(root))


def test_a_withdrawn_goal_has_not_vanished(root):
    freeze(root)
    edit(root, "project.toml", "target = 91.0", 'target = 91.0\nwithdrawn = "no time"')
    found = check_tree(root)
    assert not {code for code in codes(found) if code.startswith("metadata.")}


def test_a_goal_that_moved_since_version_1_is_told(root):
    freeze(root)
    edit(root, "project.toml", "target = 91.0", "target = 95.0")
    (problem,) = [p for p in check_tree(root) if p.code == "metadata.goal-changed"]
    assert problem.level == "warning"
    assert "91.0" in problem.message
    assert "95.0" in problem.message


def test_a_version_1_that_is_not_in_the_clone_is_told_and_a_published_tree_is_silent(root):
    freeze(root)
    record = root / "reviews" / "frozen.toml"
    tree = Repository(root).tree("HEAD", "projects/tiny")
    text = record.read_text().replace(Repository(root).resolve("HEAD~1"), "0" * 40)
    record.write_text(text.replace(tree, "1" * 40))
    assert codes(check_tree(root)) == {"metadata.frozen"}
    (root / "reviews" / "published.toml").write_text('schema = "published/1"\n')
    assert check_tree(root) == []


def stale(root):
    return [problem for problem in check_tree(root) if problem.code == "freshness.notebook"]


def test_a_notebook_that_is_older_than_the_code_is_told(root):
    edit(root, "model.py", "784", "785")
    assert "model.py" in stale(root)[0].message
    commit(root, "code alone")
    assert "model.py" in stale(root)[0].message
    edit(root, "demo.ipynb", "Many.", "Few.")
    assert stale(root) == []
    commit(root, "notebook after it")
    assert stale(root) == []


def test_history_that_was_cut_off_says_nothing(root, tmp_path):
    edit(root, "model.py", "784", "785")
    commit(root, "code alone")
    clone = tmp_path / "clone"
    git(root, "clone", "-q", "--depth", "1", root.as_uri(), str(clone))
    assert stale(clone) == []


def test_black_and_ruff_are_asked(root):
    edit(root, "model.py", "NUM_COINS = 784", "import os\nNUM_COINS  =  784")
    found = check_tree(root, style=True)
    assert {"style.format", "style.lint"} <= codes(found)
    (lint,) = [problem for problem in found if "(F401)" in problem.message]
    assert (lint.path, lint.line) == ("projects/tiny/model.py", 3)


def test_a_complaint_about_a_notebook_is_on_the_line_of_its_file(root):
    edit(root, "demo.ipynb", "NUM_COINS * 2", "nothing_of_that_name")
    (problem,) = [p for p in check_tree(root, style=True) if p.code == "style.lint"]
    lines = (root / problem.path).read_text(encoding="utf-8").split("\n")
    assert "nothing_of_that_name" in lines[problem.line - 1]
    assert problem.message.startswith("cell 8: ")


def test_the_projects_of_this_repository_pass():
    assert failing(check_tree(ROOT)) == []


def test_checking_needs_no_torch_and_takes_seconds():
    code = (
        "import sys; from common.cli import main; main(['check', '--json']);"
        "sys.exit(sum(name in sys.modules for name in ('torch', 'matplotlib', 'projects')))"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
    seconds = time.perf_counter() - start
    assert done.returncode == 0, done.stderr.decode()
    assert seconds < 10, f"{seconds:.1f} s, expected about one"  # on machines that others share


def test_a_folder_that_is_no_project_is_said_to_be_none(root):
    (root / "projects" / "notes").mkdir()
    (root / "projects" / "notes" / "a.txt").write_text("x\n")
    assert {p.path for p in check_tree(root) if p.code == "metadata.missing"} == {
        "projects/notes/project.toml"
    }


def test_a_name_that_is_not_utf8_is_told_and_can_be_printed(root, capsys):
    (root / "projects" / "tiny" / os.fsdecode(b"\xfc.md")).write_text("a\n")
    assert main(["check"]) == 1
    assert "projects/tiny/\\xfc.md: the name is not UTF-8" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["big.py", "big.md", "README.md", "model.py"])
def test_a_huge_file_is_told_by_its_size_and_read_by_no_rule(root, name):
    with (root / "projects" / "tiny" / name).open("ab") as file:
        file.truncate(200 * 2**20)  # sparse: takes no room
    found = [p for p in check_tree(root, style=True) if p.path.endswith(f"/{name}")]
    assert codes(found) == {"layout.size"}


def test_a_project_or_the_folder_of_projects_that_is_a_link_is_told(root, tmp_path):
    (root / "projects" / "other").symlink_to("tiny", target_is_directory=True)
    links = [(p.path, p.code) for p in check_tree(root)]
    assert ("projects/other", "layout.link") in links
    (root / "projects" / "other").unlink()
    (root / "projects").rename(root / "elsewhere")
    (root / "projects").symlink_to("elsewhere", target_is_directory=True)
    links = [(p.path, p.code) for p in check_tree(root)]
    assert ("projects", "layout.link") in links


def test_without_projects_the_next_step_is_to_begin_one(tmp_path, monkeypatch, capsys):
    git(tmp_path, "init", "-q", "-b", "main")
    monkeypatch.setattr("common.course.git.course_root", lambda: tmp_path)
    assert main(["check"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("next: dgm new")
