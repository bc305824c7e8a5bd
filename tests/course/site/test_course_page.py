"""The page of the course: dates of cycle.toml, where projects stand, the guide with its links."""

import pytest

from common.course.site.course import STEPS, pages
from common.course.site.entries import find_entries
from common.course.site.links import Links
from common.course.site.making import rendered, templates
from common.course.site.pages import Site
from tests.course.repositories import make_repository, write

GUIDE = """# Taking part

See [the grades](docs/grading.md), [the project](projects/alpha), [the students](#for-students)
and [a file](Makefile).

<script>alert(1)</script>

## For students

Begin.
"""


REL = ' rel="noopener noreferrer nofollow"'


@pytest.fixture
def root(tmp_path):
    """Two projects in the middle of a semester."""
    root = make_repository(tmp_path / "course")
    write(root / "CONTRIBUTING.md", GUIDE)
    write(root / "docs" / "grading.md", "# Grading\n\nBack to [taking part](../CONTRIBUTING.md).\n")
    return root


def shown(root):
    """The pages as text, by path."""
    entries = find_entries(root)
    site = Site(root, entries)
    links = Links({entry.slug: frozenset() for entry in entries})
    environment = templates()
    files = (rendered(site, page, environment) for page in pages(site, links))
    return {file.path: file.data.decode().replace(REL, "") for file in files}


def test_the_cycle_has_the_dates_of_the_semester(root):
    page = shown(root)["course.html"]
    assert "How a project goes: 2027-spring" in page
    assert '<time datetime="2027-03-10T23:59:59+00:00">until 10 March 2027</time>' in page
    assert page.count("<time") == len(STEPS) - 1  # no day of publication is set
    assert all(title in page for _, title, _, _ in STEPS)


def test_each_project_has_its_state(root):
    page = shown(root)["course.html"]
    for slug in ("alpha", "beta"):
        assert f'<a href="projects/{slug}/index.html">Project {slug}</a>' in page
    assert page.count("0 of 1") == 2


def test_the_guide_is_there_and_its_links_lead_to_pages(root):
    found = shown(root)
    assert set(found) == {"course.html", "grading.html"}
    page = found["course.html"]
    assert '<a href="grading.html">the grades</a>' in page
    assert '<a href="projects/alpha/index.html">the project</a>' in page
    assert '<a href="#guide-for-students">the students</a>' in page
    assert 'id="guide-for-students"' in page
    assert "Makefile" not in page  # a file that no page shows: its link is only text
    assert "alert(1)" not in page
    assert '<a href="course.html">taking part</a>' in found["grading.html"]
    assert found["grading.html"].count("<h1") == page.count("<h1") == 1


def test_a_tree_without_a_semester_or_a_guide_has_a_page_too(tmp_path):
    (page,) = shown(tmp_path).values()
    assert "<time" not in page
    assert "Where each project stands" not in page
    assert "Version 1" in page
