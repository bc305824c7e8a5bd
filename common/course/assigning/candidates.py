"""Who could review what: the input of the matching as matrices, thinned where it is too large."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from common.course.assigning.shortage import Needs

DENSE = 40_000  # so many candidate pairs are solved without thinning
BID_WEIGHT, TOPIC_WEIGHT = 2, 1  # one step of a bid counts more than a shared topic


@dataclass(frozen=True)
class Reviewer:
    """A candidate: public key, the groups whose work is theirs, and topics of interest."""

    key: str
    groups: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Work:
    """A project to be reviewed: its group, its developers' keys, its topics."""

    slug: str
    group: str
    developers: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Instance:
    """Everything that the matching depends on; pairs are (reviewer, project).

    `kept` pairs stand whatever they are: they count for their project, for their reviewer's load
    and as half of a reciprocal pair. A kept reviewer need not be among `reviewers`, who get work.
    """

    reviewers: tuple[Reviewer, ...]
    projects: tuple[Work, ...]
    per_project: int
    conflicts: frozenset[tuple[str, str]] = frozenset()
    bids: Mapping[tuple[str, str], int] = field(default_factory=dict)
    kept: frozenset[tuple[str, str]] = frozenset()
    kept_groups: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Arrays(NamedTuple):
    """The instance as matrices (reviewers, projects), in an order that the seed shuffles."""

    reviewers: list[Reviewer]
    projects: list[Work]
    allowed: np.ndarray
    utility: np.ndarray
    needs: Needs


def arranged(instance: Instance, rng: np.random.Generator) -> Arrays:
    """Sorted, then shuffled by the seed, so that ties are broken by nothing but the seed."""
    reviewers = sorted(instance.reviewers, key=lambda reviewer: reviewer.key)
    projects = sorted(instance.projects, key=lambda work: work.slug)
    reviewers = [reviewers[i] for i in rng.permutation(len(reviewers))]
    projects = [projects[i] for i in rng.permutation(len(projects))]
    row = {reviewer.key: i for i, reviewer in enumerate(reviewers)}
    column = {work.slug: j for j, work in enumerate(projects)}

    allowed = np.ones((len(reviewers), len(projects)), dtype=bool)
    utility = TOPIC_WEIGHT * shared_topics(reviewers, projects)
    for (key, slug), value in instance.bids.items():
        if key in row and slug in column:
            utility[row[key], column[slug]] += BID_WEIGHT * value
    for key, slug in instance.conflicts | instance.kept:
        if key in row and slug in column:
            allowed[row[key], column[slug]] = False
    of_group = rows_of_groups(reviewers)
    for work in projects:
        own = of_group.get(work.group, []) + [row[key] for key in work.developers if key in row]
        allowed[own, column[work.slug]] = False

    missing = np.full(len(projects), instance.per_project)
    load = np.zeros(len(reviewers), dtype=int)
    for key, slug in instance.kept:
        if slug in column:
            missing[column[slug]] -= 1
        if key in row:
            load[row[key]] += 1
    missing = np.maximum(missing, 0)
    allowed[:, missing == 0] = False
    needs = Needs(
        reviewers=[reviewer.key for reviewer in reviewers],
        projects=[work.slug for work in projects],
        missing=missing,
        load=load,
        window=(0, 0),
    )
    return Arrays(reviewers, projects, allowed, utility, needs.with_window(allowed))


def rows_of_groups(reviewers: Iterable[Reviewer]) -> dict[str, list[int]]:
    """The indices of each group's reviewers."""
    found = defaultdict(list)
    for i, reviewer in enumerate(reviewers):
        for group in reviewer.groups:
            found[group].append(i)
    return found


def shared_topics(reviewers: list[Reviewer], projects: list[Work]) -> np.ndarray:
    """(reviewers, projects): 1 where the two share a topic, else 0."""
    topics = sorted({t for reviewer in reviewers for t in reviewer.topics})
    index = {topic: i for i, topic in enumerate(topics)}
    wanted = np.zeros((len(reviewers), len(topics)), dtype=int)
    offered = np.zeros((len(projects), len(topics)), dtype=int)
    for table, items in ((wanted, reviewers), (offered, projects)):
        for i, item in enumerate(items):
            table[i, [index[topic] for topic in item.topics if topic in index]] = 1
    return (wanted @ offered.T > 0).astype(int)


def thinned(arrays: Arrays, width: int, rng: np.random.Generator) -> np.ndarray:
    """The candidates to consider: all of them, or about `width` a project where that is too many.

    A project keeps the candidates of the highest utility and some at random; a reviewer keeps the
    best projects likewise, so that nobody is left without work.
    """
    allowed = arrays.allowed
    if allowed.sum() <= DENSE or width >= max(allowed.shape):
        return allowed
    noise = rng.random(allowed.shape)
    score = np.where(allowed, arrays.utility + noise, -np.inf)
    noise = np.where(allowed, noise, -np.inf)
    mask = np.zeros_like(allowed)
    reviewers, projects = allowed.shape
    per_reviewer = min(projects, max(4, width * projects // (4 * reviewers)))
    for table, axis, count in (
        (score, 0, min(reviewers, width * 3 // 5)),
        (noise, 0, min(reviewers, width * 2 // 5)),
        (score, 1, per_reviewer),
    ):
        best = np.argpartition(table, -count, axis=axis)
        best = np.take(best, range(-count, 0), axis=axis)
        np.put_along_axis(mask, best, True, axis=axis)
    return mask & allowed
