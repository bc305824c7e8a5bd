"""A project's pages: overview, notebook, code, review, and the pictures and results beside them.

Each kind is a part of its own, so that a change of the README makes one page again.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from common.course.documents import read_text
from common.course.site import code, overview, review
from common.course.site.cards import card_path
from common.course.site.entries import Entry
from common.course.site.links import Links, is_copied
from common.course.site.pages import File, Page, Site
from common.course.site.parts import Part
from common.course.site.pictures import card_bytes
from common.course.site.rendering import render_notebook
from common.errors import UserError

NOTEBOOK = "demo.ipynb"
Tabs = list[tuple[str, str, str]]  # key, label, path


def parts(site: Site, entry: Entry, links: Links) -> Iterator[Part]:
    """Everything of one project; what depends on another is in a part's facts or its links."""
    root, folder, files = site.root, entry.project.folder, links.files[entry.slug]
    names = code.code_files(entry, files)
    reviews = review.shown_reviews(site, entry)
    tabs = tabs_of(entry, files, names, bool(reviews))
    copied = sorted(name for name in files if is_copied(name))
    others = [site.by_slug[slug] for slug in entry.project.builds_on if slug in site.by_slug]
    kinds: list[tuple[str, Iterable[Path], Callable[[Links], Iterable[Page | File]]]] = [
        (
            "overview",
            [root / "CITATION.cff", *(folder / name for name in ("README.md", *copied))],
            lambda asked: [overview.page(site, entry, others, asked)],
        ),
        ("files", [folder / name for name in copied], lambda asked: copies(entry, files)),
    ]
    if NOTEBOOK in files:
        kinds.append(("notebook", [folder / NOTEBOOK], partial(notebook, entry)))
    if names:
        sources = [folder / name for name in names]
        kinds.append(("code", sources, lambda asked: code.pages(entry, names)))
    if reviews:
        written = sorted((root / "reviews" / entry.slug).glob("*.md"))
        kinds.append(("review", written, partial(review.pages, site, entry, reviews)))
    head = [folder / "project.toml", *folder.glob("results/*.json")]  # every page begins with them
    titles = [other.project.title for other in others]
    frozen = site.frozen.find(entry.slug, "v1")  # what reviews cite is shown as it was then
    facts = (site.address, site.repository, tabs, titles, reviews, frozen, copied, entry.picture)
    for kind, inputs, pages in kinds:
        asked = links.fresh()
        inputs = tuple(p for p in (*head, *inputs) if p.is_file() and not p.is_symlink())
        made = partial(with_tabs, pages, asked, tabs)
        yield Part(f"projects/{entry.slug}/{kind}", inputs, made, facts, entry.slug, asked)


def tabs_of(entry: Entry, files: frozenset[str], names: list[str], has_reviews: bool) -> Tabs:
    """The pages that a project has, as tabs."""
    folder = entry.folder
    tabs = [("overview", "Overview", entry.path)]
    if NOTEBOOK in files:
        tabs.append(("notebook", "Notebook", f"{folder}/notebook.html"))
    if names:
        tabs.append(("code", "Code", code.path_of(entry, names[0])))
    if has_reviews:
        tabs.append(("review", "Review", f"{folder}/review.html"))
    return tabs


def with_tabs(
    pages: Callable[[Links], Iterable[Page | File]], links: Links, tabs: Tabs
) -> Iterator[Page | File]:
    """Pages that know their siblings, with the project's picture where they are linked to."""
    for page in pages(links):
        if isinstance(page, Page):
            context = {**page.context, "tabs": tabs}
            page = replace(page, context=context, picture=card_path(page.context["entry"]))
        yield page


def notebook(entry: Entry, links: Links) -> Iterator[Page | File]:
    """The notebook as a page, its pictures as files beside it."""
    path = f"{entry.folder}/notebook.html"
    text = read_text(entry.project.folder / NOTEBOOK)
    place = links.place(path, entry.folder, prefix="n", media="notebook")
    try:
        shown = render_notebook(text, place)
    except UserError as error:
        raise UserError(f"{entry.folder}/{NOTEBOOK} {error}") from error
    for name, data in shown.files.items():
        yield File(f"{entry.folder}/{name}", data)
    yield Page(
        path,
        f"Notebook · {entry.project.title}",
        shown.html,
        description=f"The notebook of {entry.project.title}, with its outputs.",
        section="index.html",
        template="notebook.html",
        context={
            "entry": entry,
            "tab": "notebook",
            "headings": [heading for heading in shown.headings if heading.level <= 3],
        },
        searched=shown.html,
    )


def copies(entry: Entry, files: frozenset[str]) -> Iterator[File]:
    """The pictures and result files that pages link to, and the gallery's small picture."""
    folder = entry.project.folder
    for name in sorted(files):
        if is_copied(name):
            yield File(f"{entry.folder}/{name}", (folder / name).read_bytes())
    if entry.picture and (card := entry.card):
        source = folder / entry.picture.path.removeprefix(f"{entry.folder}/")
        yield File(card.path, card_bytes(source, card.width, card.height))
