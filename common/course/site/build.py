"""The builder: every part's pages through the templates into one folder."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import jinja2
from markupsafe import Markup

from common.course.site import gallery
from common.course.site.entries import find_entries
from common.course.site.pages import NAVIGATION, TEMPLATES, File, Page, Site
from common.files import write_bytes


def shared_parts(site: Site) -> Iterator[Page | File]:
    """The pages that know more than one project. A new part is a line here."""
    yield from gallery.pages(site)


def build(root: Path, out: Path, *, address: str = "") -> None:
    """Write the site of a tree into a folder."""
    site = Site(root, find_entries(root), address.rstrip("/"))
    environment = templates()
    for file in rendered(site, shared_parts(site), environment):
        write_bytes(out / file.path, file.data)
    for path in sorted((TEMPLATES / "static").iterdir()):
        write_bytes(out / "static" / path.name, path.read_bytes())


def templates() -> jinja2.Environment:
    """The templates: everything is escaped that is not marked as HTML, and a typo is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def rendered(
    site: Site, parts: Iterable[Page | File], environment: jinja2.Environment
) -> Iterator[File]:
    """Pages as files; files as they are."""
    for part in parts:
        yield part if isinstance(part, File) else render(site, part, environment)


def render(site: Site, page: Page, environment: jinja2.Environment) -> File:
    """One page through its template."""
    html = environment.get_template(page.template).render(
        page.context,
        site=site,
        page=page,
        url=page.url,
        body=Markup(page.body),
        navigation=NAVIGATION,
    )
    return File(page.path, html.encode())
