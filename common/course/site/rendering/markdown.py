"""Markdown as GitHub and Jupyter know it, as safe HTML: README files, reviews, cells of notebooks."""

import re
from collections.abc import Mapping
from html import escape, unescape
from typing import Any, ClassVar

from mistune import BlockState, Markdown, import_plugin
from mistune.renderers.html import HTMLRenderer
from nbconvert.filters.markdown_mistune import MathBlockParser, MathInlineParser

from common.course.site.rendering.fragments import Fragment, Heading, Place, slug
from common.course.site.rendering.highlight import code_block
from common.course.site.rendering.mathematics import formula
from common.course.site.rendering.pictures import MIME, Pictures
from common.course.site.rendering.sanitise import (
    DROPPED_WITH_CONTENT,
    Change,
    is_too_deep,
    sanitise,
)
from common.mathematics import environment

PLUGINS = ("table", "strikethrough", "footnotes", "task_lists", "url")
FRONT_MATTER = re.compile(r"\A---\r?\n.*?\r?\n---\r?\n", re.DOTALL)


SWALLOWS = re.compile(rf"<[\s/]*(?:{'|'.join(sorted(DROPPED_WITH_CONTENT))})\b", re.IGNORECASE)


class InlineParser(MathInlineParser):
    """Jupyter's mathematics, except that a dollar before a space or a digit is only a dollar."""

    SPECIFICATION: ClassVar[dict[str, str]] = {
        **MathInlineParser.SPECIFICATION,
        "inline_math_tex": r"(?<![$\\])\$(?![\s$])(?P<math_inline_tex>(?:[^$\\]|\\[\s\S])+?)(?<!\s)\$(?![\d$])",
    }


class Renderer(HTMLRenderer):
    """HTML of one document: headings with ids at their level, TeX as MathML, code in colours."""

    def __init__(self, document: "Document") -> None:
        super().__init__(escape=False, allow_harmful_protocols=True)
        self.document = document
        self.attachments: Mapping[str, Any] = {}

    def heading(self, text: str, level: int, **attributes: Any) -> str:
        """A heading, below the headings of the page."""
        level = min(6, level + self.document.place.top - 1)
        anchor = self.document.add_heading(level, text)
        return f'<h{level} id="{anchor}">{text}</h{level}>\n'

    def block_code(self, code: str, info: str | None = None) -> str:
        """A fenced or indented block of code; a fence of `math` is TeX."""
        language = (info or "").split(maxsplit=1)
        if language == ["math"]:
            return self.block_math(code)
        return code_block(code, language[0] if language else "") + "\n"

    def block_math(self, text: str) -> str:
        """A formula on a line of its own."""
        return formula(text, display=True)

    def inline_math(self, text: str) -> str:
        """A formula in the text; GitHub also writes it with back quotes inside of the dollars."""
        return formula(text.strip("`"), display=False)

    def latex_environment(self, name: str, body: str) -> str:
        """A TeX environment without dollars."""
        return formula(environment(name, body), display=True)

    def block_html(self, html: str) -> str:
        """A block of HTML. What it could swallow of the document after it ends with the block."""
        if is_too_deep(html):
            return escape(html, quote=False)
        return without_links(html) if SWALLOWS.search(html) else html

    def inline_html(self, html: str) -> str:
        """A tag in a line."""
        return "" if SWALLOWS.search(html) else html

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """A picture of the repository or of the cell; one from elsewhere becomes a link to it."""
        alternative = re.sub(r"<[^<>]*>", "", text)
        if url.startswith("attachment:"):
            bundle = self.attachments.get(url.removeprefix("attachment:"), {})
            for mime in MIME:
                if mime in bundle and (found := self.document.pictures.store(bundle[mime])):
                    return picture_html(found.path, alternative, found.width, found.height)
        if re.match(r"[a-z]+://", url, re.IGNORECASE):
            return f'<a href="{escape(url)}">{alternative or "picture"}</a>'
        return picture_html(url, alternative)

    def table(self, text: str) -> str:
        """A table in a box that scrolls where the screen is narrow."""
        return f'<div class="table"><table>{text}</table></div>\n'

    def table_cell(self, text: str, align: str | None = None, head: bool = False) -> str:
        """A cell; its alignment is a class, as the site has no styles in its pages."""
        tag = "th" if head and text.strip() else "td"  # an empty heading names nothing
        return f"<{tag}{f' class={align}' if align else ''}>{text}</{tag}>\n"

    def task_list_item(self, text: str, checked: bool = False) -> str:
        """An item of a check list."""
        return f"<li>{'☑' if checked else '☐'} {text}</li>\n"


