"""Reviews, responses and verifications are read forgivingly, and never raise."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.course.cycle import SEVERITIES
from common.course.responses import STATUSES, parse_response, read_response
from common.course.review_places import anchors, parse_place
from common.course.review_text import finding_ids
from common.course.reviews import AREAS, VERDICTS, parse_review, read_review
from common.course.verifications import OUTCOMES, read_verification

FRONT = """---
schema: review/1
project: made
reviewer: r-07
commit: {commit}
verdict: {verdict}
environment: {{python: "3.11", device: cpu, ran: [install, demo]}}
conflict: none
---
"""
COMMIT = "0123456789" * 4
REVIEW, ANSWER = Path("review.md"), Path("response.md")
LETTERS = "abcdefgçğıöşüÇĞİÖŞÜ 0123456789.,()=+*/'\"_"


@dataclass(frozen=True)
class Written:
    """A finding as a reviewer meant it."""

    severity: str
    area: str
    title: str
    where: tuple[str, ...]
    paper: str
    evidence: str
    suggestion: str


# Begins with a letter and ends in one: whatever stands between belongs to the text.
titles = st.builds(
    "".join,
    st.tuples(
        st.sampled_from("abçğİIıöşüZ"), st.text(LETTERS, max_size=30), st.sampled_from("xÇş)")
    ),
)
lines = titles | st.sampled_from(
    ["- paper: 91.2", "- where: here", "# a comment", "expected: 3", "F01 again", "x · y — z"]
)
code = st.lists(titles, min_size=1, max_size=3).map(
    lambda inside: ["```sh", *inside, "## F09 · major · code · not a heading", "```"]
)
bodies = st.lists(lines.map(lambda line: [line]) | code, min_size=0, max_size=3)
places = st.sampled_from(
    ["projects/made/model.py:41-47", "demo.ipynb#cell-12", "README.md#results", "train.py:3"]
)
written = st.builds(
    Written,
    severity=st.sampled_from(SEVERITIES),
    area=st.sampled_from(AREAS),
    title=titles,
    where=st.lists(places, min_size=1, max_size=3).map(tuple),
    paper=st.sampled_from(["-", "Eq. (7)", "Table 6, MADE 1hl (1 mask)"]),
    evidence=st.builds(
        lambda first, rest: "\n".join([first, *(line for part in rest for line in part)]),
        titles,
        bodies,
    ),
    suggestion=titles,
)


@dataclass(frozen=True)
class Style:
    """How somebody types."""

    end: str
    mark: bytes
    separator: str
    bullet: str
    indent: str
    capital: bool
    short: bool
    blank: str


styles = st.builds(
    Style,
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    separator=st.sampled_from([" · ", " - ", " – ", "—", " | ", "\t·\t", ": "]),
    bullet=st.sampled_from(["- ", "* ", "-\t", "+ ", "- **", "•  "]),
    indent=st.sampled_from(["  ", "\t", "    "]),
    capital=st.booleans(),
    short=st.booleans(),
    blank=st.sampled_from(["", "\n", "\n  \n"]),
)


def rendered(findings: list[Written], style: Style) -> str:
    """A review with these findings in somebody's style."""
    text = FRONT.format(commit=COMMIT, verdict="minor") + "## Summary\nA summary.\n## Checklist\n"
    text += "- [x] code.tests: Do the tests pass?\n  -- they do\n\n"
    for number, finding in enumerate(findings, 1):
        name = f"f{number}" if style.short else f"F{number:02d}"
        severity = finding.severity.upper() if style.capital else finding.severity
        area = finding.area.capitalize() if style.capital else finding.area
        text += "## " + style.separator.join([name, severity, area, finding.title]) + "\n"
        bold = "**" if style.bullet.endswith("**") else ""
        for field in ("where", "paper", "evidence", "suggestion"):
            value = getattr(finding, field)
            value = "; ".join(value) if field == "where" else value
            label = field.capitalize() if style.capital else field
            first, *rest = value.split("\n")
            text += f"{style.bullet}{label}{bold}: {first}\n"
            text += "".join(f"{style.indent}{line}\n" for line in rest) + style.blank
    return text


@settings(max_examples=60, deadline=None)
@given(findings=st.lists(written, max_size=4), style=styles)
def test_a_review_is_read_back_exactly(tmp_path_factory, findings, style):
    path = tmp_path_factory.getbasetemp() / "review.md"
    text = rendered(findings, style).replace("\n", style.end)
    path.write_bytes(style.mark + text.encode())
    review = read_review(path)
    assert review.problems == ()
    assert [finding.id for finding in review.findings] == [
        f"F{number:02d}" for number in range(1, len(findings) + 1)
    ]
    assert [
        Written(f.severity, f.area, f.title, f.where, f.paper, f.evidence, f.suggestion)
        for f in review.findings
    ] == findings
    assert (review.project, review.reviewer, review.commit) == ("made", "r-07", COMMIT)
    assert review.summary == "A summary."
    assert [(item.id, item.mark, item.reason) for item in review.checklist] == [
        ("code.tests", "yes", "they do")
    ]


