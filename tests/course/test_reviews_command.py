"""`dgm review`: the cycle by command, what is refused, and that nothing is written over."""

import pytest

from common.cli import main
from common.course.reviewing.checks import check_review
from tests.course.review_trees import (
    RESPONSE,
    good_review,
    verified,
)


@pytest.fixture
def tree(reviewed_tree):
    """The repository with both reviews in, as the current folder."""
    return reviewed_tree


def test_the_cycle_by_command(tree, capsys):
    (tree.root / "reviews/toy/r-02.md").unlink()
    assert main(["review", "new", "toy", "--print"]) == 0
    assert "reviewer: r-02" in capsys.readouterr().out
    assert not (tree.root / "reviews/toy/r-02.md").exists()
    assert main(["review", "new", "toy"]) == 0
    assert "reviews/toy/r-02.md" in capsys.readouterr().out
    assert main(["review", "check", "toy"]) == 1
    (tree.root / "reviews/toy/r-02.md").unlink()
    good_review(tree, "r-02", "Another reader saw it with other eyes")
    assert main(["review", "check", "reviews/toy/r-02.md"]) == 0
    assert "1 file: nothing to mend" in capsys.readouterr().out
    assert main(["review", "respond", "toy"]) == 0
    assert main(["review", "verify", "toy"]) == 2
    assert "version 2 of toy is not frozen" in capsys.readouterr().err
    (tree.root / RESPONSE).unlink()
    verified(tree)
    assert main(["review", "verify", "toy"]) == 0
    assert "r-02.verification.md" in capsys.readouterr().out
    assert main(["review", "verify", "toy", "--reviewer", "r-02"]) == 2
    assert "exists and stays" in capsys.readouterr().err
    assert main(["review", "show", "toy"]) == 0
    shown = capsys.readouterr().out
    assert max(len(line) for line in shown.split("\n")) <= 80
    assert "declined: it is there" in shown
    assert "accepts-reason" in shown
    assert main(["review", "check", "--json"]) == 1
    assert '"level": "fill"' in capsys.readouterr().out
    assert main(["review", "check", "--format", "github"]) == 1
    assert "::notice file=reviews/toy/r-02.verification.md,line=" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["new", "toy"], "every reviewer of toy has a review"),
        (["new", "toy", "--reviewer", "r-01"], "exists and stays as it is"),
        (["new", "toy", "--reviewer", "r-09"], "r-09 is not assigned to toy"),
        (["new", "tooy"], "did you mean 'toy'"),
        (["check", "tooy"], "did you mean 'toy'"),
        (["check", "reviews/toy/r-9.md"], "does not exist"),
        (["check", "README.md"], "does not exist"),
        (["verify", "toy"], "version 2 of toy is not frozen yet"),
        (["respond", "tooy"], "did you mean 'toy'"),
        (["show", "tooy"], "did you mean 'toy'"),
    ],
)
def test_commands_explain_what_they_refuse(tree, capsys, arguments, message):
    before = {p: p.read_bytes() for p in (tree.root / "reviews").rglob("*") if p.is_file()}
    assert main(["review", *arguments]) == 2
    assert message in capsys.readouterr().err
    after = {p: p.read_bytes() for p in (tree.root / "reviews").rglob("*") if p.is_file()}
    assert after == before


def test_new_refuses_developers_and_projects_that_are_not_frozen(tree, capsys):
    tree.assign("p-01")
    assert main(["review", "new", "toy"]) == 2
    assert "p-01 is a developer of toy" in capsys.readouterr().err
    tree.assign()
    assert main(["review", "new", "toy"]) == 2
    assert "nobody is assigned" in capsys.readouterr().err
    tree.freeze()
    assert main(["review", "new", "toy"]) == 2
    assert "version 1 of toy is not frozen yet" in capsys.readouterr().err


def test_new_says_what_ci_found(tree, tmp_path, capsys):
    path = tree.root / "reviews/toy/r-01.md"
    path.unlink()
    steps = '[{"name": "lint", "status": "passed", "seconds": 1}]'
    record = tmp_path / "ci.json"
    record.write_text(f'{{"schema": "ci/1", "commit": "{tree.v1}", "steps": {steps}}}')
    assert main(["review", "new", "toy", "--ci", str(record)]) == 0
    assert "CI: lint passed (version 1," in path.read_text()
    path.unlink()
    record.write_text("[]")
    assert main(["review", "new", "toy", "--ci", str(record)]) == 2
    assert "no record of CI" in capsys.readouterr().err
    assert not path.exists()


def test_a_fresh_draft_is_wrong_only_in_what_is_to_fill(tree):
    tree.assign("r-01", "r-02", "r-03")
    path = tree.root / "reviews/toy/r-03.md"
    assert main(["review", "new", "toy"]) == 0
    levels = {(p.level, p.code) for p in check_review(tree.root, path)}
    assert {level for level, _ in levels} == {"fill"}, levels
