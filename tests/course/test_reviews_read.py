"""Reviews, responses and verifications are read forgivingly, and never raise."""

from pathlib import Path

import pytest

from common.course.reviewing.places import anchors, parse_place
from common.course.reviewing.responses import parse_response, read_response
from common.course.reviewing.reviews import VERDICTS, parse_review, read_review
from common.course.reviewing.text import finding_ids
from common.course.reviewing.verifications import read_verification
from tests.course.review_forms import COMMIT, FRONT, RESPONSE, VERIFICATION

REVIEW, ANSWER = Path("review.md"), Path("response.md")


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path):
    for read in (read_review, read_response, read_verification):
        assert "does not exist" in read(tmp_path / "none.md").problems[0].message
        assert "folder" in read(tmp_path).problems[0].message


def test_old_windows_turkish_is_read(tmp_path):
    path = tmp_path / "review.md"
    text = FRONT.format(commit=COMMIT, verdict="minor") + "## Summary\nA summary.\n"
    path.write_bytes(text.replace("A summary.", "Işık ölçümü doğru değil.").encode("cp1254"))
    assert read_review(path).summary == "Işık ölçümü doğru değil."


def body(text: str):
    """The review with this body."""
    front = FRONT.format(commit=COMMIT, verdict="minor")
    return parse_review(front + "## Summary\ns\n## Checklist\n" + text, REVIEW)


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("## F01 · major · correctness · KL - sign", ("F01", "major", "correctness", "KL - sign")),
        ("##F1·Major·Correctness·x", ("F01", "major", "correctness", "x")),
        ("### f001 | MİNOR | Docs | x", ("F01", "minor", "documentation", "x")),
        ("## F12 - nit - code and tests - x ##", ("F12", "nit", "code", "x")),
        ("## Finding F2: blocker, goals, x: y", ("F02", "blocker", "goals", "x: y")),
        ("## **F02** – major – licence – x", ("F02", "major", "provenance", "x")),
        ("## F3 minor privacy two words", ("F03", "minor", "privacy", "two words")),
    ],
)
def test_headings_in_many_hands(heading, expected):
    review = body(heading + "\n- where: a.py\n")
    finding = review.findings[0]
    assert (finding.id, finding.severity, finding.area, finding.title) == expected
    assert review.problems == ()


@pytest.mark.parametrize(
    ("text", "code", "line", "told"),
    [
        ("## F01 · critical · code · t", "review.severity", 13, "'critical', expected blocker"),
        ("## F01 · mayor · code · t", "review.severity", 13, "did you mean 'major'"),
        ("## F01 · major · KL is wrong", "review.area", 13, "no area"),
        ("## F01 · major · maths · t", "review.area", 13, "'maths', expected goals"),
        ("## F01 · major · code", "review.title", 13, "no title"),
        ("## Finding one: major", "review.heading", 13, "no finding and no section"),
        ("## F01 · nit · code · t\nhello\n", "review.text", 14, "'hello'"),
        ("## F01 · nit · code · t\n- were: x\n", "review.field", 14, "did you mean 'where'"),
        ("## F01 · nit · code · t\n- where: x\n- where: y\n", "review.field", 15, "where twice"),
        ("## F01 · nit · code · t\n- evidence:\n```\nx\n", "review.code-block", 15, "never closed"),
        ("<!-- hello\n## F01 · nit · code · t\n", "review.comment", 13, "never closed"),
        ("- [y] code.tests: x\n", "review.mark", 13, "[y], expected [x]"),
        ("## Summary\nagain\n", "review.section", 13, "twice"),
    ],
)
def test_what_is_wrong_is_told_on_its_line(text, code, line, told):
    found = [problem for problem in body(text).problems if problem.code == code]
    assert [(p.line, told in p.message) for p in found] == [(line, True)], body(text).problems


def test_an_open_code_block_hides_no_finding():
    text = "## F01 · nit · code · t\n- evidence:\n  ```\n  x\n## F02 · nit · code · u\n"
    assert [finding.id for finding in body(text).findings] == ["F01", "F02"]


def test_fields_in_many_hands():
    finding = body(
        "## F01 · nit · code · t\n\n* Where: `model.py:4`, demo.ipynb#cell-2 (the loop, below)\n"
        "  README.md#results\npaper: -\n- **Evidence**: I ran it,\nand it failed:\n"
        "```\n- suggestion: not this\n```\n- suggestion: mend it\n"
    ).findings[0]
    assert finding.where == ("model.py:4", "demo.ipynb#cell-2", "README.md#results")
    assert finding.evidence.startswith("I ran it,\nand it failed:\n```\n- suggestion: not")
    assert (finding.paper, finding.suggestion) == ("-", "mend it")
    assert finding.line_of("suggestion") == 23


def test_the_checklist_in_many_hands():
    review = body(
        "### goals\n- [X] Goals.Choice: What? -- because\n  of this\n"
        "* [ ] code.tests: What?\n\n  — F2, r-07/F13\n-[-] code.form\n\n  none here\n"
        "- [x] fidelity.paper: What?\n\tI derived Eq. 3\n"
    )
    assert [(item.id, item.mark, item.reason) for item in review.checklist] == [
        ("goals.choice", "yes", "because\nof this"),
        ("code.tests", "no", "F2, r-07/F13"),
        ("code.form", "n/a", "none here"),
        ("fidelity.paper", "yes", "I derived Eq. 3"),
    ]
    assert review.checklist[1].findings == ["F02", "F13"]


