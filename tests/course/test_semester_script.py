"""The scripted semester runs to its end: from `dgm new` to a published tree with nothing private."""

import subprocess

import pytest

from common.course.git import Repository
from common.projects import ROOT


@pytest.fixture(scope="module")
def transcript():
    if not (ROOT / ".git").exists() or Repository(ROOT).is_shallow():
        pytest.skip("needs a whole git clone: the script makes another one of it")
    done = subprocess.run(
        ["bash", str(ROOT / "tests" / "course" / "semester.sh")],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_semester_ends_with_everything_verified_and_graded(transcript):
    assert "3 verified" in transcript
    assert "p-alpha        Person Alpha         alpha              96.80" in transcript


def test_a_planted_address_stops_the_export_and_is_not_shown(transcript):
    assert "refused: 1 private places; nothing was written." in transcript
    assert "projects/alpha/README.md:" in transcript
    assert "ada.lovelace" not in transcript


def test_the_export_has_one_commit_and_nothing_private(transcript):
    assert "one commit, nothing private in them" in transcript
    assert transcript.endswith("nothing private is in the published tree\n")


def test_near_copies_of_a_review_are_flagged(transcript):
    assert "of its prose stands in reviews/alpha/" in transcript
