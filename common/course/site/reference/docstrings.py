"""Docstrings as HTML: prose, code spans that lead to what they name, sections, examples."""

import re
from collections.abc import Iterable, Iterator

import mistune
from griffe import (
    DocstringElement,
    DocstringRaise,
    DocstringSectionKind,
    Function,
    NameResolutionError,
    Object,
)
from markupsafe import Markup
from mistune.plugins.url import url as bare_addresses

from common.course.site.pages import relative
from common.course.site.reference.package import Package
from common.course.site.rendering.highlight import code_block

NAMED = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*(?=\(.*\)$|$)", re.DOTALL)
EXAMPLE = re.compile(r"^( *)>>> .*(?:\n\1(?! *$).*)*", re.MULTILINE)
ITEMS = {
    DocstringSectionKind.parameters: "Arguments",
    DocstringSectionKind.attributes: "Attributes",
    DocstringSectionKind.raises: "Raises",
    DocstringSectionKind.returns: "Returns",
}


class Prose(mistune.HTMLRenderer):
    """Text of a docstring, whose only marks are code, lists, quotations of code and addresses."""

    def __init__(self, writer: "Writer", subject: Object):
        super().__init__(escape=True)
        self.writer, self.subject = writer, subject

    def codespan(self, text: str) -> str:
        """A code span; a link where it names something that is documented."""
        return self.writer.code(text, self.subject)

    def block_code(self, code: str, info: str | None = None) -> str:
        """A block of code or a session at Python's prompt."""
        language = "pycon" if info == "pycon" else "python" if looks_like_python(code) else "text"
        return code_block(code, language)


class Writer:
    """The docstrings of a package for one page, whose links are relative to it."""

    def __init__(self, package: Package, page: str):
        self.package, self.page = package, page

    def html(self, subject: Object) -> Markup:
        """The whole docstring of a module, class or function."""
        return Markup("").join(self.sections(subject))

    def summary(self, subject: Object) -> Markup:
        """Its first sentence's paragraph, without a paragraph around it."""
        text = subject.docstring.value.strip() if subject.docstring else ""
        return self.inline(text.split("\n\n")[0], subject)

    def sections(self, subject: Object) -> Iterator[Markup]:
        """Prose and lists in the docstring's order."""
        for section in subject.docstring.parsed if subject.docstring else ():
            if section.kind is DocstringSectionKind.text:
                yield self.prose(section.value, subject)
            elif section.kind in ITEMS:
                yield self.items(ITEMS[section.kind], section.value, subject)

    def items(self, title: str, entries: Iterable, subject: Object) -> Markup:
        """A list of arguments, attributes, errors or what is returned."""
        rows = []
        for entry in entries:
            text = self.prose(entry.description, subject)
            if title == "Returns":
                return Markup('<div class="list"><p class="list-title">Returns</p>{}</div>').format(
                    text
                )
            rows.append(Markup("<dt>{}</dt><dd>{}</dd>").format(self.term(entry, subject), text))
        body = Markup("").join(rows)
        return Markup('<div class="list"><p class="list-title">{}</p><dl>{}</dl></div>').format(
            title, body
        )

    def term(self, entry: DocstringElement, subject: Object) -> Markup:
        """What a line of a list is about: an argument, or errors, which have pages."""
        if not isinstance(entry, DocstringRaise):
            return Markup("<code>{}</code>").format(entry.name)
        names = str(entry.annotation or "").strip("()")  # several are a tuple to Python
        return Markup(", ").join(self.code(name, subject) for name in names.split(", "))

    def prose(self, text: str, subject: Object) -> Markup:
        """Paragraphs, lists, blocks of code and examples."""
        fenced = EXAMPLE.sub(fence, text)
        return Markup(self.markdown(subject)(re.sub(r"::$", ":", fenced, flags=re.MULTILINE)))

    def inline(self, text: str, subject: Object) -> Markup:
        """One paragraph, without a paragraph around it."""
        html = self.markdown(subject)(text).strip()
        return Markup(html.removeprefix("<p>").removesuffix("</p>"))

    def markdown(self, subject: Object) -> mistune.Markdown:
        """Markdown without emphasis, HTML and escapes: `*event` and `x_1` stay as they are."""
        inline = mistune.InlineParser()
        inline.rules = ["codespan"]
        block = mistune.BlockParser()
        block.rules = ["blank_line", "fenced_code", "indent_code", "list"]
        return mistune.Markdown(
            Prose(self, subject), block=block, inline=inline, plugins=[bare_addresses]
        )

    def code(self, text: str, subject: Object) -> Markup:
        """A piece of code, a link where it names something that is documented."""
        shown = Markup("<code>{}</code>").format(text)
        place = self.named(text, subject)
        return shown if place is None else Markup('<a href="{}">{}</a>').format(place, shown)

    def named(self, text: str, subject: Object) -> str | None:
        """The link to what a piece of code names, seen from the subject; None if it names nothing."""
        found = NAMED.match(text.strip())
        if found is None or is_argument(found[0], subject):
            return None
        first, _, rest = found[0].partition(".")
        try:
            path = subject.resolve(first)
        except NameResolutionError:
            path = first
        place = self.package.place(f"{path}.{rest}" if rest else path)
        if place is None or place.endswith(f"#{subject.path}"):
            return None
        if "#" not in place and not rest:  # a bare word is no module, though one may be called so
            return None
        return relative(self.page, place)


def is_argument(name: str, subject: Object) -> bool:
    """Whether a name is an argument of the function that is explained."""
    made = subject.members.get("__init__") if subject.is_class else subject
    return isinstance(made, Function) and name in [each.name for each in made.parameters]


def fence(example: re.Match) -> str:
    """A session at Python's prompt, marked as code."""
    lines = [line.removeprefix(example[1]) for line in example[0].split("\n")]
    return "\n".join(["", "```pycon", *lines, "```", ""])


def looks_like_python(code: str) -> bool:
    """Whether a block is Python, and not a table or a command."""
    try:
        compile(code, "docstring", "exec", flags=0x400)  # ast.PyCF_ONLY_AST
    except (SyntaxError, ValueError):
        return False
    return bool(re.search(r"[=(]", code))
