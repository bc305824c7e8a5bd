"""Code of the reference, highlighted by classes that the style sheet colours."""

import re
from functools import cache

from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name


@cache
def highlighted(code: str, language: str) -> Markup:
    """Code as spans with Pygments' short classes; `text` has none."""
    if language == "text":
        return Markup(escape(code))
    html = highlight(code, get_lexer_by_name(language), HtmlFormatter(nowrap=True))
    return Markup(html.rstrip("\n"))


def with_lines(code: str, language: str) -> Markup:
    """Code whose every line has an anchor: `#L12`."""
    rows = enumerate(highlighted(code, language).split("\n"), 1)
    return Markup(
        "".join(f'<span class="code-line" id="L{n}">{anchor(n)}{row}\n</span>' for n, row in rows)
    )


def anchor(number: int) -> str:
    """The number of a line, which leads to itself."""
    return f'<a class="count" href="#L{number}" aria-label="Line {number}">{number}</a>'


def with_code(text: str) -> Markup:
    """A line of prose whose spans in backquotes are code.

    >>> print(with_code("2 < 3 by `model()`"))
    2 &lt; 3 by <code>model()</code>
    """
    return Markup(re.sub(r"(`+)(.+?)\1", r"<code>\2</code>", str(escape(text))))
