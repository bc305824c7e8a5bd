"""`dgm assign`: preview, commit, refusal, repair; what the inputs are and when they are the same."""

import json

import pytest
import tomli_w

from common.cli import main
from common.course.assigning.assignments import plan_assignment, plan_repair, write_plan
from common.course.assigning.inputs import read_inputs, topics_of
from common.course.freezing import freeze
from common.course.records import ASSIGNMENTS_FILE, FROZEN_FILE, read_assignments, read_frozen
from common.errors import UserError
from tests.course.repositories import (
    at,
    commit,
    make_repository,
    write,
    write_project,
    write_review,
)

SLUGS = ["made", "nice", "pixel", "real", "score", "vae"]
AFTER_V1 = at("2027-03-02")


def people(changes: dict[str, dict] | None = None, extra: int = 0) -> list[dict]:
    """One person a project, in its group, and some of no group."""
    found = [{"key": f"p-{slug}", "name": f"P {slug}", "group": f"g-{slug}"} for slug in SLUGS]
    found += [{"key": f"x-{i}", "name": f"X {i}"} for i in range(extra)]
    return [person | (changes or {}).get(person["key"], {}) for person in found]


def write_private(folder, *, roster=None, bids=(), conflicts=()):
    """roster.toml, bids.toml and conflicts.toml; pairs are (reviewer, project[, bid])."""
    tables = {
        "roster": {"schema": "roster/1", "person": people() if roster is None else roster},
        "bids": {
            "schema": "bids/1",
            "bid": [{"reviewer": r, "project": p, "value": v} for r, p, v in bids],
        },
        "conflicts": {
            "schema": "conflicts/1",
            "conflict": [{"reviewer": r, "project": p} for r, p in conflicts],
        },
    }
    for name, table in tables.items():
        write(folder / f"{name}.toml", tomli_w.dumps(table))


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Six projects with frozen version 1s, made once."""
    root = make_repository(tmp_path_factory.mktemp("course") / "repository", SLUGS, reviewers=2)
    freeze(root, "v1", moment=AFTER_V1)
    commit(root, "frozen", "2027-03-02")
    return root


@pytest.fixture
def root(template, tmp_path, monkeypatch):
    """A copy of the template as the current folder, and a private folder beside it."""
    import shutil

    copy = tmp_path / "repository"
    shutil.copytree(template, copy)
    write_private(tmp_path / "private")
    monkeypatch.setenv("DGM_PRIVATE", str(tmp_path / "private"))
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture
def private(root):
    return root.parent / "private"


def committed(root, **arguments):
    """The first assignment, written and committed."""
    planned = plan_assignment(root, **arguments)
    write_plan(root, planned)
    commit(root, "assigned", "2027-03-02")
    return planned


def test_a_preview_writes_nothing_and_a_commit_writes_what_it_showed(root, capsys):
    assert main(["assign"]) == 0
    shown = capsys.readouterr().out
    assert not (root / ASSIGNMENTS_FILE).exists()
    assert "reciprocal pairs of groups: 0" in shown
    assert "6 people review 2" in shown
    assert "next: dgm assign --commit" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert main(["assign", "--commit"]) == 0
    again = capsys.readouterr().out
    assert again.split("next:")[0] == shown.split("next:")[0]
    record = read_assignments(root)
    assert len(record.pair) == 12
    assert record.semester == "2027-spring"
    assert record.inputs_sha256 == read_inputs(root, root.parent / "private", 2).sha256
    for pair in record.pair:
        assert f"p-{pair.project}" != pair.reviewer
        assert f"{pair.reviewer} (+0)" in shown


def test_what_is_committed_is_never_computed_again(root, private, capsys):
    assert main(["assign", "--commit", "--seed", "3"]) == 0
    before = (root / ASSIGNMENTS_FILE).read_bytes()
    for arguments in (["assign"], ["assign", "--commit"], ["assign", "--seed", "4", "--commit"]):
        assert main(arguments) == 2
        said = capsys.readouterr().err
        assert "exists (12 pairs, seed 3)" in said
        assert "its inputs are still the same" in said
        assert "--repair" in said
    write_private(private, bids=[("p-made", "vae", 2)])
    assert main(["assign"]) == 2
    assert "have changed since" in capsys.readouterr().err
    assert (root / ASSIGNMENTS_FILE).read_bytes() == before


def test_the_hash_tells_what_the_solver_could_tell(root, private):
    first = read_inputs(root, private, 2).sha256
    write_private(private, roster=people()[::-1])
    assert read_inputs(root, private, 2).sha256 == first
    write_private(private, roster=people({"p-made": {"name": "Somebody else"}}))
    assert read_inputs(root, private, 2).sha256 == first
    others = [read_inputs(root, private, 1).sha256]
    for tables in (
        {"bids": [("p-made", "vae", 1)]},
        {"conflicts": [("p-made", "vae")]},
        {"roster": people({"p-made": {"reviews": False}})},
        {"roster": people({"p-made": {"topics": ["flows"]}})},
        {"roster": people({"p-made": {"group": "g-vae"}})},
    ):
        write_private(private, **tables)
        others.append(read_inputs(root, private, 2).sha256)
    assert len({first, *others}) == len(others) + 1


def test_bids_conflicts_and_group_mates_are_heard(root, private):
    roster = [*people(), {"key": "mate", "name": "M", "group": "g-made"}]
    wanted = [("p-made", "vae", 2), ("p-made", "nice", 2), ("p-nice", "real", -2)]
    write_private(private, roster=roster, bids=wanted, conflicts=[("mate", "vae")])
    pairs = set(plan_assignment(root).matching.pairs)
    assert {("p-made", "vae"), ("p-made", "nice")} <= pairs
    assert not {("p-nice", "real"), ("mate", "vae"), ("mate", "made"), ("p-made", "made")} & pairs


def test_a_developer_without_a_group_in_the_roster_is_known_by_project_toml(root, private):
    write_private(private, roster=[{"key": p["key"], "name": p["name"]} for p in people()])
    planned = plan_assignment(root)
    assert planned.inputs.groups["p-vae"] == {"g-vae"}
    assert all(reviewer != f"p-{slug}" for reviewer, slug in planned.matching.pairs)
    assert planned.matching.reciprocal == ()


def test_only_frozen_versions_with_code_are_assigned(root, private):
    write_project(root, "late")
    entry = read_frozen(root).find("vae", "v1")
    text = (root / FROZEN_FILE).read_text(encoding="utf-8")
    commit(root, "late", "2027-03-03")
    (root / "projects" / "hollow").mkdir()
    write(root / "projects" / "hollow" / "project.toml", "slug = 1\n")
    head = commit(root, "hollow", "2027-03-03")
    from common.course.git import Repository

    tree = Repository(root).tree(head, "projects/hollow")
    extra = f'\n[[version]]\nslug = "hollow"\nversion = "v1"\ndate = {entry.date.isoformat()}\n'
    write(root / FROZEN_FILE, f'{text}{extra}commit = "{head}"\ntree = "{tree}"\n')
    planned = plan_assignment(root)
    assert {slug for _, slug in planned.matching.pairs} == set(SLUGS)
    assert "late: version 1 is not frozen; not assigned" in planned.notes
    assert "hollow: version 1 has no code and no notebook; not assigned" in planned.notes


def test_groups_are_read_from_the_frozen_version(root):
    """What developers write into project.toml later does not move them to another group."""
    before = read_inputs(root, root.parent / "private", 2)
    write_project(root, "vae", group="g-made")
    assert read_inputs(root, root.parent / "private", 2).sha256 == before.sha256


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"conflicts": [("p-mad", "vae")]}, "conflicts.toml names 'p-mad'.*did you mean 'p-made'"),
        ({"conflicts": [("p-made", "vea")]}, "conflicts.toml names 'vea'.*did you mean 'vae'"),
        (
            {"conflicts": [(f"p-{slug}", "made") for slug in SLUGS[2:]]},
            "p-nice is the only one not in conflict with made.*which needs 2",
        ),
        ({"roster": []}, "nobody may review"),
    ],
)
def test_what_cannot_be_assigned_is_explained(root, private, tables, message):
    write_private(private, **tables)
    with pytest.raises(UserError, match=f"(?s){message}"):
        plan_assignment(root)


def test_a_bid_for_nothing_is_a_note(root, private):
    write_private(private, bids=[("p-made", "vea", 2)])
    assert "bids.toml names 'vea', which does not exist; ignored" in plan_assignment(root).notes


def test_nothing_frozen_and_no_private_folder(root, monkeypatch, capsys):
    (root / FROZEN_FILE).unlink()
    assert main(["assign"]) == 2
    assert "`dgm freeze v1` comes first" in capsys.readouterr().err
    monkeypatch.delenv("DGM_PRIVATE")
    assert main(["assign"]) == 2
    assert "$DGM_PRIVATE is not set" in capsys.readouterr().err


def test_a_repair_keeps_every_pair_of_those_who_stay(root, capsys):
    first = committed(root)
    assert main(["assign", "--repair", "--drop", "p-vae", "--commit"]) == 0
    shown = capsys.readouterr().out
    record = read_assignments(root)
    stayed = {pair for pair in first.after.pair if pair.reviewer != "p-vae"}
    assert stayed <= set(record.pair)
    assert len(record.pair) == 12
    assert record.dropped == ("p-vae",)
    assert not any(pair.reviewer == "p-vae" for pair in record.pair)
    assert "kept 10 pairs, new 2" in shown
    assert "no longer: p-vae of" in shown
    loads = [sum(p.reviewer == f"p-{slug}" for p in record.pair) for slug in SLUGS[:-1]]
    assert max(loads) - min(loads) <= 1
    commit(root, "repaired", "2027-03-03")
    assert main(["assign", "--repair"]) == 0
    assert "nothing to repair" in capsys.readouterr().out


def test_a_finished_review_stays_when_its_reviewer_leaves_and_a_begun_one_does_not(root):
    first = committed(root)
    finished, begun = [p for p in first.after.pair if p.reviewer == "p-vae"]
    version = read_frozen(root).find(finished.project, "v1").commit
    write_review(root, finished.project, "p-vae", version, [("F01", "minor")])
    draft = write_review(root, begun.project, "p-vae", version, [("F01", "minor")])
    draft.write_text(draft.read_text(encoding="utf-8") + "FILL-IN\n", encoding="utf-8")
    planned = plan_repair(root, drop=["p-vae"])
    assert finished in planned.after.pair
    assert begun not in planned.after.pair
    assert f"{finished.project}: the finished review of p-vae stays" in planned.notes
    assert any("begun and not finished" in note for note in planned.notes)
    assert draft.exists()


def test_a_withdrawn_project_frees_its_reviewers_and_a_new_one_gets_some(root, private):
    committed(root)
    planned = plan_repair(root, withdraw=["vae"])
    assert "vae" not in {pair.project for pair in planned.after.pair}
    assert planned.after.withdrawn == ("vae",)
    assert len(planned.added) == 0
    write_project(root, "late")
    commit(root, "late", "2027-02-28")
    freeze(root, "v1", ["late"], moment=AFTER_V1, tags=False)
    repaired = plan_repair(root)
    assert len(repaired.after.reviewers("late")) == 2
    assert set(repaired.before.pair) <= set(repaired.after.pair)


def test_a_conflict_declared_later_gives_the_project_back(root, private):
    first = committed(root)
    pair = first.after.pair[0]
    write_private(private, conflicts=[(pair.reviewer, pair.project)])
    planned = plan_repair(root)
    assert planned.removed == [pair]
    assert len(planned.added) == 1
    assert f"{pair.project}: {pair.reviewer} is in conflict now and gives it back" in planned.notes


def test_a_repair_asks_for_names_that_exist(root, private, capsys):
    assert main(["assign", "--repair"]) == 2
    assert "no assignment to repair" in capsys.readouterr().err
    committed(root)
    for arguments, message in (
        (["--repair", "--drop", "p-va"], "no reviewer 'p-va'; did you mean 'p-vae'?"),
        (["--repair", "--withdraw", "vea"], "no assigned project 'vea'; did you mean 'vae'?"),
        (["--drop", "p-vae"], "belong to --repair"),
    ):
        assert main(["assign", *arguments]) == 2
        assert message in capsys.readouterr().err
    write_private(private, roster=people({"p-vae": {"reviews": False}}))
    assert main(["assign", "--repair"]) == 2
    assert "dgm assign --repair --drop p-vae" in capsys.readouterr().err


def test_nothing_that_somebody_changed_is_overwritten(root, capsys):
    committed(root)
    path = root / ASSIGNMENTS_FILE
    planned = plan_repair(root, drop=["p-vae"])
    by_hand = path.read_text(encoding="utf-8").replace("p-nice", "x-1")
    path.write_text(by_hand, encoding="utf-8")
    with pytest.raises(UserError, match="not committed"):
        write_plan(root, planned)
    assert path.read_text(encoding="utf-8") == by_hand
    commit(root, "by hand", "2027-03-03")
    with pytest.raises(UserError, match="changed by somebody else meanwhile"):
        write_plan(root, planned)
    assert path.read_text(encoding="utf-8") == by_hand


def test_json_for_a_program(root, private, capsys):
    write_private(private, bids=[("p-made", "vae", 2)])
    assert main(["assign", "--json", "--reviewers-per-project", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["reviewers_per_project"] == 1
    assert {"project": "vae", "reviewer": "p-made", "bid": 2, "new": True} in told["pairs"]
    assert told["optimal"] is True
    assert told["reciprocal"] == []
    assert told["committed"] is False


def test_topics_are_words_that_say_something():
    assert topics_of(["Flows", "The deep  Normalizing Flows"]) == {
        "flows",
        "normalizing",
        "the deep normalizing flows",
    }


def test_projects_of_other_semesters_are_not_assigned_again(root):
    path = root / "projects" / "vae" / "project.toml"
    write(path, 'semester = "2026-fall"\n' + path.read_text())
    assert {pair.project for pair in plan_assignment(root).after.pair} == set(SLUGS) - {"vae"}


def test_a_new_semester_begins_without_the_old_assignment(root):
    write_plan(root, plan_assignment(root))
    path = root / "reviews" / "cycle.toml"
    write(path, path.read_text().replace("2027-spring", "2028-spring"))
    with pytest.raises(UserError, match=r"is of '2027-spring'.*git rm reviews/assignments\.toml"):
        plan_assignment(root)
