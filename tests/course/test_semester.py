"""A semester of thirty groups, played through the commands: what people do, and what git does to it.

Nobody is polite: a group is late, two reviewers leave, a review comes after the deadline, a project
is renamed, a tag is forced elsewhere, a file is edited by hand while a command runs.
"""

import json
import shutil
import subprocess
from collections import Counter

import pytest
import tomli_w

from common.cli import main
from common.course import freezing
from common.course.assigning.assignments import plan_repair, write_plan
from common.course.git import Repository
from common.course.records import (
    ASSIGNMENTS_FILE,
    FROZEN_FILE,
    read_assignments,
    read_frozen,
)
from common.errors import UserError
from tests.course.repositories import (
    at,
    commit,
    make_repository,
    run_git,
    write,
    write_project,
    write_response,
    write_review,
    write_verification,
)

SLUGS = [f"paper_{i:02}" for i in range(30)]
LATE = SLUGS[-1]
FINDINGS = [("F01", "major"), ("F02", "minor"), ("F03", "nit")]
OUTCOMES = {"F01": "verified", "F02": "not-fixed: the same number", "F03": "accepts-reason"}


class Semester:
    """The course's repository and what a person at the keyboard sees of it."""

    def __init__(self, root, capsys, monkeypatch):
        self.root, self.capsys, self.monkeypatch = root, capsys, monkeypatch
        self.written: dict = {}  # every text a person wrote

    def dgm(self, *arguments: str, date: str, status: int = 0) -> str:
        """What a command says on a day; errors and output alike."""
        self.monkeypatch.setattr(freezing, "now", lambda: at(date))
        assert main(list(arguments)) == status
        said = self.capsys.readouterr()
        return said.out + said.err

    def states(self, date: str) -> dict[str, dict]:
        """`dgm status --json` by slug."""
        told = json.loads(self.dgm("status", "--json", "--now", date, date=date))
        return {entry["slug"]: entry for entry in told}

    def counts(self, date: str) -> Counter:
        """How many projects are in which state with whose turn (reviewers by that word)."""
        found = Counter()
        for entry in self.states(date).values():
            whose = {key if key in {"developers", "instructor"} else "reviewers"
                     for key in entry["turn"]}  # fmt: skip
            found[entry["state"], "+".join(sorted(whose))] += 1
        return found

    def review(self, slug: str, reviewer: str) -> None:
        """A reviewer writes a finished review."""
        version = read_frozen(self.root).find(slug, "v1").commit
        self.keep(write_review(self.root, slug, reviewer, version, FINDINGS))

    def keep(self, path) -> None:
        """Remember a person's text, which nothing may change."""
        self.written[path] = path.read_bytes()

    def commit(self, message: str, date: str) -> str:
        """Everything there is, on main."""
        return commit(self.root, message, date)


@pytest.fixture
def semester(tmp_path, capsys, monkeypatch):
    """Twenty-nine projects on main, the roster of the course beside it."""
    root = make_repository(tmp_path / "course", SLUGS[:-1], reviewers=2)
    roster = []
    for number, slug in enumerate(SLUGS):
        for key in [f"p-{slug}", f"q-{slug}"][: 1 + number % 2]:
            roster.append({"key": key, "name": f"N. {key}", "group": f"g-{slug}"})
    bids = [
        {"reviewer": f"p-{slug}", "project": SLUGS[(number + 1) % 30], "value": 2}
        for number, slug in enumerate(SLUGS)
    ]
    write(
        tmp_path / "private" / "roster.toml",
        tomli_w.dumps({"schema": "roster/1", "person": roster}),
    )
    write(tmp_path / "private" / "bids.toml", tomli_w.dumps({"schema": "bids/1", "bid": bids}))
    monkeypatch.setenv("DGM_PRIVATE", str(tmp_path / "private"))
    monkeypatch.chdir(root)
    return Semester(root, capsys, monkeypatch)


def test_a_semester(semester):
    proposals_and_version_1(semester)
    assignment(semester)
    drop_outs(semester)
    reviews_with_a_late_one(semester)
    tags_that_moved(semester)
    responses_and_version_2_with_a_renamed_project(semester)
    verification(semester)
    a_shallow_clone(semester)
    for path, text in semester.written.items():
        assert path.read_bytes() == text, f"{path.name} was changed"


