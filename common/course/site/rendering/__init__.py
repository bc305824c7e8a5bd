"""Untrusted documents as HTML that is safe to publish: notebooks, markdown, mathematics, code.

Whatever comes out of a pull request goes through here on its way to a page. The order is the same for
every kind: TeX becomes MathML and code is highlighted while the document is rendered; pictures that
it carries become files; and as the last step `sanitise.py` keeps what an allow-list names. Nothing
needs a network, now or in the reader's browser.

    render_markdown(text, place)   README files, reviews, responses, verifications
    render_notebook(text, place)   a notebook with its outputs, by nbconvert's basic template
    render_code(text, name)        a source file whose lines are anchors
"""

from common.course.site.rendering.fragments import Fragment, Heading, Place
from common.course.site.rendering.highlight import render_code
from common.course.site.rendering.markdown import render_markdown
from common.course.site.rendering.notebook import render_notebook

__all__ = [
    "Fragment",
    "Heading",
    "Place",
    "render_code",
    "render_markdown",
    "render_notebook",
]
