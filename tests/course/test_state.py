"""The state of a project is derived from files, records and dates, at every step of the cycle."""

import json
import shutil

import pytest

from common.cli import main
from common.course.freezing import freeze
from common.course.next_steps import next_step
from common.course.records import Assignments, Pair, toml_text
from common.course.state import STATES, course_states
from tests.course.repositories import (
    at,
    commit,
    make_repository,
    write,
    write_project,
    write_response,
    write_review,
    write_verification,
)


@pytest.fixture
def root(tmp_path):
    return make_repository(tmp_path / "course", ["alpha"], reviewers=2)


def state(root, date):
    return state_of(root, "alpha", date)


def state_of(root, slug, date):
    (only,) = course_states(root, [slug], moment=at(date))
    return only


def assign(root, slug="alpha", keys=("r-01", "r-02")):
    pairs = tuple(Pair(slug, key) for key in keys)
    text = toml_text(Assignments(semester="2027-spring", pair=pairs), "Written by a test.")
    write(root / "reviews" / "assignments.toml", text)


def frozen(root, version="v1", date="2027-03-02"):
    freeze(root, version, moment=at(date))
    return commit(root, f"freeze {version}", date)


FINDINGS = [("F01", "blocker"), ("F02", "minor"), ("F03", "nit")]


def test_a_project_goes_through_all_states(root):
    seen = []

    def see(date, expected, turn):
        found = state(root, date)
        seen.append(found.state)
        assert (found.state, found.turn) == (expected, turn)
        return found

    see("2027-01-15", "proposed", ("developers",))
    see("2027-02-15", "v1 open", ("developers",))
    see("2027-03-02", "v1 open", ("instructor",))
    frozen(root)
    see("2027-03-02", "v1 frozen", ("instructor",))
    assign(root)
    see("2027-03-03", "under review", ("r-01", "r-02"))
    write_review(root, "alpha", "r-01", "a" * 40, FINDINGS)
    see("2027-03-04", "under review", ("r-02",))
    write_review(root, "alpha", "r-02", "a" * 40, [("F01", "major")])
    found = see("2027-03-05", "reviewed", ("developers",))
    assert found.open_findings == {"blocker": 1, "major": 1, "minor": 1, "nit": 1}
    write_response(root, "alpha", {"r-01/F01": "fixed"})
    assert not see("2027-03-06", "responding", ("developers",)).is_answered
    answers = {f"r-01/F0{i}": "fixed" for i in (1, 2, 3)} | {"r-02/F01": "declined"}
    write_response(root, "alpha", answers)
    assert see("2027-03-06", "responding", ("developers",)).is_answered
    see("2027-03-21", "responding", ("instructor",))
    frozen(root, "v2", "2027-03-21")
    see("2027-03-22", "v2 frozen", ("r-01", "r-02"))
    write_verification(root, "alpha", "r-01", "b" * 40, {"F01": "verified", "F02": "verified"})
    see("2027-03-22", "v2 frozen", ("r-01", "r-02"))
    outcomes = {"F01": "verified", "F02": "not-fixed: still there", "F03": "withdrawn: my mistake"}
    write_verification(root, "alpha", "r-01", "b" * 40, outcomes)
    see("2027-03-22", "v2 frozen", ("r-02",))
    write_verification(root, "alpha", "r-02", "b" * 40, {"F01": "accepts-reason"})
    found = see("2027-03-23", "verified", ())
    assert found.open_findings == {"blocker": 0, "major": 0, "minor": 1, "nit": 0}
    assert (found.due, found.days) == (None, None)
    write(root / "reviews" / "published.toml", 'schema = "published/1"\n')
    see("2027-04-01", "published", ())
    assert [name for name in STATES if name not in seen] == ["withdrawn"]


