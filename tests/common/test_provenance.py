"""What a result says of the code that made it."""

import subprocess

import pytest

from common.provenance import commit, commit_to_train

RESULT, READ_ME, CODE = (
    "projects/tiny/results/goal.json",
    "projects/tiny/README.md",
    "projects/tiny/model.py",
)


@pytest.fixture
def repository(tmp_path):
    def git(*arguments):
        names = ["-c", "user.name=nobody", "-c", "user.email=", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", "-C", tmp_path, *names, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q")
    for name in (RESULT, READ_ME, CODE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before\n")
    git("add", ".")
    git("commit", "-qm", "all")
    return tmp_path, git("rev-parse", "HEAD")


def test_a_clean_tree_is_its_commit(repository):
    root, head = repository
    assert commit(root) == commit_to_train(root) == head


@pytest.mark.parametrize("name", [RESULT, READ_ME])
def test_what_reproduce_wrote_is_no_change_to_the_next_training(repository, name):
    root, head = repository
    (root / name).write_text("after\n")
    assert commit(root) == f"{head}+changes"
    assert commit_to_train(root) == head


def test_changed_code_is_a_change_to_both(repository):
    root, head = repository
    (root / CODE).write_text("after\n")
    (root / RESULT).write_text("after\n")
    assert commit(root) == commit_to_train(root) == f"{head}+changes"


def test_without_a_repository_nothing_is_known(tmp_path):
    assert commit(tmp_path) == commit_to_train(tmp_path) == "unknown"
