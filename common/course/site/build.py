"""The builder: every part's pages through the templates into one folder.

What belongs to one project, or needs only some files, is a unit that is made again only when one of
its inputs has changed (cache.py). The pages that know all projects are made each time.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from common.course.records import read_assignments, read_frozen
from common.course.site import cache, cards, comparisons, course, feeds, gallery, project, search
from common.course.site.cache import Record
from common.course.site.entries import Entry, find_entries
from common.course.site.laws import page as laws
from common.course.site.laws.record import RECORD
from common.course.site.links import Links
from common.course.site.pages import NAME, NAVIGATION, TEMPLATES, File, Page, Site
from common.course.site.reference import pages as reference
from common.course.site.rendering import highlight
from common.course.site.rendering.highlight import stylesheet
from common.errors import UserError
from common.files import write_bytes

MARKER = ".dgm-site"  # stands in a folder that a site was built in, and may be built in again


@dataclass(frozen=True)
class Unit:
    """A part that is made from these files and facts and from nothing else."""

    name: str
    inputs: Sequence[Path]
    facts: Sequence[object]
    pages: Callable[[Links], Iterable[Page | File]]


@dataclass(frozen=True)
class Built:
    """What a build did: the units that were made and those that stayed, and the number of files."""

    made: tuple[str, ...]
    kept: tuple[str, ...]
    num_files: int
    num_pages: int


def shared_pages(site: Site, links: Links) -> Iterator[Page | File]:
    """The pages that know more than one project, made at each build. A new part is a line here."""
    yield from gallery.pages(site)
    yield from comparisons.pages(site, links)
    yield from course.pages(site, links)
    yield from feeds.pages(site)


def units(site: Site, links: Links) -> Iterator[Unit]:
    """The parts that are kept between builds: the projects, and what reads only some files."""
    for entry in site.entries:
        yield project_unit(site, entry, links)
    yield Unit("laws.pages", law_inputs(site), (), lambda asked: laws.pages(site))
    for part in (*reference.parts(site), *cards.parts(site)):
        yield Unit(part.name, part.inputs, (site.address,), lambda asked, part=part: part.pages())


def build(
    root: Path, out: Path, *, address: str = "", repository: str = "", only: Sequence[str] = ()
) -> Built:
    """Write the site of a tree into a folder.

    With `only`, the pages of these projects and the shared ones; the other projects keep what they
    have. Files of an earlier build that are no part of the site any more are removed.
    """
    prepare(out)
    site = Site(root, find_entries(root), address.rstrip("/"), repository.rstrip("/"))
    missing = sorted(set(only) - set(site.by_slug))
    if missing:
        raise UserError(f"there is no project {missing[0]!r}; `dgm list` shows them all.")
    links = Links({e.slug: cache.project_files(e.project.folder) for e in site.entries}, repository)
    records_folder = record_folder(root, out)
    environment = templates()
    made, kept, records = [], [], []
    for unit in units(site, links):
        path = records_folder / f"{unit.name}.json"
        record = cache.read_record(path)
        is_asked = not only or unit.name in only
        if record and (not is_asked or stands(record, unit, links, out)):
            kept.append(unit.name)
        elif is_asked:
            record = make(unit, site, links.fresh(), environment, out)
            cache.write_record(path, record)
            made.append(unit.name)
        records += [record] if record else []
    written = {name for record in records for name in record.files}
    documents = [document for record in records for document in record.search]
    for part in [*shared_pages(site, links), search.index(documents), *static_files()]:
        file = rendered(site, part, environment)
        put(out, file)
        written.add(file.path)
    if not only:
        remove_others(out, written)
    num_pages = sum(name.endswith(".html") for name in written)
    return Built(tuple(made), tuple(kept), len(written), num_pages)


def project_unit(site: Site, entry: Entry, links: Links) -> Unit:
    """The pages of one project, and everything that they say."""
    folder, slug = entry.project.folder, entry.slug
    reviews = site.root / "reviews" / slug
    inputs = [folder / name for name in links.files[slug]]
    inputs += [p for p in reviews.glob("*") if p.is_file() and not p.is_symlink()]
    inputs += [p for p in [site.root / "CITATION.cff"] if p.is_file()]
    frozen = [version for version in read_frozen(site.root).version if version.slug == slug]
    others = [
        site.by_slug[other].project.title
        for other in entry.project.builds_on
        if other in site.by_slug
    ]
    facts = [
        site.address,
        site.repository,
        read_assignments(site.root).reviewers(slug),
        frozen,
        others,
    ]
    return Unit(slug, inputs, facts, lambda asked: project.pages(site, entry, asked))


def law_inputs(site: Site) -> list[Path]:
    """What the page of the laws reads: laws, what they test, and the record of their last run."""
    root = site.root
    inputs = [path for name in ("common", "tests/laws") for path in (root / name).rglob("*.py")]
    for entry in site.entries:
        inputs += [entry.project.folder / "project.toml", *entry.project.folder.glob("*.py")]
    return [path for path in [*inputs, root / RECORD] if path.is_file() and not path.is_symlink()]


def make(
    unit: Unit, site: Site, links: Links, environment: jinja2.Environment, out: Path
) -> Record:
    """Write a unit's files; returns the record of them."""
    files, documents = [], []
    for part in unit.pages(links):
        file = rendered(site, part, environment)
        put(out, file)
        files.append(file.path)
        if isinstance(part, Page) and part.searched:
            title = part.context["entry"].project.title
            documents += search.sections(unit.name, title, part.path, part.searched)
    key = cache.content_key(unit.inputs, unit.facts)
    return Record(key, tuple(files), links.asked, tuple(documents))


def stands(record: Record, unit: Unit, links: Links, out: Path) -> bool:
    """Whether what was made of a unit is what would be made now."""
    return (
        record.key == cache.content_key(unit.inputs, unit.facts)
        and links.still_lead(record.links)
        and all((out / name).is_file() for name in record.files)
    )


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


def static_files() -> Iterator[File]:
    """The styles and scripts, the colours of code among them."""
    yield File("static/code.css", stylesheet().encode())
    for path in sorted((TEMPLATES / "static").iterdir()):
        yield File(f"static/{path.name}", path.read_bytes())
    yield File("static/code.css", highlight.stylesheet().encode())


def prepare(out: Path) -> None:
    """Mark a new or empty folder as a site's; raises UserError for one that holds something else."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file, expected a folder; name another one with --out.")
    if out.is_dir() and not (out / MARKER).exists() and any(out.iterdir()):
        raise UserError(f"{out} holds files that are no site of ours; name a new or empty folder.")
    if not (out / MARKER).exists():
        write_bytes(out / MARKER, b"", durable=False)


def put(out: Path, file: File) -> None:
    """Write a file, unless it stands there already."""
    path = out / file.path
    if not path.resolve().is_relative_to(out.resolve()):
        raise ValueError(f"{file.path} leads out of the site; expected a path within it")
    if not (
        path.is_file() and path.stat().st_size == len(file.data) and path.read_bytes() == file.data
    ):
        write_bytes(path, file.data, durable=False)


def remove_others(out: Path, written: set[str]) -> None:
    """Remove what an earlier build left, and the folders that it leaves empty."""
    for folder, _, names in os.walk(out, topdown=False):
        for name in names:
            path = Path(folder) / name
            if path.relative_to(out).as_posix() not in written and name != MARKER:
                path.unlink()
        if not any(Path(folder).iterdir()):
            Path(folder).rmdir()


def record_folder(root: Path, out: Path) -> Path:
    """Where the records of a site in `out` are kept."""
    name = hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:12]
    return root / "build" / "site-cache" / name
