"""What Lighthouse would ask of a page: no error, accessible, every link leads somewhere, light, and small.

    python -m tests.course.site.audit build/site [PAGE ...]

audits a built site in a headless Chromium, every page of it or those named, and lists what is wrong.
Accessibility (contrast in light and dark, names, landmarks, order of headings) is axe-core's judgement.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from pathlib import Path
from urllib.parse import unquote

from tests.course.site.browser import DESKTOP, PHONE, open_page, running_browser

MAX_BYTES = 1_000_000  # of a page with its styles and scripts, before its pictures
AXE_OPTIONS = {"resultTypes": ["violations"]}
NARROW = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"]
AXE_NARROW = AXE_OPTIONS | {
    "runOnly": {"type": "rule", "values": NARROW}
}  # what size or colours change
ADDRESS = re.compile(r'<(\w+)\b[^>]*?\s(?:href|src)="([^"]*)"')
IDENTITY = re.compile(r'<[^>]*\sid="([^"]*)"')
LOOK = """() => ({
  width: document.documentElement.scrollWidth - innerWidth,
  wide: [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1
    && !e.closest('.highlight, .table, .scroll, pre, math')).slice(0, 3).map((e) => e.outerHTML.slice(0, 120)),
  pictures: [...document.images].filter((i) => !i.hasAttribute('alt') || (i.complete && !i.naturalWidth)).map((i) => i.outerHTML),
  headings: document.querySelectorAll('h1').length,
  policy: !!document.querySelector('meta[http-equiv=Content-Security-Policy]'),
  language: document.documentElement.lang,
  description: document.querySelector('meta[name=description]')?.content ?? '',
})"""


@dataclass(frozen=True)
class Built:
    """A built site on the disk."""

    folder: Path

    @cached_property
    def pages(self) -> tuple[str, ...]:
        """The paths of its pages."""
        return tuple(
            sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*.html"))
        )

    @cached_property
    def texts(self) -> dict[str, str]:
        """The HTML of every page."""
        return {name: (self.folder / name).read_text(encoding="utf-8") for name in self.pages}

    @cached_property
    def identities(self) -> dict[str, set[str]]:
        """The ids of every page."""
        return {name: set(IDENTITY.findall(text)) for name, text in self.texts.items()}

    def dead_links(self, name: str) -> Iterator[str]:
        """Links and pictures of a page that lead to nothing in the site, fragments included."""
        for _, address in dict.fromkeys(ADDRESS.findall(self.texts[name])):
            path, _, fragment = unescape(address).partition("#")
            if re.match(r"[a-z]+:", path):
                continue
            target = (self.folder / name).parent / unquote(path) if path else self.folder / name
            target = target.resolve()
            if not target.is_relative_to(self.folder.resolve()) or not target.is_file():
                yield f"{address} leads to nothing"
            elif fragment and not fragment.startswith("?") and target.suffix == ".html":
                found = target.relative_to(self.folder.resolve()).as_posix()
                if unquote(fragment) not in self.identities[found]:
                    yield f"{address}: there is no such id on that page"

    def weight(self, name: str) -> int:
        """The bytes of a page with its styles and scripts."""
        parts = {
            (self.folder / name).parent / address
            for tag, address in ADDRESS.findall(self.texts[name])
            if tag in ("link", "script") and address.endswith((".css", ".js"))
        }
        return sum(part.stat().st_size for part in {*parts, self.folder / name} if part.is_file())

    def disk_faults(self, name: str) -> Iterator[str]:
        """What can be seen without a browser."""
        yield from self.dead_links(name)
        if (weight := self.weight(name)) > MAX_BYTES:
            yield f"weighs {weight:,} bytes before its pictures, expected at most {MAX_BYTES:,}"
        ids = IDENTITY.findall(self.texts[name])
        yield from (
            f"two elements have the id {i!r}" for i in sorted({i for i in ids if ids.count(i) > 1})
        )


def faults(browser, site: Built, name: str) -> list[str]:
    """Everything that is wrong with one page: on the disk, on a desktop in light, on a phone in dark."""
    found = list(site.disk_faults(name))
    for label, size, dark, options in (
        ("desktop, light", DESKTOP, False, AXE_OPTIONS),
        ("phone, dark", PHONE, True, AXE_NARROW),
    ):
        with open_page(browser, site.folder / name, size=size, dark=dark) as (page, seen):
            messages = [*seen.errors, *(f"asks for {url}" for url in seen.outside()), *seen.events]
            messages += look_faults(page.evaluate(LOOK))
            messages += axe_faults(page, options)
            found += [f"{message} ({label})" for message in messages]
    return found


def look_faults(look: dict) -> Iterator[str]:
    """What a look at the page says."""
    if look["width"] > 0:
        yield f"is {look['width']} pixels wider than the screen: {look['wide']}"
    yield from (
        f"a picture without a text, or that does not load: {each}" for each in look["pictures"]
    )
    if look["headings"] != 1:
        yield f"has {look['headings']} headings of the first level, expected 1"
    for key in ("policy", "language", "description"):
        if not look[key]:
            yield f"has no {key}"


def axe_faults(page, options: dict) -> Iterator[str]:
    """axe-core's violations, with the first elements that each concerns."""
    from axe_playwright_python.sync_playwright import Axe

    for violation in Axe().run(page, options=options).response["violations"]:
        nodes = violation["nodes"]
        examples = "; ".join(node["html"][:160] for node in nodes[:3])
        yield f"{violation['id']}: {violation['help']}, {len(nodes)} times: {examples}"


def main(folder: str, *names: str) -> int:
    """Audit a built site; returns 1 if anything is wrong."""
    site = Built(Path(folder))
    num_faults = 0
    with running_browser() as browser:
        for name in names or site.pages:
            for fault in faults(browser, site, name):
                num_faults += 1
                print(f"{name}: {fault}", flush=True)
    print(f"{len(names or site.pages)} pages, {num_faults} faults")
    return 1 if num_faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
