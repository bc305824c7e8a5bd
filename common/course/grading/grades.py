"""Grades from an adjudication and the semester's weights; docs/grading.md has the formulas.

Everything here is a pure function. Each number comes with the arithmetic that made it, as lines for
a person, so that nobody has to take it on trust.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum

from common.course.cycle import Cycle
from common.course.grading.adjudication import MAX_SCORE, SCORES, Adjudication, Own, Quality, Ruled

FULL = 100.0


@dataclass(frozen=True)
class DeveloperGrade:
    """What a project is worth: both versions, their weighted average, and how it was computed."""

    v1: float
    v2: float
    score: float
    steps: tuple[str, ...]


@dataclass(frozen=True)
class ReviewerGrade:
    """What a review is worth: three shares between 0 and 1, the penalty, the score out of 100."""

    coverage: float
    validity: float
    quality: float
    penalty: float
    score: float
    steps: tuple[str, ...]


NO_REVIEW = ReviewerGrade(0, 0, 0, 0, 0, ("no review was handed in: 0",))


def weight(problem: Ruled | Own, cycle: Cycle) -> float:
    """What a problem weighs, by its final severity."""
    return getattr(cycle.severity_weights, problem.severity)


def confirmed(judged: Adjudication) -> list[Ruled | Own]:
    """The distinct confirmed problems of both versions, by name: duplicates are not counted."""
    valid = [entry for entry in judged.finding if entry.ruling == "valid"]
    return sorted([*valid, *judged.instructor], key=lambda problem: problem.name)


def is_of_v1(problem: Ruled | Own) -> bool:
    """Whether a problem was in version 1; what a reviewer reported was."""
    return isinstance(problem, Ruled) or problem.introduced_in == "v1"


def is_open_in_v2(problem: Ruled | Own) -> bool:
    """Whether a problem stands in version 2: never fixed, or new there."""
    return not is_of_v1(problem) or problem.fixed_in_v2 is not True


def grade_developers(judged: Adjudication, cycle: Cycle) -> DeveloperGrade:
    """The grade of a project's developers."""
    problems = confirmed(judged)
    first = [problem for problem in problems if is_of_v1(problem)]
    second = [problem for problem in problems if is_open_in_v2(problem)]
    v1, steps1 = version_score("version 1", judged.v1_base, first, cycle)
    v2, steps2 = version_score("version 2", judged.v2_base, second, cycle)
    share = cycle.version_weights
    score = fsum([v1 * share.v1, v2 * share.v2]) / fsum([share.v1, share.v2])
    average = (
        f"developer = ({show(v1)} x {show(share.v1)} + {show(v2)} x {show(share.v2)})"
        f" / {show(share.v1 + share.v2)} = {show(score)}"
    )
    return DeveloperGrade(v1, v2, between(score), (*steps1, *steps2, average))


def version_score(
    name: str, base: float, problems: Sequence[Ruled | Own], cycle: Cycle
) -> tuple[float, tuple[str, ...]]:
    """The base less the cost of the problems, never below 0, and its arithmetic."""
    cost = cost_of(problems, cycle)
    score = between(base - cost)
    steps = [f"{name} = {show(base)} - {cost_text(problems, cycle)} = {clipped(base - cost)}"]
    steps += [problem_line(problem, cycle) for problem in problems]
    return score, tuple(steps)


def grade_reviewer(judged: Adjudication, reviewer: str, cycle: Cycle) -> ReviewerGrade:
    """The grade of one review of the project.

    Coverage counts the confirmed version-1 problems that this reviewer could have been expected to
    see: those that reviewers reported, and the instructor's that this one reported or missed.
    """
    caught, missed = split_by_reviewer(judged, reviewer)
    coverage, coverage_text = coverage_of(caught, missed, cycle)
    validity, validity_text = validity_of(judged, reviewer, missed, cycle)
    quality, quality_text = quality_of(judged, reviewer)
    share = cycle.reviewer_weights
    parts = [share.coverage * coverage, share.validity * validity, share.quality * quality]
    total = fsum([share.coverage, share.validity, share.quality])
    average = fsum(parts) / total
    overlooked = [own for own in judged.instructor if judged.missed(own, reviewer)]
    penalty = cost_of(overlooked, cycle)
    steps = (
        coverage_text,
        *(f"{problem_line(problem, cycle)} (caught)" for problem in caught),
        *(f"{problem_line(problem, cycle)} (missed)" for problem in missed),
        validity_text,
        quality_text,
        f"average = ({show(share.coverage)} x {show(coverage)} + {show(share.validity)} x"
        f" {show(validity)} + {show(share.quality)} x {show(quality)}) / {show(total)}"
        f" = {show(average)}",
        f"penalty = {cost_text(overlooked, cycle)} = {show(penalty)}"
        + (f" ({', '.join(own.id for own in overlooked)})" if overlooked else ""),
        f"reviewer = 100 x {show(average)} - {show(penalty)} = {clipped(FULL * average - penalty)}",
    )
    score = between(FULL * average - penalty)
    return ReviewerGrade(coverage, validity, quality, penalty, score, steps)


