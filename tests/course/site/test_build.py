"""The builder: which pages there are, what they say, and what is made again after which change."""

import json
import re
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from http.server import ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest

from common.cli import main
from common.course.site.build import build
from common.course.site.serve import Handler
from common.errors import UserError
from common.projects import ROOT
from tests.course.site.small_tree import png, write, write_project, write_tree


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A tree and its site, made once; tests copy both before they change anything."""
    root = write_tree(tmp_path_factory.mktemp("tree"))
    done = build(root, root / "build" / "site", address="https://example.org/dgm/")
    return root, done


@pytest.fixture
def tree(built, tmp_path):
    """A copy of the tree; its site is the copy's own."""
    shutil.copytree(built[0], tmp_path / "tree", ignore=shutil.ignore_patterns("build"))
    return tmp_path / "tree"


def again(root: Path, **options):
    """Build where it was built."""
    return build(root, root / "build" / "site", **options)


def text_of(root: Path, path: str) -> str:
    """A file of the site."""
    return (root / "build" / "site" / path).read_text(encoding="utf-8")


class Page(HTMLParser):
    """What a page refers to, its ids, and the tags in it."""

    def __init__(self, html: str):
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes[name] for name in ("href", "src") if name in attributes]


def pages(root: Path) -> dict[Path, Page]:
    """Every page of a site."""
    out = root / "build" / "site"
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(out.rglob("*.html"))}


def test_every_page_is_there(built):
    root, done = built
    out = root / "build" / "site"
    for slug in ("alpha", "beta"):
        folder = out / "projects" / slug
        names = {
            path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
        }
        assert {"index.html", "notebook.html", "code/model.py.html", "figures/samples.png"} <= names
        assert "code/__init__.py.html" not in names  # nothing is in it
        assert ("review.html" in names) == (slug == "alpha")
    assert set(done.projects) == {"alpha", "beta"}
    assert not done.kept


def test_internal_links_lead_somewhere(built):
    """Every relative link of every page of a project is a file of the site, every fragment an id."""
    root, _ = built
    out = root / "build" / "site"
    found = pages(root)
    planned = {"laws.html", "course.html", "reference/index.html", "feed.xml", "reviews.xml"}
    num_checked = 0
    for path, page in found.items():
        for link in page.links:
            target, _, fragment = link.partition("#")
            if re.match(r"[a-z]+:", link) or fragment.startswith("?"):
                continue
            goal = (path.parent / target).resolve() if target else path
            if goal.relative_to(out.resolve()).as_posix() in planned:
                continue
            assert goal.is_file(), f"{path.relative_to(out)}: {link}"
            if fragment:
                assert fragment in found[goal].ids, f"{path.relative_to(out)}: {link}"
            num_checked += 1
    assert num_checked > 100


def test_ids_are_unique_and_headings_in_order(built):
    for path, page in pages(built[0]).items():
        assert len(set(page.ids)) == len(page.ids), path
        levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
        assert levels[0] == 1, path
        assert levels.count(1) == 1, path
        assert all(b - a <= 1 for a, b in pairwise(levels)), (path, levels)


