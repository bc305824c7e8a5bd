"""`dgm assign`: who reviews what, as a plan to look at before it is written.

reviews/assignments.toml is never computed again; a repair keeps its pairs and fills the places that
people who left, projects that left and new projects make.
"""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.course.assigning.candidates import Work
from common.course.assigning.inputs import Inputs, read_inputs
from common.course.assigning.matching import Matching, match
from common.course.cycle import CYCLE_FILE, read_cycle
from common.course.git import Repository
from common.course.private import private_folder
from common.course.records import (
    ASSIGNMENTS_FILE,
    Assignments,
    Pair,
    read_assignments,
    replace_record,
)
from common.course.reviewing.progress import is_complete, read_if_there
from common.errors import UserError

HEADER = "Written by `dgm assign`. Never recomputed: `dgm assign --repair` keeps these pairs."


@dataclass(frozen=True)
class Plan:
    """An assignment to look at: what stood before, what would be written, and what it rests on."""

    before: Assignments
    after: Assignments
    inputs: Inputs
    matching: Matching
    notes: tuple[str, ...]

    @property
    def added(self) -> list[Pair]:
        """Pairs that are new."""
        before = set(self.before.pair)
        return [pair for pair in self.after.pair if pair not in before]

    @property
    def removed(self) -> list[Pair]:
        """Pairs that are no longer."""
        after = set(self.after.pair)
        return [pair for pair in self.before.pair if pair not in after]


def plan_assignment(root: Path, *, seed: int = 0, per_project: int | None = None) -> Plan:
    """The first assignment of a semester; raises UserError if there is one already."""
    before, semester = read_assignments(root), read_cycle(root).semester
    if before.pair and before.semester != semester:
        raise UserError(
            f"{ASSIGNMENTS_FILE} is of {before.semester!r}, and {CYCLE_FILE} of {semester!r}; a new "
            f"semester begins without it: git rm {ASSIGNMENTS_FILE}"
        )
    if before.pair:
        raise UserError(
            f"{ASSIGNMENTS_FILE} exists ({len(before.pair)} pairs, seed {before.seed}) and is not "
            f"computed again; {since_then(root, before)}.\nAfter people or projects left, or new "
            "ones came: dgm assign --repair [--drop KEY ...] [--withdraw SLUG ...]"
        )
    count = per_project or read_cycle(root).reviewers_per_project
    return plan(root, before, seed, count, before.dropped, before.withdrawn, [])


def plan_repair(
    root: Path,
    *,
    drop: Collection[str] = (),
    withdraw: Collection[str] = (),
    seed: int | None = None,
    per_project: int | None = None,
) -> Plan:
    """The assignment without those who left: pairs that can stand stay, the gaps are filled.

    A finished review stays, whoever left. Raises UserError if there is nothing to repair from, or a
    name is unknown.
    """
    before = read_assignments(root)
    if not before.pair:
        raise UserError("there is no assignment to repair; `dgm assign` makes the first one.")
    for key in drop:
        require(key, {pair.reviewer for pair in before.pair} | roster_keys(root), "reviewer")
    for slug in withdraw:
        require(slug, {pair.project for pair in before.pair}, "assigned project")
    dropped = tuple(sorted({*before.dropped, *drop}))
    withdrawn = tuple(sorted({*before.withdrawn, *withdraw}))
    seed = before.seed if seed is None else seed
    count = per_project or before.reviewers_per_project
    return plan(root, before, seed, count, dropped, withdrawn, before.pair)


def plan(
    root: Path,
    before: Assignments,
    seed: int,
    per_project: int,
    dropped: Sequence[str],
    withdrawn: Sequence[str],
    standing: Sequence[Pair],
) -> Plan:
    """Solve with the standing pairs kept, as far as they can be."""
    if per_project < 1:
        raise UserError(f"--reviewers-per-project is {per_project}, expected at least 1.")
    inputs = read_inputs(
        root, private_folder(root), per_project, dropped=dropped, withdrawn=withdrawn
    )
    kept, notes = kept_pairs(root, inputs, standing, set(dropped), set(withdrawn))
    matching = match(inputs.instance(kept), seed=seed)
    after = Assignments(
        semester=read_cycle(root).semester,
        seed=seed,
        inputs_sha256=inputs.sha256,
        reviewers_per_project=per_project,
        dropped=tuple(dropped),
        withdrawn=tuple(withdrawn),
        pair=tuple(Pair(project, reviewer) for reviewer, project in matching.pairs),
    )
    return Plan(before, after, inputs, matching, (*inputs.notes, *notes))