def split_by_reviewer(
    judged: Adjudication, reviewer: str
) -> tuple[list[Ruled | Own], list[Ruled | Own]]:
    """The version-1 problems that a reviewer caught (reported, or as a duplicate), and missed."""
    roots = {
        root.name
        for entry in judged.finding
        if entry.reviewer == reviewer and (root := judged.root(entry.name)) is not None
    }
    problems = [problem for problem in confirmed(judged) if is_of_v1(problem)]
    caught = [problem for problem in problems if problem.name in roots]
    missed = [
        problem
        for problem in problems
        if problem.name not in roots
        and (isinstance(problem, Ruled) or judged.missed(problem, reviewer))
    ]
    return caught, missed


def coverage_of(
    caught: Iterable[Ruled | Own], missed: Iterable[Ruled | Own], cycle: Cycle
) -> tuple[float, str]:
    """The severity-weighted share that was caught; 1 where there is nothing with weight."""
    ours = [weight(problem, cycle) for problem in caught]
    everything = ours + [weight(problem, cycle) for problem in missed]
    if not fsum(everything):
        return 1.0, "coverage = 1: there was nothing with weight to catch"
    coverage = fsum(ours) / fsum(everything)
    text = f"coverage = {show(fsum(ours))} / {show(fsum(everything))} = {show(coverage)}"
    return coverage, text


def validity_of(
    judged: Adjudication, reviewer: str, missed: Iterable[Ruled | Own], cycle: Cycle
) -> tuple[float, str]:
    """The share of a reviewer's findings that are valid, or duplicates of a valid one.

    Without any finding: 1 where there was nothing with weight to find, else 0.
    """
    theirs = [entry for entry in judged.finding if entry.reviewer == reviewer]
    if theirs:
        valid = sum(judged.root(entry.name) is not None for entry in theirs)
        validity = valid / len(theirs)
        return validity, f"validity = {valid} / {len(theirs)} = {show(validity)}"
    if fsum(weight(problem, cycle) for problem in missed):
        return 0.0, "validity = 0: no finding, though there was something to find"
    return 1.0, "validity = 1: no finding, and there was nothing with weight to find"


def quality_of(judged: Adjudication, reviewer: str) -> tuple[float, str]:
    """The mean of the five scores as a share of the best; 0 for a review without scores."""
    quality = next((entry for entry in judged.quality if entry.reviewer == reviewer), None)
    if not isinstance(quality, Quality):
        return 0.0, "quality = 0: the review has no scores"
    share = sum(quality.scores) / len(SCORES) / MAX_SCORE
    shown = " + ".join(str(score) for score in quality.scores)
    return share, f"quality = ({shown}) / {len(SCORES)} / {MAX_SCORE} = {show(share)}"


def cost_of(problems: Iterable[Ruled | Own], cycle: Cycle) -> float:
    """The points of 100 that problems cost; their order does not matter."""
    return cycle.points_per_weight * fsum(weight(problem, cycle) for problem in problems)


def cost_text(problems: Sequence[Ruled | Own], cycle: Cycle) -> str:
    """`2 x (4 + 1)`: points for a unit of weight, times the weights."""
    weights = sorted((weight(problem, cycle) for problem in problems), reverse=True)
    shown = " + ".join(show(value) for value in weights if value) or "0"
    return f"{show(cycle.points_per_weight)} x ({shown})"


def problem_line(problem: Ruled | Own, cycle: Cycle) -> str:
    """One problem below the number that it enters: weight, severity, name, title."""
    title = f" {problem.title}" if problem.title else ""
    return f"  {show(weight(problem, cycle)):>2} {problem.severity} {problem.name}{title}"


def between(score: float) -> float:
    """A score kept within 0 and 100."""
    return min(FULL, max(0.0, score))


def clipped(score: float) -> str:
    """A score as text, and that it counts as 0 where it is below."""
    return f"{show(score)}, so 0" if score < 0 else show(score)


def mean(scores: Sequence[float]) -> float:
    """The mean of scores; their order does not matter."""
    return between(fsum(scores) / len(scores))


def show(value: float) -> str:
    """A number with at most four digits behind the point: 93.3333, 0.4, 100.

    >>> show(280 / 3), show(0.4), show(100.0)
    ('93.3333', '0.4', '100')
    """
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
