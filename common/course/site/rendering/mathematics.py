"""Formulas without `style`, which the site's content security policy forbids.

math-core aligns the columns of equations by it; the same is said here by classes of content.css.
"""

import re

from common.mathematics import mathml

STYLE = re.compile(r' style="([^"]*)"')
CLASSES = {
    "text-align: right": "math-right",
    "text-align: left": "math-left",
    "padding-left:1em": "math-gap",
    "margin-left:-": "math-back",
    "width: 50%": "math-margin",
    "width: 100%": "math-wide",
}


def formula(tex: str, *, display: bool) -> str:
    """TeX as MathML with classes.

    >>> formula(r"x_1", display=False)
    '<math><msub><mi>x</mi><mn>1</mn></msub></math>'
    """
    html = mathml(tex, display=display)
    return STYLE.sub(as_class, html) if html.startswith("<math") else html


def as_class(match: re.Match[str]) -> str:
    """A style of math-core as classes of content.css; a colour is dropped."""
    names = [name for text, name in CLASSES.items() if text in match.group(1)]
    return f' class="{" ".join(names)}"' if names else ""
