"""Grades: the worked example of docs/grading.md number for number, and what must always hold."""

import dataclasses
import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import schema
from common.course.cycle import Cycle, Dates, ReviewerWeights, SeverityWeights, VersionWeights
from common.course.grading.adjudication import Adjudication, Own, Quality, Ruled
from common.course.grading.grades import confirmed, grade_developers, grade_reviewer

DOCUMENT = Path(__file__).parents[2] / "docs" / "grading.md"
DATES = Dates(
    date(2026, 10, 1), date(2026, 11, 1), date(2026, 11, 20), date(2026, 12, 1), date(2027, 1, 1)
)
CYCLE = Cycle("cycle/1", "2026-fall", DATES)


def block(kind: str) -> str:
    """A fenced block of the document, by what stands behind its fence."""
    return re.search(rf"```{kind}\n(.*?)```", DOCUMENT.read_text(), re.DOTALL).group(1)


@pytest.fixture(scope="module")
def example() -> tuple[Adjudication, Cycle]:
    """The two inputs of the worked example."""
    table = tomllib.loads(block("toml cycle"))
    cycle = Cycle(
        "cycle/1",
        "2026-fall",
        DATES,
        points_per_weight=table["points_per_weight"],
        version_weights=VersionWeights(**table["version_weights"]),
        severity_weights=SeverityWeights(**table["severity_weights"]),
        reviewer_weights=ReviewerWeights(**table["reviewer_weights"]),
    )
    return schema.parse(block("toml adjudication"), Adjudication), cycle


def test_the_worked_example_number_for_number(example):
    judged, cycle = example
    rows = re.findall(r"^\| ([\w ]+) \| ([\w-]+) \| (\d+\.\d\d) \|$", DOCUMENT.read_text(), re.M)
    developer = grade_developers(judged, cycle)
    computed = {
        ("version 1", "iwae"): developer.v1,
        ("version 2", "iwae"): developer.v2,
        ("developer", "iwae"): developer.score,
        ("reviewer", "r-07"): grade_reviewer(judged, "r-07", cycle).score,
        ("reviewer", "r-08"): grade_reviewer(judged, "r-08", cycle).score,
    }
    assert {(grade, of): value for grade, of, value in rows} == {
        key: f"{value:.2f}" for key, value in computed.items()
    }


def test_the_explanation_is_the_example_line_for_line(example):
    judged, cycle = example
    assert "\n".join(grade_developers(judged, cycle).steps) == block("text developer").rstrip()
    for reviewer in ("r-07", "r-08"):
        steps = grade_reviewer(judged, reviewer, cycle).steps
        assert "\n".join(steps) == block(f"text {reviewer}").rstrip()


@pytest.mark.parametrize("name", ["developer", "r-07", "r-08"])
def test_the_arithmetic_of_the_example_is_right_by_itself(name):
    """The document's sums are computed here without the code that grades."""
    sums = re.findall(r"^[a-z0-9 ]+ = ([\d x().+/-]+) = ([\d.]+)", block(f"text {name}"), re.M)
    assert len(sums) == (3 if name == "developer" else 6)
    for expression, value in sums:
        # 0.01: the factors are shown with four digits, and 100 x such a factor is
        assert eval(expression.replace(" x ", " * ")) == pytest.approx(float(value), abs=0.012)


def test_the_example_by_a_second_hand():
    """The same grades from the weights alone."""
    developer = 0.4 * (100 - 2 * (4 + 1 + 8 + 4 + 1)) + 0.6 * (100 - 2 * (1 + 4 + 1))
    first = 100 * (0.4 * 5 / 18 + 0.2 * 3 / 4 + 0.4 * 18 / 20) - 10
    second = 100 * (0.4 * 12 / 17 + 0.2 + 0.4 * 16 / 20) - 8
    for value in (developer, first, second):
        assert f"| {value:.2f} |" in DOCUMENT.read_text()


def adjudication(*entries, **fields) -> Adjudication:
    """An adjudication from findings, own findings and scores in any order."""
    of = {
        name: tuple(entry for entry in entries if isinstance(entry, kind))
        for name, kind in (("finding", Ruled), ("instructor", Own), ("quality", Quality))
    }
    return Adjudication("adjudication/1", "made", **of, **fields)


