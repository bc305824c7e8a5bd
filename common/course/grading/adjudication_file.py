"""Reading and extending $DGM_PRIVATE/adjudication/<slug>.toml; nothing in it is ever rewritten."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from common import schema
from common.course import records
from common.course.cycle import SEVERITIES
from common.course.grading.adjudication import SCORES, Adjudication
from common.course.grading.adjudication_points import open_points
from common.course.private import refuse_tracked
from common.course.reviewing.responses import read_response
from common.course.reviewing.reviews import Finding, read_review
from common.course.reviewing.verifications import read_verification
from common.errors import UserError
from common.files import write_bytes
from common.projects import FILL
from common.schema import Fault

HEADER = """\
# The adjudication of {slug}. Private. `dgm adjudicate {slug}` only ever adds to this file.
# docs/grading.md says what each field does to the grades.
schema = "adjudication/1"
project = {project}
v1_base = 100.0 # what version 1 is worth before problems are counted; 0 if it never came
v2_base = 100.0

# A problem that you found, one table each (take the # away):
#
# [[instructor]]
# id = "I01"
# title = "..."
# severity = "major"          # blocker, major, minor or nit
# introduced_in = "v1"        # or "v2"
# missed_by_reviewer = true   # or false, or the reviewers who should have seen it: ["r-07"]
# fixed_in_v2 = false         # of one introduced in v1
#
# Of each finding below: ruling = "valid", "invalid" or "duplicate" (then duplicate_of = "r-07/F02"
# or "I01"); severity as you see it; fixed_in_v2 of each valid one. Scores are 0 to 4.
"""


@dataclass(frozen=True)
class Evidence:
    """What the reviews of a project say, and what response and verification say of each finding."""

    findings: Mapping[str, tuple[Finding, ...]]  # by reviewer
    statuses: Mapping[str, str]  # by r-07/F01, as in the response
    outcomes: Mapping[str, str]  # by r-07/F01, as in the verification
    notes: tuple[str, ...] = ()  # for the instructor to know

    @property
    def ids(self) -> dict[str, tuple[str, ...]]:
        """The finding ids by reviewer."""
        return {reviewer: ids_of(found) for reviewer, found in self.findings.items()}


def ids_of(findings: Iterable[Finding]) -> tuple[str, ...]:
    """The ids of findings, each once, in order."""
    return tuple(dict.fromkeys(finding.id for finding in findings))


def read_evidence(root: Path, slug: str) -> Evidence:
    """The reviews of the assigned reviewers of a project, its response and its verifications."""
    folder = root / "reviews" / slug
    assigned = records.read_assignments(root).reviewers(slug)
    findings: dict[str, tuple[Finding, ...]] = {}
    outcomes: dict[str, str] = {}
    notes = []
    for reviewer in assigned:
        path = folder / f"{reviewer}.md"
        if not path.exists():
            notes.append(f"{reviewer} is assigned and wrote no review.")
            continue
        review = read_review(path)
        findings[reviewer] = tuple(review.findings)
        if review.problems:
            notes.append(f"reviews/{slug}/{path.name} has mistakes; `dgm review check` names them.")
        verification = folder / f"{reviewer}.verification.md"
        if verification.exists():
            for verdict in read_verification(verification).verdicts:
                outcomes[f"{reviewer}/{verdict.finding}"] = verdict.outcome
    notes += [
        f"reviews/{slug}/{name} is of nobody assigned; left out."
        for name in unassigned(folder, assigned)
    ]
    statuses = {}
    if (folder / "response.md").exists():
        for answer in read_response(folder / "response.md").answers:
            statuses[f"{answer.reviewer}/{answer.finding}"] = answer.status
    return Evidence(findings, statuses, outcomes, tuple(notes))


def unassigned(folder: Path, assigned: Iterable[str]) -> list[str]:
    """The names of review files in a folder whose writers are not assigned."""
    keys = set(assigned) | {"response"}
    names = sorted(path.name for path in folder.glob("*.md"))
    return [name for name in names if name.split(".")[0] not in keys]


def adjudication_path(folder: Path, slug: str, root: Path) -> Path:
    """Where a project's adjudication is; raises UserError where git could see it (a link)."""
    path = folder / "adjudication" / f"{slug}.toml"
    if path.parent.exists():
        refuse_tracked(path.resolve().parent, root)
    return path


