"""Links between files of the repository, as links between pages of the site.

A README links to `../vae`, `model.py#L10` or `../../docs/comparison.md`; the site has a page for some
of these. A link to a file that the site does not show leads to the repository's own address where that
is known, and is plain text where it is not: a page has no link that leads nowhere.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote

from common.course.site.pages import relative
from common.course.site.rendering import Place

PAGES = {
    "README.md": "index.html",
    "CONTRIBUTING.md": "course.html",
    "docs/comparison.md": "comparisons.html",
    "docs/data.md": "data.html",
    "docs/evaluation.md": "evaluation.html",
    "docs/grading.md": "grading.html",
    "projects": "index.html",
    "reviews": "course.html",
    "tests/laws": "laws.html",
    "common": "reference/index.html",
}
IN_A_PROJECT = re.compile(r"^projects/(?P<slug>[^/]+)(?:/(?P<rest>.+))?$")
COMPARISON = re.compile(r"^docs/comparison-[\w-]+\.png$")
PICTURES = (".png", ".webp", ".gif", ".jpg", ".jpeg")


class Links:
    """Where the site shows a file of the repository."""

    def __init__(self, files: Mapping[str, frozenset[str]], repository: str = ""):
        """`files`: the paths of each project's folder, by slug; `repository`: a web address."""
        self.files = files
        self.repository = repository.rstrip("/")
        self.asked: dict[str, str | None] = {}  # every question and its answer, for the cache

    def fresh(self) -> "Links":
        """The same that has not been asked anything yet."""
        return Links(self.files, self.repository)

    def still_lead(self, asked: Mapping[str, str | None]) -> bool:
        """Whether earlier questions have the same answers now."""
        return all(self.find(path) == found for path, found in asked.items())

    def place(
        self, page: str, base: str, *, prefix: str, top: int = 2, media: str = "media"
    ) -> Place:
        """Where a document of the folder `base` stands that is shown on a page of the site."""

        def resolve(path: str) -> str | None:
            if path not in self.asked:
                self.asked[path] = self.find(path)
            found = self.asked[path]
            if found is None and self.repository:
                return f"{self.repository}/{quote(path)}"
            return found and relative(page, found)

        return Place(base=base, resolve=resolve, prefix=prefix, top=top, media=media)

    def find(self, path: str) -> str | None:
        """The site's path of a file or folder of the repository; None if it shows none of it."""
        path = path.rstrip("/")
        if path in PAGES:
            return PAGES[path]
        if path.startswith("tests/laws/"):
            return PAGES["tests/laws"]
        if COMPARISON.match(path):
            return path
        if path.startswith("reviews/"):
            slug = path.split("/")[1]
            return f"projects/{slug}/index.html" if slug in self.files else None
        match = IN_A_PROJECT.match(path)
        if not match or match["slug"] not in self.files:
            return None
        return self.project_page(match["slug"], match["rest"] or "")

    def project_page(self, slug: str, rest: str) -> str | None:
        """The site's path of a file of a project."""
        folder = f"projects/{slug}"
        if rest in ("", "README.md"):
            return f"{folder}/index.html"
        if rest not in self.files[slug]:
            return None
        if rest == "demo.ipynb":
            return f"{folder}/notebook.html"
        if rest.endswith(".py") and "/" not in rest:
            return f"{folder}/code/{rest}.html"
        return f"{folder}/{rest}" if is_copied(rest) else None


def is_copied(rest: str) -> bool:
    """Whether a file of a project's folder stands in the site as it is: pictures and results."""
    folder, _, name = rest.rpartition("/")
    if folder == "figures":
        return name.endswith(PICTURES)
    return folder in ("results", "settings") and name.endswith(".json")