def valid(reviewer="r-07", finding="F01", severity="major", fixed=True) -> Ruled:
    return Ruled(reviewer, finding, severity, "valid", fixed_in_v2=fixed)


BEST = Quality("r-07", 4, 4, 4, 4, 4)


def test_a_perfect_review_of_a_perfect_project():
    judged = adjudication(BEST)
    grade = grade_reviewer(judged, "r-07", CYCLE)
    assert (grade.coverage, grade.validity, grade.quality, grade.score) == (1, 1, 1, 100)
    assert grade_developers(judged, CYCLE).score == 100


def test_who_finds_nothing_where_something_was_has_no_validity_either():
    grade = grade_reviewer(adjudication(BEST, valid("r-08")), "r-07", CYCLE)
    assert (grade.coverage, grade.validity, grade.penalty) == (0, 0, 0)
    assert grade.score == pytest.approx(40)


def test_a_reported_problem_costs_the_developers_only():
    judged = adjudication(BEST, valid(fixed=False))
    assert grade_reviewer(judged, "r-07", CYCLE).score == 100
    assert grade_developers(judged, CYCLE).v1 == 92


def test_a_missed_problem_costs_both():
    own = Own("I01", "wrong", "major", "v1", missed_by_reviewer=True, fixed_in_v2=True)
    judged = adjudication(BEST, valid(), own)
    assert grade_developers(judged, CYCLE).v1 == 84
    grade = grade_reviewer(judged, "r-07", CYCLE)
    assert (grade.coverage, grade.penalty) == (0.5, 8)
    assert grade.score == pytest.approx(100 * (0.4 * 0.5 + 0.6) - 8)


def test_a_duplicate_of_what_the_instructor_found_is_a_catch():
    own = Own("I01", "wrong", "major", "v1", missed_by_reviewer=True, fixed_in_v2=True)
    twin = Ruled("r-07", "F01", "minor", "duplicate", duplicate_of="I01")
    grade = grade_reviewer(adjudication(BEST, own, twin), "r-07", CYCLE)
    assert (grade.coverage, grade.validity, grade.penalty) == (1, 1, 0)
    assert grade_reviewer(adjudication(BEST, own, twin), "r-08", CYCLE).penalty == 8


def test_duplicates_of_duplicates_cost_once():
    second = Ruled("r-08", "F01", "blocker", "duplicate", duplicate_of="r-07/F01")
    third = Ruled("r-09", "F01", "blocker", "duplicate", duplicate_of="r-08/F01")
    judged = adjudication(valid(), second, third)
    assert len(confirmed(judged)) == 1
    assert grade_developers(judged, CYCLE).v1 == 92
    assert grade_reviewer(judged, "r-09", CYCLE).coverage == 1


def test_a_circle_of_duplicates_is_no_problem_and_ends():
    one = Ruled("r-07", "F01", "major", "duplicate", duplicate_of="r-08/F01")
    other = Ruled("r-08", "F01", "major", "duplicate", duplicate_of="r-07/F01")
    assert grade_developers(adjudication(one, other), CYCLE).v1 == 100
    assert grade_reviewer(adjudication(one, other), "r-07", CYCLE).validity == 0


def test_what_came_with_version_2_counts_against_no_reviewer():
    own = Own("I01", "new", "blocker", "v2", missed_by_reviewer=True)
    judged = adjudication(BEST, own)
    grade = grade_developers(judged, CYCLE)
    assert (grade.v1, grade.v2) == (100, 84)
    assert grade_reviewer(judged, "r-07", CYCLE).score == 100


def test_a_reviewer_who_is_excused_keeps_the_coverage():
    own = Own("I01", "only on a GPU", "major", "v1", missed_by_reviewer=False, fixed_in_v2=True)
    judged = adjudication(BEST, valid(), own)
    assert grade_reviewer(judged, "r-07", CYCLE).score == 100
    assert grade_developers(judged, CYCLE).v1 == 84


def test_nothing_falls_below_zero():
    many = [valid(finding=f"F{number:02d}", severity="blocker", fixed=False) for number in range(9)]
    own = [
        Own(f"I{number}", "x", "blocker", "v1", missed_by_reviewer=True, fixed_in_v2=False)
        for number in range(9)
    ]
    judged = adjudication(*many, *own)
    grade = grade_developers(judged, CYCLE)
    assert (grade.v1, grade.v2, grade.score) == (0, 0, 0)
    assert "so 0" in grade.steps[0]
    assert grade_reviewer(judged, "r-08", CYCLE).score == 0