def proposals_and_version_1(semester):
    assert semester.counts("2027-01-20") == {("proposed", "developers"): 29}
    assert semester.counts("2027-02-20") == {("v1 open", "developers"): 29}
    said = semester.dgm("freeze", "v1", date="2027-02-20", status=2)
    assert "the deadline of v1 is 2027-03-01" in said
    write_project(semester.root, LATE)
    semester.commit("a day too late", "2027-03-02")
    assert semester.counts("2027-03-02") == {("v1 open", "instructor"): 30}

    dirty = write(semester.root / "projects" / SLUGS[0] / "notes.txt", "not committed\n")
    semester.keep(dirty)
    said = semester.dgm("freeze", "v1", date="2027-03-02")
    assert said.count("frozen  paper_") == 29
    semester.commit("version 1", "2027-03-02")
    assert semester.counts("2027-03-02") == {
        ("v1 frozen", "instructor"): 29,
        ("v1 open", "developers"): 1,
    }
    assert semester.states("2027-03-03")[LATE]["days"] < 0
    assert LATE in semester.dgm("freeze", "v1", LATE, "--early", date="2027-03-03")
    semester.commit("an extension", "2027-03-03")
    assert semester.counts("2027-03-03") == {("v1 frozen", "instructor"): 30}


def assignment(semester):
    said = semester.dgm("assign", date="2027-03-03")
    assert "load: 30 people review 1, 15 people review 2" in said
    assert "reciprocal pairs of groups: 0" in said
    assert "30 of +2" in said
    assert not (semester.root / ASSIGNMENTS_FILE).exists()
    semester.dgm("assign", "--commit", date="2027-03-03")
    semester.commit("who reviews what", "2027-03-03")
    assert semester.counts("2027-03-03") == {("under review", "reviewers"): 30}
    first = semester.states("2027-03-03")[SLUGS[0]]
    assert first["turn"] == read_assignments(semester.root).reviewers(SLUGS[0])
    assert 7 < first["days"] <= 8


def drop_outs(semester):
    """One leaves with a finished review, one with a draft; meanwhile somebody edits the record."""
    root = semester.root
    before = read_assignments(root)
    finished, draft = before.pair[0], next(
        pair for pair in before.pair if pair.reviewer != before.pair[0].reviewer
    )
    semester.review(finished.project, finished.reviewer)
    semester.review(draft.project, draft.reviewer)
    path = root / "reviews" / draft.project / f"{draft.reviewer}.md"
    write(path, path.read_text(encoding="utf-8").replace("Read and run.", "FILL-IN"))
    semester.keep(path)
    gone = (finished.reviewer, draft.reviewer)
    planned = plan_repair(root, drop=gone)
    by_hand = (root / ASSIGNMENTS_FILE).read_text(encoding="utf-8").replace("seed = 0", "seed = 9")
    write(root / ASSIGNMENTS_FILE, by_hand)
    with pytest.raises(UserError, match="not committed"):
        write_plan(root, planned)
    said = semester.dgm(
        "assign", "--repair", "--drop", *gone, "--commit", date="2027-03-05", status=2
    )
    assert "has changes that are not committed" in said
    assert (root / ASSIGNMENTS_FILE).read_text(encoding="utf-8") == by_hand
    run_git(root, "restore", ASSIGNMENTS_FILE)

    said = semester.dgm("assign", "--repair", "--drop", *gone, "--commit", date="2027-03-05")
    assert f"the finished review of {finished.reviewer} stays" in said
    assert "is begun and not finished" in said
    after = read_assignments(root)
    semester.commit("two left", "2027-03-05")
    assert Counter(pair.project for pair in after.pair) == dict.fromkeys(SLUGS, 2)
    kept = {pair for pair in before.pair if pair.reviewer not in gone}
    assert kept | {finished} <= set(after.pair)
    assert draft not in after.pair
    left = [pair for pair in after.pair if pair.reviewer in gone]
    assert left == [pair for pair in left if pair == finished]
    loads = Counter(pair.reviewer for pair in after.pair if pair.reviewer not in gone)
    assert max(loads.values()) - min(loads.values()) <= 1


def reviews_with_a_late_one(semester):
    record = read_assignments(semester.root)
    late = next(pair for pair in record.pair if pair.project == SLUGS[7])
    for pair in record.pair:
        path = semester.root / "reviews" / pair.project / f"{pair.reviewer}.md"
        if pair != late and not path.exists():
            semester.review(pair.project, pair.reviewer)
    semester.commit("reviews", "2027-03-09")
    states = semester.states("2027-03-12")
    assert states[SLUGS[7]]["state"] == "under review"
    assert states[SLUGS[7]]["turn"] == [late.reviewer]
    assert -2 < states[SLUGS[7]]["days"] < 0
    assert next(iter(states)) == SLUGS[7]  # the oldest wait first
    assert semester.counts("2027-03-12")["reviewed", "developers"] == 29
    said = semester.dgm("status", "--now", "2027-03-12", date="2027-03-12")
    assert "1 d late" in said
    semester.review(late.project, late.reviewer)
    semester.commit("the late review", "2027-03-13")
    assert semester.counts("2027-03-13") == {("reviewed", "developers"): 30}
    assert semester.states("2027-03-13")[SLUGS[7]]["open_findings"] == {
        "blocker": 0,
        "major": 2,
        "minor": 2,
        "nit": 2,
    }


