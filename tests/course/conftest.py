"""Fixtures of the tests of reviews: small repositories, built once and copied."""

import shutil

import pytest

from tests.course.review_trees import Tree, build, good_review


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    """The repository as built, once."""
    root = tmp_path_factory.mktemp("reviews") / "course"
    root.mkdir()
    build(root)
    return root


@pytest.fixture(scope="session")
def reviewed(pristine, tmp_path_factory):
    """The same with both reviews in, and a commit that mends model.py, tagged `fix`."""
    root = tmp_path_factory.mktemp("reviewed") / "course"
    shutil.copytree(pristine, root, symlinks=True)
    tree = Tree(root)
    good_review(tree, "r-01")
    good_review(tree, "r-02", "Another reader saw it with other eyes")
    tree.commit()
    tree.replace("projects/toy/model.py", "x41 = 41", "x41 = -41")
    tree.git("tag", "fix", tree.commit())
    return root


@pytest.fixture
def reviewed_tree(reviewed, tmp_path, monkeypatch):
    """Both reviews are in, and a commit on main mends model.py."""
    shutil.copytree(reviewed, tmp_path / "course", symlinks=True)
    monkeypatch.chdir(tmp_path / "course")
    return Tree(tmp_path / "course")
