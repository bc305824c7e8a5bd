"""The code as it was reviewed: what findings cite, at version 1, with the lines that they name.

Version 2 has other lines. Where this clone lacks the history (a public export, a shallow clone),
places stay text.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from common.course.documents import DocumentError, decode
from common.course.git import GitError, GitMissing, Repository
from common.course.reviewing.places import parse_place
from common.course.reviewing.versions import find_version, has_history
from common.course.site.entries import Entry
from common.course.site.pages import Page, Site
from common.course.site.rendering import render_code

VERSION = "v1"
MAX_BYTES = 400_000
SHOWN = (".py", ".md", ".toml", ".txt", ".json")  # what has lines to look at


@dataclass(frozen=True)
class Reviewed:
    """Files of version 1 by path within the project, and where the places in reviews lead."""

    entry: Entry
    texts: Mapping[str, str]

    def path(self, name: str) -> str:
        """The page of a file of version 1."""
        return f"{self.entry.folder}/reviewed/{name}.html"

    def link(self, place: str) -> str | None:
        """The site's path of a place as written; None where there is nothing to show."""
        name, line = within(self.entry, place)
        if name not in self.texts:
            return None
        num_lines = self.texts[name].count("\n") + 1
        return self.path(name) + (f"#L{line}" if 0 < line <= num_lines else "")

    def pages(self) -> Iterator[Page]:
        """A page a file."""
        title = self.entry.project.title
        for name, text in self.texts.items():
            yield Page(
                self.path(name),
                f"{name} as it was reviewed · {title}",
                render_code(text, name),
                description=f"{name} of version 1 of {title}.",
                section="index.html",
                template="reviewed.html",
                context={"entry": self.entry, "tab": "review", "file_name": name},
            )


def read_reviewed(site: Site, entry: Entry, places: Iterable[str]) -> Reviewed:
    """What the places cite of version 1, as far as this clone has it."""
    cited = {within(entry, place)[0] for place in places}
    names = sorted(name for name in cited if name.endswith(SHOWN) and name.isprintable())
    if not names or not has_history(site.root, entry.slug):
        return Reviewed(entry, {})
    try:
        version = find_version(site.root, entry.slug, VERSION)
        if version is None or version.commit is None:
            return Reviewed(entry, {})
        asked = [f"{version.commit}:{entry.folder}/{name}" for name in names]
        contents = Repository(site.root).read_all(asked)
    except (GitError, GitMissing):
        return Reviewed(entry, {})
    texts = {}
    for name, data in zip(names, contents, strict=True):
        if data is not None and len(data) <= MAX_BYTES:
            with contextlib.suppress(DocumentError):  # it is no text
                texts[name] = decode(data, name)
    return Reviewed(entry, texts)


def within(entry: Entry, place: str) -> tuple[str, int]:
    """The path within the project that a place names and its first line; 0 where it names none."""
    found = parse_place(place)
    if found is None:
        return "", 0
    name = found.path.removeprefix(f"{entry.folder}/")
    return name, found.ranges[0][0] if found.ranges else 0