def test_a_publication_date_publishes_what_is_verified(root):
    frozen(root)
    assign(root, keys=("r-01",))
    write_review(root, "alpha", "r-01", "a" * 40, [("F01", "minor")])
    write_verification(root, "alpha", "r-01", "b" * 40, {"F01": "verified"})
    frozen(root, "v2", "2027-03-21")
    cycle = root / "reviews" / "cycle.toml"
    write(cycle, cycle.read_text() + "publication = 2027-04-10\n")
    assert state(root, "2027-04-09").state == "verified"
    assert state(root, "2027-04-12").state == "published"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Read and run.", "FILL-IN: what you did"),
        ("verdict: minor", "verdict: excellent"),
        ("schema: review/1", "schema: review/9"),
        ("## Summary\n", ""),
    ],
)
def test_an_unfinished_review_is_not_in(root, old, new):
    frozen(root)
    assign(root, keys=("r-01",))
    path = write_review(root, "alpha", "r-01", "a" * 40, [("F01", "minor")])
    assert state(root, "2027-03-05").state == "reviewed"
    write(path, path.read_text().replace(old, new))
    assert state(root, "2027-03-05").state == "under review"


def test_a_draft_of_somebody_who_is_not_assigned_counts_for_nothing(root):
    frozen(root)
    assign(root, keys=("r-01",))
    write_review(root, "alpha", "r-77", "a" * 40, [("F01", "blocker")])
    found = state(root, "2027-03-05")
    assert (found.state, found.turn) == ("under review", ("r-01",))
    assert sum(found.open_findings.values()) == 0


def test_goals_are_counted_from_the_results(root):
    folder = root / "projects" / "alpha"
    assert (state(root, "2027-02-15").goals_met, state(root, "2027-02-15").goals) == (0, 1)
    result = write(folder / "results" / "digits.json", json.dumps({"value": 24.9}))
    assert state(root, "2027-02-15").goals_met == 1
    for text in ('{"value": 25.1}', '{"value": "low"}', "[]", "{", '{"value": NaN}'):
        write(result, text)
        assert state(root, "2027-02-15").goals_met == 0
    table = folder / "project.toml"
    write(table, table.read_text() + 'withdrawn = "the data set is gone"\n')
    assert state(root, "2027-02-15").goals == 0


def test_projects_of_other_semesters_wait_for_nobody(root):
    path = root / "projects" / "alpha" / "project.toml"
    text = path.read_text()
    write(path, 'semester = "2027-spring"\n' + text)
    assert state(root, "2027-02-15").state == "v1 open"
    write(path, 'semester = "2026-fall"\n' + text)
    assert (state(root, "2027-02-15").state, state(root, "2027-02-15").turn) == ("published", ())


def test_a_new_semester_in_a_published_tree_has_its_own_projects(root):
    """Those that came with the export are public; what is new goes through the cycle."""
    text = 'schema = "published/1"\nsemester = "2026-fall"\n'
    write(root / "reviews" / "published.toml", text)
    path = write_project(root, "old") / "project.toml"
    write(path, 'semester = "2026-fall"\n' + path.read_text())
    states = {found.slug: found.state for found in course_states(root, moment=at("2027-02-15"))}
    assert states == {"alpha": "v1 open", "old": "published"}


def test_broken_files_are_noted_and_nothing_else_stops(root):
    write_project(root, "beta")
    write(root / "projects" / "beta" / "project.toml", "schema = \n")
    frozen(root)
    assign(root, keys=("r-01",))
    write(root / "reviews" / "alpha" / "r-01.md", "").write_bytes(b"\0\1\2")
    states = {found.slug: found for found in course_states(root, moment=at("2027-03-05"))}
    assert states["alpha"].state == "under review"
    assert "not valid TOML" in states["beta"].note


def test_who_waits_longest_comes_first(root):
    for slug in ("beta", "gamma"):
        write_project(root, slug)
    commit(root, "two more", "2027-02-16")
    freeze(root, "v1", ["beta", "gamma"], moment=at("2027-03-02"))
    text = toml_text(Assignments(pair=(Pair("gamma", "r-01"),)), "Written by a test.")
    write(root / "reviews" / "assignments.toml", text)
    order = [found.slug for found in course_states(root, moment=at("2027-03-05"))]
    assert order == ["alpha", "beta", "gamma"]


def test_a_frozen_project_whose_folder_is_gone_is_still_there(root):
    frozen(root)
    folder = root / "projects" / "alpha"
    (folder / "project.toml").unlink()
    assert state(root, "2027-03-05").note.startswith("alpha/project.toml")
    shutil.rmtree(folder)
    assert state(root, "2027-03-05").note.startswith("projects/alpha is gone")


