"""What an adjudication leaves open or contradicts, point by point, each at its line."""

from collections.abc import Iterator, Mapping, Sequence

from common import schema
from common.course.grading.adjudication import SCORES, Adjudication, Ruled
from common.projects import FILL
from common.schema import Fault, Location


def open_points(
    text: str, judged: Adjudication, reviews: Mapping[str, Sequence[str]]
) -> list[Fault]:
    """What is missing or contradicts itself, by line; `reviews`: finding ids by reviewer."""
    lines = schema.line_numbers(text)
    points = [
        Fault(schema.line_of(location, lines), schema.field_name(location), message)
        for location, message in (
            *finding_points(judged, reviews),
            *own_points(judged, reviews),
            *quality_points(judged, reviews),
        )
    ]
    return sorted(points, key=lambda point: point.line or len(text))


def finding_points(
    judged: Adjudication, reviews: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Location, str]]:
    """What is open among the reviewers' findings."""
    seen: set[str] = set()
    for index, entry in enumerate(judged.finding):
        at: Location = ("finding", index)
        if entry.name in seen:
            yield (*at, "id"), f"{entry.name} is there twice; keep one."
        seen.add(entry.name)
        if entry.id not in reviews.get(entry.reviewer, ()):
            yield (*at, "id"), f"{entry.name} is in no review; remove it, or restore the finding."
        if entry.ruling == FILL:
            yield (*at, "ruling"), f"{entry.name}: rule it valid, invalid or duplicate."
        if entry.severity == FILL:
            yield (*at, "severity"), f"{entry.name}: decide its severity."
        if entry.ruling == "valid" and entry.fixed_in_v2 in (None, FILL):
            yield (*at, "fixed_in_v2"), f"{entry.name}: is it fixed in version 2, true or false?"
        if message := duplicate_fault(judged, entry):
            yield (*at, "duplicate_of"), f"{entry.name}: {message}"
    for reviewer, ids in reviews.items():
        for finding in ids:
            if f"{reviewer}/{finding}" not in seen:
                command = f"dgm adjudicate {judged.project}"
                yield (), f"{reviewer}/{finding} is not there yet; `{command}` adds it."


def duplicate_fault(judged: Adjudication, entry: Ruled) -> str:
    """What is wrong with the duplicate_of of a finding, or ""."""
    target = entry.duplicate_of
    if entry.ruling != "duplicate":
        return "it has duplicate_of but is not ruled a duplicate; remove one." if target else ""
    if target is None or target == FILL:
        return 'name what it is a duplicate of, as in duplicate_of = "r-07/F02" (or "I01").'
    if target not in judged.by_name:
        return f"duplicate_of is {target!r}, which is no finding here."
    if judged.root(entry.name) is not None:
        return ""
    other = judged.by_name[target]
    if isinstance(other, Ruled) and other.ruling == "invalid":
        return f"{target} is invalid; rule this one invalid too."
    if isinstance(other, Ruled) and other.ruling == FILL:
        return ""  # told where it stands
    return f"{target} leads to no valid finding (a circle, or one ruled invalid)."


def own_points(
    judged: Adjudication, reviews: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Location, str]]:
    """What is open among the instructor's findings."""
    ids = [own.id for own in judged.instructor]
    for index, own in enumerate(judged.instructor):
        at: Location = ("instructor", index)
        missed = own.missed_by_reviewer
        if own.id in ids[:index]:
            yield (*at, "id"), f"{own.id} is there twice; keep one."
        if own.introduced_in == "v1" and own.fixed_in_v2 in (None, FILL):
            yield (*at, "fixed_in_v2"), f"{own.id}: is it fixed in version 2, true or false?"
        if own.introduced_in == "v2" and missed:
            yield (
                (*at, "missed_by_reviewer"),
                f"{own.id} came with version 2; reviewers saw version 1 and cannot have missed it.",
            )
        for reviewer in () if isinstance(missed, bool) else missed:
            if reviewer not in reviews:
                yield (*at, "missed_by_reviewer"), f"{own.id}: {reviewer} wrote no review here."
            elif judged.reports(own, reviewer):
                yield (
                    (*at, "missed_by_reviewer"),
                    f"{own.id}: {reviewer} reported it (a duplicate of it), so did not miss it.",
                )


def quality_points(
    judged: Adjudication, reviews: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Location, str]]:
    """What is open among the scores of the reviews."""
    scored = [quality.reviewer for quality in judged.quality]
    for index, quality in enumerate(judged.quality):
        at: Location = ("quality", index)
        if quality.reviewer in scored[:index]:
            yield (*at, "reviewer"), f"{quality.reviewer} is scored twice; keep one."
        if quality.reviewer not in reviews:
            yield (*at, "reviewer"), f"{quality.reviewer} wrote no review here."
        for name, score in zip(SCORES, quality.scores, strict=True):
            if score == FILL:
                yield (*at, name), f"review of {quality.reviewer}: score its {name}, 0 to 4."
    for reviewer in reviews:
        if reviewer not in scored:
            command = f"dgm adjudicate {judged.project}"
            yield (), f"the review of {reviewer} has no scores yet; `{command}` adds them."
