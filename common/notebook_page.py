"""A notebook as one page that is whole without a network: its formulas are MathML, not scripts'.

It is for the reader's own machine. What is published is rendered by `common.course.site`, which
trusts no notebook.
"""

from collections.abc import Mapping
from typing import Any

from jinja2 import pass_context
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

from common.mathematics import environment, mathml

TEMPLATE = """{% extends "lab/index.html.j2" %}
{% block html_head_js %}{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}"""


class Renderer(IPythonRenderer):
    """Jupyter's markdown, with formulas that a browser draws itself."""

    def block_math(self, body: str) -> str:
        """A formula on a line of its own."""
        return mathml(body, display=True)

    def inline_math(self, body: str) -> str:
        """A formula in the text."""
        return mathml(body, display=False)

    def latex_environment(self, name: str, body: str) -> str:
        """A TeX environment without dollars."""
        return mathml(environment(name, body), display=True)


@pass_context
def markdown(context: Mapping[str, Any], source: str) -> str:
    """The filter of markdown cells and of outputs in markdown."""
    attachments = context.get("cell", {}).get("attachments", {})
    return MarkdownWithMath(Renderer(escape=False, attachments=attachments)).render(source)


def page(notebook: NotebookNode, *, title: str) -> str:
    """The HTML of an executed notebook; `title` is what the browser's tab says."""
    exporter = HTMLExporter(raw_template=TEMPLATE, filters={"markdown2html": markdown})
    html, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": title}})
    return html
