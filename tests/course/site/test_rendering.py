"""Rendering of notebooks, markdown, mathematics and code, without a browser."""

import json
import re
import time

import pytest

from common.course.site.rendering import Place, render_code, render_markdown, render_notebook
from common.course.site.rendering.highlight import DARK, Light, code_block, stylesheet
from common.course.site.rendering.mathematics import formula
from common.course.site.rendering.sanitise import sanitise
from common.errors import UserError
from common.projects import ROOT
from tests.course.site import hostile

FILES = {"projects/vae/figures/samples.png": "figures/samples.png", "projects/vae": "index.html"}
PLACE = Place("projects/vae", FILES.get, "doc")


def text_of(html: str) -> str:
    """A page's text."""
    return re.sub(r"<[^>]*>", "", html)


def book(*cells: dict, **changes: object) -> str:
    """A notebook of these cells."""
    for number, cell in enumerate(cells):
        cell["id"] = f"c{number}"
    table = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)}
    return json.dumps(table | changes)


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        (r"\mathbf{x}", "<mi>𝐱</mi>"),
        (r"\log p", "<mi>log</mi>"),
        (r"\begin{aligned}a&=b\\c&=d\end{aligned}", '<mtd class="math-right">'),
        (r"\begin{pmatrix}1&2\end{pmatrix}", "<mtable"),
        (r"\color{red}{x}", "<mrow><mi>x</mi></mrow>"),
        (r"a < b", "<mo>&lt;</mo>"),
        (r"\text{<b>}", "<mtext>&lt;b&gt;</mtext>"),
    ],
)
def test_tex_becomes_mathml_without_styles(tex, expected):
    html = formula(tex, display=True)
    assert expected in html
    assert html.startswith('<math display="block">')
    assert " style=" not in html


@pytest.mark.parametrize(
    "tex", [r"\left( x", r"\frac{1", r"\href{x}{y}", r"\def\a{\a\a}\a", "{" * 5000, "x" * 20_000]
)
def test_tex_that_is_none_is_shown_as_it_is(tex):
    began = time.process_time()
    html = formula(tex, display=False)
    assert html == f'<code class="tex">{tex}</code>'
    assert time.process_time() - began < 1


def test_all_mathematics_of_the_tree_is_understood():
    """Every formula in the committed notebooks and READMEs becomes MathML."""
    paths = [*ROOT.glob("projects/*/README.md"), *ROOT.glob("projects/*/demo.ipynb")]
    num_formulas = 0
    for path in paths:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            cells = [c for c in json.loads(text)["cells"] if c["cell_type"] == "markdown"]
            text = "\n\n".join("".join(cell["source"]) for cell in cells)
        html = render_markdown(text, PLACE).html
        assert 'class="tex"' not in html, path
        num_formulas += html.count("<math")
    assert num_formulas > 150


def test_a_dollar_before_a_space_or_a_digit_is_a_dollar():
    html = render_markdown(
        "It costs $5 and $6, or $ 7 $; but $x$ and $`y`$ are numbers.", PLACE
    ).html
    assert "$5 and $6, or $ 7 $;" in html
    assert html.count("<math>") == 2
    assert "<mi>y</mi>" in html


def test_markdown_as_github_knows_it():
    text = "---\nverdict: major\n---\n# A\n\n## A\n\n|a|b|\n|:-:|-:|\n|1|~~2~~|\n\n- [x] done\n\nx[^1]\n\n[^1]: note\n"
    shown = render_markdown(text, PLACE)
    assert "verdict" not in shown.html
    assert [(h.level, h.id, h.text) for h in shown.headings] == [
        (2, "doc-a", "A"),
        (3, "doc-a-1", "A"),
    ]
    for piece in (
        '<h2 id="doc-a">',
        '<h3 id="doc-a-1">',
        '<th class="center">',
        "<del>2</del>",
        "☑ done",
    ):
        assert piece in shown.html, piece
    assert '<section class="footnotes">' in shown.html
    assert 'href="#doc-fn-1"' in shown.html
    assert 'id="doc-fn-1"' in shown.html


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("figures/samples.png", "figures/samples.png"),
        ("../vae/./figures/samples.png", "figures/samples.png"),
        ("/projects/vae/figures/samples.png", "figures/samples.png"),
        ("#Run-it", "#doc-run-it"),
        ("https://arxiv.org/abs/1312.6114", "https://arxiv.org/abs/1312.6114"),
        ("../../../etc/passwd", None),
        ("//attack.invalid", None),
        ("\\\\attack.invalid", None),
        ("missing.png", None),
        ("JAVASCRIPT:alert(1)", None),
        ("java\nscript:alert(1)", None),
        ("data:text/html,x", None),
        ("http://[broken", None),
    ],
)
def test_links_lead_into_the_site_or_out_or_nowhere(written, shown):
    html = render_markdown(f'<a href="{written}">x</a>', PLACE).html
    assert re.findall(r'href="([^"]*)"', html) == ([shown] if shown else [])
    assert "x</a>" in html


