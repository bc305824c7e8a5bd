"""TeX as MathML, which browsers draw themselves: no script, no font and no network.

math-core writes MathML Core. It aligns the columns of equations by `style`, which the site's content
security policy forbids; the same is said here by classes of content.css.
"""

import re
from functools import lru_cache
from html import escape

from math_core import LatexError, LatexToMathML

MAX_CHARACTERS = 10_000
MAX_DEPTH = 50
STYLE = re.compile(r' style="([^"]*)"')
CLASSES = {
    "text-align: right": "math-right",
    "text-align: left": "math-left",
    "padding-left:1em": "math-gap",
    "margin-left:-": "math-back",
    "width: 50%": "math-margin",
    "width: 100%": "math-wide",
}


def mathml(tex: str, *, display: bool) -> str:
    """TeX as MathML; TeX that cannot be understood is shown as it was written, as code.

    >>> mathml(r"x_1", display=False)
    '<math><msub><mi>x</mi><mn>1</mn></msub></math>'
    >>> mathml(r"\\nonsense{x}", display=False)
    '<code class="tex">\\\\nonsense{x}</code>'
    """
    tex = tex.strip()
    if len(tex) <= MAX_CHARACTERS and depth(tex) <= MAX_DEPTH:
        try:
            html = converter().convert_with_local_state(tex, displaystyle=display)
        except LatexError:
            pass
        else:
            return STYLE.sub(as_class, html)
    return f'<code class="tex">{escape(tex, quote=False)}</code>'


def environment(name: str, body: str) -> str:
    """A TeX environment outside of dollars (equation, align) as display mathematics."""
    return mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)


@lru_cache(maxsize=1)
def converter() -> LatexToMathML:
    """math-core's converter; a document's macros are local to the formula that defines them."""
    return LatexToMathML(fancy_error=False, max_expansions=200)


def depth(tex: str) -> int:
    """How deeply braces, \\left and environments are nested at most, counted from above."""
    now = most = 0
    for mark in re.findall(r"\\(?:begin|end|left|right)\b|\\.|[{}]", tex, re.DOTALL):
        if mark in ("{", r"\begin", r"\left"):
            now += 1
            most = max(most, now)
        elif mark in ("}", r"\end", r"\right"):
            now -= 1
    return most


def as_class(match: re.Match[str]) -> str:
    """A style of math-core as classes of content.css; a colour is dropped."""
    names = [name for text, name in CLASSES.items() if text in match.group(1)]
    return f' class="{" ".join(names)}"' if names else ""
