"""The search's index: every text of the site by its headings, in one script.

A script and not JSON: pages that were opened from a disk may not fetch a file, but may load a script.
"""

import json
import re
from collections.abc import Iterable, Iterator
from html import unescape
from typing import Any

from common.course.site.pages import File

HEADING = re.compile(r"<h([1-4])\b([^>]*)>(.*?)</h\1>", re.DOTALL)
IDENTITY = re.compile(r'\bid="([^"]*)"')
NO_PROSE = re.compile(r"<(pre|style|script|svg|math|table)\b.*?</\1>", re.DOTALL)
TAG = re.compile(r"<[^>]*>")
MAX_CHARACTERS = 4_000  # of one section


def sections(slug: str, title: str, path: str, html: str) -> Iterator[dict[str, str]]:
    """The prose of a page by its headings, code, formulas and tables left out."""
    pieces = HEADING.split(NO_PROSE.sub(" ", html))
    yield from section(slug, title, path, "beginning", pieces[0])
    for i in range(1, len(pieces), 4):
        identity = IDENTITY.search(pieces[i + 1])
        url = f"{path}#{identity[1]}" if identity else path
        yield from section(slug, title, url, words(pieces[i + 2]), pieces[i + 3])


def section(slug: str, title: str, url: str, heading: str, html: str) -> Iterator[dict[str, str]]:
    """One section, if there is a word in it."""
    if text := words(html)[:MAX_CHARACTERS]:
        yield {"slug": slug, "title": title, "url": url, "heading": heading, "text": text}


def words(html: str) -> str:
    """The text of HTML on one line."""
    return " ".join(unescape(TAG.sub(" ", html)).replace("¶", " ").split())


def index(documents: Iterable[dict[str, Any]]) -> File:
    """The script that holds every document; U+2028 and `</` are safe in it."""
    text = json.dumps(list(documents), ensure_ascii=True, separators=(",", ":"))
    harmless = text.replace("</", "<\\/")
    return File("static/search-index.js", f"window.searchIndex = {harmless};\n".encode())
