"""The page of the laws: who takes up which, whether they passed, and each law with its source."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup, escape

from common.course.site.entries import Entry
from common.course.site.laws.kinds import PACKAGE, Kind, Law, Laws, read_laws
from common.course.site.laws.record import (
    ProjectRun,
    Record,
    inputs_sha256,
    read_record,
    shared_sha256,
)
from common.course.site.laws.taken import OFF, OWN, TAKEN, TakenClass, taken_classes
from common.course.site.pages import Page, Site
from common.course.site.rendering.highlight import render_code

PATH = "laws.html"
PASSED, FAILED, UNKNOWN, PARTLY = "passed", "failed", "unknown", "partly"


@dataclass(frozen=True)
class Cell:
    """What a project does with one kind of laws.

    `state` is a class of the style sheet: "passes", "fails", "open" (not known), "" (not taken up).
    """

    state: str
    text: str
    words: str


@dataclass(frozen=True)
class Row:
    """A project in the table. `run` is None where there is none of just these files."""

    entry: Entry
    classes: Sequence[TakenClass]
    run: ProjectRun | None
    is_stale: bool

    def states(self, kind: Kind) -> dict[str, str]:
        """What is known of each law of a kind: PASSED, FAILED, UNKNOWN, OFF or OWN."""
        taken = [each for each in self.classes if kind.name in each.kinds]
        return {law.test: self.state(law.test, taken) for law in kind.laws} if taken else {}

    def state(self, test: str, taken: Iterable[TakenClass]) -> str:
        """What is known of one law from all the classes that take it up."""
        states = {each.name: each.laws[test] for each in taken if test in each.laws}
        run = [name for name, state in states.items() if state == TAKEN]
        if not run:
            return OWN if OWN in states.values() else OFF
        ended = {self.run.outcomes.get(f"{name}.{test}") for name in run} if self.run else {None}
        if "failed" in ended:
            return FAILED
        return PASSED if ended == {"passed"} else UNKNOWN

    def cell(self, kind: Kind) -> Cell:
        """One cell of the table."""
        states = list(self.states(kind).values())
        total, passed = len(states), states.count(PASSED)
        if not states:
            return Cell("", "", "not taken up")
        if failed := states.count(FAILED):
            return Cell("fails", f"{failed}/{total}", f"{failed} of {total} fail")
        if UNKNOWN in states:
            taken = passed + states.count(UNKNOWN)
            return Cell("open", f"{taken}", f"{taken} taken up, not run")
        text = f"{passed}" if passed == total else f"{passed}/{total}"
        return Cell("passes", text, f"{passed} of {total} pass")

    def exceptions(self, kind: Kind) -> Iterator[tuple[str, str, str]]:
        """The laws of a kind that it does not simply pass: the test, the state, the reason.

        PARTLY are those that one test class takes up and another switches off.
        """
        for test, state in self.states(kind).items():
            taken = [each.laws[test] for each in self.classes if test in each.laws]
            shown = PARTLY if OFF in taken and state in (PASSED, UNKNOWN) else state
            if shown in (OFF, OWN, FAILED, PARTLY):
                yield test, shown, self.reason(test) if shown in (OFF, PARTLY) else ""

    def reason(self, test: str) -> str:
        """Why a law is switched off."""
        return next((each.reasons[test] for each in self.classes if each.reasons.get(test)), "")


@dataclass(frozen=True)
class Table:
    """Everything that the page says."""

    laws: Laws
    rows: Sequence[Row]
    record: Record

    @cached_property
    def dates(self) -> tuple[str, ...]:
        """The days of the runs that count."""
        return tuple(sorted({row.run.date[:10] for row in self.rows if row.run}))

    @cached_property
    def environments(self) -> tuple[str, ...]:
        """What those runs ran on."""
        runs = (row.run.environment for row in self.rows if row.run)
        return tuple(sorted({", ".join(f"{k} {v}" for k, v in each.items()) for each in runs}))

    def exceptions(self, kind: Kind) -> list[tuple[Row, str, str, str]]:
        """Who does not simply pass the laws of a kind."""
        return [(row, *each) for row in self.rows for each in row.exceptions(kind)]


def pages(site: Site) -> Iterator[Page]:
    """The table with every law below it, and the sources of the laws."""
    table = read_table(site)
    yield Page(
        PATH,
        "Laws",
        description="Properties that every model of a kind must have, and which project passes them.",
        section=PATH,
        template="laws.html",
        context={"table": table, "source": source_path, "code": with_code},
    )
    for name in table.laws.modules:
        path = site.root.joinpath(*name.split(".")).with_suffix(".py")
        path = path if path.is_file() else path.with_suffix("") / "__init__.py"
        text = path.read_text(encoding="utf-8").rstrip("\n")
        yield Page(
            source_path(name),
            f"Source of {name}",
            render_code(text, path.name),
            description=f"The text of {name}, with a link to each line.",
            section=PATH,
            template="reference_source.html",
            context={"back": PATH, "about": "The laws"},
        )


def read_table(site: Site) -> Table:
    """Laws, projects and the record of the last run."""
    laws, record = read_laws(site.root), read_record(site.root)
    shared = shared_sha256(site.root) if record.projects else ""
    rows = [row(site, laws, entry, record.projects, shared) for entry in site.entries]
    return Table(laws, rows, record)


def row(site: Site, laws: Laws, entry: Entry, runs: Mapping[str, ProjectRun], shared: str) -> Row:
    """One project."""
    run = runs.get(entry.slug)
    is_fresh = bool(run) and run.inputs_sha256 == inputs_sha256(site.root, entry.project, shared)
    classes = taken_classes(laws, entry.project.folder)
    return Row(entry, classes, run if is_fresh else None, bool(run) and not is_fresh)


def source_path(module: str, law: Law | None = None) -> str:
    """The page of a module of the laws, at the line of one."""
    name = module.removeprefix(f"{PACKAGE}.") if module != PACKAGE else "index"
    return f"laws/{name}.html" + (f"#L{law.line}" if law else "")


def with_code(text: str) -> Markup:
    """A line of prose whose spans in backquotes are code.

    >>> print(with_code("2 < 3 by `model()`"))
    2 &lt; 3 by <code>model()</code>
    """
    return Markup(re.sub(r"(`+)(.+?)\1", r"<code>\2</code>", str(escape(text))))