@settings(max_examples=150, deadline=None)
@given(
    data=st.binary(max_size=400)
    | st.text(max_size=400).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.lists(
        st.sampled_from(
            [
                *(
                    "---\n",
                    "schema: review/1\n",
                    "project: [a\n",
                    "commit: 1\n",
                    "? :\n",
                    "&a *a\n",
                ),
                *("## F01 · major · code · t\n", "## F1\n", "## Summary\n", "## Checklist\n"),
                *(
                    "- where: x:9-1; #\n",
                    "- [?] a.b: c -- d\n",
                    "[ ]\n",
                    "```\n",
                    "<!--\n",
                    "-->\n",
                ),
                *("## r-1/F01\n", "- status: fixd\n", "- commits: zz\n", "- F01: verifed\n", "\0"),
                *("environment: {python: [1], ran: {a: b}}\n", "reviewer: {a: b}\n", "\x85", "\t"),
            ]
        ),
        max_size=25,
    ).map(lambda parts: "".join(parts).encode()),
)
def test_no_reader_ever_raises(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "anything.md"
    path.write_bytes(data)
    for read in (read_review, read_response, read_verification):
        document = read(path)
        size = data.count(b"\n") + data.count(b"\r") + 1
        assert all(0 <= problem.line <= size for problem in document.problems)


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path):
    for read in (read_review, read_response, read_verification):
        assert "does not exist" in read(tmp_path / "none.md").problems[0].message
        assert "folder" in read(tmp_path).problems[0].message


def test_old_windows_turkish_is_read(tmp_path):
    path = tmp_path / "review.md"
    text = rendered([], Style("\n", b"", " · ", "- ", "  ", False, False, ""))
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


RESPONSE = "---\nschema: response/1\nproject: made\n---\n"


@settings(max_examples=40, deadline=None)
@given(
    answers=st.lists(
        st.tuples(
            st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True),
            st.sampled_from(STATUSES),
            st.lists(st.from_regex(r"[0-9a-f]{7,40}", fullmatch=True), max_size=3),
            titles,
        ),
        max_size=4,
    ),
    separator=st.sampled_from([" · title", " - title", "", ": title", "\t| title"]),
    joint=st.sampled_from([", ", " ", "; "]),
)
def test_a_response_is_read_back_exactly(answers, separator, joint):
    text = RESPONSE
    for number, (reviewer, status, commits, reason) in enumerate(answers, 1):
        text += (
            f"## {reviewer}/f{number}{separator}\n* Status: {status.replace('-', ' ').title()}\n"
        )
        text += f"- commits: {joint.join(commits) or '-'}\n- reason: {reason}\n  and more\n\n"
    response = parse_response(text, ANSWER)
    assert response.problems == ()
    assert [
        (a.reviewer, a.finding, a.status, list(a.commits), a.reason) for a in response.answers
    ] == [
        (reviewer, f"F{number:02d}", status, commits, f"{reason}\nand more")
        for number, (reviewer, status, commits, reason) in enumerate(answers, 1)
    ]


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


VERIFICATION = "---\nschema: verification/1\nproject: made\nreviewer: r-07\nversion: abc\n---\n"


@settings(max_examples=40, deadline=None)
@given(
    verdicts=st.lists(st.tuples(st.sampled_from(OUTCOMES), st.just("") | titles), max_size=5),
    bullet=st.sampled_from(["- ", "* ", "-\t", "", "- **"]),
    between=st.sampled_from([": ", " - ", " · ", ":", " — "]),
    end=st.sampled_from(["\n", "\r\n"]),
    spaces=st.booleans(),
)
def test_a_verification_is_read_back_exactly(
    tmp_path_factory, verdicts, bullet, between, end, spaces
):
    text = VERIFICATION
    for number, (outcome, note) in enumerate(verdicts, 1):
        typed = outcome.replace("-", " ").capitalize() if spaces else outcome
        bold = "**" * bullet.endswith("**")
        text += f"<!-- said: F09 verified -->\n{bullet}F{number}{bold}{between}{typed}"
        text += f"{between}{note}\n" if note else "\n"
    path = tmp_path_factory.getbasetemp() / "r-07.verification.md"
    path.write_bytes(text.replace("\n", end).encode())
    verification = read_verification(path)
    assert verification.problems == ()
    assert [(v.finding, v.outcome, v.note) for v in verification.verdicts] == [
        (f"F{number:02d}", outcome, note) for number, (outcome, note) in enumerate(verdicts, 1)
    ]


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
