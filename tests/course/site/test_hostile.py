"""A hostile notebook, README, review, source file and project.toml come out harmless: seen in a real browser.

Two walls are tried one at a time: what rendering lets through with the content security policy taken
out of the page, and the policy with everything let through. And the attacks are real: without either
wall they do run in the same browser.
"""

import contextlib
import re
from html import escape

import pytest

from common.course.site.build import build
from common.course.site.pages import TEMPLATES
from tests.course.site import hostile
from tests.course.site.browser import open_page
from tests.course.site.trees import hostile_tree

POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
PAGES = {  # a page with hostile text, and an honest page made by the same template
    "projects/hostile/notebook.html": "projects/tiny/notebook.html",
    "projects/hostile/index.html": "projects/tiny/index.html",
    "projects/hostile/code/model.py.html": "projects/tiny/code/model.py.html",
    "projects/hostile/review.html": None,
    "index.html": None,
    "comparisons.html": None,
}
POKE = """async () => {
  for (const details of document.querySelectorAll('details')) details.open = true;
  const names = ['error', 'load', 'click', 'focus', 'mouseover', 'pointerenter', 'toggle', 'submit',
    'animationstart', 'begin', 'start', 'input', 'keydown'];
  const stay = (event) => event.preventDefault();
  addEventListener('click', stay, true);
  for (const element of document.querySelectorAll('main *'))
    for (const name of names) element.dispatchEvent(new Event(name, {cancelable: true}));
  removeEventListener('click', stay, true);
  for (let y = 0; y < document.body.scrollHeight; y += 2000) scrollTo(0, y);
  scrollTo(0, 0);
  await new Promise((done) => setTimeout(done, 150));
}"""
LOOK = """() => {
  const all = [...document.querySelectorAll('main *')];
  const count = (selector) => document.querySelectorAll(selector).length;
  const nav = document.querySelector('.site-header nav a').getBoundingClientRect();
  const top = document.elementFromPoint(nav.x + nav.width / 2, nav.y + nav.height / 2);
  return {
    ran: [...window.ran],
    handlers: all.filter((e) => [...e.attributes].some((a) => a.name.startsWith('on') || a.name === 'style')).map((e) => e.outerHTML),
    schemes: [...new Set([...document.querySelectorAll('main :is([href], [src])')].map((e) => new URL(e.href || e.src).protocol))],
    forbidden: count('main :is(script:not([src]), style, link, meta, base, iframe, frame, object, embed, svg, template, textarea, dialog, audio:not([controls][src]), audio[autoplay], video, source, [srcdoc], [srcset], [ping], [target], [popover], [contenteditable], [autofocus], [accesskey], [download], [formaction])'),
    fixed: all.filter((e) => getComputedStyle(e).position === 'fixed').map((e) => e.outerHTML),
    landmarks: ['h1', 'main', 'header.site-header', 'footer', '[role]', 'nav', 'form'].map(count),
    ids: all.map((e) => e.id).filter(Boolean),
    title: document.title,
    navigation: !!top.closest('.site-header'),
    width: document.documentElement.scrollWidth - innerWidth,
  };
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of the hostile tree."""
    root = tmp_path_factory.mktemp("hostile")
    build(hostile_tree(root), root / "out")
    return root / "out"


def frames_of(pieces: list[str], policy: str = "") -> str:
    """A page that shows each piece, as it is, in a frame of its own."""
    frames = "".join(f'<iframe srcdoc="{escape(piece)}"></iframe>' for piece in pieces)
    return f"<!doctype html><meta charset=utf-8>{policy}{frames}"


@pytest.fixture(scope="module")
def policy():
    """The content security policy of every page."""
    return POLICY.search((TEMPLATES / "base.html").read_text()).group()


