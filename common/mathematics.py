"""TeX as MathML, which browsers draw themselves: no script, no font and no network."""

import re
from functools import lru_cache
from html import escape

from math_core import LatexError, LatexToMathML

MAX_CHARACTERS = 10_000
MAX_DEPTH = 50


def mathml(tex: str, *, display: bool) -> str:
    """TeX as MathML Core; TeX that cannot be understood is shown as it was written, as code.

    >>> mathml(r"x_1", display=False)
    '<math><msub><mi>x</mi><mn>1</mn></msub></math>'
    >>> mathml(r"\\nonsense{x}", display=False)
    '<code class="tex">\\\\nonsense{x}</code>'
    """
    tex = tex.strip()
    if len(tex) <= MAX_CHARACTERS and depth(tex) <= MAX_DEPTH:
        try:
            return converter().convert_with_local_state(tex, displaystyle=display)
        except LatexError:
            pass
    return f'<code class="tex">{escape(tex, quote=False)}</code>'


def environment(name: str, body: str) -> str:
    """The TeX of an environment outside of dollars (equation, align), of which renderers get parts."""
    return f"\\begin{{{name}}}{body}\\end{{{name}}}"


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
