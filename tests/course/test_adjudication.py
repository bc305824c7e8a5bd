"""Adjudication and the gradebook: nothing an instructor wrote is lost, nothing gets out."""

import csv
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import cli, schema
from common.course.grading.adjudication import Adjudication
from common.course.grading.adjudication_file import quoted, read_adjudication
from common.course.grading.adjudication_points import open_points

EXAMPLE = Path(__file__).parents[2] / "docs" / "grading.md"
CYCLE = """\
schema = "cycle/1"
semester = "2026-fall"
[dates]
proposal = 2026-10-01
v1 = 2026-11-01
review = 2026-11-15
v2 = 2026-12-01
demos = 2026-12-10
"""
PROJECT = """\
schema = "project/1"
slug = "iwae"
title = "IWAE"
summary = "A tighter bound."
family = "latent variable models"
version = "2"
goal = []
[paper]
title = "Importance Weighted Autoencoders"
authors = ["Yuri Burda"]
year = 2015
url = "https://arxiv.org/abs/1509.00519"
[group]
key = "g-01"
members = ["p-01", "p-02"]
"""
ROSTER = """\
schema = "roster/1"
[[person]]
key = "p-01"
name = "Zeynep Işık"
group = "g-01"
[[person]]
key = "p-02"
name = "Umut Ağaoğlu"
group = "g-01"
[[person]]
key = "r-07"
name = "Deniz Şölen"
[[person]]
key = "r-08"
name = "Ege Yıldırım"
[[person]]
key = "r-09"
name = "Can Öz"
"""
HEAD = """\
---
schema: review/1
project: iwae
reviewer: {reviewer}
commit: {commit}
verdict: major
environment: {{python: "3.11", device: cpu, ran: [install]}}
conflict: none
---
## Summary
Read and run.

"""
FINDING = """\
## {id} · {severity} · correctness · {title}
- where: projects/iwae/project.toml:1
- paper: Eq. (7)
- evidence: what came out
- suggestion: mend it

"""
FINDINGS = {
    "r-07": (
        ("F01", "major", "The mean is taken outside of the logarithm"),
        ("F02", "minor", "The seed is not recorded"),
        ("F03", "minor", "Adam should be SGD"),
        ("F04", "nit", "A typo in the README"),
    ),
    "r-08": (
        ("F01", "major", "The bound is the ELBO for every k"),
        ("F02", "blocker", "The model was chosen on the test set"),
    ),
}


def example() -> str:
    """The adjudication of docs/grading.md."""
    return re.search(r"```toml adjudication\n(.*?)```", EXAMPLE.read_text(), re.DOTALL).group(1)