def test_pages_obey_their_own_policy(built):
    """No script or style of its own, nothing from elsewhere, and the policy before anything else."""
    for path, page in pages(built[0]).items():
        policies = [a for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
        assert "default-src 'none'" in policies[0]["content"], path
        assert "unsafe" not in policies[0]["content"], path
        first = [tag for tag, a in page.tags if tag in ("script", "link", "img", "style")]
        assert "style" not in first, path
        for tag, attributes in page.tags:
            assert "style" not in attributes, path
            assert not any(name.startswith("on") for name in attributes), path
            if tag in ("script", "link", "img"):
                source = attributes.get("src") or attributes.get("href", "")
                assert not source.startswith(("http:", "https:", "//")), path
            if tag == "img":
                assert attributes.get("alt"), path


def test_what_a_project_page_says(built):
    html = text_of(built[0], "projects/alpha/index.html")
    assert "89.000 ± 0.250 nats" in html
    assert "≤ 90" in html
    assert 'class="badge met"' in html
    assert "no faces here" in html  # why a goal was withdrawn
    assert "Table 1, row 2" in html
    assert "| goal | generated |" not in html  # the README's table is replaced by ours
    assert "1234" not in html  # a group's hours are not published
    assert 'href="code/model.py.html#L2"' in html
    assert 'href="../../course.html"' in html
    assert not [link for link in re.findall('href="([^"]*)"', html) if "safetensors" in link]
    assert "eprint = {1312.6100}" in html
    assert 'width="8" height="6"' in html
    assert "<math" in html
    assert 'property="og:url" content="https://example.org/dgm/projects/alpha/index.html"' in html


def test_missed_goal_and_builds_on(built):
    html = text_of(built[0], "projects/beta/index.html")
    assert 'class="badge missed"' in html
    assert '<a href="../alpha/index.html">Alpha</a>' in html


def test_code_has_an_anchor_on_each_line(built):
    page = pages(built[0])[built[0] / "build/site/projects/alpha/code/model.py.html"]
    assert [f"L{n}" for n in range(1, 6)] == [i for i in page.ids if re.fullmatch(r"L\d+", i)]
    html = text_of(built[0], "projects/alpha/code/model.py.html")
    assert "&lt;" in html
    files = html[html.index('aria-label="Files"') :]
    assert re.findall(r'<a href="(\w+\.py)\.html"', files) == ["model.py", "test_alpha.py"]


def test_review_response_and_verification_stand_side_by_side(built):
    html = text_of(built[0], "projects/alpha/review.html")
    first, second = html.split('<article class="finding"')[1:]
    order = [first.index(w) for w in ("the loss rises", "We subtracted it", "the loss falls now")]
    assert order == sorted(order)
    assert "step 10 loss 84.1" in first
    assert "39230cc5004b" in first
    assert "No answer yet." in second
    assert "Not verified yet." in second
    assert "r-99" not in html  # wrote a review that nobody assigned


def test_front_page_has_filters_and_an_index_for_the_search(built):
    html = text_of(built[0], "index.html")
    assert "goals: 1 met, 1 missed, 2 withdrawn" in html
    assert html.index(">flows</h2>") < html.index(">diffusion models</h2>")  # by the oldest paper
    assert 'data-family="flows"' in html
    assert 'data-dataset="digits"' in html  # the withdrawn goal's faces are nothing to filter by
    assert "<option>2014</option>" in html
    card = html[html.index('id="alpha"') :].partition("</li>\n<li class=")[0]
    assert "nll_nats ≤ 90 on digits" in card
    assert "1 more withdrawn" in card
    script = text_of(built[0], "static/search-index.js")
    assert "</" not in script.replace("<\\/", "")
    found = json.loads(script.removeprefix("window.searchIndex = ").rstrip(";\n"))
    quokka = [hit for hit in found if "quokka" in hit["text"]]
    assert {hit["slug"] for hit in quokka} == {"alpha", "beta"}
    numbat = next(hit for hit in found if "numbat" in hit["text"])
    assert numbat["heading"] == "Limits"
    assert numbat["url"].startswith("projects/alpha/notebook.html#")
    assert not any("print(1)" in hit["text"] for hit in found)  # code is not prose


def test_comparisons_rank_by_value(built):
    html = text_of(built[0], "comparisons.html")
    digits = html[html.index('id="digits"') : html.index('id="faces"')]
    assert digits.index(">Alpha<") < digits.index(">Beta<")
    assert "lower is better" in digits


def test_comparison_of_samples_comes_from_what_compare_wrote(tree):
    block = (
        "## Digits: samples\n\nmodel | FID\n---|---\nalpha | 1.5\n\n![Samples](comparison-d.png)\n"
    )
    text = f"# Samples\n<!-- comparison:d:begin -->\n{block}<!-- comparison:d:end -->\n"
    write(tree, "docs/comparison.md", text)
    write(tree, "docs/comparison-d.json", json.dumps({"dataset": "digits"}))
    write(tree, "docs/comparison-d.png", png())
    again(tree)
    html = text_of(tree, "comparisons.html")
    assert 'src="docs/comparison-d.png"' in html
    assert html.index('id="digits"') < html.index("comparison-d.png") < html.index('id="faces"')
    assert (tree / "build/site/docs/comparison-d.png").is_file()


def test_second_build_makes_nothing(tree):
    again(tree)
    before = {p: p.stat().st_mtime_ns for p in (tree / "build/site").rglob("*") if p.is_file()}
    done = again(tree)
    after = {p: p.stat().st_mtime_ns for p in (tree / "build/site").rglob("*") if p.is_file()}
    assert not done.made
    assert before == after


@pytest.mark.parametrize(
    ("path", "old", "new", "seen"),
    [
        ("README.md", "quokka", "wombat", "index.html"),
        ("demo.ipynb", "numbat", "wombat", "notebook.html"),
        ("model.py", "A model.", "A wombat.", "code/model.py.html"),
        ("project.toml", "in one sentence", "in one wombat", "index.html"),
        ("results/digits.json", "2 CPU cores", "wombat cores", "index.html"),
        ("../../reviews/alpha/response.md", "We subtracted it", "A wombat did", "review.html"),
    ],
)
def test_one_change_makes_one_project(tree, path, old, new, seen):
    again(tree)
    full = tree / "projects" / "alpha" / path
    full.write_text(full.read_text().replace(old, new))
    done = again(tree)
    assert set(done.projects) == {"alpha"}
    assert "wombat" in text_of(tree, f"projects/alpha/{seen}")


def test_changed_title_reaches_who_builds_on_it(tree):
    again(tree)
    full = tree / "projects/alpha/project.toml"
    full.write_text(full.read_text().replace('title = "Alpha"', 'title = "Wombat"'))
    assert set(again(tree).projects) == {"alpha", "beta"}
    assert ">Wombat</a>" in text_of(tree, "projects/beta/index.html")


def test_link_to_a_file_that_is_gone_becomes_text(tree):
    again(tree)
    shutil.rmtree(tree / "projects" / "alpha")
    write_project(tree, "gamma", 3)
    done = again(tree)
    assert set(done.projects) == {"beta", "gamma"}
    assert '"../alpha' not in text_of(tree, "projects/beta/index.html")
    assert not (tree / "build/site/projects/alpha").exists()


def test_repository_address_serves_what_the_site_does_not_show(tree):
    again(tree, repository="https://example.org/files/")
    html = text_of(tree, "projects/beta/index.html")
    assert 'href="https://example.org/files/projects/beta/results/digits.safetensors"' in html


def test_only_builds_that_project(tree):
    done = again(tree, only=["beta"])
    assert set(done.projects) == {"beta"}
    assert not (tree / "build/site/projects/alpha").exists()
    done = again(tree)
    assert set(done.projects) == {"alpha"}
    assert {part.slug for part in done.kept} == {"beta"}


def test_a_removed_page_is_made_again(tree):
    again(tree)
    (tree / "build/site/projects/alpha/notebook.html").unlink()
    assert set(again(tree).projects) == {"alpha"}


def test_animation_beside_a_figure_is_offered(tree):
    write(tree, "projects/alpha/figures/samples.webp", b"RIFF0000WEBP")
    again(tree)
    html = text_of(tree, "projects/alpha/index.html")
    assert 'href="figures/samples.webp" data-plays="figure-samples"' in html
    assert 'id="figure-samples"' in html


def test_texts_of_people_are_escaped(tree):
    full = tree / "projects/alpha/project.toml"
    evil = '<script>alert(1)</script>\\" onload=x'
    full.write_text(full.read_text().replace("in one sentence.", evil))
    again(tree)
    for path in ("index.html", "projects/alpha/index.html", "projects/alpha/notebook.html"):
        assert "<script>alert" not in text_of(tree, path)
    assert "</script>alert" not in text_of(tree, "static/search-index.js")


def test_a_link_in_a_project_is_not_followed(tree):
    """A symbolic link could lead to any file of the machine that builds."""
    write(tree, "secret.txt", "the secret")
    (tree / "projects/alpha/figures/leak.png").symlink_to(tree / "secret.txt")
    (tree / "projects/alpha/leak.py").symlink_to(tree / "secret.txt")
    (tree / "projects/beta/figures").rename(tree / "elsewhere")
    (tree / "projects/beta/figures").symlink_to(tree / "elsewhere")
    again(tree)
    assert not list((tree / "build/site/projects/beta").rglob("*.webp"))
    for path in (tree / "build/site").rglob("*"):
        assert not (path.is_file() and b"the secret" in path.read_bytes()), path


def test_a_folder_with_other_files_is_refused(tree, tmp_path):
    write(tmp_path, "mine/thesis.txt", "years of work")
    with pytest.raises(UserError, match="no site of ours"):
        build(tree, tmp_path / "mine")
    assert (tmp_path / "mine/thesis.txt").read_text() == "years of work"


def test_what_cannot_be_shown_is_named(tree):
    write(tree, "projects/alpha/demo.ipynb", '{"cells": 3}')
    with pytest.raises(UserError, match=r"^projects/alpha/demo\.ipynb is not a notebook"):
        again(tree)


def test_no_projects_yet(tmp_path):
    build(tmp_path, tmp_path / "site")
    assert "No projects yet" in (tmp_path / "site" / "index.html").read_text()


def test_command(tree, monkeypatch, capsys):
    (tree / ".git").mkdir()
    monkeypatch.chdir(tree)
    assert main(["site", "build"]) == 0
    told = capsys.readouterr().out
    assert "next: " in told
    assert max(map(len, told.splitlines())) <= 80
    assert main(["site", "build", "--only", "alhpa"]) == 2
    assert "no project 'alhpa'" in capsys.readouterr().err
    assert main(["site", "build", "--address", "ftp://x"]) == 2
    assert "https://" in capsys.readouterr().err


def test_served_page_follows_the_tree(tree):
    out = tree / "build" / "site"
    again(tree)
    handler = partial(Handler, directory=str(out), rebuild=lambda: again(tree))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        readme = tree / "projects/alpha/README.md"
        readme.write_text(readme.read_text().replace("quokka", "wombat"))
        with urllib.request.urlopen(f"{address}/projects/alpha/index.html") as answer:
            assert "wombat" in answer.read().decode()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{address}/projects/alpha/figures/")
        server.shutdown()


def test_no_torch():
    code = "import sys, common.course.site.build; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_several_processes_make_the_same(tree, built):
    done = build(tree, tree / "build" / "site", address="https://example.org/dgm/", processes=2)
    assert done == replace(built[1], made=done.made)
    one, two = built[0] / "build" / "site", tree / "build" / "site"
    files = {path.relative_to(one) for path in one.rglob("*") if path.is_file()}
    assert files == {path.relative_to(two) for path in two.rglob("*") if path.is_file()}
    for name in files - {Path("feed.xml"), Path("reviews.xml")}:  # dates of copied files
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
