"""Assign reviewers to the frozen version 1s: a preview first, then --commit.

Nobody reviews their own group's project or one in conflict, every project gets its number of
reviewers, loads differ by at most one, groups do not review each other if that can be avoided; then
bids and topics decide. Roster, bids and conflicts are read from the private folder, $DGM_PRIVATE.

  dgm assign                         what would be assigned
  dgm assign --commit                write reviews/assignments.toml
  dgm assign --repair --drop r-07    r-07 left: the others' pairs stay, the gaps are filled
  dgm assign --repair --withdraw made --commit
"""

import json
from argparse import ArgumentParser, Namespace
from collections import Counter

WIDTH = 80


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--commit", action="store_true", help="write reviews/assignments.toml")
    parser.add_argument("--repair", action="store_true", help="keep what stands, fill the gaps")
    parser.add_argument(
        "--drop", nargs="+", action="extend", default=[], metavar="KEY", help="reviewers who left"
    )
    parser.add_argument(
        "--withdraw",
        nargs="+",
        action="extend",
        default=[],
        metavar="SLUG",
        help="projects that left",
    )
    parser.add_argument("--seed", type=int, help="breaks ties (default: 0, or as before)")
    parser.add_argument("--reviewers-per-project", type=int, metavar="K", help="not cycle.toml's")
    parser.add_argument("--json", action="store_true", help="print JSON for a program")


def run(args: Namespace) -> int:
    from common.course.assigning.assignments import plan_assignment, plan_repair, write_plan
    from common.course.git import course_root
    from common.errors import UserError

    root = course_root()
    if (args.drop or args.withdraw) and not args.repair:
        raise UserError("--drop and --withdraw belong to --repair: dgm assign --repair --drop KEY")
    if args.repair:
        plan = plan_repair(
            root,
            drop=args.drop,
            withdraw=args.withdraw,
            seed=args.seed,
            per_project=args.reviewers_per_project,
        )
    else:
        plan = plan_assignment(root, seed=args.seed or 0, per_project=args.reviewers_per_project)
    is_new = plan.after != plan.before
    if args.commit and is_new:
        write_plan(root, plan)
    if args.json:
        print(json.dumps(as_dictionary(plan, committed=args.commit and is_new), indent=2))
        return 0
    print("\n".join([*table(plan), "", *summary(plan), next_step(args, is_new)]))
    return 0


def table(plan) -> list[str]:
    """One line a project: its reviewers with their bids; what is new is marked."""
    slugs = sorted({pair.project for pair in plan.after.pair})
    width = min(24, max(len(slug) for slug in [*slugs, "project"]))
    new = {(pair.project, pair.reviewer) for pair in plan.added if plan.before.pair}
    lines = [f"{'project':<{width}}  reviewers (bid){', + is new' if new else ''}"]
    for slug in slugs:
        cells = [
            f"{'+' if (slug, key) in new else ''}{key} ({plan.inputs.bids.get((key, slug), 0):+d})"
            for key in plan.after.reviewers(slug)
        ]
        lines += wrapped(slug, cells, width)
    return lines


def wrapped(slug: str, cells: list[str], width: int) -> list[str]:
    """A project's cells on as many lines as 80 columns need."""
    name = slug if len(slug) <= width else f"{slug[: width - 1]}…"
    lines, line = [], f"{name:<{width}}"
    for cell in cells:
        if len(line) + 2 + len(cell) > WIDTH:
            lines.append(line)
            line = " " * width
        line += f"  {cell}"
    return [*lines, line]


def summary(plan) -> list[str]:
    """Loads, bids, reciprocal pairs, what changed, and notes."""
    eligible = {reviewer.key for reviewer in plan.inputs.reviewers}
    loads = Counter(load for key, load in plan.matching.loads.items() if key in eligible)
    bids = Counter(plan.inputs.bids.get((p.reviewer, p.project), 0) for p in plan.after.pair)
    mutual = plan.matching.reciprocal
    lines = [
        "load: "
        + ", ".join(f"{count} people review {load}" for load, count in sorted(loads.items())),
        "bids: "
        + ", ".join(f"{count} of {value:+d}" for value, count in sorted(bids.items())[::-1]),
        f"reciprocal pairs of groups: {len(mutual)}"
        + (f" ({', '.join(' and '.join(pair) for pair in mutual[:5])})" if mutual else ""),
        f"seed {plan.after.seed}, {plan.matching.candidates} candidate pairs, "
        + ("proven optimal" if plan.matching.optimal else "NOT proven optimal: time ran out"),
    ]
    if plan.before.pair:
        lines.append(f"kept {len(plan.after.pair) - len(plan.added)} pairs, new {len(plan.added)}")
        lines += [f"  no longer: {pair.reviewer} of {pair.project}" for pair in plan.removed]
    return lines + [f"note: {note}" for note in plan.notes]


def next_step(args: Namespace, is_new: bool) -> str:
    """What an instructor does after assigning."""
    if not is_new:
        return "next: dgm status; there is nothing to repair, the assignment stands as it is"
    if not args.commit:
        same = "the same command with --commit" if args.repair else "dgm assign --commit"
        seed = f" --seed {args.seed}" if args.seed and not args.repair else ""
        return f"next: {same}{seed} writes reviews/assignments.toml; nothing was written"
    return "next: commit and push reviews/assignments.toml; reviewers: dgm review new SLUG"


def as_dictionary(plan, *, committed: bool) -> dict:
    """The plan for a program."""
    new = set(plan.added)
    pairs = [
        {
            "project": pair.project,
            "reviewer": pair.reviewer,
            "bid": plan.inputs.bids.get((pair.reviewer, pair.project), 0),
            "new": pair in new,
        }
        for pair in plan.after.pair
    ]
    return {
        "semester": plan.after.semester,
        "seed": plan.after.seed,
        "inputs_sha256": plan.after.inputs_sha256,
        "reviewers_per_project": plan.after.reviewers_per_project,
        "pairs": pairs,
        "removed": [{"project": p.project, "reviewer": p.reviewer} for p in plan.removed],
        "loads": dict(plan.matching.loads),
        "reciprocal": [list(pair) for pair in plan.matching.reciprocal],
        "optimal": plan.matching.optimal,
        "dropped": list(plan.after.dropped),
        "withdrawn": list(plan.after.withdrawn),
        "notes": list(plan.notes),
        "committed": committed,
    }
