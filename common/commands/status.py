"""Whose turn it is, project by project, longest wait first.

A finding is open until its reviewer verified the fix or accepted the reason: B blocker, M major,
m minor, n nit.

  dgm status
  dgm status made               one project: reviews, open findings, the next step
  dgm status --markdown         for an issue or a page
  dgm status --now 2026-12-01   how it would stand on that day
"""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import UTC, datetime


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("slugs", nargs="*", metavar="SLUG", help="only these (default: all)")
    parser.add_argument("--json", action="store_true", help="print JSON for a program")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--now", type=moment, metavar="DATE", help="pretend that it is this date")


def moment(text: str) -> datetime:
    """A date, or a date and time, as a moment; without a zone it is UTC."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no date like 2026-12-01") from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def run(args: Namespace) -> int:
    import json

    from common.course.git import course_root
    from common.course.state import course_states

    root = course_root()
    for slug in args.slugs:
        require_project(root, slug)
    states = course_states(root, args.slugs, moment=args.now)
    if args.json:
        print(json.dumps([as_dictionary(state) for state in states], indent=2))
        return 0
    if not states:
        print("no projects yet.\nnext: dgm new SLUG makes one")
        return 0
    print("\n".join(markdown(states) if args.markdown else table(states)))
    if not args.markdown:
        print("\n".join(details(states[0]) if len(args.slugs) == 1 else summary(states)))
    return 0


def require_project(root, slug: str) -> None:
    """Raise UserError for a slug that is neither a folder nor frozen."""
    from common.course.records import read_frozen
    from common.projects import find_project

    if (root / "projects" / slug / "project.toml").exists():
        return
    if slug not in {entry.slug for entry in read_frozen(root).version}:
        find_project(slug, root)


def cells(state) -> list[str]:
    """One project's line: slug, state, turn, days, open findings, goals."""
    counts = [
        f"{count}{letter}"
        for (_, count), letter in zip(state.open_findings.items(), "BMmn", strict=True)
        if count
    ]
    return [
        state.slug,
        state.state,
        ", ".join(state.turn) or "-",
        days_text(state.days),
        " ".join(counts) or "-",
        f"{state.goals_met}/{state.goals}",
    ]


HEADER = ["project", "state", "whose turn", "due", "open", "goals"]


def days_text(days: float | None) -> str:
    """How long is left, or how much too late it is."""
    if days is None:
        return "-"
    amount = f"{abs(days):.0f} d" if abs(days) >= 1 else f"{abs(days) * 24:.0f} h"
    return f"{amount} late" if days < 0 else amount


def table(states) -> list[str]:
    """Aligned lines, at most 80 columns wide."""
    rows = [HEADER, *map(cells, states)]
    limits = (20, 12, 14, 9, 11, 5)
    widths = [
        min(limit, max(len(row[column]) for row in rows)) for column, limit in enumerate(limits)
    ]
    lines = []
    for row in rows:
        parts = [fit(text, width) for text, width in zip(row, widths, strict=True)]
        lines.append("  ".join(parts).rstrip())
    notes = [f"note: {state.slug}: {state.note}" for state in states if state.note]
    return lines + [fit(note, 80).rstrip() for note in notes]


def fit(text: str, width: int) -> str:
    """A text padded or cut to a width."""
    return text.ljust(width) if len(text) <= width else f"{text[: width - 1]}…"


def markdown(states) -> list[str]:
    """The same as a Markdown table."""
    rows = [f"| {' | '.join(cells(state))} |" for state in states]
    return [f"| {' | '.join(HEADER)} |", "|" + "---|" * len(HEADER), *rows]


def summary(states) -> list[str]:
    """How many projects stand where, and the next step of who waits longest."""
    from common.course.next_steps import next_step
    from common.course.state import STATES

    counts = [(name, sum(state.state == name for state in states)) for name in STATES]
    line = ", ".join(f"{count} {name}" for name, count in counts if count)
    waiting = next((state for state in states if state.turn), states[0])
    return ["", line, f"next: {next_step(waiting)}"]


def details(state) -> list[str]:
    """One project's reviews and what is open in them."""
    from common.course.next_steps import next_step
    from common.course.reviewing.progress import CLOSED

    lines = [""]
    for review in state.reviews:
        done = "verified" if review.is_verified else "in" if review.is_in else "not in yet"
        lines.append(f"{review.reviewer}: review {done}, {len(review.findings)} findings")
        open_ones = [
            f"{identity} ({severity}{', ' + outcome if outcome else ''})"
            for identity, severity, outcome in review.findings
            if outcome not in CLOSED
        ]
        if open_ones:
            lines.append(f"  open: {', '.join(open_ones)}")
    if state.due is not None:
        lines.append(f"due: {state.due:%Y-%m-%d %H:%M %Z}")
    return [*lines, f"next: {next_step(state)}"]


def as_dictionary(state) -> dict:
    """One project for a program."""
    return {
        "slug": state.slug,
        "state": state.state,
        "turn": list(state.turn),
        "due": state.due.isoformat() if state.due else None,
        "days": None if state.days is None else round(state.days, 2),
        "open_findings": state.open_findings,
        "goals_met": state.goals_met,
        "goals": state.goals,
        "reviews": [
            {"reviewer": r.reviewer, "in": r.is_in, "verified": r.is_verified}
            for r in state.reviews
        ],
        "answered": state.is_answered,
        "note": state.note,
    }