def test_comments_of_the_template_are_not_read_but_quoted_ones_are():
    review = body(
        "<!--\n## F01 · major · code · an example\n-->\n## F01 · nit · code · t\n"
        "- evidence: see `<!-- results:begin -->`\n  ```\n  <!-- in code -->\n  ```\n"
    )
    assert [finding.title for finding in review.findings] == ["t"]
    assert "<!-- in code -->" in review.findings[0].evidence
    assert "results:begin" in review.findings[0].evidence


@pytest.mark.parametrize(
    ("front", "line", "told"),
    [
        ("schema: reveiw/1", 2, "expected review/1"),
        ("revewer: x", 2, "did you mean 'reviewer'"),
        ("verdict: medium", 2, "'medium', expected ready, minor, major or not-runnable"),
        ("environment: cpu", 2, "expected {python"),
        ("project: [a, b]", 2, "expected a text"),
        ("project: a\nproject: b", 3, "twice"),
        ("project: {", 3, "not YAML"),
    ],
)
def test_front_matter_is_told_on_its_line(front, line, told):
    review = parse_review(f"---\n{front}\n---\n", REVIEW)
    assert any(p.line == line and told in p.message for p in review.problems), review.problems


def test_verdicts_however_they_are_capitalised():
    for verdict in VERDICTS:
        for typed in (verdict, verdict.upper(), verdict.title().replace("-", " ")):
            text = FRONT.format(commit=COMMIT, verdict=typed) + "## Summary\n## Checklist\n"
            review = parse_review(text, REVIEW)
            assert (review.verdict, review.problems) == (verdict, ())


@pytest.mark.parametrize(
    ("text", "code", "line", "told"),
    [
        ("## r-07/F01\n- status: fxied\n", "response.status", 6, "did you mean 'fixed'"),
        ("## r-07/F01\n- reason: x\n", "response.status", 5, "no status"),
        ("## r-07/F01\n- status:\n", "response.status", 6, "is empty"),
        ("## r-07/F01\n- status: fixed\n- commits: main\n", "response.commits", 7, "'main'"),
        ("## Answers\n", "response.heading", 5, "names no finding"),
    ],
)
def test_a_wrong_response_is_told_on_its_line(text, code, line, told):
    found = [p for p in parse_response(RESPONSE + text, ANSWER).problems if p.code == code]
    assert [(p.line, told in p.message) for p in found] == [(line, True)]


def test_notes_go_on_below_and_wrong_outcomes_are_told(tmp_path):
    path = tmp_path / "r-07.verification.md"
    path.write_text(VERIFICATION + "- F01: not-fixed: still\n  F02 too\n\n- F02: verifed\n- F03:\n")
    verification = read_verification(path)
    assert [v.note for v in verification.verdicts] == ["still\nF02 too", "", ""]
    assert [(p.line, p.code) for p in verification.problems] == [
        (10, "verification.outcome"),
        (11, "verification.outcome"),
    ]
    assert "did you mean 'verified'" in verification.problems[0].message


def test_ids_in_a_reason():
    assert finding_ids("F1, r-07/f02; F003. Not F1 score, F1-measure, bf16, F16x or F1.5") == [
        *("F01", "F02", "F03")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("projects/made/model.py:41-47", ("projects/made/model.py", ((41, 47),), "")),
        ("model.py#L41-L47", ("model.py", ((41, 47),), "")),
        ("model.py:3, 9–12", ("model.py", ((3, 3), (9, 12)), "")),
        ("demo.ipynb#cell-12", ("demo.ipynb", (), "cell-12")),
        ("./README.md#l-shape", ("README.md", (), "l-shape")),
        ("dir\\model.py", ("dir/model.py", (), "")),
    ],
)
def test_places(text, expected):
    place = parse_place(text)
    assert (place.path, place.ranges, place.anchor) == expected


def test_anchors_are_those_of_github():
    text = "# A `b` *c*\n## A b c\n```\n# no\n```\n## Ölçüm, ışık & x\n<a name='Here'></a>\n## [L](u)\n"
    assert anchors(text) == ["a-b-c", "a-b-c-1", "ölçüm-ışık--x", "l", "here"]


def test_what_a_merge_left_behind_is_told_on_its_line():
    text = RESPONSE + "\n<<<<<<< HEAD\nmine\n=======\ntheirs\n>>>>>>> other\n"
    found = [p for p in parse_response(text, Path("response.md")).problems]
    lines = text.split("\n")
    marks = [p for p in found if p.code == "review.conflict"]
    assert [lines[p.line - 1] for p in marks] == ["<<<<<<< HEAD", ">>>>>>> other"]
    quoted = RESPONSE + "\n```\n<<<<<<< HEAD\n>>>>>>> other\n```\n"
    assert "review.conflict" not in {
        p.code for p in parse_response(quoted, Path("response.md")).problems
    }
