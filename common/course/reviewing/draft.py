"""What `dgm review` writes for people to fill: reviews, responses, verifications. Never over a file."""

import json
from pathlib import Path

from common.course.documents import refuse_links
from common.course.problems import Problem
from common.course.records import read_assignments
from common.course.reviewing.checklist import PROGRAM, Item, by_area, line
from common.course.reviewing.checklist_answers import VersionOne, version_one
from common.course.reviewing.reviews import AREAS, review_paths
from common.course.reviewing.text import shorten, shown
from common.course.reviewing.versions import (
    Version,
    developers,
    find_version,
    has_history,
    how_to_fetch,
)
from common.errors import UserError
from common.files import write_text
from common.projects import FILL, ROOT, find_project

CI_FILE = "build/ci.json"
TEMPLATES = "templates/review"
MOST_PROBLEMS = 20


def new_review(root: Path, slug: str, reviewer: str = "", ci: Path | None = None) -> Path:
    """Write reviews/<slug>/<reviewer>.md with everything that programs know; returns its path.

    Raises UserError, and writes nothing, if the project is not frozen, the reviewer is not assigned
    or develops it, or the review exists.
    """
    frozen_version(root, slug, "v1")
    reviewer = reviewer or only_reviewer(root, slug)
    path = root / "reviews" / slug / f"{reviewer}.md"
    text = draft(root, slug, reviewer, ci)
    hint = f"`dgm review check {slug}` says what it lacks, `dgm review new --print` shows a new one"
    refuse_existing(path, hint)
    refuse_links(root, path)
    write_text(path, text)
    return path


def draft(root: Path, slug: str, reviewer: str, ci: Path | None = None) -> str:
    """The text of a new review; raises UserError as `new_review` does, but for a file that exists."""
    version = frozen_version(root, slug, "v1")
    refuse_reviewer(root, slug, reviewer)
    found = version_one(root, slug, str(version.commit))
    return filled(
        root,
        "review.md",
        project=slug,
        reviewer=reviewer,
        commit=version.record.commit,
        goals=goals_table(found),
        programs=programs_text(found, ci_text(root, ci, version)),
        checklist=checklist_text(found),
        areas=", ".join(AREAS),
    )


def frozen_version(root: Path, slug: str, name: str) -> Version:
    """A frozen version that is in this clone; raises UserError that says what to do."""
    number = name.removeprefix("v")
    if not has_history(root, slug):
        raise UserError("this tree has no history, and reviews are of a commit; use a full clone.")
    version = find_version(root, slug, name)
    if version is None:
        find_project(slug, root)  # says which projects there are, if it is misspelt
        raise UserError(
            f"version {number} of {slug} is not frozen yet; the instructor freezes it after the "
            f"deadline (`dgm freeze {name}`), and `dgm status {slug}` says when that is."
        )
    if version.commit is None:
        raise UserError(
            f"version {number} of {slug} is frozen at {version.record.commit[:12]}, which is not "
            f"in this clone; {how_to_fetch(root)}"
        )
    return version


def only_reviewer(root: Path, slug: str) -> str:
    """The one assigned reviewer who has no review yet; raises UserError if there is not one."""
    assigned = read_assignments(root).reviewers(slug)
    written = {path.stem for path in review_paths(root, slug)}
    waiting = [key for key in assigned if key not in written]
    if len(waiting) == 1:
        return waiting[0]
    if not assigned:
        raise UserError(f"nobody is assigned to {slug} yet; the instructor runs `dgm assign`.")
    if not waiting:
        raise UserError(
            f"every reviewer of {slug} has a review ({', '.join(assigned)}); "
            f"`dgm review check {slug}` says what they lack."
        )
    raise UserError(
        f"{slug} waits for {', '.join(waiting)}; say who you are: "
        f"dgm review new {slug} --reviewer {waiting[0]}"
    )


def assigned_reviewer(root: Path, slug: str) -> str:
    """The only assigned reviewer, else the only one who has no review yet."""
    assigned = read_assignments(root).reviewers(slug)
    return assigned[0] if len(assigned) == 1 else only_reviewer(root, slug)


