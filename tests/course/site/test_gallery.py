"""The front page in a browser, opened from the disk: filters, search, and what is without scripts."""

import shutil

import pytest

from common.course.site.build import build
from tests.course.site.browser import PHONE, open_page
from tests.course.site.small_tree import write_project, write_tree


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of three projects, one with an animation beside its figure."""
    root = write_tree(tmp_path_factory.mktemp("gallery"))
    write_project(root, "gamma", 2, value=None)
    figures = root / "projects" / "alpha" / "figures"
    shutil.copyfile(figures / "samples.png", figures / "samples.webp")
    out = root / "build" / "site"
    build(root, out)
    return out


def shown(page, count: int | None = None) -> list[str]:
    """The projects that are to be seen, once there are so many."""
    if count is not None:
        text = "n => document.querySelector('.count').textContent.startsWith(n)"
        page.wait_for_function(text, arg=f"{count} of")
    cards = page.locator(".card:visible h3")
    return sorted(cards.all_text_contents())


def test_filters(browser, site):
    with open_page(browser, site / "index.html") as (page, seen):
        assert shown(page) == ["Alpha", "Beta", "Gamma"]
        page.select_option("#family", "diffusion models")
        assert shown(page) == ["Beta"]
        assert page.locator(".family:visible").count() == 1
        assert page.locator("[role=status]").inner_text() == "1 of 3 projects"
        page.click("button[type=reset]")
        assert len(shown(page, 3)) == 3
        page.select_option("#year", "2016")
        assert shown(page) == ["Gamma"]
        assert not seen.errors


SEARCHES = {
    "alpha": ["Alpha"],
    "ADA lovelace": ["Alpha", "Beta", "Gamma"],  # of the papers' authors
    "omer celik gam": ["Gamma"],  # without the accents
    "aardvark": ["Alpha", "Beta", "Gamma"],  # in the notebooks' texts
    "quokka nowhere": [],
    "a+(b": [],  # no regular expression
    "<img src=x onerror=alert(1)>": [],
}


def test_search(browser, site):
    with open_page(browser, site / "index.html") as (page, seen):
        for words, found in SEARCHES.items():
            page.fill("#query", words)
            page.wait_for_function(
                "w => document.querySelector('.count').dataset.for === w", arg=words
            )
            assert shown(page) == found, words
        assert not seen.errors
        assert not seen.outside()


def test_hits_lead_to_the_place_in_the_text(browser, site):
    with open_page(browser, site / "index.html") as (page, seen):
        page.fill("#query", "numbat")
        hit = page.locator(".hits li").first
        assert hit.locator("mark").inner_text() == "numbat"
        hit.locator("a").click()
        assert page.wait_for_selector(":target").text_content() == "Limits"
        assert "/notebook.html#" in page.url
        assert not seen.errors


def test_what_was_chosen_stands_in_the_address(browser, site):
    with open_page(browser, site / "index.html") as (page, _):
        page.select_option("#family", "flows")
        page.fill("#query", "quokka")
        page.wait_for_function("location.hash.includes('quokka')")
        page.reload()
        assert shown(page, 2) == ["Alpha", "Gamma"]
        assert page.input_value("#query") == "quokka"
        assert page.input_value("#family") == "flows"


def test_link_of_a_family_chooses_it(browser, site):
    with open_page(browser, site / "projects/beta/index.html") as (page, _):
        page.click(".kicker a")
        page.wait_for_selector(".count")
        assert shown(page, 1) == ["Beta"]


def test_by_keyboard(browser, site):
    with open_page(browser, site / "index.html") as (page, _):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "query"


def test_animation_plays_and_stops(browser, site):
    with open_page(browser, site / "projects/alpha/index.html") as (page, seen):
        picture = page.locator("#figure-samples")
        button = page.locator(".motion-link")
        button.press(" ")
        assert picture.get_attribute("src") == "figures/samples.webp"
        assert "Stop" in button.inner_text()
        button.click()
        assert picture.get_attribute("src") == "figures/samples.png"
        assert not seen.errors


def test_all_projects_are_there_without_scripts(browser, site):
    context = browser.new_context(java_script_enabled=False, viewport=PHONE)
    try:
        page = context.new_page()
        page.goto((site / "index.html").as_uri())
        assert page.locator(".card:visible").count() == 3
        assert page.locator(".filters").is_hidden()
    finally:
        context.close()


def test_address_of_a_card_and_the_way_back(browser, site):
    address = f"{(site / 'index.html').as_uri()}#beta"
    with open_page(browser, site / "index.html") as (page, _):
        page.goto(address)
        assert len(shown(page, 3)) == 3
        assert page.url == address
        page.goto(address.replace("#beta", "#?family=flows"))
        assert shown(page, 2) == ["Alpha", "Gamma"]
        page.goto(address.replace("#beta", "#?year=2015"))
        assert shown(page, 1) == ["Beta"]
        page.go_back()
        assert shown(page, 2) == ["Alpha", "Gamma"]
