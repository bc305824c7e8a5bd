"""The front page: a gallery of samples by family, with filters and a search."""

from collections.abc import Iterator

from common.course.site.entries import STATES, Entry, GoalState
from common.course.site.pages import Page, Site

GOALS_SHOWN = 3  # on a card
DESCRIPTION = (
    "Deep generative models implemented from the papers, proved by mathematical laws, with numbers "
    "that anyone can recompute."
)


def pages(site: Site) -> Iterator[Page]:
    """The front page."""
    families = by_family(site.entries)
    filters = [
        ("family", "Family", sorted({entry.project.family for entry in site.entries})),
        ("dataset", "Data set", sorted({name for e in site.entries for name in e.datasets})),
        ("year", "Year", sorted({entry.project.paper["year"] for entry in site.entries})),
    ]
    context = {
        "families": families,
        "card_goals": card_goals,
        "filters": filters,
        "num_projects": count(len(site.entries), "project"),
        "num_families": f"{len(families)} {'family' if len(families) == 1 else 'families'}",
        "goals": goals_line(site.entries),
    }
    yield Page(
        "index.html",
        "Deep generative models",
        description=DESCRIPTION,
        section="index.html",
        template="gallery.html",
        context=context,
    )


def by_family(entries: tuple[Entry, ...]) -> list[tuple[str, list[Entry]]]:
    """The projects of each family, the oldest paper first; the family of the oldest paper first."""
    families: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.project.paper["year"], entry.slug)):
        families.setdefault(entry.project.family, []).append(entry)
    return list(families.items())


def card_goals(entry: Entry) -> tuple[list[GoalState], dict[str, int]]:
    """The first goals that were not withdrawn, and how many of the others are in which state."""
    kept = [goal for goal in entry.goals if goal.state != "withdrawn"][:GOALS_SHOWN]
    others = [goal.state for goal in entry.goals if goal not in kept]
    return kept, {state: others.count(state) for state in STATES if state in others}


def goals_line(entries: tuple[Entry, ...]) -> str:
    """How many goals of all projects are met, missed, open and withdrawn.

    >>> goals_line(())
    'no goals yet'
    """
    totals = {s: sum(entry.states.get(s, 0) for entry in entries) for s in STATES}
    counts = [f"{number} {state}" for state, number in totals.items() if number]
    return f"goals: {', '.join(counts)}" if counts else "no goals yet"


def count(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "project"), count(2, "project")
    ('1 project', '2 projects')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
