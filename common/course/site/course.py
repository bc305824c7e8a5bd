"""The page of the course: how it goes and when, where each project stands, how to take part."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from common.course.cycle import CYCLE_FILE, Cycle, read_cycle
from common.course.documents import read_text
from common.course.site.entries import Entry
from common.course.site.links import Links
from common.course.site.pages import Page, Site
from common.course.site.rendering import render_markdown
from common.course.state import ProjectState, course_states

PATH, GUIDE = "course.html", "CONTRIBUTING.md"
DOCUMENTS = {
    "docs/data.md": "data.html",
    "docs/evaluation.md": "evaluation.html",
    "docs/grading.md": "grading.html",
}
STEPS = (  # deadline in cycle.toml, step, who, what
    (
        "proposal",
        "Proposal",
        "developers",
        "A pair chooses a paper and writes down which of its numbers it will reproduce: metric, data, "
        "split, the table they stand in. These goals are declared before anything is trained, and "
        "none is dropped without a word.",
    ),
    (
        "v1",
        "Version 1",
        "developers",
        "The model from the paper alone, complete and near-final: code, laws, a notebook with its "
        "outputs, numbers with the weights that they are recomputed from. At the deadline it is "
        "frozen: what is reviewed cannot move any more.",
    ),
    (
        "review",
        "Review",
        "reviewers",
        "Others read the paper, then the code; they run it, try to break it, and recompute a number. "
        "Each mistake is a finding with its place, its severity and the evidence. A reviewer who "
        "misses what the instructor finds pays for it too.",
    ),
    (
        "v2",
        "Response and version 2",
        "developers",
        "Every finding has an answer: fixed, with the commits, or declined, with evidence.",
    ),
    (
        "demos",
        "Verification and demonstrations",
        "reviewers",
        "The reviewers say of each answer whether it holds, and the pairs show what they made. Both "
        "versions, and the reviews, are graded in private.",
    ),
    (
        "publication",
        "Published",
        "instructor",
        "The tree is exported without anything private, with names only where people agreed, and "
        "becomes this site.",
    ),
)


@dataclass(frozen=True)
class Step:
    """One step of the cycle; `due` is None where no date is set."""

    title: str
    who: str
    text: str
    due: datetime | None


@dataclass(frozen=True)
class Standing:
    """Where a project stands."""

    entry: Entry
    state: ProjectState


def pages(site: Site, links: Links) -> Iterator[Page]:
    """The course, and the documents that its guide sends people to."""
    cycle = read_cycle(site.root) if (site.root / CYCLE_FILE).is_file() else None
    yield Page(
        PATH,
        "The course",
        description="How a paper becomes a project here, who reviews it, and how to take part.",
        section=PATH,
        template="course.html",
        context={
            "cycle": cycle,
            "steps": steps(cycle),
            "standings": standings(site) if cycle else [],
            "guide": document(site, links, GUIDE, PATH),
            "documents": [
                (target, title)
                for source, target in DOCUMENTS.items()
                for title in [title_of(site, source)]
                if title
            ],
        },
    )
    for source, target in DOCUMENTS.items():
        if title := title_of(site, source):
            html = document(site, links, source, target, is_whole=True)
            yield Page(
                target,
                title,
                description=f"{title}: how the course does it.",
                section=PATH,
                template="document.html",
                context={"html": html},
            )


def steps(cycle: Cycle | None) -> list[Step]:
    """The cycle with this semester's dates, where there are any."""
    dates = vars(cycle.dates) if cycle else {}
    return [
        Step(title, who, text, cycle.deadline(name) if dates.get(name) else None)
        for name, title, who, text in STEPS
    ]


def standings(site: Site) -> list[Standing]:
    """Where each project stands, in the order of the projects."""
    states = {state.slug: state for state in course_states(site.root)}
    known = ((entry, states.get(entry.slug)) for entry in site.entries)
    return [Standing(entry, state) for entry, state in known if state is not None]


def title_of(site: Site, source: str) -> str:
    """The title of a document; "" where the tree has none."""
    path = site.root / source
    first = read_text(path).split("\n", 1)[0] if path.is_file() else ""
    return first.removeprefix("# ").strip() if first.startswith("# ") else ""


def document(
    site: Site, links: Links, source: str, target: str, *, is_whole: bool = False
) -> Markup | None:
    """A document of the tree as HTML; None where there is none.

    `is_whole`: its title is the page's and left out here; else the title is a section's.
    """
    path = site.root / source
    if not path.is_file():
        return None
    text = read_text(path)
    text = text.partition("\n")[2] if is_whole else text
    place = links.place(target, source.rpartition("/")[0], prefix="guide", top=1 if is_whole else 2)
    return Markup(render_markdown(text, place).html)