def test_an_empty_heading_of_a_table_is_an_empty_cell():
    html = render_markdown("| | ours |\n|-|-|\n| nll | 1.2 |", PLACE).html
    assert html.count("<th>") == 1
    assert "<th>ours</th>" in html


def test_a_picture_from_elsewhere_becomes_a_link():
    html = render_markdown("![A tracker](https://attack.invalid/x.png)", PLACE).html
    assert "<img" not in html
    assert '<a href="https://attack.invalid/x.png"' in html


def test_pictures_of_a_notebook_become_files_with_a_size_and_a_text():
    data = hostile.png_that_is_html()
    cells = [
        hostile.cell("markdown", "## Samples"),
        hostile.code(hostile.output({"image/png": data, "text/plain": "<Figure>"})),
        hostile.code(hostile.output({"image/png": data}, {"image/png": {"alt": 'A "ring"'}})),
    ]
    shown = render_notebook(book(*cells), PLACE)
    (name,) = shown.files
    assert name.startswith("media/")
    assert name.endswith(".png")
    images = re.findall(r"<img [^>]*>", shown.html)
    assert len(images) == 2
    assert all(f'src="{name}"' in image for image in images)
    assert 'alt="Output of a cell in “Samples”"' in images[0]
    assert 'width="2" height="2"' in images[0]
    assert 'alt="A &quot;ring&quot;"' in images[1]
    assert "base64" not in shown.html
    assert "Figure" not in shown.html


def test_forms_of_an_output_that_a_page_does_not_show_are_named():
    svg = hostile.code(hostile.output({"image/svg+xml": "<svg/>"}))
    widget = hostile.code(hostile.output({"application/javascript": "x", "text/plain": "plain"}))
    html = render_notebook(book(svg, widget), PLACE).html
    assert "(an output that a page does not show: image/svg+xml)" in html
    assert "plain" in html


def test_a_long_output_is_cut_and_says_so():
    cell = hostile.code({"output_type": "stream", "name": "stdout", "text": "x" * 60_000})
    html = render_notebook(book(cell), PLACE).html
    assert "(... 10,000 more characters)" in html
    assert len(html) < 52_000


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, book(nbformat=3), '{"cells": 1}'])
def test_what_is_no_notebook_is_refused(text):
    with pytest.raises(UserError, match="not a"):
        render_notebook(text, PLACE)


def test_one_cell_cannot_swallow_the_next():
    """What a cell leaves open ends with it."""
    for start in (
        "<plaintext>",
        "<textarea>",
        "<!--",
        "<table><td>",
        "</div>" * 9,
        "<script>",
        "<a href='",
    ):
        html = render_notebook(
            book(
                hostile.cell("markdown", f"text\n\n{start}"), hostile.cell("markdown", "**next**")
            ),
            PLACE,
        ).html
        assert '<div class="cell text_cell"' in html.replace("border-box-sizing ", ""), start
        assert "<strong>next</strong>" in html, start
        assert html.count("<div") == html.count("</div>"), start


def test_html_of_a_readme_cannot_swallow_the_rest_but_may_frame_it():
    """A box to unfold works as on GitHub; a frame or a script that is left open ends at once."""
    text = "<details>\n<summary>More</summary>\n\n**inside**\n\n</details>\n\n{}\n\n[last](#x)"
    for start in ("<plaintext>", "<svg>", "<iframe>", "<template>", "<title>", "<x><noscript>"):
        html = render_markdown(text.format(start), PLACE).html
        assert '<a href="#doc-x" rel="noopener noreferrer nofollow">last</a>' in html, start
        assert re.search(
            r"<summary>More</summary>\s*<p><strong>inside</strong></p>\s*</details>", html
        )


