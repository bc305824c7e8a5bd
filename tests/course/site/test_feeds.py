"""The Atom feeds: what RFC 4287 asks of one, identities and dates that stay, links that lead."""

import xml.etree.ElementTree as ElementTree
from datetime import datetime

import pytest

from common.course.site.entries import find_entries
from common.course.site.feeds import ATOM, NEWEST, PROJECTS, REVIEWS, Item, feed, pages
from common.course.site.history import History, Span
from common.course.site.pages import Site
from tests.course.repositories import at, commit, make_repository, write, write_review

ASSIGNED = """schema = "assignments/1"
semester = "2027-spring"
seed = 0
inputs_sha256 = "{}"
reviewers_per_project = 1
dropped = []
withdrawn = []
pair = [{{ project = "alpha", reviewer = "p-beta" }}]
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two projects of one day, a change and a review of later ones."""
    root = make_repository(tmp_path_factory.mktemp("tree") / "course")
    folder = root / "projects" / "beta"
    write(folder / "README.md", "# Changed\n")
    commit(root, "beta", "2027-02-20")
    write(root / "reviews" / "assignments.toml", ASSIGNED.format("0" * 64))
    for reviewer in ("p-beta", "p-alpha"):  # the second is assigned to nothing
        write_review(root, "alpha", reviewer, "0" * 40, [("F01", "minor")])
    write(root / "reviews" / "beta" / "response.md", "nobody asked\n")
    commit(root, "review", "2027-03-05")
    return root


def read(site, path):
    """A feed as a tree."""
    (found,) = [file for file in pages(site) if file.path == path]
    return ElementTree.fromstring(found.data)


def texts(element, tag):
    """The texts of the elements of this name right below one."""
    return [child.text for child in element.findall(f"{{{ATOM}}}{tag}")]


def links(element):
    """Where an element's links lead, by relation."""
    found = element.findall(f"{{{ATOM}}}link")
    return {each.get("rel"): each.get("href") for each in found}


@pytest.mark.parametrize("path", [PROJECTS, REVIEWS])
@pytest.mark.parametrize("address", ["", "https://example.org/course"])
def test_a_feed_has_what_the_standard_asks_for(root, path, address):
    top = read(Site(root, find_entries(root), address), path)
    assert top.tag == f"{{{ATOM}}}feed"
    before = f"{address}/" if address else ""
    assert links(top) == {"self": before + path, "alternate": before + "index.html"}
    entries = top.findall(f"{{{ATOM}}}entry")
    assert entries
    ids = [identity for element in (top, *entries) for identity in texts(element, "id")]
    assert len(set(ids)) == len(entries) + 1
    for element in (top, *entries):
        assert len(texts(element, "title")) == len(texts(element, "updated")) == 1
        assert texts(element, "id")[0].startswith("urn:uuid:")
        datetime.fromisoformat(texts(element, "updated")[0])
        assert texts(element.find(f"{{{ATOM}}}author"), "name")[0]
    for entry in entries:
        assert links(entry)["alternate"].startswith(before + "projects/")
        assert texts(entry, "summary")[0]
    assert texts(top, "updated")[0] == max(texts(entry, "updated")[0] for entry in entries)


def test_dates_are_those_of_the_commits_and_the_newest_comes_first(root):
    top = read(Site(root, find_entries(root)), PROJECTS)
    entries = top.findall(f"{{{ATOM}}}entry")
    assert [texts(entry, "title") for entry in entries] == [["Project beta"], ["Project alpha"]]
    assert texts(entries[0], "published") == ["2027-02-15T12:00:00Z"]
    assert texts(entries[0], "updated") == ["2027-02-20T12:00:00Z"]
    assert texts(entries[1], "updated") == ["2027-02-15T12:00:00Z"]


def test_only_reviews_that_a_page_shows_are_told(root):
    top = read(Site(root, find_entries(root)), REVIEWS)
    (entry,) = top.findall(f"{{{ATOM}}}entry")
    assert texts(entry, "title") == ["Review: Project alpha"]
    assert links(entry)["alternate"] == "projects/alpha/review.html"
    assert texts(entry.find(f"{{{ATOM}}}author"), "name") == ["p-beta"]


def test_identities_stay_and_are_another_site_s_elsewhere(root):
    sites = [Site(root, find_entries(root), address) for address in ("", "", "https://a.org")]
    first, again, other = (texts(read(site, PROJECTS), "id") for site in sites)
    assert first == again != other


def test_a_feed_holds_the_newest_and_any_text(root):
    days = [at(f"2027-01-{day:02}") for day in range(1, 29)] * 2
    items = [
        Item(str(n), "<b>&\x00\x0b ]]> \U0001f600", "p.html", Span(day, day), "a", "s")
        for n, day in enumerate(days)
    ]
    top = ElementTree.fromstring(feed(Site(root, ()), "f.xml", "T", items).data)
    entries = top.findall(f"{{{ATOM}}}entry")
    assert len(entries) == NEWEST < len(items)
    assert texts(entries[0], "updated") == ["2027-01-28T12:00:00Z"]
    assert texts(entries[0], "title") == ["<b>& ]]> \U0001f600"]
    assert ElementTree.fromstring(feed(Site(root, ()), "f.xml", "T", []).data) is not None


def test_without_a_history_the_files_have_dates(tmp_path):
    path = write(tmp_path / "projects" / "a" / "project.toml", "x")
    span = History(tmp_path).of("projects/a/project.toml")
    assert span.first == span.last
    assert int(span.last.timestamp()) == int(path.stat().st_mtime)


def test_names_with_spaces_and_letters_of_any_kind_have_a_history(tmp_path):
    root = make_repository(tmp_path / "course", [])
    write(root / "projects" / "ärger mit" / "a b.md", "x")
    commit(root, "more", "2027-02-16")
    assert History(root).of("projects/ärger mit").first == at("2027-02-16")
    assert History(root).of("projects/ärger mit/a b.md").last == at("2027-02-16")
