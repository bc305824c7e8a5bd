"""The builder: every part's pages through the templates into one folder.

What needs only some files is a part (parts.py) that is made again (making.py) only when one of them
has changed (cache.py). The pages that know all projects are made each time.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.course.site import cache, comparisons, course, feeds, gallery, search
from common.course.site.links import Links
from common.course.site.making import Maker
from common.course.site.pages import TEMPLATES, File, Page, Site
from common.course.site.parts import Part
from common.course.site.rendering import highlight
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


def build(
    root: Path,
    out: Path,
    *,
    address: str = "",
    repository: str = "",
    only: Sequence[str] = (),
    processes: int | None = None,
) -> Built:
    """Write the site of a tree into a folder.

    With `only`, the pages of these projects and the shared ones; the other projects keep what they
    have. Files of an earlier build that are no part of the site any more are removed. With one of
    `processes` nothing is started beside this one.
    """
    prepare(out)
    cache.own_key.cache_clear()  # a template may have changed since this process built before
    maker = Maker(root, out, address, repository)
    missing = sorted(set(only) - set(maker.site.by_slug))
    if missing:
        raise UserError(f"there is no project {missing[0]!r}; `dgm list` shows them all.")
    folder = record_folder(root, out)
    records = {name: cache.read_record(folder / f"{name}.json") for name in maker.parts}
    made = []
    for part in maker.parts.values():
        record, is_asked = records[part.name], not only or part.slug in only
        if is_asked and not (record and maker.stands(record, part)):
            made.append(part)
    names = dict.fromkeys(part.name for part in made)
    for name, record in zip(names, maker.make_all(list(names), processes=processes), strict=True):
        records[name] = record
        cache.write_record(folder / f"{name}.json", record)
    standing = [record for record in records.values() if record]
    written = {name for record in standing for name in record.files}
    documents = [document for record in standing for document in record.search]
    shared = shared_pages(maker.site, maker.links)
    for page in (*shared, search.index(documents), *static_files()):
        written.add(maker.put(page))
    if not only:
        remove_others(out, written)
    kept = tuple(p for name, p in maker.parts.items() if name not in names and records[name])
    num_pages = sum(name.endswith(".html") for name in written)
    return Built(tuple(made), kept, len(written), num_pages)


def static_files() -> Iterator[File]:
    """The styles and scripts, the colours of code among them."""
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