SEVERITY = st.sampled_from(["blocker", "major", "minor", "nit"])
REVIEWERS = ("r-07", "r-08", "r-09")


@st.composite
def adjudications(draw) -> Adjudication:
    """Any complete adjudication of up to three reviews."""
    own = [
        Own(
            f"I{number:02d}",
            "title",
            draw(SEVERITY),
            draw(st.sampled_from(["v1", "v2"])),
            draw(st.one_of(st.booleans(), st.just(("r-07",)))),
            draw(st.booleans()),
        )
        for number in range(draw(st.integers(0, 4)))
    ]
    names = [entry.id for entry in own]
    findings = []
    for reviewer in REVIEWERS:
        for number in range(draw(st.integers(0, 4))):
            ruling = draw(st.sampled_from(["valid", "invalid", "duplicate"]))
            target = draw(st.sampled_from(names)) if names and ruling == "duplicate" else None
            ruling = "invalid" if ruling == "duplicate" and target is None else ruling
            entry = Ruled(
                reviewer,
                f"F{number:02d}",
                draw(SEVERITY),
                ruling,
                duplicate_of=target,
                fixed_in_v2=draw(st.booleans()),
            )
            findings.append(entry)
            names.append(entry.name)
    score = st.integers(0, 4)
    scores = [Quality(key, *(draw(score) for _ in range(5))) for key in REVIEWERS]
    base = st.floats(0, 100)
    return adjudication(*own, *findings, *scores, v1_base=draw(base), v2_base=draw(base))


UNEVEN = dataclasses.replace(
    CYCLE, points_per_weight=0.7, severity_weights=SeverityWeights(8.3, 4.1, 1.7, 0.1)
)


def all_grades(judged: Adjudication) -> list[float]:
    """Every number that a grade rests on, but for the order of its explanation."""
    developer = grade_developers(judged, UNEVEN)
    numbers = [developer.v1, developer.v2, developer.score]
    for key in REVIEWERS:
        grade = grade_reviewer(judged, key, UNEVEN)
        numbers += [grade.coverage * 100, grade.validity * 100, grade.quality * 100, grade.score]
    return numbers


@given(adjudications())
@settings(max_examples=60, deadline=None)
def test_every_number_is_within_0_and_100(judged):
    assert all(0 <= number <= 100 for number in all_grades(judged))


@given(adjudications(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_findings_never_matters(judged, random):
    def shuffled(entries):
        entries = list(entries)
        random.shuffle(entries)
        return tuple(entries)

    other = dataclasses.replace(
        judged,
        finding=shuffled(judged.finding),
        instructor=shuffled(judged.instructor),
        quality=shuffled(judged.quality),
    )
    assert all_grades(other) == all_grades(judged)
    assert grade_developers(other, UNEVEN).steps == grade_developers(judged, UNEVEN).steps


@given(adjudications())
@settings(max_examples=40, deadline=None)
def test_fixing_one_more_problem_never_lowers_a_grade(judged):
    before = all_grades(judged)
    for name in ("finding", "instructor"):
        entries = getattr(judged, name)
        for index, entry in enumerate(entries):
            mended = (*entries[:index], dataclasses.replace(entry, fixed_in_v2=True))
            other = dataclasses.replace(judged, **{name: mended + entries[index + 1 :]})
            assert all(a >= b for a, b in zip(all_grades(other), before, strict=True))


@given(adjudications(), SEVERITY)
@settings(max_examples=60, deadline=None)
def test_one_more_valid_finding_never_lowers_coverage_or_validity(judged, severity):
    before = grade_reviewer(judged, "r-07", UNEVEN)
    new = Ruled("r-07", "F99", severity, "valid", fixed_in_v2=False)
    twins = [
        Ruled("r-07", "F99", severity, "duplicate", duplicate_of=problem.name)
        for problem in confirmed(judged)
    ]
    for entry in (new, *twins):
        other = dataclasses.replace(judged, finding=(*judged.finding, entry))
        after = grade_reviewer(other, "r-07", UNEVEN)
        assert after.coverage >= before.coverage - 1e-12
        assert after.validity >= before.validity - 1e-12
        assert after.penalty <= before.penalty
