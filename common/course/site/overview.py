"""A project's first page: its README around the table of its goals, how to run it, how to cite it."""

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from markupsafe import Markup

from common.course.site import cite
from common.course.site.entries import Entry
from common.course.site.links import Links
from common.course.site.pages import Page, Site
from common.course.site.pictures import png_size
from common.course.site.rendering import render_markdown
from common.results import BEGIN, END

TITLE = re.compile(r"\A\s*#[^\S\n][^\n]*\n")
FIGURE = re.compile(r'<img\b([^>]*?)\ssrc="(figures/[\w.-]+\.png)"([^>]*?)\s*/?>')


def page(site: Site, entry: Entry, others: Sequence[Entry], links: Links) -> Page:
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
        "builds_on": others,
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
