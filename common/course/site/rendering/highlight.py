"""Highlighted code: Pygments, with classes for a light and a dark page, and lines that are anchors."""

import re
from html import escape
from typing import ClassVar

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.lexers.special import TextLexer
from pygments.style import Style
from pygments.styles.gh_dark import GhDarkStyle
from pygments.token import (
    STANDARD_TYPES,
    Comment,
    Error,
    Generic,
    Keyword,
    Name,
    Number,
    Operator,
    String,
    Token,
)
from pygments.util import ClassNotFound


class Light(Style):
    """The light counterpart of Pygments' github-dark, which has none: GitHub's own colours."""

    background_color = "#f6f8fa"
    styles: ClassVar[dict] = {
        Token: "#1f2328",
        Comment: "italic #59636e",
        Keyword: "#cf222e",
        Keyword.Constant: "#0550ae",
        Operator.Word: "#cf222e",
        Name.Builtin: "#0550ae",
        Name.Class: "#953800",
        Name.Constant: "#0550ae",
        Name.Decorator: "#6639ba",
        Name.Exception: "#0550ae",
        Name.Function: "#6639ba",
        Name.Tag: "#116329",
        Number: "#0550ae",
        String: "#0a3069",
        Generic.Deleted: "#82071e bg:#ffebe9",
        Generic.Heading: "bold #0550ae",
        Generic.Inserted: "#116329 bg:#dafbe1",
        Generic.Output: "#59636e",
        Generic.Prompt: "#59636e",
        Error: "#82071e",
    }


DARK = GhDarkStyle
CLASSES = frozenset(name for name in STANDARD_TYPES.values() if name)
MAX_CHARACTERS = 100_000  # a colour costs a page twenty letters
# Marks that make code look other than it runs: https://trojansource.codes
DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def code_block(text: str, language: str = "") -> str:
    """A block of code as HTML; an unknown language stays without colours."""
    return f'<div class="highlight"><pre>{coloured(text, by_language(language))}</pre></div>'


def render_code(text: str, name: str, *, prefix: str = "L") -> str:
    """A source file as HTML, whose line n has the id `L<n>` and a number that links to it.

    >>> render_code("x = 1", "a.txt")
    '<div class="highlight lines"><pre><span class="line" id="L1"><a class="number" href="#L1" \
tabindex="-1">1</a>x = 1</span></pre></div>'
    """
    try:
        lexer = get_lexer_for_filename(name, **OPTIONS)
    except ClassNotFound:
        lexer = TextLexer(**OPTIONS)
    lines = "".join(
        f'<span class="line" id="{prefix}{number}">'
        f'<a class="number" href="#{prefix}{number}" tabindex="-1">{number}</a>{line}</span>'
        for number, line in enumerate(coloured(text, lexer).split("\n"), 1)
    )
    return f'<div class="highlight lines"><pre>{lines}</pre></div>'


OPTIONS = {"stripnl": False, "ensurenl": False}
SESSIONS = ("pycon", "console", "shell-session")


def by_language(language: str) -> Lexer:
    """Pygments' lexer of a language by name; plain text for one it does not know."""
    try:
        is_session = (
            language in SESSIONS
        )  # whose lexer takes a last line without an end for an error
        return get_lexer_by_name(language, **OPTIONS | {"ensurenl": is_session})
    except ClassNotFound:
        return TextLexer(**OPTIONS)


def coloured(text: str, lexer: Lexer) -> str:
    """Code with a span a token; spans end with their line. Very long text stays without colours."""
    text = text.rstrip("\n")
    if len(text) > MAX_CHARACTERS:
        html = escape(text, quote=False)
    else:
        html = highlight(text, lexer, HtmlFormatter(nowrap=True)).rstrip("\n")
    return DIRECTIONS.sub(lambda mark: f'<span class="err">U+{ord(mark.group()):04X}</span>', html)


def stylesheet() -> str:
    """The CSS of highlighted code: light, dark where the reader's system is dark."""
    light, dark = rules(Light), rules(DARK)
    query = "(prefers-color-scheme: dark)"
    return f"@media not {query} {{\n{light}\n}}\n@media {query} {{\n{dark}\n}}\n"


def rules(style: type[Style]) -> str:
    """One Pygments style as CSS, for tokens in `.highlight`."""
    formatter = HtmlFormatter(style=style)
    lines = [
        line
        for line in formatter.get_token_style_defs(".highlight")
        if not line.startswith(".highlight .w ")  # white space is not seen
    ]
    background = formatter.style.background_color
    base = formatter.style.style_for_token(Token)["color"]
    colour = f"#{base}"
    return "\n".join([f".highlight {{ background: {background}; color: {colour} }}", *lines])
