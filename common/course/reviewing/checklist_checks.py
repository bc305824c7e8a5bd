"""What is proved of a review's checklist: complete, answered with reasons, true where a program knows."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from common.course.git import GitError
from common.course.problems import Problem
from common.course.reviewing.checklist import BY_ID, ITEMS, PROGRAM, Item
from common.course.reviewing.checklist_answers import ProgramAnswer, version_one
from common.course.reviewing.checklist_lines import ChecklistItem
from common.course.reviewing.reviews import Review
from common.course.reviewing.text import is_open, shown
from common.course.reviewing.versions import find_version, has_history

NAMES = {"yes": "[x]", "no": "[ ]", "n/a": "[-]"}
SAYS_NOTHING = re.compile(
    r"(?:yes|ok|okay|no|true|done|checked|fine|good|correct|all good|none|n/?a|"
    r"(?:it |this |everything |all )?(?:seems?|looks?|is|are)(?: to be)?(?: \w+)?"
    r" (?:correct|fine|good|ok|okay|right|well|professional))?[\s.!-]*",
    re.IGNORECASE,
)


def checklist_problems(root: Path, review: Review) -> Iterator[Problem]:
    """Everything that is wrong with the checklist."""
    path, top = shown(review.path), review.line_of("## checklist")
    seen: dict[str, ChecklistItem] = {}
    for item in review.checklist:
        if item.id in seen:
            message = f"{item.id} is answered twice, first in line {seen[item.id].line}"
            yield Problem(path, item.line, "review.checklist", message, "keep one")
        elif item.id not in BY_ID:
            yield unknown_item(path, item)
        seen.setdefault(item.id, item)
    yield from missing_items(path, top, set(seen))
    answers = program_answers(root, review)
    is_past = (
        has_history(root, review.project) and find_version(root, review.project, "v2") is not None
    )
    known = {finding.id for finding in review.findings}
    for item in seen.values():
        if item.id not in BY_ID or item.mark not in NAMES:
            continue
        yield from answer_problems(path, BY_ID[item.id], item, known)
        found_more = item.mark == "no" and known & set(item.findings)  # than the program saw
        if item.id in answers and answers[item.id].mark != item.mark and not found_more:
            yield disagreement(path, item, answers[item.id], is_past)


def unknown_item(path: str, item: ChecklistItem) -> Problem:
    """What to say of an item that the checklist does not have."""
    near = difflib.get_close_matches(item.id, list(BY_ID), n=1)
    hint = f"did you mean {near[0]}?" if near else "`dgm review new` writes every item"
    message = f"the checklist has no item {item.id!r}" if item.id else "the item has no id"
    return Problem(path, item.line, "review.checklist", message, hint)


def missing_items(path: str, line: int, seen: set[str]) -> Iterator[Problem]:
    """The items that were left out; one message if there are many."""
    missing = [item for item in ITEMS if item.id not in seen]
    if len(missing) > 5:
        named = ", ".join(item.id for item in missing[:3])
        message = f"the checklist lacks {len(missing)} of its {len(ITEMS)} items: {named}, ..."
        hint = "copy them from `dgm review new SLUG --print`, which writes nothing"
        yield Problem(path, line, "review.checklist", message, hint)
        return
    for item in missing:
        message = f"the checklist lacks {item.id}"
        yield Problem(path, line, "review.checklist", message, f"- [x] {item.id}: {item.question}")


def answer_problems(
    path: str, item: Item, answer: ChecklistItem, known: set[str]
) -> Iterator[Problem]:
    """A reader's yes and every n/a have a reason; every no points at findings that exist."""

    def problem(message: str, hint: str) -> Problem:
        return Problem(path, answer.line, "review.checklist", f"{item.id}: {message}", hint)

    if is_open(answer.reason):
        return
    if answer.mark == "no":
        there = f"there are: {', '.join(sorted(known)) or 'none'}"
        if not answer.findings:
            yield problem("no points at no finding", "write its id behind it: -- F03")
        elif not known & set(answer.findings):
            named = ", ".join(answer.findings)
            yield problem(f"points at {named}, which is no finding of this review", there)
    elif answer.mark == "n/a" and not answer.reason:
        yield problem("not applicable needs a reason", "write it behind it: -- the reason")
    elif answer.mark == "yes" and item.by != PROGRAM and SAYS_NOTHING.fullmatch(answer.reason):
        said = f"yes, and only {answer.reason!r}" if answer.reason else "yes without a reason"
        yield problem(said, f"how do you know: {item.asks}")


def program_answers(root: Path, review: Review) -> dict[str, ProgramAnswer]:
    """What a program answers for version 1; nothing where it is not at hand."""
    if not review.project or not has_history(root, review.project):
        return {}
    version = find_version(root, review.project, "v1")
    if version is None or version.commit is None:
        return {}  # history.py says what is missing
    try:
        return version_one(root, review.project, version.commit).answers
    except GitError:
        return {}


def disagreement(path: str, item: ChecklistItem, answer: ProgramAnswer, is_past: bool) -> Problem:
    """An item that a program answers otherwise. Old reviews were written with older rules."""
    message = f"{item.id} is {NAMES[item.mark]} and a program found {NAMES[answer.mark]}"
    level = "warning" if is_past else "error"
    return Problem(path, item.line, "review.program", message, f"it found: {answer.note}", level)
