"""The API reference: what a small package says of itself, and that no text of it is HTML."""

import re
import subprocess
import sys

import pytest

from common.course.site.making import rendered, templates
from common.course.site.pages import Site
from common.course.site.reference.package import module_files
from common.course.site.reference.pages import INDEX, pages, parts
from common.projects import ROOT

FILES = {
    "__init__.py": '"""The shared package."""\n',
    "zoo/__init__.py": '''"""Animals: `Cat`, `feed`."""

from common.zoo.cats import Cat
from common.zoo.feed import feed

__all__ = ["Cat", "feed"]
''',
    "zoo/cats.py": '''"""Cats."""

LIVES = 9
_SECRET = 1


class Animal:
    """Anything alive."""

    def call(self) -> str:
        """What it says."""


class Cat(Animal):
    """A cat, which `common.zoo.feed` feeds; x_1 and *event are no emphasis, <b>nor</b> HTML.

    A loop::

        for x in cats:
            x.call()

    Args:
        name: <script>alert(1)</script> its name, see `Animal.call`.

    Raises:
        Hungry: if nobody came.

    >>> Cat("tom").call()
    'miaow'
    """

    def __init__(self, name: str, *, lives: int = LIVES):
        self.name = name

    def call(self) -> str:
        return "miaow"

    @property
    def friend(self) -> "Animal | None":
        """Whom it likes."""

    def _hide(self):
        """Nobody's business."""


class Hungry(Exception):
    """No food."""


def undocumented():
    pass
''',
    "zoo/feed.py": '''"""`feed(cat)`, in a module of the same name."""

from common.zoo import Cat


def feed(cat: Cat, /, grams: int = 10, *more: int, now: bool = True, **others: float) -> Cat:
    """Feed it: `javascript:` is only code, https://example.org/?a=1&b=2 is a link.

    Args:
        cat: who.

    Returns:
        The cat, `Cat` still, which has
        eaten.
    """
''',
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The pages of a small package, by path."""
    root = tmp_path_factory.mktemp("tree")
    for name, text in FILES.items():
        path = root / "common" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    environment = templates()
    site = Site(root, ())
    found = (page for part in parts(site) for page in part.pages())
    files = [rendered(site, page, environment) for page in found]
    return {file.path: file.data.decode() for file in files}


def test_a_page_for_each_module_and_for_its_source(site):
    modules = {"common", "common.zoo", "common.zoo.cats", "common.zoo.feed"}
    expected = {f"reference/{name}.html" for name in modules}
    expected |= {f"reference/source/{name}.html" for name in modules}
    assert set(site) == expected | {INDEX}
    for name in modules:
        assert f'href="{name}.html"' in site[INDEX]


def test_only_what_is_public_and_documented_is_there(site):
    page = site["reference/common.zoo.cats.html"]
    anchors = re.findall(r'<(?:h\d|div class="constant") id="common.zoo.cats.([\w.]*)"', page)
    assert anchors == ["LIVES", "Animal", "Animal.call", "Cat", "Cat.call", "Cat.friend", "Hungry"]
    for hidden in ("_SECRET", "_hide", "undocumented", "Nobody"):
        assert hidden not in page


def test_signatures_have_links_and_every_kind_of_argument(site):
    page = site["reference/common.zoo.feed.html"]
    cat = '<a href="common.zoo.cats.html#common.zoo.cats.Cat">Cat</a>'
    shown = re.search(r'<pre class="signature"[^>]*><code>(.*?)</code></pre>', page, re.DOTALL)[1]
    rows = [
        f"cat: {cat}", "/", "grams: int = 10", "*more: int", "now: bool = True", "**others: float"
    ]  # fmt: skip
    inner = "".join(f"    {row},\n" for row in rows)
    assert shown == f"<b>feed</b>(\n{inner}) -&gt; {cat}"
    page = site["reference/common.zoo.cats.html"]
    lives = '<a href="common.zoo.cats.html#common.zoo.cats.LIVES">LIVES</a>'
    assert f"<b>Cat</b>(name: str, *, lives: int = {lives})" in page


def test_code_leads_to_what_it_names(site):
    page = site["reference/common.zoo.cats.html"]
    assert (
        '<a href="common.zoo.feed.html#common.zoo.feed.feed"><code>common.zoo.feed</code></a>'
        in page
    )
    assert (
        '<a href="common.zoo.cats.html#common.zoo.cats.Animal.call"><code>Animal.call</code></a>'
        in page
    )
    assert (
        '<dt><a href="common.zoo.cats.html#common.zoo.cats.Hungry"><code>Hungry</code></a></dt>'
        in page
    )
    assert "a kind of" in page  # the base class
    front = site["reference/common.zoo.html"]
    assert (
        '<dt><a href="common.zoo.cats.html#common.zoo.cats.Cat"><code>Cat</code></a></dt>' in front
    )
    assert (
        '<dt><a href="common.zoo.feed.html#common.zoo.feed.feed"><code>feed</code></a></dt>'
        in front
    )


def test_a_method_without_words_points_at_the_one_it_stands_in_for(site):
    page = site["reference/common.zoo.cats.html"]
    after = page.split('id="common.zoo.cats.Cat.call"')[1].split("</section>")[0]
    assert "<code>Animal.call</code></a>.</p>" in after


def test_no_text_is_html(site):
    page = site["reference/common.zoo.cats.html"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "x_1 and *event are no emphasis, &lt;b&gt;nor&lt;/b&gt; HTML" in page
    for text in site.values():
        assert "alert(1)<" not in text
        assert "<b>nor" not in text
    page = site["reference/common.zoo.feed.html"]
    assert "<code>javascript:</code>" in page
    assert '<a href="https://example.org/?a=1&amp;b=2">' in page


def test_blocks_and_examples_are_code(site):
    page = site["reference/common.zoo.cats.html"]
    assert "<p>A loop:</p>" in page
    assert '<span class="gp">&gt;&gt;&gt; </span>' in page
    assert re.search(r"<span class=.go.>('|&#39;)miaow('|&#39;)</span></pre>", page)  # no error
    assert "    x" not in re.sub(r"<pre.*?</pre>", "", page, flags=re.DOTALL)
    returns = site["reference/common.zoo.feed.html"].split("Returns</p>")[1]
    assert returns.startswith("<p>The cat, ")
    assert "eaten.</p>" in returns


def test_source_links_lead_to_the_line(site):
    page = site["reference/common.zoo.cats.html"]
    number = FILES["zoo/cats.py"].split("\n").index("class Cat(Animal):") + 1
    assert f'href="source/common.zoo.cats.html#L{number}"' in page
    lines = re.findall(r'id="L(\d+)"', site["reference/source/common.zoo.cats.html"])
    assert lines == [str(n) for n in range(1, len(FILES["zoo/cats.py"].split("\n")))]
    source = site["reference/source/common.zoo.cats.html"]
    line = re.search(f'id="L{number}">(.*?)<span class="line"', source)[1]
    assert re.sub("<.*?>", "", line) == f"{number}class Cat(Animal):"


def test_links_between_its_pages_resolve(site):
    ids = {path: set(re.findall(r' id="([^"]+)"', text)) for path, text in site.items()}
    for path, text in site.items():
        for href in re.findall(r'href="([^"]+)"', text):
            target, _, fragment = href.partition("#")
            if target.startswith(("http", "../static", "../../static")):
                continue
            here = (ROOT / path).parent.joinpath(target).resolve() if target else ROOT / path
            name = here.relative_to(ROOT).as_posix()
            if name.startswith("reference/"):
                assert name in site, (path, href)
                assert not fragment or fragment in ids[name], (path, href)


def test_a_tree_without_the_package_says_so(tmp_path):
    (page,) = pages(Site(tmp_path, ()))
    assert page.path == INDEX
    assert "no package" in page.body


def test_every_module_of_this_repository_is_read_and_none_is_imported():
    code = (
        "import sys; from pathlib import Path;"
        "from common.course.site.reference.package import read_package;"
        f"print(*read_package(Path({str(ROOT)!r})).modules);"
        "print('torch' in sys.modules, 'common.data.load' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    modules, imported = done.stdout.splitlines()
    assert set(modules.split()) == set(module_files(ROOT)), done.stderr
    assert imported == "False False"
