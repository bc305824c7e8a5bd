"""The lines of a review's checklist: `- [x] area.item: question`, the answer behind or below it."""

import re
from dataclasses import dataclass

from common.course.reviewing.text import TITLE, Document, finding_ids, word

MARKS = {"x": "yes", "✓": "yes", "✔": "yes", "": "no", "-": "n/a", "–": "n/a", "—": "n/a"}
ITEM = re.compile(
    r"^\s{0,3}(?:[-*+•]\s*)?\[\s*([^\]\s]{0,2})\s*\]\s*[*_`]*([\w.-]*)[*_`]*\s*[:：]?\s*(.*)$"
)
ANSWER = re.compile(r"(?:^|\s)(?:--+|—|–)(?:\s|$)")
LEADING_DASH = re.compile(r"^(?:--+|—|–)\s*")


@dataclass(frozen=True)
class ChecklistItem:
    """One line of the checklist: its id, `yes`, `no` or `n/a`, and how the reviewer knows."""

    id: str
    mark: str
    reason: str
    line: int

    @property
    def findings(self) -> list[str]:
        """The findings that the answer points at."""
        return finding_ids(self.reason)


def read_checklist(document: Document, start: int, end: int) -> tuple[ChecklistItem, ...]:
    """The checklist's items; the answer stands behind ` -- ` or on the lines below."""
    starts: list[tuple[int, re.Match[str]]] = []
    for index in range(start, end):
        line = document.lines[index]
        match = ITEM.match(line) if "[" in line and not document.fenced[index] else None
        if match and ("." in match[2] or word(match[1]) in MARKS):
            starts.append((index, match))
    ends = [index for index, _ in starts[1:]] + [end]
    return tuple(
        read_item(document, index, match, last)
        for (index, match), last in zip(starts, ends, strict=False)
    )


def read_item(document: Document, index: int, match: re.Match[str], end: int) -> ChecklistItem:
    """One checklist item: its line, and the answer on the lines below it."""
    mark = MARKS.get(word(match[1]))
    if mark is None:
        message = f"the mark is [{match[1]}], expected [x] (yes), [ ] (no) or [-] (not applicable)"
        document.tell(index + 1, "review.mark", message)
        mark = "unknown"
    is_answered = "--" in match[3] or "—" in match[3] or "–" in match[3]
    answer = ANSWER.search(match[3]) if is_answered else None
    reason = [match[3][answer.end() :].strip()] if answer else []
    for line in document.lines[index + 1 : end]:
        if line and not ("#" in line and TITLE.match(line)):
            reason.append(LEADING_DASH.sub("", line.strip(), count=1))
    identity = word(match[2]).rstrip(".")
    return ChecklistItem(identity, mark, "\n".join(part for part in reason if part), index + 1)