def picture_html(path: str, alternative: str, width: int = 0, height: int = 0) -> str:
    """An <img>, whose size is known before it is loaded where we know it."""
    size = f' width="{width}" height="{height}"' if width else ""
    return f'<img src="{escape(path)}" alt="{escape(unescape(alternative))}"{size}>'


def without_links(html: str) -> str:
    """A piece of HTML made safe and balanced, without its links, pictures and ids."""

    def nothing(value: str) -> None:
        return None

    return sanitise(html, link=nothing, picture=nothing, identity=nothing)


def is_dense(text: str) -> bool:
    """Whether a text is so full of opening marks that the parser, which tries each, would never end."""
    if max(text.count(r"\begin"), text.count(r"\\["), text.count(r"\\(")) > 500:
        return True
    return any(paragraph.count("[") > 3000 for paragraph in re.split(r"\n[ \t]*\n", text))


class Document:
    """One document while it is rendered: its place, its pictures, its headings."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.pictures = Pictures(place.media)
        self.headings: list[Heading] = []
        self.anchors: dict[str, int] = {}  # of headings, and how often each was numbered
        self.identities: set[str] = set()
        self.addresses: set[str] = set()  # what links and pictures lead to, after sanitising
        self.renderer = Renderer(self)
        self.parser = Markdown(
            self.renderer,
            block=MathBlockParser(),
            inline=InlineParser(),
            plugins=[import_plugin(name) for name in PLUGINS],
        )

    def __deepcopy__(self, memo: dict) -> "Document":
        """Itself: nbconvert works on copies of what it is given, and there is one document."""
        return self

    def add_heading(self, level: int, html: str) -> str:
        """The id of a new heading, without the prefix that sanitising puts before it."""
        text = unescape(re.sub(r"<[^<>]*>", "", html)).strip()
        anchor = name = slug(text)[:100]
        while anchor in self.anchors:
            self.anchors[name] += 1
            anchor = f"{name}-{self.anchors[name]}"
        self.anchors[anchor] = 0
        self.headings.append(Heading(level, f"{self.place.prefix}-{anchor}", text))
        return anchor

    def markdown(self, text: str, attachments: Mapping[str, Any] | None = None) -> str:
        """Markdown as safe HTML."""
        self.renderer.attachments = attachments or {}
        try:
            html = code_block(text) if is_dense(text) else self.parser.parse(text, BlockState())[0]
        except RecursionError:
            html = code_block(text)
        return self.safe(code_block(text) if is_too_deep(html) else html)

    def safe(self, html: str) -> str:
        """A piece of the document made safe; what it leaves open ends with it."""
        return sanitise(
            html,
            link=self.approved(self.place.link),
            picture=self.approved(self.picture_address),
            identity=self.identity,
        )

    def identity(self, value: str) -> str | None:
        """An id of the document as one of the page; the second of two equal ones is dropped."""
        value = f"{self.place.prefix}-{value}"
        if value in self.identities:
            return None
        self.identities.add(value)
        return value

    def approved(self, change: Change) -> Change:
        """The same change, which remembers its answers."""

        def answer(value: str) -> str | None:
            address = change(value)
            if address is not None:
                self.addresses.add(address)
            return address

        return answer

    def notebook(self, html: str) -> str:
        """The whole of a notebook, whose pieces are safe already: nothing new comes through."""
        return sanitise(
            html,
            link=lambda value: value if value in self.addresses else None,
            picture=lambda value: value if value in self.addresses else None,
            identity=lambda value: value if value.startswith(f"{self.place.prefix}-") else None,
            is_notebook=True,
        )

    def fragment(self, html: str) -> Fragment:
        """What is handed out."""
        return Fragment(html, dict(self.pictures.files), tuple(self.headings))

    def picture_address(self, source: str) -> str | None:
        """The address of a picture on the page: one the document carries, or one of the repository."""
        if source in self.pictures.files:
            return source
        if source[:5].lower() == "data:":
            found = self.pictures.store_url(source)
            return found and found.path
        path = self.place.repository_path(source)
        return (path and self.place.resolve(path)) or None


def render_markdown(text: str, place: Place) -> Fragment:
    """A markdown file as safe HTML; the front matter of a review is left out.

    >>> render_markdown("# Hi\\n$x$ <i onclick=x>y</i>", Place(prefix="readme")).html
    '<h2 id="readme-hi">Hi</h2>\\n<p><math><mi>x</mi></math> <i>y</i></p>\\n'
    """
    document = Document(place)
    return document.fragment(document.markdown(FRONT_MATTER.sub("", text)))