def run_in_frames(browser, path) -> tuple[set[int], list[str]]:
    """Which pieces ran on a page of frames, and what was asked of other machines.

    The page may not end loading, as some of the frames go elsewhere: they are given a time.
    """
    with open_page(browser, path, wait="commit") as (page, seen):
        with contextlib.suppress(pytest.importorskip("playwright.sync_api").TimeoutError):
            page.wait_for_load_state(timeout=15_000)
        page.wait_for_timeout(300)
        return set(page.evaluate("window.ran")), seen.outside()


def test_the_attacks_are_real(browser, tmp_path):
    """Unsanitised and without a policy, many of the pieces run as soon as they are shown."""
    path = tmp_path / "raw.html"
    path.write_text(frames_of(hostile.pieces()), encoding="utf-8")
    ran, outside = run_in_frames(browser, path)
    assert len(ran) >= 20, ran
    assert len(outside) >= 5, outside


def test_the_policy_alone_stops_every_script(browser, tmp_path, policy):
    """With all pieces let through, the policy of the site keeps each of them from running."""
    path = tmp_path / "policy.html"
    path.write_text(frames_of(hostile.pieces(), policy), encoding="utf-8")
    ran, outside = run_in_frames(browser, path)
    assert ran == set()
    assert len(outside) <= 1, outside  # a refresh of a frame is no script and no resource


@pytest.mark.parametrize(
    ("name", "with_policy"),
    [(name, False) for name in PAGES] + [("projects/hostile/notebook.html", True)],
)
def test_nothing_of_a_hostile_project_runs(browser, site, name, with_policy):
    path = site / name
    if not with_policy:
        path = path.with_name(f"no-policy-{path.name}")
        text, num_policies = POLICY.subn("", (site / name).read_text(encoding="utf-8"))
        assert num_policies == 1
        path.write_text(text, encoding="utf-8")
    with open_page(browser, path) as (page, seen):
        before = page.url
        page.evaluate(POKE)
        found = page.evaluate(LOOK)
        assert found["ran"] == []
        assert (seen.events, seen.outside(), seen.errors) == ([], [], [])
        assert [r for r in seen.requests if "/out/" not in r] == []
        assert (page.url, len(page.frames)) == (before, 1)
    assert found["handlers"] == []
    assert found["forbidden"] == 0
    assert found["fixed"] == []
    assert set(found["schemes"]) <= {"file:", "http:", "https:", "mailto:"}
    assert found["navigation"]
    assert found["width"] <= 0
    assert len(found["ids"]) == len(set(found["ids"]))
    assert "pwned" not in found["title"]
    if honest := PAGES[name]:
        with open_page(browser, site / honest) as (page, _):
            assert found["landmarks"] == page.evaluate(LOOK)["landmarks"]
    assert not (names := {i for i in found["ids"] if i in ("main", "location")}), names


def test_a_hostile_project_does_not_spoil_the_search(browser, site):
    """The index of the search is a script of its own: what it quotes is text there too."""
    with open_page(browser, site / "index.html") as (page, seen):
        page.fill("#query", "covers the page")
        page.wait_for_selector(".hits li")
        assert "covers the page" in page.inner_text(".hits")
        page.fill("#query", "<script>")
        page.wait_for_timeout(300)
        assert page.evaluate("window.ran") == []
        assert seen.errors == []
        assert seen.events == []


@pytest.mark.parametrize("name", ["notebook.html", "index.html", "review.html"])
def test_links_of_a_hostile_document_lead_out_or_into_the_site(site, name):
    """No link climbs out of the site's folder, and outside ones are said not to be ours."""
    html = (site / "projects/hostile" / name).read_text(encoding="utf-8")
    body = html[html.index("<main") : html.index("</main>")]
    links = re.findall(r'<a [^>]*href="([^"]*)"([^>]*)>', body)
    assert links
    assert "covers the page" in body  # the attacks are there, as text
    for href, rest in links:
        if href.startswith(("http", "mailto:")):
            assert "noopener" in rest or "arxiv.org" in href, href
        elif not href.startswith("#"):
            target = (site / "projects/hostile" / href.partition("#")[0]).resolve()
            assert target.is_relative_to(site), href
            assert target.exists(), href