def tags_that_moved(semester):
    """A tag forced elsewhere and one deleted: the record stays, the missing one comes back."""
    root = semester.root
    before = (root / FROZEN_FILE).read_bytes()
    run_git(root, "tag", "-f", f"v1/{SLUGS[3]}", "HEAD")
    run_git(root, "tag", "-d", f"v1/{SLUGS[4]}")
    said = semester.dgm("freeze", "v1", date="2027-03-14")
    assert f"the tag v1/{SLUGS[3]} stands elsewhere; the record wins" in said
    assert said.count("warning") == 1
    recorded = read_frozen(root).find(SLUGS[4], "v1").commit
    assert Repository(root).resolve(f"v1/{SLUGS[4]}") == recorded
    assert (root / FROZEN_FILE).read_bytes() == before


def responses_and_version_2_with_a_renamed_project(semester):
    root, renamed, unanswered = semester.root, SLUGS[5], SLUGS[6]
    for slug in SLUGS:
        write_project(root, slug, version="2")
        keys = read_assignments(root).reviewers(slug)
        answers = {f"{key}/{finding}": "fixed" for key in keys for finding, _ in FINDINGS}
        if slug != unanswered:
            semester.keep(write_response(root, slug, answers))
    shutil.move(root / "projects" / renamed, root / "projects" / "better_name")
    table = root / "projects" / "better_name" / "project.toml"
    table.write_text(table.read_text(encoding="utf-8").replace(renamed, "better_name"), "utf-8")
    write(root / "projects" / "better_name" / "model.py", f'"""Model of {renamed}, version 1."""\n')
    semester.commit("version 2", "2027-03-19")
    states = semester.states("2027-03-19")
    assert f"git mv projects/better_name projects/{renamed}" in states[renamed]["note"]
    del states["better_name"]
    assert Counter(entry["state"] for entry in states.values()) == {"responding": 29, "reviewed": 1}
    assert not states[unanswered]["answered"]
    assert semester.states("2027-03-21")[SLUGS[0]]["turn"] == ["instructor"]

    said = semester.dgm("freeze", "v2", date="2027-03-21")
    assert f"projects/{renamed} was renamed to better_name" in said
    assert said.count("frozen  paper_") == 29
    shutil.move(root / "projects" / "better_name", root / "projects" / renamed)
    write_project(root, renamed, version="2")
    semester.commit("the old name again", "2027-03-21")
    assert semester.states("2027-03-21")[renamed]["turn"] == ["developers"]
    semester.dgm("freeze", "v2", renamed, "--early", date="2027-03-21")
    semester.commit("version 2 of all", "2027-03-21")
    assert semester.counts("2027-03-22") == {
        ("v2 frozen", "reviewers"): 29,
        ("v2 frozen", "developers+reviewers"): 1,
    }
    keys = read_assignments(root).reviewers(unanswered)
    answers = {f"{key}/{finding}": "declined" for key in keys for finding, _ in FINDINGS}
    semester.keep(write_response(root, unanswered, answers))


def verification(semester):
    root = semester.root
    for slug in SLUGS:
        version = read_frozen(root).find(slug, "v2").commit
        for key in read_assignments(root).reviewers(slug):
            semester.keep(write_verification(root, slug, key, version, OUTCOMES))
    last = root / "reviews" / SLUGS[9]
    last = next(path for path in sorted(last.iterdir()) if path.name.endswith(".verification.md"))
    text = last.read_text(encoding="utf-8")
    write(last, text.replace("- F03: accepts-reason\n", ""))
    states = semester.states("2027-03-28")
    assert states[SLUGS[9]]["state"] == "v2 frozen"
    assert states[SLUGS[9]]["turn"] == [last.name.removesuffix(".verification.md")]
    write(last, text)
    semester.commit("verified", "2027-03-29")
    states = semester.states("2027-03-29")
    assert {entry["state"] for entry in states.values()} == {"verified"}
    assert states[SLUGS[0]]["open_findings"] == {"blocker": 0, "major": 0, "minor": 2, "nit": 0}
    write(root / "reviews" / "published.toml", 'schema = "published/1"\n')
    assert semester.counts("2027-04-20") == {("published", ""): 30}
    (root / "reviews" / "published.toml").unlink()


def a_shallow_clone(semester):
    """Status needs no history; a freeze says what it misses; a repair reads what there is."""
    clone = semester.root.parent / "shallow"
    source = semester.root.as_uri()
    subprocess.run(["git", "clone", "-q", "--depth=1", source, str(clone)], check=True)
    before = semester.states("2027-03-29")
    semester.monkeypatch.chdir(clone)
    assert semester.states("2027-03-29") == before
    said = semester.dgm("freeze", "v2", date="2027-03-29", status=2)
    assert "git fetch --unshallow" in said
    said = semester.dgm("assign", "--repair", date="2027-03-29")
    assert "is not in this clone" in said
    assert Repository(clone).is_dirty() is False