@pytest.mark.parametrize(
    "text",
    [
        "<div>" * 60_000,
        "<b>" * 60_000 + "<p>x" * 1000,
        "&" * 60_000,
        "> " * 20_000,
        "[" * 20_000,
        "*" * 20_000,
        "- " * 5_000,
        "$" * 20_000,
        "`" * 20_000 + "x",
        "<" * 50_000,
        "|" * 10_000 + "\n" + "|-" * 5_000,
        "$x" * 20_000,
        "\\begin{a}" * 5_000,
        "![" * 10_000,
        "<!--" * 20_000,
        "a_" * 20_000,
        "[^1]" * 5_000 + "\n\n[^1]: x",
        "\n# a" * 5_000,
        "# " + "<" * 50_000,
        "![" + "<" * 50_000 + "](x.png)",
    ],
    ids=lambda text: text[:9],
)
def test_no_text_keeps_the_renderer_busy(text):
    """A small file cannot stop the build: each is shown, in a time that a page may take."""
    began = time.process_time()
    cell = hostile.code(hostile.output({"text/html": text}))
    render_notebook(book(hostile.cell("markdown", text), cell), PLACE)
    assert time.process_time() - began < 3


def test_sanitising_keeps_balanced_allowed_html_only():
    """Everything hostile at once, as one fragment: every tag and attribute that is left is listed."""
    html = sanitise(
        "".join(hostile.pieces()),
        link=PLACE.link,
        picture=lambda _: None,
        identity=lambda i: f"doc-{i}",
    )
    tags = set(re.findall(r"<([a-z][a-z0-9-]*)", html))
    assert not tags & {
        "script",
        "style",
        "svg",
        "iframe",
        "form",
        "input",
        "nav",
        "h1",
        "meta",
        "base",
    }
    attributes = set(re.findall(r'\s([a-z:-]+)="', " ".join(re.findall(r"<[a-z][^>]*>", html))))
    assert not {name for name in attributes if name.startswith("on")} | (
        attributes & {"style", "target"}
    )


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ('<mspace width="0.1667em">', 'width="0.1667em"'),
        ('<mspace width="-9000px">', ""),
        ('<mspace width="99em">', ""),
        ('<mo minsize="1.2em">', 'minsize="1.2em"'),
        ('<mo minsize="9000px">', ""),
        ('<mstyle scriptlevel="+1">', 'scriptlevel="+1"'),
        ('<mstyle scriptlevel="-40">', ""),
        ('<mi mathvariant="normal">', 'mathvariant="normal"'),
        ('<img alt="x" width="640">', 'width="640"'),
        ('<img alt="x" width="99999">', ""),
        ('<td colspan="2">', 'colspan="2"'),
        ('<td colspan="9999">', ""),
        ('<ol start="-1">', ""),
    ],
)
def test_sizes_are_kept_as_far_as_honest_documents_need_them(written, kept):
    html = f"<table><tr>{written}</table>" if "<td" in written else f"<math>{written}</math>"
    html = written if written.startswith(("<img", "<ol")) else html
    shown = render_markdown(f"{html}\n", PLACE).html
    assert (kept in shown) if kept else not re.search(r"(width|size|level|span|start)=", shown)


def test_code_has_a_line_an_anchor_and_hides_nothing():
    html = render_code('"""A\nB"""\nx = 1 # \u202e </span><script>\n', "model.py")
    assert re.findall(r'id="(L\d+)"', html) == ["L1", "L2", "L3"]
    assert html.count("<span") == html.count("</span>")
    assert "<script>" not in html
    assert "\u202e" not in html
    assert "U+202E" in html
    assert text_of(code_block("x = 1\n", "python")) == "x = 1"
    assert code_block("<b>", "no such language").count("<b>") == 0


def luminance(colour: str) -> float:
    """The relative luminance of a colour, as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("style", [Light, DARK])
def test_colours_of_code_have_contrast(style):
    """4.5 to 1 for every token on the background of its style."""
    for token, how in style:
        if how["color"] and str(token) != "Token.Text.Whitespace":
            background = how["bgcolor"] or style.background_color.lstrip("#")
            low, high = sorted((luminance(how["color"]), luminance(background)))
            assert (high + 0.05) / (low + 0.05) >= 4.5, token
    assert style.background_color in stylesheet()
