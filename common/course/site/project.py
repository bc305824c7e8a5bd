"""A project's pages: overview, notebook, code, review, and the pictures and results beside them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from pathlib import Path

from markupsafe import Markup

from common.course.documents import read_text
from common.course.site import cite, code, review
from common.course.site.entries import Entry
from common.course.site.links import Links, is_copied
from common.course.site.pages import File, Page, Site
from common.course.site.pictures import card_bytes, png_size
from common.course.site.rendering import render_markdown, render_notebook
from common.results import BEGIN, END

NOTEBOOK = "demo.ipynb"
TITLE = re.compile(r"\A\s*#[^\S\n][^\n]*\n")
FIGURE = re.compile(r'<img\b([^>]*?)\ssrc="(figures/[\w.-]+\.png)"([^>]*?)\s*/?>')
MAX_COPY = 20_000_000


def pages(site: Site, entry: Entry, links: Links) -> Iterator[Page | File]:
    """Everything of one project; nothing of it depends on another but through `links`."""
    files = links.files[entry.slug]
    parts = [overview(site, entry, links)]
    if NOTEBOOK in files:
        parts += notebook(entry, links)
    parts += code.pages(entry, files)
    parts += review.pages(site, entry, links)
    tabs = tabs_of(entry, parts)
    for part in parts:
        yield with_tabs(part, tabs) if isinstance(part, Page) else part
    yield from copies(entry, files)


def tabs_of(entry: Entry, parts: list[Page | File]) -> list[tuple[str, str, str]]:
    """The pages that a project has, as tabs: key, label, path."""
    first: dict[str, str] = {}
    for part in parts:
        if isinstance(part, Page):
            first.setdefault(part.context["tab"], part.path)
    labels = {"overview": "Overview", "notebook": "Notebook", "code": "Code", "review": "Review"}
    return [(tab, label, first[tab]) for tab, label in labels.items() if tab in first]


def with_tabs(page: Page, tabs: list[tuple[str, str, str]]) -> Page:
    """A page that knows its siblings."""
    return replace(page, context={**page.context, "tabs": tabs})


def overview(site: Site, entry: Entry, links: Links) -> Page:
    """The project's first page: its README around the table of its goals."""
    before, after = readme_parts(entry.readme)
    html = [
        decorated(
            render_markdown(text, links.place(entry.path, entry.folder, prefix=prefix, top=1)).html,
            entry.project.folder,
        )
        for text, prefix in ((before, "about"), (after, "more"))
    ]
    context = {
        "entry": entry,
        "tab": "overview",
        "before": Markup(html[0]),
        "after": Markup(html[1]),
        "has_results_heading": "results" in before.lower().rpartition("\n#")[2][:40],
        "paper_bibtex": cite.bibtex(entry.project.paper),
        "our_bibtex": cite.repository_bibtex(
            entry.slug, entry.project.title, entry.people, cite.citation(site.root)
        ),
        "builds_on": [
            site.by_slug[slug] for slug in entry.project.builds_on if slug in site.by_slug
        ],
        "goals_run": [g.goal.id for g in entry.goals if g.state in ("met", "missed")],
        "result_files": {
            goal_id: f"{entry.folder}/results/{goal_id}.json" for goal_id in entry.results
        },
    }
    return Page(
        entry.path,
        entry.project.title,
        description=entry.project.summary,
        section="index.html",
        template="project.html",
        context=context,
        searched=html[0] + html[1],
    )


def readme_parts(readme: str) -> tuple[str, str]:
    """A README before and after its generated table, its title left out.

    >>> readme_parts("# A\\ntext\\n<!-- results:begin -->\\n|x|\\n<!-- results:end -->\\nmore")
    ('text\\n', '\\nmore')
    """
    text = TITLE.sub("", readme, count=1)
    if BEGIN not in text or END not in text:
        return text, ""
    return text.partition(BEGIN)[0], text.partition(END)[2]


def decorated(html: str, folder: Path) -> str:
    """Figures with their size, and a link to play the animation that stands beside one."""

    def with_size(match: re.Match[str]) -> str:
        before, source, after = match.groups()
        name = source.removeprefix("figures/").removesuffix(".png")
        size = png_size(folder / source)
        attributes = f' width="{size[0]}" height="{size[1]}"' if size else ""
        image = f'<img{before} src="{source}"{after}{attributes} loading="lazy" id="figure-{name}">'
        if not (folder / "figures" / f"{name}.webp").is_file():
            return image
        label = f'▶ Play the animation<span class="visually-hidden"> of {escape(name)}</span>'
        link = f'<a class="motion-link" href="figures/{name}.webp" data-plays="figure-{name}">'
        return f"{image}<br>{link}{label}</a>"

    return FIGURE.sub(with_size, html)


def notebook(entry: Entry, links: Links) -> Iterator[Page | File]:
    """The notebook as a page, its pictures as files beside it."""
    path = f"{entry.folder}/notebook.html"
    text = read_text(entry.project.folder / NOTEBOOK)
    shown = render_notebook(text, links.place(path, entry.folder, prefix="n", media="notebook"))
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
        if is_copied(name) and (folder / name).stat().st_size <= MAX_COPY:
            yield File(f"{entry.folder}/{name}", (folder / name).read_bytes())
    if entry.picture and (card := entry.card):
        source = folder / entry.picture.path.removeprefix(f"{entry.folder}/")
        yield File(card.path, card_bytes(source, card.width, card.height))
