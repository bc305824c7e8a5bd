"""The instructor's judgement of a project's reviews: $DGM_PRIVATE/adjudication/<slug>.toml.

`dgm adjudicate` writes the file with everything that reviews, response and verification tell;
what is the instructor's to say is marked FILL-IN. It only ever adds to the file.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AllowInfNan, Field, PlainValidator, Strict, StringConstraints

from common.projects import FILL
from common.schema import Key, Text, strict_table

SCORES = ("specificity", "evidence", "correctness", "actionability", "tone")
MAX_SCORE = 4

Severity = Literal["blocker", "major", "minor", "nit"]
SeverityOrFill = Literal["blocker", "major", "minor", "nit", "FILL-IN"]
Base = Annotated[float, Strict(), AllowInfNan(False), Field(ge=0, le=100)]
FindingId = Annotated[str, StringConstraints(pattern=r"^[^\s/]+$")]
InstructorId = Annotated[str, StringConstraints(pattern=r"^I\d+$")]


def flag_or_fill(value: Any) -> bool | str:
    """true, false or FILL-IN; raises ValueError for anything else."""
    if isinstance(value, bool) or value == FILL:
        return value
    raise ValueError(f"is {value!r}, expected true or false")


def score_or_fill(value: Any) -> int | str:
    """A whole number 0-4 or FILL-IN; raises ValueError for anything else."""
    is_score = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SCORE
    if is_score or value == FILL:
        return value
    raise ValueError(f"is {value!r}, expected a whole number from 0 to {MAX_SCORE}")


def all_or_some(value: Any) -> bool | tuple[str, ...]:
    """true (every reviewer), false (none) or the keys of some; raises ValueError otherwise."""
    if isinstance(value, bool):
        return value
    if isinstance(value, list | tuple) and all(isinstance(key, str) for key in value):
        return tuple(value)
    raise ValueError(f"is {value!r}, expected true, false or a list of reviewers' keys")


FlagOrFill = Annotated[Any, PlainValidator(flag_or_fill)]
Score = Annotated[Any, PlainValidator(score_or_fill)]
AllOrSome = Annotated[Any, PlainValidator(all_or_some)]


@strict_table
@dataclass(frozen=True)
class Ruled:
    """A reviewer's finding and what the instructor rules. All of them are of version 1."""

    reviewer: Key
    id: FindingId
    severity: SeverityOrFill  # the final one
    ruling: Literal["valid", "invalid", "duplicate", "FILL-IN"]
    title: str = ""
    duplicate_of: Text | None = None  # r-07/F02 or I01
    fixed_in_v2: FlagOrFill | None = None  # of a valid one

    @property
    def name(self) -> str:
        """`r-07/F02`: findings are unique per review only."""
        return f"{self.reviewer}/{self.id}"


@strict_table
@dataclass(frozen=True)
class Own:
    """A problem that the instructor found."""

    id: InstructorId
    title: Text
    severity: Severity
    introduced_in: Literal["v1", "v2"]
    missed_by_reviewer: AllOrSome = False
    fixed_in_v2: FlagOrFill | None = None  # of one introduced in v1

    @property
    def name(self) -> str:
        """Its id, `I01`."""
        return self.id


@strict_table
@dataclass(frozen=True)
class Quality:
    """Five scores of one review, each 0 (absent) to 4 (exemplary)."""

    reviewer: Key
    specificity: Score
    evidence: Score
    correctness: Score
    actionability: Score
    tone: Score

    @property
    def scores(self) -> tuple[Any, ...]:
        """The five scores, in the order of SCORES."""
        return tuple(getattr(self, name) for name in SCORES)


@strict_table
@dataclass(frozen=True)
class Adjudication:
    """One project's file."""

    schema: Literal["adjudication/1"]
    project: Text
    v1_base: Base = 100.0  # what version 1 is worth before problems are counted
    v2_base: Base = 100.0
    finding: tuple[Ruled, ...] = ()
    instructor: tuple[Own, ...] = ()
    quality: tuple[Quality, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Ruled | Own]:
        """Every finding by its name, reviewers' and the instructor's."""
        return {entry.name: entry for entry in (*self.finding, *self.instructor)}

    def root(self, name: str) -> Ruled | Own | None:
        """The problem that a finding comes down to, duplicates followed; None if it is no problem.

        >>> own = Own("I01", "wrong sign", "major", "v1")
        >>> twin = Ruled("r-07", "F01", "major", "duplicate", duplicate_of="I01")
        >>> Adjudication("adjudication/1", "made", finding=(twin,), instructor=(own,)).root(
        ...     "r-07/F01").id
        'I01'
        """
        seen: set[str] = set()
        entry = self.by_name.get(name)
        while isinstance(entry, Ruled) and entry.ruling == "duplicate" and name not in seen:
            seen.add(name)
            name = entry.duplicate_of or ""
            entry = self.by_name.get(name)
        if isinstance(entry, Ruled):
            return entry if entry.ruling == "valid" else None
        return entry

    def reports(self, own: Own, reviewer: str) -> bool:
        """Whether a reviewer reported what the instructor found, too."""
        theirs = (entry for entry in self.finding if entry.reviewer == reviewer)
        return any(self.root(entry.name) is own for entry in theirs)

    def missed(self, own: Own, reviewer: str) -> bool:
        """Whether a problem that the instructor found counts against a reviewer."""
        if own.introduced_in == "v2" or self.reports(own, reviewer):
            return False
        named = own.missed_by_reviewer
        return named if isinstance(named, bool) else reviewer in named
