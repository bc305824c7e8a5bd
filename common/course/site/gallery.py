"""The front page: a gallery of samples by family."""

from collections.abc import Iterator

from common.course.site.pages import Page, Site


def pages(site: Site) -> Iterator[Page]:
    """The front page."""
    yield Page(
        "index.html", "Deep generative models", template="gallery.html", section="index.html"
    )
