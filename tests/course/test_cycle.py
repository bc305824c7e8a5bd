"""The semester's rules, the records, and the guard of the private folder."""

import subprocess
from datetime import UTC, datetime

import pytest

from common import schema
from common.course.cycle import Cycle, read_cycle
from common.course.private import Roster, private_folder
from common.course.records import (
    FROZEN_FILE,
    Assignments,
    Frozen,
    FrozenVersion,
    Pair,
    read_frozen,
    replace_record,
)
from common.errors import UserError
from common.projects import ROOT
from common.schema import SchemaError

CYCLE = """schema = "cycle/1"
semester = "2027-spring"
timezone = "Europe/Istanbul"
[dates]
proposal = 2027-03-01
v1 = 2027-04-01
review = 2027-04-09
v2 = 2027-05-01T12:00:00
demos = 2027-05-10
"""


def test_a_date_is_the_end_of_its_day_where_the_course_is():
    cycle = schema.parse(CYCLE, Cycle)
    assert cycle.deadline("v1") == datetime(2027, 4, 1, 20, 59, 59, tzinfo=UTC)
    assert cycle.deadline("v2") == datetime(2027, 5, 1, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("review = 2027-04-09", "review = 2027-04-07", "6.0 days.*at least 7"),
        ("v1 = 2027-04-01", "v1 = 2027-02-01", "v1 is before proposal"),
        ("Europe/Istanbul", "Europe/Atlantis", "Europe/Atlantis.*expected a name"),
        ("Europe/Istanbul", "../../etc/passwd", "expected a name"),
        ("demos = 2027-05-10", 'demos = "soon"', "line 9.*demos"),
        ("demos = 2027-05-10", "", "demos is missing"),
        ("[dates]", "points_per_weight = -1.0\n[dates]", "points_per_weight is -1.0"),
        ("[dates]", "points_per_weight = nan\n[dates]", "points_per_weight is nan"),
        ("[dates]", "reviewers_per_project = 0\n[dates]", "reviewers_per_project is 0"),
        ("demos = 2027-05-10", "demos = 2027-05-10\n[group]\nmin = 3\nmax = 2", "3 to 2"),
        ("demos = 2027-05-10", "demos = 2027-05-10\n[version_weights]\nv1 = -1", "none negative"),
    ],
)
def test_impossible_rules_are_refused(old, new, told):
    with pytest.raises(SchemaError, match=f"(?s){told}"):
        schema.parse(CYCLE.replace(old, new), Cycle)


def test_this_semester_is_valid():
    assert read_cycle(ROOT).semester


def test_a_missing_cycle_says_where_to_find_one(tmp_path):
    with pytest.raises(UserError, match=r"CONTRIBUTING\.md"):
        read_cycle(tmp_path)


def frozen(slug="made", version="v1"):
    return FrozenVersion(slug, version, datetime(2027, 4, 1, tzinfo=UTC), "a" * 40, "b" * 40)


def test_records_are_read_back_as_they_were_written(tmp_path):
    path = tmp_path / FROZEN_FILE
    record = Frozen(version=(frozen(), frozen("vae", "v2")))
    replace_record(path, Frozen(), record, "Written by a test.")
    assert read_frozen(tmp_path) == record
    assert record.find("vae", "v2") == frozen("vae", "v2")
    assert record.find("vae", "v1") is None


def test_a_concurrent_edit_is_not_lost(tmp_path):
    path = tmp_path / FROZEN_FILE
    mine, theirs = Frozen(version=(frozen(),)), Frozen(version=(frozen("vae"),))
    replace_record(path, Frozen(), theirs, "theirs")
    with pytest.raises(UserError, match="changed by somebody else"):
        replace_record(path, Frozen(), mine, "mine")
    assert read_frozen(tmp_path) == theirs


def test_a_version_is_frozen_once():
    with pytest.raises(ValueError, match="recorded twice"):
        Frozen(version=(frozen(), frozen()))


def test_nobody_reviews_a_project_twice():
    with pytest.raises(ValueError, match="r-01 is assigned to made twice"):
        Assignments(pair=(Pair("made", "r-01"), Pair("made", "r-01")))


def test_keys_are_unique_in_the_roster():
    with pytest.raises(SchemaError, match="'p-1' is used by two people"):
        schema.parse('schema = "roster/1"\n' + '[[person]]\nkey = "p-1"\nname = "A"\n' * 2, Roster)


def test_the_private_folder_is_outside_of_every_repository(tmp_path, monkeypatch):
    root, outside = tmp_path / "repo", tmp_path / "private"
    inside = root / "private"
    for folder in (inside, outside):
        folder.mkdir(parents=True)
    monkeypatch.delenv("DGM_PRIVATE", raising=False)
    with pytest.raises(UserError, match="is not set"):
        private_folder(root)
    for name, told in [
        (tmp_path / "none", "no folder"),
        (inside, "lies in the repository"),
        (tmp_path, "around it"),
    ]:
        monkeypatch.setenv("DGM_PRIVATE", str(name))
        with pytest.raises(UserError, match=told):
            private_folder(root)
    monkeypatch.setenv("DGM_PRIVATE", str(outside))
    assert private_folder(root) == outside
    (root / "link").symlink_to(inside)
    monkeypatch.setenv("DGM_PRIVATE", str(root / "link"))
    with pytest.raises(UserError, match="lies in the repository"):
        private_folder(root)


def test_another_work_tree_must_ignore_the_private_folder(tmp_path, monkeypatch):
    other, root = tmp_path / "notes", tmp_path / "repo"
    folder = other / "course"
    folder.mkdir(parents=True)
    root.mkdir()
    subprocess.run(["git", "init", "-q", str(other)], check=True)
    monkeypatch.setenv("DGM_PRIVATE", str(folder))
    with pytest.raises(UserError, match="not ignored there"):
        private_folder(root)
    (other / ".gitignore").write_text("course/\n")
    assert private_folder(root) == folder
