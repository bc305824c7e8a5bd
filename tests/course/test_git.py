"""What the course asks of git, in a repository with odd names, a rebase and a shallow clone."""

import os
import subprocess
from datetime import UTC, datetime

import pytest

from common.course import git
from common.course.git import GitError, GitMissing, Repository, course_root

IDENTITY = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t",
}


def commit(root, message, day, *arguments):
    """Commit everything on a day of January 2026; returns the hash."""
    date = f"2026-01-{day:02}T12:00:00+00:00"
    environment = os.environ | IDENTITY | {"GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date}
    run = ["git", "-C", str(root)]
    subprocess.run([*run, "add", "-A"], check=True, env=environment)
    subprocess.run(
        [*run, "commit", "-q", "--allow-empty", "-m", message, *arguments],
        check=True,
        env=environment,
    )
    return Repository(root).head()


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repo"
    folder = root / "projects" / "made"
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "-b", "main", str(root)], check=True)
    (root / ".gitignore").write_text("private/\n")
    (folder / "model.py").write_text("a = 1\n")
    (folder / "ölçüm ı.md").write_text("ğ\n", encoding="utf-8")
    commit(root, "one", 1)
    (folder / "model.py").write_text("a = 2\n")
    commit(root, "two", 3)
    return Repository(root)


def test_the_commit_at_a_moment(repository):
    second = repository.head()
    first = repository.resolve("HEAD~1")
    moment = datetime(2026, 1, 3, 12, 0, 0, tzinfo=UTC)
    assert repository.commit_at(moment, "main") == second
    assert repository.commit_at(moment.replace(hour=11), "main") == first
    assert repository.commit_at(datetime(2025, 1, 1, tzinfo=UTC), "main") is None


def test_files_and_folders_at_a_commit(repository):
    first = repository.resolve("HEAD~1")
    assert repository.files(first, "projects") == [
        "projects/made/model.py",
        "projects/made/ölçüm ı.md",
    ]
    assert repository.read(first, "projects/made/model.py") == b"a = 1\n"
    assert repository.read(first, "projects/none.py") is None
    assert repository.trees(first, "projects") == {"made": repository.tree(first, "projects/made")}
    assert repository.trees(first, "none") == {}
    assert repository.changed_files("HEAD") == ["projects/made/model.py"]
    assert repository.is_ancestor(first, "HEAD")
    assert not repository.is_ancestor("HEAD", first)


def test_the_tree_finds_a_version_after_history_was_rewritten(repository):
    tree = repository.tree("HEAD", "projects/made")
    old = repository.head()
    rewritten = commit(repository.root, "two, said better", 4, "--amend")
    assert rewritten != old
    repository.run("reflog", "expire", "--expire=now", "--all")
    assert repository.commit_of_tree("projects/made", tree) == rewritten
    assert repository.commit_of_tree("projects/made", "0" * 40) is None


def test_an_export_is_the_folder_as_it_was(repository, tmp_path):
    (repository.root / "projects" / "made" / "way_out").symlink_to("/etc/hostname")
    commit(repository.root, "a link out of the tree", 5)
    first = repository.resolve("HEAD~2")
    repository.export(first, "projects/made", tmp_path / "v1")
    assert (tmp_path / "v1/projects/made/model.py").read_text() == "a = 1\n"
    left_out = repository.export("HEAD", "projects/made", tmp_path / "v2")
    assert left_out == ["projects/made/way_out"]
    assert not (tmp_path / "v2/projects/made/way_out").is_symlink()
    assert (tmp_path / "v2/projects/made/model.py").exists()


def test_a_tag_never_moves(repository):
    first = repository.resolve("HEAD~1")
    assert repository.tag("v1/made", first)
    assert repository.tag("v1/made", first)
    assert not repository.tag("v1/made", repository.head())
    assert repository.resolve("v1/made") == first


def test_work_tree_questions(repository):
    assert not repository.is_dirty()
    (repository.root / "projects" / "new file.py").write_text("")
    (repository.root / "private").mkdir()
    (repository.root / "private" / "grades.toml").write_text("")
    assert repository.is_dirty()
    assert not repository.is_dirty("projects/made")
    assert "projects/new file.py" in repository.work_files()
    assert "private/grades.toml" not in repository.work_files()
    assert repository.is_ignored(repository.root / "private" / "grades.toml")


def test_a_shallow_clone_knows_that_it_is_one(repository, tmp_path):
    address = f"file://{repository.root}"
    subprocess.run(["git", "clone", "-q", "--depth=1", address, str(tmp_path / "s")], check=True)
    assert Repository(tmp_path / "s").is_shallow()
    assert not repository.is_shallow()
    assert Repository(tmp_path / "s").main_branch() == "origin/main"
    assert Repository(tmp_path / "s").resolve("HEAD~1") is None


def test_errors_say_what_git_said(tmp_path):
    with pytest.raises(GitError, match=r"git log failed.*not a git repository"):
        Repository(tmp_path).git("log")
    with pytest.raises(GitError, match="no git repository"):
        Repository(tmp_path).head()


def test_without_git_the_message_says_so(repository, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitMissing, match="git is not installed"):
        repository.resolve("HEAD")


def test_commands_work_on_the_repository_around_them(repository, monkeypatch, tmp_path):
    monkeypatch.chdir(repository.root / "projects" / "made")
    assert course_root() == repository.root
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert (course_root() / "common" / "course" / "git.py").exists()


@pytest.mark.parametrize("many", [1, 3, git.MANY])
def test_many_files_are_read_together(repository, many, monkeypatch):
    monkeypatch.setattr(git, "MANY", many)  # from which two processes share the work
    head = repository.head()
    paths = repository.files(head)
    names = [f"{head}:{path}" for path in paths]
    wanted = [repository.read(head, path) for path in paths]
    assert None not in wanted
    assert repository.read_all([*names, f"{head}:no such file", f"{head}:projects", names[0]]) == [
        *wanted,
        None,
        None,
        wanted[0],
    ]
    assert repository.read_all([]) == []
