"""What `dgm review respond` and `verify` write: every finding, ready to be answered and verified."""

from collections.abc import Mapping
from pathlib import Path

from common.course.documents import decode, refuse_links
from common.course.reviewing.draft import filled, frozen_version, refuse_existing
from common.course.reviewing.response_checks import all_findings, answers_by_finding
from common.course.reviewing.responses import Answer, parse_response, read_response, response_path
from common.course.reviewing.reviews import Finding, review_paths
from common.course.reviewing.text import shorten, shown
from common.course.reviewing.verifications import verification_path
from common.errors import UserError
from common.files import write_bytes, write_text
from common.projects import FILL, find_project


def respond(root: Path, slug: str) -> tuple[Path, list[str]]:
    """Write the response, or add the findings that it lacks at its end; returns those.

    Nothing that stands in an existing response is changed. Raises UserError without findings.
    """
    findings = all_findings(root, slug)
    if not findings:
        find_project(slug, root)
        raise UserError(
            f"there is no finding to answer in reviews/{slug}/; `dgm status {slug}` says whose "
            "turn it is."
        )
    path = response_path(root, slug)
    refuse_links(root, path)
    if not path.exists():
        blocks = [answer_block(key, finding) for key, finding in findings.items()]
        write_text(path, filled(root, "response.md", project=slug) + "\n".join(blocks))
        return path, list(findings)
    answered = {answer.key for answer in read_response(path).answers}
    answered |= set(answers_by_finding(root, slug))
    missing = {key: finding for key, finding in findings.items() if key not in answered}
    if missing:
        append(path, {key: answer_block(key, finding) for key, finding in missing.items()})
    return path, list(missing)


def answer_block(key: str, finding: Finding) -> str:
    """A finding ready to be answered."""
    about = f"{finding.severity}, {'; '.join(finding.where) or 'no place'}"
    comment = shorten(about, 100).replace("--", "- -")
    return (
        f"## {key} · {finding.title}\n<!-- {comment} -->\n"
        f"- status: {FILL}\n- commits: {FILL}\n- reason: {FILL}\n"
    )


def append(path: Path, blocks: Mapping[str, str]) -> None:
    """Add answers behind what a response holds, byte for byte, with its line ends.

    Raises UserError, and writes nothing, where what is added would not be read.
    """
    before = path.read_bytes()
    try:
        standing = before.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{shown(path)} is not UTF-8; save it as UTF-8, then run this.") from None
    gap = "" if standing.endswith("\n\n") else "\n" if standing.endswith("\n") else "\n\n"
    end = "\r\n" if "\r\n" in standing else "\n"
    after = before + (gap + "\n".join(blocks.values())).replace("\n", end).encode("utf-8")
    present = {answer.key for answer in parse_response(decode(after), path).answers}
    kept = {answer.key for answer in read_response(path).answers}
    if not (present >= kept | set(blocks)):
        raise UserError(
            f"{shown(path)} ends in a comment that is not closed; add --> at its end, then run this."
        )
    if path.read_bytes() != before:
        raise UserError(f"{shown(path)} was changed meanwhile; run this again.")
    write_bytes(path, after)


def verify(root: Path, slug: str, reviewer: str = "") -> Path:
    """Write <reviewer>.verification.md, each finding below what was answered; returns its path.

    Raises UserError, and writes nothing, if version 2 is not frozen or the file exists.
    """
    version = frozen_version(root, slug, "v2")
    reviewer = reviewer or only_verifier(root, slug)
    path = verification_path(root, slug, reviewer)
    refuse_existing(path, f"`dgm review check {slug}` says what it lacks")
    own = {
        key: finding
        for key, finding in all_findings(root, slug).items()
        if key.split("/")[0] == reviewer
    }
    if not own:
        raise UserError(
            f"reviews/{slug}/{reviewer}.md has no findings, so there is none to verify."
        )
    answers = answers_by_finding(root, slug)
    blocks = [verdict_block(finding, answers.get(key)) for key, finding in own.items()]
    values = {"project": slug, "reviewer": reviewer, "version": version.record.commit}
    refuse_links(root, path)
    write_text(path, filled(root, "verification.md", **values) + "\n".join(blocks))
    return path


def only_verifier(root: Path, slug: str) -> str:
    """The one reviewer with a review and no verification; raises UserError if there is not one."""
    reviewers = [path.stem for path in review_paths(root, slug)]
    waiting = [key for key in reviewers if not verification_path(root, slug, key).exists()]
    if len(waiting) == 1:
        return waiting[0]
    if waiting:
        raise UserError(
            f"{slug} waits for {', '.join(waiting)}; say who you are: "
            f"dgm review verify {slug} --reviewer {waiting[0]}"
        )
    done = "every review is verified" if reviewers else "there is no review"
    raise UserError(f"{done} in reviews/{slug}/; `dgm status {slug}` says whose turn it is.")


def verdict_block(finding: Finding, answer: Answer | None) -> str:
    """A finding's line below what the response said of it."""
    said = "no answer"
    if answer:
        commits = f" in {', '.join(commit[:10] for commit in answer.commits)}" * bool(
            answer.commits
        )
        reason = f": {shorten(answer.reason, 300)}" if answer.reason else ""
        said = f"{answer.status}{commits}{reason}"
    comment = f"{finding.severity}: {finding.title}\n     {said}".replace("--", "- -")
    return f"<!-- {comment} -->\n- {finding.id}: {FILL}\n"
