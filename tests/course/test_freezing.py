"""Freezing records what was on main at the deadline, once, and survives what people do to git."""

import shutil
import subprocess

import pytest

from common.cli import main
from common.course.freezing import find_commit, freeze
from common.course.git import Repository
from common.course.records import FROZEN_FILE, read_frozen
from common.errors import UserError
from common.schema import SchemaError
from tests.course.repositories import at, commit, make_repository, run_git, write, write_project

AFTER_V1, AFTER_V2 = at("2027-03-02"), at("2027-03-21")


@pytest.fixture
def root(tmp_path):
    return make_repository(tmp_path / "course")


def kinds(outcomes):
    return {outcome.slug: outcome.kind for outcome in outcomes}


def test_what_was_on_main_at_the_deadline_is_frozen(root):
    on_time = Repository(root).head()
    write_project(root, "alpha", version="2")
    commit(root, "too late", "2027-03-02")
    assert kinds(freeze(root, "v1", moment=AFTER_V1)) == {"alpha": "frozen", "beta": "frozen"}
    entry = read_frozen(root).find("alpha", "v1")
    assert entry.commit == on_time
    assert entry.tree == Repository(root).tree(on_time, "projects/alpha")
    assert entry.date.isoformat() == "2027-03-01T23:59:59+00:00"
    assert Repository(root).resolve("v1/alpha") == on_time


def test_a_feature_branch_does_not_count(root):
    on_main = Repository(root).head()
    run_git(root, "switch", "-q", "-c", "mine")
    write_project(root, "alpha", version="2")
    commit(root, "not merged", "2027-02-20")
    freeze(root, "v1", moment=AFTER_V1)
    assert read_frozen(root).find("alpha", "v1").commit == on_main


def test_freezing_again_changes_nothing(root):
    freeze(root, "v1", moment=AFTER_V1)
    before = (root / FROZEN_FILE).read_bytes()
    write_project(root, "alpha", version="2")
    commit(root, "back-dated", "2027-02-28")
    assert set(kinds(freeze(root, "v1", moment=AFTER_V1)).values()) == {"kept"}
    assert (root / FROZEN_FILE).read_bytes() == before


def test_a_dry_run_writes_nothing(root):
    outcomes = freeze(root, "v1", moment=AFTER_V1, dry_run=True)
    assert kinds(outcomes) == {"alpha": "frozen", "beta": "frozen"}
    assert not (root / FROZEN_FILE).exists()
    assert Repository(root).resolve("v1/alpha") is None


def test_before_the_deadline_only_those_who_ask(root):
    with pytest.raises(UserError, match=r"deadline of v1 is 2027-03-01.*--early"):
        freeze(root, "v1", moment=at("2027-02-20"))
    with pytest.raises(UserError, match="--early needs the projects"):
        freeze(root, "v1", moment=at("2027-02-20"), early=True)
    outcomes = freeze(root, "v1", ["alpha"], early=True, moment=at("2027-02-20"))
    assert kinds(outcomes) == {"alpha": "frozen"}
    assert read_frozen(root).find("alpha", "v1").date == at("2027-02-20")
    freeze(root, "v1", moment=AFTER_V1)
    assert read_frozen(root).find("alpha", "v1").date == at("2027-02-20")


def test_what_is_not_there_is_skipped_with_the_reason(root):
    write(root / "projects" / "empty" / "README.md", "soon\n")
    commit(root, "a folder with nothing in it", "2027-02-20")
    write_project(root, "late")
    commit(root, "after the deadline", "2027-03-02")
    found = {o.slug: o.message for o in freeze(root, "v1", moment=AFTER_V1) if o.kind == "skipped"}
    assert list(found) == ["empty"]
    assert "no project.toml" in found["empty"]
    (outcome,) = freeze(root, "v1", ["late"], moment=AFTER_V1)
    assert (outcome.kind, "was not on main" in outcome.message) == ("skipped", True)


def test_version_2_needs_version_1(root):
    freeze(root, "v1", ["alpha"], moment=AFTER_V1)
    outcomes = freeze(root, "v2", moment=AFTER_V2)
    assert kinds(outcomes) == {"alpha": "frozen", "beta": "skipped"}
    assert {(v.slug, v.version) for v in read_frozen(root).version} == {
        ("alpha", "v1"),
        ("alpha", "v2"),
    }


def test_projects_of_other_semesters_stay_as_they_are(root):
    for slug, semester in (("old", "2026-fall"), ("now", "2027-spring")):
        path = write_project(root, slug) / "project.toml"
        write(path, f'semester = "{semester}"\n' + path.read_text())
    commit(root, "one of last year", "2027-02-16")
    found = {outcome.slug: outcome for outcome in freeze(root, "v1", moment=AFTER_V1)}
    assert (found["old"].kind, found["old"].message) == ("skipped", "a project of 2026-fall")
    assert found["now"].kind == "frozen"


