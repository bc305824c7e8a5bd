"""Reviews, responses and verifications are read back exactly, whoever typed them; nothing raises."""

from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from common.course.cycle import SEVERITIES
from common.course.reviewing.responses import STATUSES, parse_response, read_response
from common.course.reviewing.reviews import AREAS, read_review
from common.course.reviewing.verifications import OUTCOMES, read_verification
from tests.course.review_forms import COMMIT, FRONT, RESPONSE, VERIFICATION

ANSWER = Path("response.md")
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