def test_a_renamed_project_is_told_by_its_files(root):
    """Only folders without records of their own are suspected: a copy is no new name."""
    write_project(root, "copy")
    shutil.copytree(root / "projects" / "alpha", root / "projects" / "copy", dirs_exist_ok=True)
    commit(root, "a copy", "2027-02-20")
    frozen(root)
    (root / "projects" / "alpha").rename(root / "projects" / "omega")
    table = root / "projects" / "omega" / "project.toml"
    write(table, table.read_text().replace("alpha", "omega"))
    commit(root, "renamed", "2027-03-04")
    states = {found.slug: found for found in course_states(root, moment=at("2027-03-05"))}
    assert states["alpha"].state == "v1 frozen"
    assert "git mv projects/omega projects/alpha" in states["alpha"].note


def test_who_missed_the_deadline_has_the_turn_after_the_freeze(root):
    late = write_project(root, "late")
    assert state_of(root, "late", "2027-03-02").turn == ("instructor",)
    frozen(root)
    found = state_of(root, "late", "2027-03-03")
    assert (found.state, found.turn) == ("v1 open", ("developers",))
    assert "dgm freeze v1 late --early" in next_step(found)
    freeze(root, "v1", ["late"], early=True, moment=at("2027-03-04"))
    assert late.exists()
    assert state_of(root, "late", "2027-03-04").state == "v1 frozen"
    assign(root, keys=("r-01",))
    write_review(root, "alpha", "r-01", "a" * 40, [("F01", "minor")])
    assert state_of(root, "alpha", "2027-03-21").turn == ("instructor",)


def test_a_withdrawn_project_waits_for_nobody(root):
    frozen(root)
    text = toml_text(Assignments(withdrawn=("alpha",)), "Written by a test.")
    write(root / "reviews" / "assignments.toml", text)
    found = state(root, "2027-03-05")
    assert (found.state, found.turn, found.due) == ("withdrawn", (), None)


def test_after_version_2_developers_owe_answers_and_late_reviewers_their_review(root):
    frozen(root)
    assign(root)
    write_review(root, "alpha", "r-01", "a" * 40, [("F01", "minor")])
    frozen(root, "v2", "2027-03-21")
    found = state(root, "2027-03-22")
    assert (found.state, found.turn) == ("v2 frozen", ("developers", "r-01", "r-02"))
    write_response(root, "alpha", {"r-01/F01": "fixed"})
    assert state(root, "2027-03-22").turn == ("r-01", "r-02")
    write_review(root, "alpha", "r-02", "a" * 40, [])
    write_verification(root, "alpha", "r-01", "b" * 40, {"F01": "verified"})
    assert state(root, "2027-03-22").state == "verified"  # nothing found, nothing to verify


def test_a_review_may_quote_a_place_that_was_left_to_fill(root):
    frozen(root)
    assign(root, keys=("r-01",))
    path = write_review(root, "alpha", "r-01", "a" * 40, [("F01", "minor")])
    write(path, path.read_text().replace("ran it,", "the README still says `FILL-IN`,"))
    assert state(root, "2027-03-05").state == "reviewed"


def test_the_table_fits_80_columns_and_names_the_next_step(root, monkeypatch, capsys):
    write_project(root, "a_very_long_slug_of_forty_characters_xxxx")
    frozen(root)
    assign(root)
    monkeypatch.chdir(root)
    assert main(["status", "--now", "2027-03-05"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines()[:-1])) <= 80
    assert "under review" in out
    assert out.splitlines()[-1].startswith("next: ")
    assert main(["status", "alpha", "--now", "2027-03-05"]) == 0
    assert "next: r-01, r-02: dgm review new alpha" in capsys.readouterr().out


def test_programs_and_pages_get_the_same(root, monkeypatch, capsys):
    frozen(root)
    monkeypatch.chdir(root)
    assert main(["status", "--json", "--now", "2027-03-05"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["slug"], entry["state"], entry["turn"]) == ("alpha", "v1 frozen", ["instructor"])
    assert main(["status", "--markdown", "--now", "2027-03-05"]) == 0
    assert "| alpha | v1 frozen | instructor | 3 d late | - | 0/1 |" in capsys.readouterr().out


def test_bad_input_is_explained(root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    assert main(["status", "alhpa"]) == 2
    assert "did you mean 'alpha'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["status", "--now", "tomorrow"])
    assert "no date like 2026-12-01" in capsys.readouterr().err
