"""Why no matching exists, by name: a maximum flow finds who is too few for what.

By the theorem of Ford and Fulkerson on supply and demand, a matching with bounds on both sides
exists exactly if one exists that fills every project (ignoring the least loads) and one that gives
everybody the least load (ignoring that projects need filling). Each is a maximum flow; where it
falls short, its minimum cut is the set of projects or reviewers to blame.
"""

import dataclasses
from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

SHOWN = 8  # names in a message


@dataclass(frozen=True)
class Needs:
    """What is asked for: reviewers missing by project, load so far by reviewer, loads allowed."""

    reviewers: Sequence[str]
    projects: Sequence[str]
    missing: np.ndarray
    load: np.ndarray
    window: tuple[int, int]

    @property
    def room(self) -> tuple[np.ndarray, np.ndarray]:
        """The least and most that each reviewer has yet to take."""
        low, high = self.window
        return np.maximum(low - self.load, 0), np.maximum(high - self.load, 0)

    def with_window(self, allowed: np.ndarray) -> "Needs":
        """With loads that differ by at most one; by more only where kept pairs force it."""
        if not self.reviewers:
            return self
        total = int(self.missing.sum() + self.load.sum())
        least = total // len(self.reviewers)
        needs = dataclasses.replace(self, window=(least, least + (total % len(self.reviewers) > 0)))
        widest = dataclasses.replace(self, window=(0, total))
        if not self.load.any() or fits(needs, allowed) or not fits(widest, allowed):
            return needs
        for width in range(1, total + 1):
            for low in range(least, max(least - width, -1), -1):
                wider = dataclasses.replace(self, window=(low, low + width))
                if fits(wider, allowed):
                    return wider
        return widest


def fits(needs: Needs, allowed: np.ndarray) -> bool:
    """Whether the window holds everybody's load so far and has a matching."""
    return int(needs.load.max()) <= needs.window[1] and is_feasible(needs, allowed)


def is_feasible(needs: Needs, allowed: np.ndarray) -> bool:
    """Whether some matching fills every project with loads in the window."""
    low, high = needs.room
    fills = flow(high, needs.missing, allowed).sum() == needs.missing.sum()
    return bool(fills and flow(low, needs.missing, allowed).sum() == low.sum())


def flow(supply: np.ndarray, demand: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """A largest flow (reviewers, projects) of at most 1 a pair within supply and demand."""
    return maximum(supply, demand, allowed)[0]


def maximum(
    supply: np.ndarray, demand: np.ndarray, allowed: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A largest flow, and the reviewers and projects on the source's side of its minimum cut."""
    num_reviewers, num_projects = allowed.shape
    size = num_reviewers + num_projects + 2
    source, sink = size - 2, size - 1
    rows, columns = np.nonzero(allowed)
    reviewers, projects = np.arange(num_reviewers), num_reviewers + np.arange(num_projects)
    tail = np.concatenate([np.full(num_reviewers, source), rows, projects])
    head = np.concatenate([reviewers, num_reviewers + columns, np.full(num_projects, sink)])
    capacity = np.concatenate([supply, np.ones(len(rows)), demand]).astype(np.int32)
    graph = sparse.csr_array((capacity, (tail, head)), shape=(size, size))
    moved = maximum_flow(sparse.csr_matrix(graph), source, sink).flow
    residual = sparse.csr_array(graph - moved)
    residual.eliminate_zeros()
    reached = np.zeros(size, dtype=bool)
    reached[breadth_first_order(residual, source, return_predecessors=False)] = True
    between = moved[:num_reviewers, num_reviewers : num_reviewers + num_projects].toarray()
    return between, reached[:num_reviewers], reached[projects]


def explain(needs: Needs, allowed: np.ndarray, conflicts: Set[tuple[str, str]]) -> str:
    """Who is too few for what, and what to do; one message."""
    if not needs.reviewers:
        return "nobody may review: no person of the roster has `reviews = true` and stays."
    if lonely := lonely_projects(needs, allowed, conflicts):
        return lonely
    low, high = needs.room
    lonely = allowed.sum(1) < low
    if lonely.any():
        return too_few_projects(needs, allowed, lonely)
    moved, _, filled = maximum(high, needs.missing, allowed)
    if moved.sum() < needs.missing.sum():
        return too_few_reviewers(needs, allowed, ~filled)
    _, idle, _ = maximum(low, needs.missing, allowed)
    return too_few_projects(needs, allowed, idle & (low > 0))


def lonely_projects(needs: Needs, allowed: np.ndarray, conflicts: Set[tuple[str, str]]) -> str:
    """The projects that have fewer candidates than reviewers missing."""
    lines = []
    for j in np.flatnonzero(allowed.sum(0) < needs.missing):
        slug = needs.projects[j]
        free = sorted(needs.reviewers[i] for i in np.flatnonzero(allowed[:, j]))
        out = sorted(key for key, project in conflicts if project == slug)
        because = f" (in conflict: {names(out)})" if out else ""
        what = f"{slug} or one of its developers, which needs {needs.missing[j]}{because}"
        if not free:
            lines.append(f"everybody is in conflict with {what}")
        elif len(free) == 1:
            lines.append(f"{free[0]} is the only one not in conflict with {what}")
        else:
            lines.append(
                f"{names(free)} are the only {number(len(free))} not in conflict with {what}"
            )
    if not lines:
        return ""
    more = f"\n  and {len(lines) - SHOWN} projects more" if len(lines) > SHOWN else ""
    return (
        "there is no assignment:\n  "
        + "\n  ".join(sorted(lines)[:SHOWN])
        + f"{more}\nlift a conflict, let more people review, or lower --reviewers-per-project."
    )


def too_few_reviewers(needs: Needs, allowed: np.ndarray, short: np.ndarray) -> str:
    """The projects beyond the cut, which ask for more than their candidates can take.

    A candidate can give them at most the smaller of the load and the number of these projects that
    are open to them.
    """
    open_to = allowed[:, short].sum(1)
    able = np.flatnonzero(open_to)
    most = np.minimum(needs.room[1], open_to).sum()
    slugs = sorted(needs.projects[j] for j in np.flatnonzero(short))
    keys = sorted(needs.reviewers[i] for i in able)
    return (
        f"there is no assignment: {names(slugs)} together need {needs.missing[short].sum()} "
        f"reviews, but the only {number(len(able))} who may review them ({names(keys)}) can take "
        f"{most}: loads differ by at most one, so nobody takes more than {needs.window[1]}.\n"
        "Lift a conflict, let more people review, or lower --reviewers-per-project."
    )


def too_few_projects(needs: Needs, allowed: np.ndarray, idle: np.ndarray) -> str:
    """The reviewers who cannot reach the least load because so few projects are open to them."""
    keys = sorted(needs.reviewers[i] for i in np.flatnonzero(idle))
    slugs = sorted(needs.projects[j] for j in np.flatnonzero(allowed[idle].any(0)))
    return (
        f"there is no assignment with loads that differ by at most one: {names(keys)} would have "
        f"to take {needs.room[0][idle].sum()} in all, but may review "
        f"{f'only {names(slugs)}' if slugs else 'nothing'}.\n"
        "Lift a conflict, or set `reviews = false` for them in roster.toml."
    )


def names(items: Sequence[str]) -> str:
    """`a, b and c`; long lists are cut."""
    shown = list(items[:SHOWN])
    if len(items) > SHOWN:
        return f"{', '.join(shown)} and {len(items) - SHOWN} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def number(count: int) -> str:
    """Small numbers as words."""
    words = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return words[count] if count < len(words) else str(count)
