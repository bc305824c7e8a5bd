"""The builder: every part's pages through the templates into one folder.

What needs only some files is a part (parts.py) that is made again only when one of them has changed
(cache.py). The pages that know all projects are made each time.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from common.course.site import cache, cards, comparisons, course, feeds, gallery, project, search
from common.course.site.cache import Record
from common.course.site.entries import find_entries
from common.course.site.laws import page as laws
from common.course.site.laws.record import RECORD
from common.course.site.links import Links
from common.course.site.pages import NAME, NAVIGATION, TEMPLATES, File, Page, Site
from common.course.site.parts import Part
from common.course.site.reference import pages as reference
from common.course.site.rendering import highlight
from common.course.site.rendering.highlight import stylesheet
from common.errors import UserError
from common.files import write_bytes

MARKER = ".dgm-site"  # stands in a folder that a site was built in, and may be built in again


@dataclass(frozen=True)
class Built:
    """What a build did: the parts that were made and those that stayed, and the number of files."""

    made: tuple[Part, ...]
    kept: tuple[Part, ...]
    num_files: int
    num_pages: int

    @property
    def projects(self) -> list[str]:
        """The projects of which something was made."""
        return list(dict.fromkeys(part.slug for part in self.made if part.slug))


def shared_pages(site: Site, links: Links) -> Iterator[Page | File]:
    """The pages that know more than one project, made at each build. A new part is a line here."""
    yield from gallery.pages(site)
    yield from comparisons.pages(site, links)
    yield from course.pages(site, links)
    yield from feeds.pages(site)


def parts(site: Site, links: Links) -> Iterator[Part]:
    """The parts that are kept between builds: the projects, and what reads only some files."""
    for entry in site.entries:
        yield from project.parts(site, entry, links)
    yield Part("laws.pages", law_inputs(site), lambda: laws.pages(site), (site.address,))
    yield from reference.parts(site)
    yield from cards.parts(site)


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
    for part in parts(site, links):
        path = records_folder / f"{part.name}.json"
        record = cache.read_record(path)
        is_asked = not only or part.slug in only
        if record and (not is_asked or stands(record, part, out)):
            kept.append(part)
        elif is_asked:
            record = make(part, site, environment, out)
            cache.write_record(path, record)
            made.append(part)
        records += [record] if record else []
    written = {name for record in records for name in record.files}
    documents = [document for record in records for document in record.search]
    for page in [*shared_pages(site, links), search.index(documents), *static_files()]:
        file = rendered(site, page, environment)
        put(out, file)
        written.add(file.path)
    if not only:
        remove_others(out, written)
    num_pages = sum(name.endswith(".html") for name in written)
    return Built(tuple(made), tuple(kept), len(written), num_pages)


def law_inputs(site: Site) -> tuple[Path, ...]:
    """What the page of the laws reads: laws, what they test, and the record of their last run."""
    root = site.root
    inputs = [path for name in ("common", "tests/laws") for path in (root / name).rglob("*.py")]
    for entry in site.entries:
        inputs += [entry.project.folder / "project.toml", *entry.project.folder.glob("*.py")]
    inputs.append(root / RECORD)
    return tuple(path for path in inputs if path.is_file() and not path.is_symlink())


def make(part: Part, site: Site, environment: jinja2.Environment, out: Path) -> Record:
    """Write a part's files; returns the record of them."""
    files, documents = [], []
    for page in part.pages():
        file = rendered(site, page, environment)
        put(out, file)
        files.append(file.path)
        if isinstance(page, Page) and page.searched:
            title = page.context["entry"].project.title
            documents += search.sections(part.slug, title, page.path, page.searched)
    asked = part.links.asked if part.links else {}
    return Record(key_of(part), tuple(files), asked, tuple(documents))


def stands(record: Record, part: Part, out: Path) -> bool:
    """Whether what was made of a part is what would be made now."""
    return (
        record.key == key_of(part)
        and (part.links is None or part.links.still_lead(record.links))
        and all((out / name).is_file() for name in record.files)
    )


def key_of(part: Part) -> str:
    """The hash of what a part is made from."""
    return cache.content_key(part.inputs, part.facts)


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
