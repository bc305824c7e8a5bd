"""A real browser for the tests of the site: any Chromium on the PATH, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}


@dataclass
class Seen:
    """What a page did beside being shown."""

    errors: list[str] = field(default_factory=list)  # of the console, and uncaught exceptions
    requests: list[str] = field(default_factory=list)  # all addresses that were asked for
    events: list[str] = field(default_factory=list)  # dialogs, windows, downloads, navigations

    def not_loaded(self, url: str, reason: str) -> None:
        """A request that failed; one that the page's policy stops is not made."""
        if reason == "csp":
            self.requests.remove(url)
        self.errors.append(f"not loaded: {url} ({reason})")

    def navigated(self, url: str, address: str) -> None:
        """A frame that shows another document; a new fragment is none."""
        if url.partition("#")[0] != address:
            self.events.append(f"frame {url}")

    def outside(self) -> list[str]:
        """Requests that leave the disk."""
        return [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))]


@contextmanager
def running_browser() -> Iterator[object]:
    """A headless Chromium; skips the test where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium on the PATH (apt-get install chromium)")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(
    browser,
    path: Path,
    *,
    size=DESKTOP,
    dark: bool = False,
    touch: bool = False,
    wait: str = "load",
):
    """A page of a folder in a fresh profile, loaded; gives the page and what was seen of it."""
    context = browser.new_context(
        viewport=size, color_scheme="dark" if dark else "light", has_touch=touch
    )
    context.add_init_script("if (window === top) window.ran = []")
    page = context.new_page()
    page.set_default_timeout(60_000)  # a page takes a second, on a busy machine more
    seen = Seen()
    page.on("console", lambda m: seen.errors.append(m.text) if m.type == "error" else None)
    page.on("requestfailed", lambda request: seen.not_loaded(request.url, request.failure))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on(
        "dialog", lambda dialog: (seen.events.append(f"dialog {dialog.message}"), dialog.dismiss())
    )
    page.on("popup", lambda popup: seen.events.append(f"window {popup.url}"))
    page.on("download", lambda download: seen.events.append(f"download {download.url}"))
    page.on("framenavigated", lambda frame: seen.navigated(frame.url, address))
    context.route("http*://**", lambda route: route.abort())
    address = path.resolve().as_uri()
    try:
        page.goto(address, wait_until=wait)
        seen.events.clear()  # the navigation that was asked for
        yield page, seen
    finally:
        context.close()