def refuse_reviewer(root: Path, slug: str, reviewer: str) -> None:
    """Raise UserError for somebody who is not assigned, or who develops the project."""
    assigned = read_assignments(root).reviewers(slug)
    if reviewer not in assigned:
        told = f"assigned are: {', '.join(assigned)}" if assigned else "nobody is assigned yet"
        raise UserError(
            f"{reviewer} is not assigned to {slug}; {told}. reviews/assignments.toml has all pairs."
        )
    if reviewer in developers(root, slug):
        raise UserError(
            f"{reviewer} is a developer of {slug}, and nobody reviews their own project; "
            "tell the instructor, who repairs the assignment (`dgm assign --repair`)."
        )


def refuse_existing(path: Path, hint: str) -> None:
    """Raise UserError rather than write over what a person wrote."""
    if path.exists():
        raise UserError(f"{shown(path)} exists and stays as it is; {hint}.")


def filled(root: Path, name: str, **values: str) -> str:
    """A template with its places filled; one of the repository, or the one this code came with."""
    own = root / TEMPLATES / name
    path = own if own.exists() else ROOT / TEMPLATES / name
    text = path.read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace("{{" + key + "}}", value)
    return text


def goals_table(found: VersionOne) -> str:
    """The goals: the paper, the target, ours."""
    if not found.goals:
        return "There is no goal in project.toml that can be read."
    lines = ["| goal | paper | target | ours | reached |", "|---|---|---|---|---|"]
    for goal, ours, met in found.goals:
        paper = "—" if goal.paper_value is None else f"{goal.paper_value:g}"
        reached = "—" if met is None else "yes" if met else "no"
        target = f"{goal.direction} {goal.target:g}"
        lines.append(f"| {goal.id} | {paper} | {target} | {ours} | {reached} |")
    sources = [f"- {goal.id}: {shorten(goal.paper_source, 200)}" for goal, _, _ in found.goals]
    return "\n".join([*lines, "", *sources])


def programs_text(found: VersionOne, ci: str) -> str:
    """What `dgm check` and CI said of version 1."""
    ordered = sorted(found.problems, key=lambda problem: problem.order)
    lines = [f"- {problem_text(problem)}" for problem in ordered[:MOST_PROBLEMS]]
    if len(ordered) > MOST_PROBLEMS:
        lines.append(f"- and {len(ordered) - MOST_PROBLEMS} more")
    told = "\n".join(lines) or "Nothing."
    return f"`dgm check` of today on version 1:\n\n{told}\n\nCI: {ci}"


def problem_text(problem: Problem) -> str:
    """A problem on one line; the mark of a place to fill is not repeated."""
    where = f"{problem.path}:{problem.line}" if problem.line else problem.path
    message = problem.message.replace(FILL, "a place to fill")
    return f"{problem.level}: {where}: {shorten(message, 160)} [{problem.code}]"


def ci_text(root: Path, ci: Path | None, version: Version) -> str:
    """The record that CI left, in a line; raises UserError for a file that was named and is none."""
    path = ci or root / CI_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        commit = str(record["commit"])
        steps = [f"{step['name']} {step['status']}" for step in record["steps"]]
    except FileNotFoundError:
        if ci:
            raise UserError(f"{ci} does not exist; .ci/run writes {CI_FILE}.") from None
        return f"there is no record ({CI_FILE}); `.ci/run` on version 1 writes one."
    except (OSError, ValueError, KeyError, TypeError):
        if ci:
            raise UserError(f"{ci} is no record of CI; .ci/run writes {CI_FILE}.") from None
        return f"{CI_FILE} cannot be read."
    of = "version 1" if commit in {version.commit, version.record.commit} else "another commit"
    return f"{', '.join(steps) or 'no steps'} ({of}, {commit[:12]})."


def checklist_text(found: VersionOne) -> str:
    """The checklist by area, the program's items answered."""
    parts = []
    for area, items in by_area().items():
        lines = [item_text(item, found) for item in items]
        parts.append("\n".join([f"### {area}", *lines]))
    return "\n\n".join(parts)


def item_text(item: Item, found: VersionOne) -> str:
    """One item: answered by the program, or left for the reader."""
    if item.by != PROGRAM:
        return line(item, "no", f"{FILL}: {item.asks}")
    answer = found.answers[item.id]
    note = answer.note.replace(FILL, "a place to fill")
    if answer.mark == "no":
        note = f"{FILL}: your finding's id; found: {note}"
    return line(item, answer.mark, f"{note} (program)")
