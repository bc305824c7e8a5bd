"""Places in reviews lead to version 1, whose lines they name, where this clone has it."""

import re
import shutil

from common.course.site.build import build


def site_of(root):
    """The site of a tree, page by page."""
    out = root / "build" / "site"
    build(root, out)
    return lambda path: (out / "projects/toy" / path).read_text(encoding="utf-8")


def test_places_lead_to_version_1(reviewed_tree):
    read = site_of(reviewed_tree.root)
    page = read("review.html")
    assert (
        '<a href="reviewed/model.py.html#L41"><code>projects/toy/model.py:41-47</code></a>' in page
    )
    assert '<a href="reviewed/README.md.html"><code>README.md#results</code></a>' in page
    assert "<code>demo.ipynb#cell-2</code>" in page  # has no lines to look at
    line = re.compile(r'id="L41".*?</span>\n?(?=<span class="line"|</pre>)', re.DOTALL)
    now = re.sub("<[^>]*>", "", line.search(read("code/model.py.html"))[0])
    then = re.sub("<[^>]*>", "", line.search(read("reviewed/model.py.html"))[0])
    assert "x41 = -41" in now
    assert "x41 = 41" in then


def test_places_are_text_without_the_history(reviewed_tree, tmp_path):
    root = tmp_path / "export"
    shutil.copytree(reviewed_tree.root, root, ignore=shutil.ignore_patterns(".git", "build"))
    page = site_of(root)("review.html")
    assert "<code>projects/toy/model.py:41-47</code>" in page
    assert "reviewed/" not in page
    assert not (root / "build/site/projects/toy/reviewed").exists()
