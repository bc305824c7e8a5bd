"""Reviewers matched to projects, as a sparse integer programme solved to proven optimality.

Hard: nobody reviews a project of their own group or one in conflict; every project gets its number
of reviewers; loads differ by at most one. Soft, in this order: as few reciprocal pairs of groups as
possible (A reviews B's project and B reviews A's), then bids and topics.

Reciprocal pairs are forbidden; if that leaves no solution, their number is minimised first. Large
inputs are thinned to about 40 candidates a project (`common.course.assigning.candidates`), more where those
leave no solution; `common.course.assigning.shortage` says by name why an input has none.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from common.course.assigning.candidates import Arrays, Instance, arranged, thinned
from common.course.assigning.shortage import explain, is_feasible
from common.errors import UserError

CANDIDATES = 40  # a project keeps about so many where all would be too many
FIRST_TRY, SECOND_TRY = 30.0, 300.0  # seconds of solving
OPTIMAL, INFEASIBLE = 0, (2, 4)  # scipy's codes; 4 is "unbounded or infeasible"

GroupPair = tuple[str, str]


@dataclass(frozen=True)
class Matching:
    """The pairs (reviewer, project), kept ones included, and how good they are."""

    pairs: tuple[tuple[str, str], ...]
    reciprocal: tuple[GroupPair, ...]
    utility: int  # of the pairs that were chosen
    loads: Mapping[str, int]
    optimal: bool  # proven by the solver, over the candidates that it saw
    candidates: int


class Solution(NamedTuple):
    """The chosen candidates (none: no time left), and whether no choice is proven to be better."""

    chosen: np.ndarray | None
    optimal: bool


def match(instance: Instance, *, seed: int = 0) -> Matching:
    """The best matching, the same for a seed whatever the order of the inputs.

    Raises UserError that names the projects and reviewers for which there is none.
    """
    rng = np.random.default_rng(seed)
    arrays = arranged(instance, rng)
    is_checked, width = False, CANDIDATES
    while True:
        mask = thinned(arrays, width, rng)
        search = Search(instance, arrays, mask)
        solution = search.without_reciprocal()
        if solution is None and not is_checked:
            if not is_feasible(arrays.needs, arrays.allowed):
                raise UserError(explain(arrays.needs, arrays.allowed, instance.conflicts))
            is_checked = True
        if solution is None and mask.sum() == arrays.allowed.sum():
            solution = search.fewest_reciprocal()
        if solution is not None:
            return search.matching(solution)
        width *= 4


class Search:
    """One instance with its candidates as columns."""

    def __init__(self, instance: Instance, arrays: Arrays, mask: np.ndarray):
        self.instance, self.arrays = instance, arrays
        self.rows, self.columns = np.nonzero(mask)
        self.utility = arrays.utility[self.rows, self.columns]
        self.kept = self.directions(instance.kept)
        self.kept_reciprocal = mutual(self.kept)
        self.both_ways = self.exclusions()

    def directions(self, pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """(group of the reviewer, group of the project) of every pair."""
        groups = dict(self.instance.kept_groups)
        groups |= {reviewer.key: reviewer.groups for reviewer in self.arrays.reviewers}
        group = {work.slug: work.group for work in self.arrays.projects}
        return {
            (mine, group[slug])
            for key, slug in pairs
            if slug in group
            for mine in groups.get(key, ())
            if mine != group[slug]
        }

    def pairs(self, chosen: np.ndarray) -> set[tuple[str, str]]:
        """Chosen candidates as (reviewer, project), with the kept ones."""
        reviewers, projects = self.arrays.needs.reviewers, self.arrays.needs.projects
        rows, columns = self.rows[chosen], self.columns[chosen]
        new = {(reviewers[i], projects[j]) for i, j in zip(rows, columns, strict=True)}
        return new | self.instance.kept

    def reciprocal(self, chosen: np.ndarray) -> set[GroupPair]:
        """The pairs of groups that review each other."""
        return mutual(self.directions(self.pairs(chosen)))

    def exclusions(self) -> list[tuple[list[int], list[int]]]:
        """For two groups: the candidates that go one way and those that go the other.

        The one list is empty where a kept pair goes that way; groups that kept pairs have made
        reciprocal already, and those that could not become so, are left out.
        """
        between = defaultdict(list)
        for n, (i, j) in enumerate(zip(self.rows, self.columns, strict=True)):
            for mine in self.arrays.reviewers[i].groups:
                between[mine, self.arrays.projects[j].group].append(n)
        found = []
        for a, b in sorted({(min(pair), max(pair)) for pair in between}):
            there = [] if (a, b) in self.kept else between.get((a, b), [])
            back = [] if (b, a) in self.kept else between.get((b, a), [])
            is_half_kept = (a, b) in self.kept or (b, a) in self.kept
            if (there and back) or (is_half_kept and (there or back)):
                found.append((there, back))
        return found

    def without_reciprocal(self) -> Solution | None:
        """The best choice without any reciprocal pair but kept ones; None if there is none.

        Two groups have a column `way`: 1 allows the one direction, 0 the other. Once these are
        whole numbers, what remains is a transport problem, whose corners are whole by themselves;
        so only these columns are declared integral. A programme that this form does not finish is
        tried with every column declared integral, from which the solver can derive other cuts.
        """
        count, extra = len(self.rows), len(self.both_ways)
        cost = np.concatenate([-self.utility, np.zeros(extra)])
        rows = [self.balance(count + extra), *self.one_way()]
        solution = self.solve(cost, rows, np.arange(count + extra) >= count, FIRST_TRY)
        if solution is None or solution.optimal:
            return solution
        return self.solve(cost, rows, np.ones(count + extra), SECOND_TRY)

    def fewest_reciprocal(self) -> Solution:
        """The best choice among those with the fewest reciprocal pairs."""
        count, extra = len(self.rows), len(self.both_ways)
        rows = [self.balance(count + extra), *self.both_at_a_price()]
        price = np.concatenate([np.zeros(count), np.ones(extra)])
        first = self.solve(price, rows, np.ones(count + extra), SECOND_TRY)
        if first.chosen is None:
            return first
        fewest = len(self.reciprocal(first.chosen) - self.kept_reciprocal)
        rows.append(LinearConstraint(price[None, :], 0, fewest))
        cost = np.concatenate([-self.utility, np.zeros(extra)])
        second = self.solve(cost, rows, np.ones(count + extra), SECOND_TRY)
        return second._replace(optimal=first.optimal and second.optimal)

    def balance(self, width: int) -> LinearConstraint:
        """Every project's missing reviewers, every reviewer's load in the window."""
        needs, count = self.arrays.needs, len(self.rows)
        num_projects, num_reviewers = len(needs.projects), len(needs.reviewers)
        rows = np.concatenate([self.columns, num_projects + self.rows])
        columns = np.concatenate([np.arange(count), np.arange(count)])
        shape = (num_projects + num_reviewers, width)
        low, high = needs.room
        return LinearConstraint(
            sparse.csr_array((np.ones(2 * count), (rows, columns)), shape),
            np.concatenate([needs.missing, low]),
            np.concatenate([needs.missing, high]),
        )

    def one_way(self) -> list[LinearConstraint]:
        """candidate <= way for one direction, candidate <= 1 - way for the other."""
        entries = []
        for index, (there, back) in enumerate(self.both_ways, len(self.rows)):
            if there and back:
                entries += [([n, index], [1, -1], 0) for n in there]
                entries += [([n, index], [1, 1], 1) for n in back]
            else:  # a kept pair goes the other way
                entries += [([n], [1], 0) for n in there + back]
        return at_most(entries, len(self.rows) + len(self.both_ways))

    def both_at_a_price(self) -> list[LinearConstraint]:
        """Two candidates of opposite directions exclude each other, unless the price is paid."""
        entries = []
        for index, (there, back) in enumerate(self.both_ways, len(self.rows)):
            if there and back:
                entries += [([*two, index], [1, 1, -1], 1) for two in product(there, back)]
            else:
                entries += [([n, index], [1, -1], 0) for n in there + back]
        return at_most(entries, len(self.rows) + len(self.both_ways))

    def solve(
        self, cost: np.ndarray, rows: list[LinearConstraint], integral: np.ndarray, seconds: float
    ) -> Solution | None:
        """One integer programme; None if it has no solution."""
        if not len(self.rows):
            is_done = not self.arrays.needs.missing.any() and not self.arrays.needs.room[0].any()
            return Solution(np.zeros(0, dtype=bool), True) if is_done else None
        done = milp(
            cost,
            integrality=integral,
            bounds=Bounds(0, 1),
            constraints=rows,
            options={"mip_rel_gap": 0.0, "time_limit": seconds},
        )
        if done.x is None and done.status in INFEASIBLE:
            return None
        if done.x is None:
            return Solution(None, False)
        return Solution(self.whole(done.x), done.status == OPTIMAL)

    def whole(self, x: np.ndarray) -> np.ndarray:
        """The candidates that the solver chose, after a look at whether they are a matching."""
        chosen = x[: len(self.rows)] > 0.5
        needs = self.arrays.needs
        low, high = needs.room
        reviewers = np.bincount(self.columns[chosen], minlength=len(needs.projects))
        loads = np.bincount(self.rows[chosen], minlength=len(needs.reviewers))
        if (reviewers != needs.missing).any() or (loads < low).any() or (loads > high).any():
            raise RuntimeError("the solver's answer is no matching; please report this input")
        return chosen

    def matching(self, solution: Solution) -> Matching:
        """The result in names; raises UserError if the solver ran out of time with nothing."""
        if solution.chosen is None:
            raise UserError(
                f"the solver found no assignment in {SECOND_TRY:.0f} seconds, though there is one; "
                "try another --seed, or fewer --reviewers-per-project."
            )
        pairs = self.pairs(solution.chosen)
        loads = {reviewer.key: 0 for reviewer in self.arrays.reviewers}
        for key, _ in pairs:
            loads[key] = loads.get(key, 0) + 1
        return Matching(
            pairs=tuple(sorted(pairs, key=lambda pair: (pair[1], pair[0]))),
            reciprocal=tuple(sorted(self.reciprocal(solution.chosen))),
            utility=int(self.utility[solution.chosen].sum()),
            loads=dict(sorted(loads.items())),
            optimal=solution.optimal,
            candidates=len(self.rows),
        )


def at_most(entries: list[tuple[list[int], list[int], int]], width: int) -> list[LinearConstraint]:
    """Rows (columns, factors, upper bound) as one constraint; none for no rows."""
    if not entries:
        return []
    rows = [row for row, (columns, _, _) in enumerate(entries) for _ in columns]
    columns = [column for columns, _, _ in entries for column in columns]
    values = [float(value) for _, values, _ in entries for value in values]
    matrix = sparse.csr_array((values, (rows, columns)), (len(entries), width))
    return [LinearConstraint(matrix, -np.inf, [bound for _, _, bound in entries])]


def mutual(directions: set[tuple[str, str]]) -> set[GroupPair]:
    """The pairs of groups of which both directions are there."""
    return {(a, b) for a, b in directions if a < b and (b, a) in directions}