def read_adjudication(path: Path) -> tuple[Adjudication, str]:
    """An adjudication and its text; raises SchemaError with every mistake."""
    judged = schema.read(path, Adjudication)
    if judged.project != path.stem:
        fault = Fault(0, "project", f"project is {judged.project!r}, expected {path.stem!r}.")
        raise schema.SchemaError(path, [fault])
    return judged, path.read_bytes().decode("utf-8-sig")


def check_adjudication(path: Path, root: Path) -> tuple[Adjudication, list[Fault]]:
    """An adjudication and what it leaves open; raises SchemaError where it cannot be read."""
    judged, text = read_adjudication(path)
    return judged, open_points(text, judged, read_evidence(root, path.stem).ids)


def extend(path: Path, evidence: Evidence) -> list[str]:
    """Add to the file what it lacks, and say what: findings by name, reviews by reviewer.

    Nothing that stands in the file is touched. Raises UserError, and writes nothing, where the file
    cannot be read or was changed meanwhile.
    """
    slug = path.stem
    before = path.read_bytes() if path.exists() else None
    judged = read_adjudication(path)[0] if before is not None else None
    have = set(judged.by_name) if judged else set()
    scored = {quality.reviewer for quality in judged.quality} if judged else set()
    added, parts = [], []
    for reviewer, findings in evidence.findings.items():
        for finding in findings:
            name = f"{reviewer}/{finding.id}"
            if name not in have:
                have.add(name)
                added.append(name)
                parts.append(finding_text(reviewer, finding, evidence))
        if reviewer not in scored:
            added.append(f"scores of {reviewer}")
            parts.append(quality_text(reviewer))
    if before is not None and not parts:
        return []
    start = before.decode("utf-8") if before is not None else new_file(slug)
    end = "\r\n" if "\r\n" in start else "\n"
    if not start.endswith("\n"):
        start += end
    text = start + "".join(f"\n{part}".replace("\n", end) for part in parts)
    schema.parse(text.removeprefix("\ufeff"), Adjudication, path)
    if before != (path.read_bytes() if path.exists() else None):
        raise UserError(f"{path} was changed by somebody else meanwhile; run the command again.")
    write_bytes(path, text.encode("utf-8"))
    return added


def new_file(slug: str) -> str:
    """The beginning of a new file."""
    return HEADER.format(slug=slug, project=quoted(slug))


def finding_text(reviewer: str, finding: Finding, evidence: Evidence) -> str:
    """The table of one finding, with what the review, the response and the verification say."""
    name = f"{reviewer}/{finding.id}"
    status, outcome = evidence.statuses.get(name, "none"), evidence.outcomes.get(name, "none")
    severity = finding.severity if finding.severity in SEVERITIES else FILL
    fixed = {"verified": "true", "not-fixed": "false"}.get(outcome, quoted(FILL))
    return (
        f"[[finding]] # response: {one_line(status)}; verification: {one_line(outcome)}\n"
        f"reviewer = {quoted(reviewer)}\n"
        f"id = {quoted(finding.id)}\n"
        f"title = {quoted(finding.title)}\n"
        f"severity = {quoted(severity)} # the reviewer said {one_line(finding.severity)}\n"
        f"ruling = {quoted(FILL)}\n"
        f"fixed_in_v2 = {fixed}\n"
    )


def quality_text(reviewer: str) -> str:
    """The table of a review's scores, to fill in."""
    scores = "".join(f"{name} = {quoted(FILL)}\n" for name in SCORES)
    return f"[[quality]]\nreviewer = {quoted(reviewer)}\n{scores}"


def quoted(text: str) -> str:
    """A TOML string of one line."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False).replace("\x7f", "\\u007f")


def one_line(text: str) -> str:
    """Text that can stand in a comment."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