def kept_pairs(
    root: Path,
    inputs: Inputs,
    standing: Sequence[Pair],
    dropped: set[str],
    withdrawn: set[str],
) -> tuple[set[tuple[str, str]], list[str]]:
    """The standing pairs (reviewer, project) that stay, and notes about those that do not."""
    reviewers = {reviewer.key for reviewer in inputs.reviewers}
    works = {work.slug: work for work in inputs.projects}
    kept, notes = set(), []
    for pair in standing:
        key, slug = pair.reviewer, pair.project
        if key not in reviewers | dropped:
            raise UserError(
                f"{key} is assigned to {slug} but does not review any more (roster.toml); "
                f"say so: dgm assign --repair --drop {key}"
            )
        if slug not in works and slug not in withdrawn:
            raise UserError(
                f"{slug} is assigned to {key} but its version 1 is not frozen (any more); "
                f"say so: dgm assign --repair --withdraw {slug}"
            )
        if is_finished(root, slug, key):
            kept.add((key, slug))
            if key in dropped or slug in withdrawn:
                notes.append(f"{slug}: the finished review of {key} stays")
        elif key in dropped or slug in withdrawn:
            if (root / "reviews" / slug / f"{key}.md").exists():
                notes.append(
                    f"{slug}: {key}.md is begun and not finished; the file stays, unassigned"
                )
        elif is_own(inputs, key, works[slug]):
            notes.append(f"{slug}: {key} is in conflict now and gives it back")
        else:
            kept.add((key, slug))
    return kept, notes


def is_own(inputs: Inputs, key: str, work: Work) -> bool:
    """Whether a project is the reviewer's own or in conflict with them."""
    is_developer = key in work.developers or work.group in inputs.groups.get(key, ())
    return is_developer or (key, work.slug) in inputs.conflicts


def is_finished(root: Path, slug: str, reviewer: str) -> bool:
    """Whether a review is there, without errors and without a place left to fill."""
    from common.course.reviewing.reviews import read_review

    path = root / "reviews" / slug / f"{reviewer}.md"
    review = read_if_there(path, read_review)
    return review is not None and is_complete(path, review)


def write_plan(root: Path, planned: Plan) -> None:
    """Write reviews/assignments.toml; raises UserError, with nothing written, where a change of it
    is not committed or was made since the plan."""
    path = root / ASSIGNMENTS_FILE
    if path.exists() and Repository(root).is_dirty(ASSIGNMENTS_FILE):
        raise UserError(
            f"{ASSIGNMENTS_FILE} has changes that are not committed; commit them (they are kept) "
            "or take them back (git restore), then run the command again."
        )
    replace_record(path, planned.before, planned.after, HEADER)


def since_then(root: Path, standing: Assignments) -> str:
    """Whether the inputs of an assignment are still the same, in words."""
    try:
        inputs = read_inputs(
            root,
            private_folder(root),
            standing.reviewers_per_project,
            dropped=standing.dropped,
            withdrawn=standing.withdrawn,
        )
    except UserError as error:
        return f"whether its inputs are still the same cannot be told: {error}"
    if inputs.sha256 == standing.inputs_sha256:
        return "its inputs are still the same"
    return "its inputs (frozen projects, roster, bids, conflicts) have changed since"


def roster_keys(root: Path) -> set[str]:
    """The keys of everybody in the roster."""
    from common.course.private import read_roster

    return {person.key for person in read_roster(private_folder(root)).person}


def require(name: str, known: Collection[str], what: str) -> None:
    """Raise UserError for a name that is not there, with the nearest that is."""
    if name not in known:
        near = difflib.get_close_matches(name, sorted(known), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(sorted(known))}."
        raise UserError(f"there is no {what} {name!r}; {hint}")
