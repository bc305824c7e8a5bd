"""A committed notebook as safe HTML: nbconvert's basic template around our own rendering of its parts.

Nothing is executed. Pictures and sounds become files. Of an output's forms the first of OUTPUTS that
it has is shown; scripts, widgets, SVG and PDF never are: where an output has nothing else, a line
says so.
"""

import copy
import json
from collections.abc import Mapping
from functools import lru_cache
from html import escape
from typing import Any

import nbformat
from jinja2 import pass_context
from nbconvert import HTMLExporter, TemplateExporter

from common.course.site.rendering.fragments import Fragment, Place
from common.course.site.rendering.highlight import code_block
from common.course.site.rendering.markdown import Document, picture_html
from common.course.site.rendering.pictures import MIME
from common.course.site.rendering.sanitise import is_too_deep
from common.course.site.rendering.sounds import player_html, store_player
from common.errors import UserError
from common.notebooks import schema_faults

OUTPUTS = ("text/html", "text/markdown", *MIME, "text/latex", "text/plain")
MAX_CHARACTERS = 50_000


def render_notebook(text: str, place: Place) -> Fragment:
    """A notebook of format 4 as safe HTML; raises UserError if the text is not one."""
    document = Document(place)
    html, _ = exporter().from_notebook_node(
        prepared(parsed(text), document), {"document": document}
    )
    return document.fragment(document.notebook(html))


def parsed(text: str) -> nbformat.NotebookNode:
    """The notebook of a file's text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"is not a notebook: {error!r}; save it with Jupyter again.") from error
    if fault := next(iter(schema_faults(value)), None):
        raise UserError(f"{fault}.")
    return nbformat.from_dict(value)


class Exporter(HTMLExporter):
    """nbconvert's basic HTML without its last step, which parses all of it again for alternative texts.

    Our pictures have theirs, and the second parse took two thirds of the time.
    """

    def from_notebook_node(
        self, nb: nbformat.NotebookNode, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        """The notebook through the template."""
        return TemplateExporter.from_notebook_node(self, nb, self._init_resources(resources), **kw)


@lru_cache(maxsize=1)
def exporter() -> Exporter:
    """The exporter with our markdown and code; made once, used for every notebook."""
    made = Exporter(template_name="basic", default_preprocessors=[])
    made.register_filter("markdown2html", markdown_cell)
    made.register_filter("highlight_code", code_cell)
    made.register_filter("strip_files_prefix", unchanged)
    made.register_filter("clean_html", unchanged)  # all of the page is sanitised once, at the end
    made.register_filter("filter_data_type", unchanged)  # an output has one form by now
    return made


def unchanged(value: Any) -> Any:
    """A filter that does nothing."""
    return value


@pass_context
def markdown_cell(context: Mapping[str, Any], source: str) -> str:
    """The filter of markdown cells and markdown outputs."""
    attachments = context.get("cell", {}).get("attachments", {})
    return context["resources"]["document"].markdown(source, attachments)


def code_cell(source: str, metadata: Mapping[str, Any] | None = None) -> str:
    """The filter of code cells; lines of magic are Python to the eye."""
    return code_block(source, "ipython3")


def prepared(notebook: nbformat.NotebookNode, document: Document) -> nbformat.NotebookNode:
    """A copy whose every output has one form, short enough to show, its pictures stored as files."""
    notebook = copy.deepcopy(notebook)
    section = "the beginning"
    for cell in notebook.cells:
        text = "".join(cell.source)
        cell.source = text
        if cell.cell_type == "markdown":
            titles = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]
            section = titles[-1] if titles else section
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = shortened("".join(output.text))
            elif output.output_type == "error":
                output.traceback = [shortened(line) for line in output.traceback]
            else:
                kind, shown = one_form(output, cell, document, section)
                output.data = nbformat.from_dict({kind: shown})
                output.metadata = nbformat.from_dict({})
    return notebook


def one_form(output: Any, cell: Any, document: Document, section: str) -> tuple[str, str]:
    """The kind and the content of what is shown of an output."""
    for kind in OUTPUTS:
        if kind not in output.data:
            continue
        content = output.data[kind]
        content = "".join(content) if isinstance(content, list) else str(content)
        if kind in MIME:
            picture = document.pictures.store(content)
            if picture is None:
                continue
            described = output.metadata.get(kind, {})
            described = described.get("alt") if isinstance(described, dict) else None
            text = described or cell.metadata.get("alt") or f"Output of a cell in “{section}”"
            image = picture_html(picture.path, escape(str(text)), picture.width, picture.height)
            return "text/html", document.safe(image)
        if kind == "text/html":
            if sound := store_player(content, document.pictures):
                document.addresses.add(sound)
                return kind, player_html(sound, f"Sound of a cell in “{section}”")
            html = code_block(shortened(content)) if is_too_deep(content) else content
            return kind, document.safe(html)
        if kind == "text/latex":
            return "text/markdown", content
        return kind, shortened(content) if kind == "text/plain" else content
    kinds = ", ".join(sorted(output.data)) or "nothing"
    return "text/plain", f"(an output that a page does not show: {shortened(kinds)[:200]})"


def shortened(text: str) -> str:
    """Text of a reasonable length; what is left out is said."""
    if len(text) <= MAX_CHARACTERS:
        return text
    return f"{text[:MAX_CHARACTERS]}\n(... {len(text) - MAX_CHARACTERS:,} more characters)"
