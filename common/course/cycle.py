"""reviews/cycle.toml: the semester's dates, group sizes and weights, written by the instructor."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import StringConstraints

from common import schema
from common.errors import UserError
from common.schema import Count, Key, Number, Text, strict_table

CYCLE_FILE = "reviews/cycle.toml"
MIN_REVIEW_DAYS = 7
ACCOUNT = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,38}(\[bot\])?$"
Account = Annotated[str, StringConstraints(pattern=ACCOUNT)]
SEVERITIES = ("blocker", "major", "minor", "nit")


@strict_table
@dataclass(frozen=True)
class Dates:
    """Deadlines. A date is the end of that day in the course's time zone; a date-time is itself."""

    proposal: datetime | date
    v1: datetime | date
    review: datetime | date
    v2: datetime | date
    demos: datetime | date
    publication: datetime | date | None = None


@strict_table
@dataclass(frozen=True)
class GroupSize:
    """How many people may be in a group."""

    min: Count = 1
    max: Count = 2


@strict_table
@dataclass(frozen=True)
class VersionWeights:
    """The shares of version 1 and version 2 in a developer's grade."""

    v1: Number = 0.4
    v2: Number = 0.6


@strict_table
@dataclass(frozen=True)
class SeverityWeights:
    """What a confirmed problem weighs, by final severity; nits weigh nothing."""

    blocker: Number = 8.0
    major: Number = 4.0
    minor: Number = 1.0
    nit: Number = 0.0


@strict_table
@dataclass(frozen=True)
class ReviewerWeights:
    """The shares of a reviewer's grade."""

    coverage: Number = 0.4
    validity: Number = 0.2
    quality: Number = 0.4


@strict_table
@dataclass(frozen=True)
class Cycle:
    """One semester's rules."""

    schema: Literal["cycle/1"]
    semester: Text
    dates: Dates
    timezone: Text = "UTC"
    reviewers_per_project: Count = 1
    instructors: tuple[Key, ...] = ()  # public keys of those who may change anything
    handles: Mapping[Account, Key] = field(default_factory=dict)  # whose account is not their key
    points_per_weight: Number = 2.0  # points of 100 that one unit of severity weight costs
    group: GroupSize = field(default_factory=GroupSize)
    version_weights: VersionWeights = field(default_factory=VersionWeights)
    severity_weights: SeverityWeights = field(default_factory=SeverityWeights)
    reviewer_weights: ReviewerWeights = field(default_factory=ReviewerWeights)

    def __post_init__(self):
        self.check_zone()
        self.check_order()
        if not 1 <= self.group.min <= self.group.max:
            raise ValueError(
                f"group sizes are {self.group.min} to {self.group.max}, expected 1 <= min <= max"
            )
        if self.reviewers_per_project < 1:
            raise ValueError(
                f"reviewers_per_project is {self.reviewers_per_project}, expected at least 1"
            )
        if not self.points_per_weight >= 0:
            raise ValueError(f"points_per_weight is {self.points_per_weight}, expected 0 or more")
        for weights in (self.version_weights, self.severity_weights, self.reviewer_weights):
            values = vars(weights)
            if min(values.values()) < 0 or not any(values.values()):
                raise ValueError(f"weights are {values}, expected none negative and one positive")

    def check_zone(self) -> None:
        """Raise ValueError for a time zone that nobody knows."""
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            message = f"timezone is {self.timezone!r}, expected a name like Europe/Istanbul"
            raise ValueError(message) from None

    def check_order(self) -> None:
        """Raise ValueError if the deadlines are out of order or the review window is too short."""
        names = ["proposal", "v1", "review", "v2", "demos"]
        names += ["publication"] if self.dates.publication else []
        for earlier, later in pairwise(names):
            if self.deadline(earlier) > self.deadline(later):
                raise ValueError(f"dates: {later} is before {earlier}; expected {', '.join(names)}")
        window = self.deadline("review") - self.deadline("v1")
        if window < timedelta(days=MIN_REVIEW_DAYS):
            raise ValueError(
                f"dates: reviewers have {window / timedelta(days=1):.1f} days between v1 and "
                f"review, expected at least {MIN_REVIEW_DAYS}"
            )

    @cached_property
    def zone(self) -> ZoneInfo:
        """The course's time zone."""
        return ZoneInfo(self.timezone)

    def deadline(self, name: str) -> datetime:
        """A deadline by name as an aware moment."""
        value = getattr(self.dates, name)
        if not isinstance(value, datetime):
            value = datetime.combine(value, time(23, 59, 59))
        if value.tzinfo is None:
            value = value.replace(tzinfo=ZoneInfo(self.timezone))
        return value


def read_cycle(root: Path) -> Cycle:
    """The semester's rules; raises UserError if the file is missing, SchemaError if it is wrong."""
    path = root / CYCLE_FILE
    if not path.exists():
        raise UserError(
            f"there is no {CYCLE_FILE}; CONTRIBUTING.md (For instructors) shows what it holds."
        )
    return schema.read(path, Cycle)


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)
