"""The pages of a built site, as Lighthouse would judge them; and that the judge sees what is wrong."""

import pytest

from common.course.site.build import build
from tests.course.site.audit import Built, faults
from tests.course.site.browser import PHONE, open_page
from tests.course.site.trees import sample_tree

PAGES = (
    "index.html",
    "projects/made/index.html",
    "projects/made/notebook.html",
    "projects/made/review.html",
    "course.html",
)
BROKEN = """<!doctype html><html><head><title>x</title></head><body><main>
<h1>One</h1><h1>Two</h1><h4 id="a">Skipped</h4><p id="a" style="color:#bbb">pale</p>
<img src="missing.png"><a href="nowhere.html">dead</a><a href="#none">no id</a><a href="../../up.html"></a>
<div style="width:4000px">wide</div><script>console.error("oh")</script><script>missing()</script>
<script src="http://attack.invalid/x.js"></script></main></body></html>"""
SEEN = (
    "is 2",  # pixels wider
    "color-contrast",
    "image-alt",
    "heading-order",
    "html-has-lang",
    "link-name",
    "nowhere.html leads to nothing",
    "../../up.html leads to nothing",
    "#none: there is no such id",
    "two elements have the id 'a'",
    "a picture without a text",
    "has 2 headings of the first level",
    "has no policy",
    "has no description",
    "oh (",
    "missing is not defined",
    "asks for http://attack.invalid/x.js",
    "weighs 1,",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of a small tree."""
    root = tmp_path_factory.mktemp("sample")
    build(sample_tree(root / "tree"), root / "out")
    return Built(root / "out")


def test_every_link_of_every_page_leads_somewhere_and_no_page_is_heavy(site):
    assert len(site.pages) > 30
    found = [f"{name}: {fault}" for name in site.pages for fault in site.disk_faults(name)]
    assert found == []


@pytest.mark.parametrize("name", PAGES)
def test_pages_pass_the_audit(browser, site, name):
    assert faults(browser, site, name) == []


def test_the_audit_sees_what_is_wrong(browser, tmp_path):
    folder = tmp_path / "broken" / "deep"
    folder.mkdir(parents=True)
    (folder / "page.html").write_text(BROKEN + "<!--" + "x" * 1_000_000 + "-->", encoding="utf-8")
    found = "\n".join(faults(browser, Built(folder), "page.html"))
    assert [piece for piece in SEEN if piece not in found] == []


def test_the_keyboard_skips_to_the_content_and_sees_where_it_is(browser, site):
    with open_page(browser, site.folder / "projects/made/notebook.html", size=PHONE) as (page, _):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        assert page.evaluate("document.activeElement.getBoundingClientRect().x") >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        for _ in range(12):
            page.keyboard.press("Tab")
            style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert style == "solid", page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        inside = "document.querySelector('main').contains(document.activeElement)"
        assert page.evaluate(inside)


def test_scrolling_boxes_are_reached_by_the_keyboard_where_there_is_something_to_scroll(
    browser, site
):
    notebook = site.folder / "projects/made/notebook.html"
    count = "document.querySelectorAll('math[tabindex], .highlight[tabindex]').length"
    with open_page(browser, notebook, size=PHONE) as (page, _):
        narrow = page.evaluate(count)
        page.set_viewport_size({"width": 2500, "height": 900})
        page.wait_for_timeout(100)
        assert narrow > page.evaluate(count)