def review(reviewer: str, findings, commit="0" * 40) -> str:
    """A review with these findings."""
    parts = [FINDING.format(id=i, severity=s, title=t) for i, s, t in findings]
    return HEAD.format(reviewer=reviewer, commit=commit) + "".join(parts)


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A course repository with one project of two reviews; the private folder is beside it."""
    root = tmp_path / "course"
    for name, text in {
        "projects/iwae/project.toml": PROJECT,
        "reviews/cycle.toml": CYCLE,
        "reviews/frozen.toml": 'schema = "frozen/1"\n'
        + "".join(
            f'[[version]]\nslug = "iwae"\nversion = "{version}"\ndate = 2026-11-01T23:59:59Z\n'
            f'commit = "{"0" * 40}"\ntree = "{"1" * 40}"\n'
            for version in ("v1", "v2")
        ),
        "reviews/assignments.toml": 'schema = "assignments/1"\n'
        + "".join(
            f'[[pair]]\nproject = "iwae"\nreviewer = "{reviewer}"\n' for reviewer in FINDINGS
        ),
        **{
            f"reviews/iwae/{reviewer}.md": review(reviewer, findings)
            for reviewer, findings in FINDINGS.items()
        },
        "reviews/iwae/response.md": "---\nschema: response/1\nproject: iwae\n---\n"
        "## r-07/F01 · mean\n- status: fixed\n- commits: abcdef0\n- reason: moved\n\n"
        "## r-07/F03 · Adam\n- status: declined\n- reason: the paper uses Adam\n",
        "reviews/iwae/r-07.verification.md": "---\nschema: verification/1\nproject: iwae\n"
        f"reviewer: r-07\nversion: {'0' * 40}\n---\n"
        "- F01: verified\n- F02: not-fixed: still missing\n- F03: accepts-reason\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    private = tmp_path / "private"
    (private / "adjudication").mkdir(parents=True)
    (private / "roster.toml").write_text(ROSTER, encoding="utf-8")
    monkeypatch.setenv("DGM_PRIVATE", str(private))
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def path(root) -> Path:
    """Where the adjudication of the project belongs."""
    return root.parent / "private" / "adjudication" / "iwae.toml"


def tree(root: Path) -> dict[str, bytes]:
    """Every file of the repository."""
    return {str(p): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_a_new_file_has_everything_that_is_known(root, path, capsys):
    assert cli.main(["adjudicate", "iwae"]) == 0
    judged, text = read_adjudication(path)
    assert [entry.name for entry in judged.finding] == [
        f"{reviewer}/{finding[0]}" for reviewer, found in FINDINGS.items() for finding in found
    ]
    assert [entry.severity for entry in judged.finding[:4]] == ["major", "minor", "minor", "nit"]
    assert {entry.ruling for entry in judged.finding} == {"FILL-IN"}
    fixed = [entry.fixed_in_v2 for entry in judged.finding]
    assert fixed == [True, False, "FILL-IN", "FILL-IN", "FILL-IN", "FILL-IN"]
    assert "[[finding]] # response: declined; verification: accepts-reason" in text
    assert [entry.reviewer for entry in judged.quality] == ["r-07", "r-08"]
    assert f"next: edit {path}" in capsys.readouterr().out


def test_check_names_what_is_missing_with_its_line(root, path, capsys):
    assert cli.main(["adjudicate", "iwae", "--check"]) == 1
    assert "not adjudicated yet" in capsys.readouterr().out
    cli.main(["adjudicate", "iwae"])
    capsys.readouterr()
    assert cli.main(["adjudicate", "iwae", "--check"]) == 1
    said = capsys.readouterr().out
    number = path.read_text().splitlines().index('ruling = "FILL-IN"') + 1
    assert f"iwae.toml:{number}: r-07/F01: rule it valid, invalid or duplicate." in said
    assert "review of r-08: score its tone, 0 to 4." in said
    assert "16 places are yours to fill in." in said  # 6 rulings, 2 x 5 scores
    path.write_text(example())
    assert cli.main(["adjudicate", "iwae", "--check"]) == 0
    assert "next: dgm grade" in capsys.readouterr().out


def test_what_the_instructor_wrote_stays_byte_for_byte(root, path):
    cli.main(["adjudicate", "iwae"])
    mine = path.read_text().replace('ruling = "FILL-IN"', 'ruling = "valid"   # sure', 1)
    path.write_bytes(mine.replace("\n", "\r\n").encode("utf-8-sig") + b"# the end")
    before = path.read_bytes()
    assert cli.main(["adjudicate", "iwae"]) == 0
    assert path.read_bytes() == before
    text = review("r-08", (*FINDINGS["r-08"], ("F03", "minor", 'It says "Işık" \\ 2')))
    (root / "reviews/iwae/r-08.md").write_text(text, encoding="utf-8")
    assert cli.main(["adjudicate", "iwae"]) == 0
    after = path.read_bytes()
    assert after.startswith(before)
    assert b"\n" not in after[len(before) :].replace(b"\r\n", b"")
    judged = read_adjudication(path)[0]
    assert judged.finding[-1].name == "r-08/F03"
    assert judged.finding[-1].title == 'It says "Işık" \\ 2'
    assert len(judged.finding) == 7


def test_a_file_with_mistakes_is_told_and_left_alone(root, path, capsys):
    path.write_text(example().replace('"invalid"', '"wrong"').replace("tone = 4", "tone = 5", 1))
    before = path.read_bytes()
    assert cli.main(["adjudicate", "iwae"]) == 2
    assert path.read_bytes() == before
    said = capsys.readouterr().err
    text = before.decode()
    assert f"line {line(text, 'ruling', 2)}: finding[3].ruling is 'wrong'" in said
    assert f"line {line(text, 'tone')}: quality[1].tone: is 5" in said


def test_a_review_of_nobody_assigned_is_left_out(root, path, capsys):
    (root / "reviews/iwae/r-99.md").write_text(review("r-99", FINDINGS["r-08"]))
    cli.main(["adjudicate", "iwae"])
    assert "reviews/iwae/r-99.md is of nobody assigned" in capsys.readouterr().out
    assert "r-99" not in path.read_text()


def test_unknown_projects_and_places_that_git_sees_are_refused(root, capsys, monkeypatch):
    before = tree(root)
    assert cli.main(["adjudicate", "../x"]) == 2
    assert "there are: iwae" in capsys.readouterr().err
    private = root.parent / "private"
    (private / "adjudication").rmdir()
    (private / "adjudication").symlink_to(root / "reviews")
    assert cli.main(["adjudicate", "iwae"]) == 2
    assert "outside" in capsys.readouterr().err
    monkeypatch.setenv("DGM_PRIVATE", str(root / "reviews"))
    assert cli.main(["adjudicate", "iwae"]) == 2
    monkeypatch.delenv("DGM_PRIVATE")
    assert cli.main(["adjudicate", "iwae"]) == 2
    assert tree(root) == before


REVIEWS = {reviewer: tuple(i for i, _, _ in found) for reviewer, found in FINDINGS.items()}


def points_of(text: str) -> list[str]:
    """What is open in an adjudication, as `line: message`."""
    points = open_points(text, schema.parse(text, Adjudication), REVIEWS)
    return [f"{point.line}: {point.message}" for point in points]


def line(text: str, start: str, nth: int = 0) -> int:
    """The number of the nth line that begins so."""
    return [n for n, one in enumerate(text.splitlines(), 1) if one.startswith(start)][nth]


@pytest.mark.parametrize(
    ("before", "after", "start", "nth", "message"),
    [
        ('"r-07/F01"', '"r-07/F09"', "duplicate_of", 0, "r-08/F01: duplicate_of is 'r-07/F09'"),
        ('"r-07/F01"', '"r-07/F03"', "duplicate_of", 0, "r-07/F03 is invalid"),
        ('"r-07/F01"', '"r-08/F01"', "duplicate_of", 0, "a circle"),
        ('\nduplicate_of = "r-07/F01"', "", "[[finding]]", 4, "name what it is a duplicate of"),
        (
            '"invalid"',
            '"invalid"\nduplicate_of = "I01"',
            "duplicate_of",
            0,
            "not ruled a duplicate",
        ),
        ('id = "F03"', 'id = "F02"', "id = ", 2, "r-07/F02 is there twice"),
        ('id = "F03"', 'id = "F09"', "id = ", 2, "r-07/F09 is in no review"),
        ('id = "I03"', 'id = "I01"', "id = ", 8, "I01 is there twice"),
        ("fixed_in_v2 = false", 'fixed_in_v2 = "FILL-IN"', "fixed_in_v2", 1, "is it fixed in"),
        ('["r-07"]', '["r-99"]', "missed_by", 1, "I03: r-99 wrote no review here"),
        ('"r-07/F01"', '"I03"', "x", 0, ""),
        ('= "v2"', '= "v2"\nmissed_by_reviewer = true', "missed_by", 1, "came with version 2"),
        ('"v1"\nmissed_by_reviewer = ["r-07"]\nfixed_in_v2 = true', '"v1"', "[[instr", 2, "fixed"),
        ('reviewer = "r-08"\nspec', 'reviewer = "r-07"\nspec', "reviewer", 7, "scored twice"),
        ("tone = 4", 'tone = "FILL-IN"', "tone", 0, "review of r-07: score its tone"),
    ],
)
def test_every_contradiction_is_told_at_its_line(before, after, start, nth, message):
    text = example()
    assert points_of(text) == []
    assert before in text
    text = text.replace(before, after, 1)
    found = points_of(text)
    if not message:
        assert found == []
        return
    assert any(one.startswith(f"{line(text, start, nth)}: ") and message in one for one in found)


def test_who_reported_it_did_not_miss_it():
    text = example().replace('"r-07/F01"', '"I03"').replace('["r-07"]', '["r-08"]')
    (found,) = points_of(text)
    assert "r-08 reported it" in found


def test_findings_and_scores_that_are_not_there_yet_are_named():
    text = example()
    text = text[: text.index("[[finding]]")] + text[text.index("[[instructor]]") :]
    text = text[: text.rindex("[[quality]]")]
    found = "\n".join(points_of(text))
    assert "r-07/F01 is not there yet; `dgm adjudicate iwae` adds it." in found
    assert "the review of r-08 has no scores yet" in found


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_any_title_can_be_written(title):
    text = title.encode("utf-8", "replace").decode()
    assert tomllib.loads(f"x = {quoted(text)}")["x"] == " ".join(text.split())


def grades(root: Path) -> dict[str, dict[str, str]]:
    """grades.csv by key."""
    with (root.parent / "private" / "grades.csv").open(encoding="utf-8") as file:
        return {row["key"]: row for row in csv.DictReader(file)}


def test_grades_of_the_worked_example_by_person(root, path, capsys):
    path.write_text(example())
    before = tree(root)
    assert cli.main(["grade"]) == 0
    said = capsys.readouterr().out
    found = grades(root)
    assert {key: (row["developer"], row["reviewer"]) for key, row in found.items()} == {
        "p-01": ("78.40", ""),
        "p-02": ("78.40", ""),
        "r-07": ("", "52.11"),
        "r-08": ("", "72.24"),
        "r-09": ("", ""),
    }
    assert (found["p-01"]["v1"], found["p-01"]["v2"]) == ("64.00", "88.00")
    table = tomllib.loads((root.parent / "private" / "grades.toml").read_text("utf-8"))
    (person,) = [person for person in table["person"] if person["key"] == "r-07"]
    assert person["reviewer"] == 52.11
    assert "  validity = 3 / 4 = 0.75" in person["steps"]
    assert max(map(len, said.splitlines()[:6])) <= 80
    assert tree(root) == before


def test_the_arithmetic_is_explained_line_by_line(root, path, capsys):
    path.write_text(example())
    assert cli.main(["grade", "--explain", "r-08"]) == 0
    said = capsys.readouterr().out
    block = re.search(r"```text r-08\n(.*?)```", EXAMPLE.read_text(), re.DOTALL).group(1)
    assert all(f"    {one}\n" in said for one in block.splitlines())
    assert cli.main(["grade", "--explain", "iwae"]) == 0
    assert "developer = (64 x 0.4 + 88 x 0.6) / 1 = 78.4" in capsys.readouterr().out
    assert cli.main(["grade", "--explain", "nobody"]) == 2


def test_programs_get_json_and_csv(root, path, capsys):
    path.write_text(example())
    assert cli.main(["grade", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert {person["key"]: person.get("reviewer") for person in table}["r-08"] == 72.24
    assert cli.main(["grade", "--csv"]) == 0
    assert capsys.readouterr().out == (root.parent / "private/grades.csv").read_text("utf-8")


def test_who_was_assigned_and_wrote_nothing_gets_nothing(root, path):
    assignments = root / "reviews/assignments.toml"
    with assignments.open("a") as file:
        file.write('[[pair]]\nproject = "iwae"\nreviewer = "r-09"\n')
    path.write_text(example())
    assert cli.main(["grade"]) == 0
    assert grades(root)["r-09"]["reviewer"] == "0.00"


def test_several_projects_and_reviews_are_averaged(root, path):
    other = root / "projects/vqvae/project.toml"
    other.parent.mkdir()
    other.write_text(PROJECT.replace('slug = "iwae"', 'slug = "vqvae"'))
    frozen = root / "reviews/frozen.toml"
    first = frozen.read_text()
    frozen.write_text(first + first.split("\n", 1)[1].replace('"iwae"', '"vqvae"'))
    with (root / "reviews/assignments.toml").open("a") as file:
        file.write('[[pair]]\nproject = "vqvae"\nreviewer = "r-07"\n')
    path.write_text(example())
    path.with_name("vqvae.toml").write_text(
        'schema = "adjudication/1"\nproject = "vqvae"\nv1_base = 50.0\n'
    )
    assert cli.main(["grade"]) == 0
    assert grades(root)["p-01"]["developer"] == "79.20"  # (78.4 + 50 x 0.4 + 100 x 0.6) / 2
    assert grades(root)["r-07"]["reviewer"] == "26.06"  # (52.1111 + 0) / 2


def test_what_is_not_adjudicated_is_named_and_nothing_written(root, path, capsys):
    assert cli.main(["grade"]) == 2
    assert "iwae: not adjudicated; dgm adjudicate iwae" in capsys.readouterr().err
    cli.main(["adjudicate", "iwae"])
    assert cli.main(["grade"]) == 2
    said = capsys.readouterr().err
    number = line(path.read_text(), "ruling")
    assert f"iwae: line {number}: r-07/F01: rule it valid, invalid or duplicate." in said
    path.write_text(example())
    (root / "reviews/frozen.toml").unlink()
    assert cli.main(["grade"]) == 2
    assert "iwae: v2 is not frozen; dgm freeze v2" in capsys.readouterr().err
    path.write_text(example().replace("project =", "v1_base = 0.0\nv2_base = 0.0\nproject =", 1))
    assert cli.main(["grade"]) == 0
    assert grades(root)["p-01"]["developer"] == "0.00"


def test_nothing_is_written_where_git_could_see_it(root, path, tmp_path, capsys, monkeypatch):
    path.write_text(example())
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run(["git", "init", "-q", str(other)], check=True)
    (root / ".gitignore").write_text("build/\n")  # ignored, but in the work tree all the same
    before = tree(root)
    for out in (
        "grades.csv",
        "build/grades.csv",
        "reviews/new/grades.csv",
        "../course/g.csv",
        str(other / "g.csv"),
    ):
        assert cli.main(["grade", "--csv", "--out", out]) == 2, out
    (tmp_path / "link").symlink_to(root)
    assert cli.main(["grade", "--csv", "--out", str(tmp_path / "link" / "g.csv")]) == 2
    (other / ".gitignore").write_text("grades.toml\n")  # the folder's guard is not the file's
    assert cli.main(["grade", "--csv", "--out", str(other / "g.csv")]) == 2
    assert not (root.parent / "private/grades.csv").exists()
    assert tree(root) == before
    assert list(other.glob("g*")) == []
    (other / ".gitignore").write_text("g*\n")
    assert cli.main(["grade", "--csv", "--out", str(other / "g.csv")]) == 0
    assert (other / "g.csv").read_text("utf-8").startswith("key,name,")
    capsys.readouterr()


def test_a_table_that_was_edited_by_hand_is_not_written_over(root, path, capsys):
    path.write_text(example())
    assert cli.main(["grade"]) == 0
    assert cli.main(["grade"]) == 0  # its own files it may write again
    file = root.parent / "private/grades.csv"
    file.write_text(file.read_text("utf-8") + "note to myself\n", "utf-8")
    before = file.read_bytes()
    assert cli.main(["grade"]) == 2
    assert "edited by hand" in capsys.readouterr().err
    assert file.read_bytes() == before
    taken = root.parent / "mine.csv"
    taken.write_text("mine")
    file.unlink()
    assert cli.main(["grade", "--csv", "--out", str(taken)]) == 2
    assert taken.read_text() == "mine"
