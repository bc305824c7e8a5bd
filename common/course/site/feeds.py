"""Atom feeds (RFC 4287): new and changed projects, and what was written in reviews of them."""

import uuid
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from common.course.records import read_assignments
from common.course.site.entries import Entry
from common.course.site.history import History, Span
from common.course.site.pages import NAME, File, Site

PROJECTS, REVIEWS = "feed.xml", "reviews.xml"
ATOM = "http://www.w3.org/2005/Atom"
NEWEST = 50
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Item:
    """An entry of a feed. `key` never changes; `path` is the page, a path of the site."""

    key: str
    title: str
    path: str
    dates: Span
    author: str
    summary: str
    category: str = ""


def pages(site: Site) -> Iterator[File]:
    """Both feeds."""
    history = History(site.root)
    projects = [project_item(entry, history) for entry in site.entries]
    reviews = [item for entry in site.entries for item in review_items(site, entry, history)]
    yield feed(site, PROJECTS, f"{NAME}: projects", projects)
    yield feed(site, REVIEWS, f"{NAME}: reviews and answers", reviews)


def project_item(entry: Entry, history: History) -> Item:
    """A project, as its page begins."""
    counts = ", ".join(f"{count} {state}" for state, count in entry.states.items())
    goals = f" Goals: {counts}." if counts else ""
    return Item(
        f"projects/{entry.slug}",
        entry.project.title,
        entry.path,
        history.of(f"projects/{entry.slug}"),
        entry.people,
        f"{entry.project.summary}{goals}",
        entry.project.family,
    )


def review_items(site: Site, entry: Entry, history: History) -> Iterator[Item]:
    """What the page of a project's reviews shows: those that are assigned, and answers to them."""
    folder = site.root / "reviews" / entry.slug
    paths = [p for p in sorted(folder.glob("*.md")) if p.is_file() and not p.is_symlink()]
    assigned = set(read_assignments(site.root).reviewers(entry.slug))
    if not assigned & {path.stem for path in paths}:
        return
    for path in paths:
        if path.stem.removesuffix(".verification") not in assigned | {"response"}:
            continue
        name = path.relative_to(site.root).as_posix()
        who, kind = path.stem, "Review"
        if who == "response":
            who, kind = entry.people, "Response to the reviews"
        elif who.endswith(".verification"):
            who, kind = who.removesuffix(".verification"), "Verification of the answers"
        title = f"{kind}: {entry.project.title}"
        page = f"{entry.folder}/review.html"
        yield Item(name, title, page, history.of(name), who, f"{kind}, by {who}.", kind)


def feed(site: Site, path: str, title: str, items: Iterable[Item]) -> File:
    """A feed with the newest of these items; dates are those of the items alone."""
    newest = sorted(items, key=lambda item: (item.dates.last, item.key), reverse=True)[:NEWEST]
    top = ElementTree.Element("feed", {"xmlns": ATOM, "xml:lang": "en"})
    put(top, "title", title)
    put(top, "id", identity(site, path))
    put(top, "updated", moment(newest[0].dates.last if newest else BEGINNING))
    put(ElementTree.SubElement(top, "author"), "name", f"The contributors of {NAME}")
    link(top, site, "self", path, "application/atom+xml")
    link(top, site, "alternate", "index.html", "text/html")
    for item in newest:
        inner = ElementTree.SubElement(top, "entry")
        put(inner, "title", item.title)
        put(inner, "id", identity(site, item.key))
        put(inner, "published", moment(item.dates.first))
        put(inner, "updated", moment(item.dates.last))
        put(ElementTree.SubElement(inner, "author"), "name", item.author)
        link(inner, site, "alternate", item.path, "text/html")
        if item.category:
            ElementTree.SubElement(inner, "category", term=item.category)
        put(inner, "summary", item.summary)
    ElementTree.indent(top)
    text = ElementTree.tostring(top, encoding="utf-8", xml_declaration=True)
    return File(path, text + b"\n")


def identity(site: Site, key: str) -> str:
    """What a feed's reader knows an entry by: the same at each build, another at another address."""
    base = uuid.uuid5(uuid.NAMESPACE_URL, site.address or NAME)
    return f"urn:uuid:{uuid.uuid5(base, key)}"


def put(parent: ElementTree.Element, tag: str, text: str) -> None:
    """An element with a text, of which only what XML allows is kept."""
    kept = "".join(mark for mark in text if mark in "\t\n" or mark.isprintable())
    ElementTree.SubElement(parent, tag).text = kept


def link(parent: ElementTree.Element, site: Site, rel: str, path: str, kind: str) -> None:
    """A link: absolute where the site's address is known, else beside the feed."""
    href = f"{site.address}/{path}" if site.address else path
    ElementTree.SubElement(parent, "link", rel=rel, href=href, type=kind)


def moment(date: datetime) -> str:
    """A moment as RFC 3339 writes it.

    >>> moment(datetime(2026, 11, 21, 12, tzinfo=UTC))
    '2026-11-21T12:00:00Z'
    """
    return date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
