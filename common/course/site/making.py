"""Making the parts of the site: pages through the templates, files into the folder.

A `Maker` knows every part by its name. Many parts are made by several processes, each with a maker of
its own, so that nothing but names and records goes between them.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import jinja2
from markupsafe import Markup

from common.course.site import cache, cards, project, search
from common.course.site.cache import Record
from common.course.site.entries import find_entries
from common.course.site.laws import page as laws
from common.course.site.laws.record import RECORD
from common.course.site.links import Links
from common.course.site.pages import NAME, NAVIGATION, TEMPLATES, File, Page, Site
from common.course.site.parts import Part
from common.course.site.reference import pages as reference
from common.files import write_bytes

MANY = 60  # parts, about ten projects: fewer are made before a second process has begun
MAX_PROCESSES = 4


class Maker:
    """Everything that is needed to make any part of the site of a tree."""

    def __init__(self, root: Path, out: Path, address: str, repository: str):
        self.out = out
        self.site = Site(root, find_entries(root), address.rstrip("/"), repository.rstrip("/"))
        files = {e.slug: cache.project_files(e.project.folder) for e in self.site.entries}
        self.links = Links(files, repository)
        self.environment = templates()
        self.parts = {part.name: part for part in parts(self.site, self.links)}

    def make(self, name: str) -> Record:
        """Write a part's files; returns the record of them."""
        part = self.parts[name]
        key = cache.content_key(
            part.inputs, part.facts
        )  # before: what changes meanwhile is not in it
        files, documents = [], []
        for page in part.pages():
            files.append(self.put(page))
            if isinstance(page, Page) and page.searched:
                title = page.context["entry"].project.title
                documents += search.sections(part.slug, title, page.path, page.searched)
        asked = part.links.asked if part.links else {}
        return Record(key, tuple(files), asked, tuple(documents))

    def make_all(self, names: Sequence[str], *, processes: int | None = None) -> Iterator[Record]:
        """The records of many parts, in their order; by default on as many cores as there are."""
        cores = min(MAX_PROCESSES, os.cpu_count() or 1) if len(names) >= MANY else 1
        processes = processes or cores
        if processes == 1:
            yield from map(self.make, names)
            return
        begin = (self.site.root, self.out, self.site.address, self.links.repository)
        with ProcessPoolExecutor(processes, initializer=begin_worker, initargs=begin) as pool:
            yield from pool.map(make_in_worker, names)

    def stands(self, record: Record, part: Part) -> bool:
        """Whether what was made of a part is what would be made now."""
        return (
            record.key == cache.content_key(part.inputs, part.facts)
            and (part.links is None or part.links.still_lead(record.links))
            and all((self.out / name).is_file() for name in record.files)
        )

    def put(self, page: Page | File) -> str:
        """Write a page or file, unless it stands there already; returns its path."""
        file = rendered(self.site, page, self.environment)
        path = self.out / file.path
        if not path.resolve().is_relative_to(self.out.resolve()):
            raise ValueError(f"{file.path} leads out of the site; expected a path within it")
        size = len(file.data)
        is_there = path.is_file() and path.stat().st_size == size and path.read_bytes() == file.data
        if not is_there:
            write_bytes(path, file.data, durable=False)
        return file.path


worker: Maker  # of this process, where it is one of several


def begin_worker(root: Path, out: Path, address: str, repository: str) -> None:
    """What a process does first."""
    global worker
    worker = Maker(root, out, address, repository)


def make_in_worker(name: str) -> Record:
    """One part, in one of several processes."""
    return worker.make(name)


def parts(site: Site, links: Links) -> Iterator[Part]:
    """The parts that are kept between builds: the projects, and what reads only some files."""
    yield from reference.parts(site)  # the longest of all first
    yield Part("laws.pages", law_inputs(site), lambda: laws.pages(site), (site.address,))
    for entry in site.entries:
        yield from project.parts(site, entry, links)
    yield from cards.parts(site)


def law_inputs(site: Site) -> tuple[Path, ...]:
    """What the page of the laws reads: laws, what they test, and the record of their last run."""
    root = site.root
    inputs = [path for name in ("common", "tests/laws") for path in (root / name).rglob("*.py")]
    for entry in site.entries:
        inputs += [entry.project.folder / "project.toml", *entry.project.folder.glob("*.py")]
    inputs.append(root / RECORD)
    return tuple(path for path in inputs if path.is_file() and not path.is_symlink())


def templates() -> jinja2.Environment:
    """The templates: everything is escaped that is not marked as HTML, and a typo is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": duration, "authors": authors}
    environment.globals |= {"site_name": NAME, "navigation": NAVIGATION}
    return environment


def duration(seconds: float) -> str:
    """A time in the unit that people would use.

    >>> duration(12.3), duration(3595.7), duration(9000)
    ('12 s', '60 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def authors(names: Sequence[str]) -> str:
    """Authors in short.

    >>> authors(["Ada Lovelace"]), authors(["A B", "C D"]), authors(["A B", "C D", "E F"])
    ('Ada Lovelace', 'A B and C D', 'A B and others')
    """
    if len(names) < 3:
        return " and ".join(names)
    return f"{names[0]} and others"


def rendered(site: Site, part: Page | File, environment: jinja2.Environment) -> File:
    """A page as a file, through its template."""
    if isinstance(part, File):
        return part
    html = environment.get_template(part.template).render(
        part.context, site=site, page=part, url=part.url, body=Markup(part.body)
    )
    return File(part.path, html.encode())