def test_a_renamed_project_is_told_its_name(root):
    freeze(root, "v1", moment=AFTER_V1)
    shutil.move(root / "projects" / "alpha", root / "projects" / "omega")
    text = (root / "projects" / "omega" / "project.toml").read_text()
    write(root / "projects" / "omega" / "project.toml", text.replace('"alpha"', '"omega"'))
    commit(root, "a better name", "2027-03-05")
    outcomes = {o.slug: o for o in freeze(root, "v2", moment=AFTER_V2)}
    assert "was renamed to omega" in outcomes["alpha"].message
    assert "git mv projects/omega projects/alpha" in outcomes["alpha"].message
    assert outcomes["omega"].kind == "skipped"


def test_a_deleted_project_is_missed(root):
    freeze(root, "v1", moment=AFTER_V1)
    shutil.rmtree(root / "projects" / "alpha")
    commit(root, "gone", "2027-03-05")
    outcomes = {o.slug: o for o in freeze(root, "v2", moment=AFTER_V2)}
    assert "is gone from main" in outcomes["alpha"].message


def test_a_tag_that_was_forced_elsewhere_is_told_and_the_record_wins(root):
    frozen_at = Repository(root).head()
    freeze(root, "v1", moment=AFTER_V1)
    write_project(root, "alpha", version="2")
    moved = commit(root, "later", "2027-03-05")
    run_git(root, "tag", "-f", "v1/alpha", moved)
    outcomes = {o.slug: o for o in freeze(root, "v1", moment=AFTER_V1)}
    assert "the record wins" in outcomes["alpha"].warning
    assert outcomes["beta"].warning == ""
    assert read_frozen(root).find("alpha", "v1").commit == frozen_at
    assert Repository(root).resolve("v1/alpha") == moved


def test_a_missing_tag_is_set_again(root):
    freeze(root, "v1", moment=AFTER_V1)
    run_git(root, "tag", "-d", "v1/alpha")
    freeze(root, "v1", moment=AFTER_V1)
    assert Repository(root).resolve("v1/alpha") == read_frozen(root).find("alpha", "v1").commit


def test_the_tree_finds_the_version_after_a_rebase(root):
    freeze(root, "v1", moment=AFTER_V1, tags=False)
    entry = read_frozen(root).find("alpha", "v1")
    rewritten = commit(root, "said better", "2027-02-16", "--amend")
    run_git(root, "reflog", "expire", "--expire=now", "--all")
    run_git(root, "gc", "-q", "--prune=now")
    repository = Repository(root)
    assert repository.resolve(entry.commit) is None
    assert find_commit(repository, entry) == rewritten
    outcome, _ = freeze(root, "v1", moment=AFTER_V1)
    assert f"the same tree stands at {rewritten[:12]}" in outcome.warning


def test_a_dirty_tree_does_not_matter(root):
    write(root / "projects" / "alpha" / "model.py", "unfinished\n")
    freeze(root, "v1", moment=AFTER_V1)
    assert (root / "projects" / "alpha" / "model.py").read_text() == "unfinished\n"
    assert read_frozen(root).find("alpha", "v1").commit == Repository(root).head()


def test_a_shallow_clone_is_refused(root, tmp_path):
    commit(root, "one more", "2027-02-20")
    clone = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{root}", str(clone)], check=True)
    with pytest.raises(UserError, match="git fetch --unshallow"):
        freeze(clone, "v1", moment=AFTER_V1)


def test_no_commit_no_branch_no_deadline(root, tmp_path):
    with pytest.raises(UserError, match="no branch 'release'"):
        freeze(root, "v1", moment=AFTER_V1, branch="release")
    text = (root / "reviews" / "cycle.toml").read_text()
    write(root / "reviews" / "cycle.toml", text.replace("2027", "2017"))
    with pytest.raises(UserError, match="had no commit at 2017-03-01"):
        freeze(root, "v1", moment=AFTER_V1)
    empty = tmp_path / "empty"
    write(empty / "reviews" / "cycle.toml", text)
    with pytest.raises(UserError, match="no git repository"):
        freeze(empty, "v1", moment=AFTER_V1)


def test_a_conflict_in_the_record_stops_everything(root):
    freeze(root, "v1", ["alpha"], moment=AFTER_V1)
    text = f"<<<<<<< HEAD\n{(root / FROZEN_FILE).read_text()}=======\n>>>>>>> theirs\n"
    write(root / FROZEN_FILE, text)
    with pytest.raises(SchemaError, match="line 1: not valid TOML"):
        freeze(root, "v1", moment=AFTER_V1)
    assert (root / FROZEN_FILE).read_text() == text


def test_the_command_says_what_became_of_each_and_the_next_step(root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    text = (root / "reviews" / "cycle.toml").read_text()
    write(root / "reviews" / "cycle.toml", text.replace("2027", "2026"))
    commit(root, "the semester of last year", "2026-02-20")
    assert main(["freeze", "v1"]) == 0
    out = capsys.readouterr().out
    assert "frozen  alpha" in out
    assert "next: commit reviews/frozen.toml" in out
    assert main(["freeze", "v1"]) == 0
    assert "nothing new was frozen" in capsys.readouterr().out
