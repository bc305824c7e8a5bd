"""The last step of every untrusted document: what an allow-list does not name does not come out.

nh3 (ammonia) parses the HTML as a browser does and writes it anew. What is kept is text, tables,
lists, pictures of the site, MathML and highlighted code. Never kept: scripts, styles, frames, forms,
SVG, navigation, headings of the page's own level, classes and ids of the site (every id gets the
document's prefix), and links with a scheme other than http, https or mailto.
"""

import re
from collections.abc import Callable

import nh3

from common.course.site.rendering import highlight

TEXT = (
    "a abbr b bdi bdo blockquote br cite code dd del details dfn div dl dt em figcaption figure h2 h3 h4 "
    "h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby s samp section small span strong sub summary sup u ul "
    "var wbr"
)
TABLE = "table caption colgroup col thead tbody tfoot tr th td"
MATHS = (
    "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover "
    "mmultiscripts mprescripts mtable mtr mtd mstyle mpadded mphantom merror"
)
TAGS = frozenset(f"{TEXT} {TABLE} {MATHS}".split())
DROPPED_WITH_CONTENT = frozenset(
    [
        "script",
        "style",
        "svg",
        "template",
        "noscript",
        "noembed",
        "noframes",
        "iframe",
        "object",
        "embed",
        "applet",
        "title",
        "textarea",
        "select",
        "xmp",
        "plaintext",
        "video",
        "audio",
        "canvas",
    ]
)
ATTRIBUTES = {
    "a": {"href", "title", "id"},
    "abbr": {"title"},
    "bdo": {"dir"},
    "col": {"span"},
    "colgroup": {"span"},
    "details": {"open"},
    "img": {"src", "alt", "title", "width", "height", "id"},
    "li": {"id", "value"},
    "ol": {"start", "reversed", "type"},
    "td": {"colspan", "rowspan", "headers"},
    "th": {"colspan", "rowspan", "headers", "scope", "abbr"},
    **{name: {"id"} for name in ("div", "span", "p", "sup", "section", "figure", "table", "tr")},
    **{f"h{level}": {"id"} for level in range(2, 7)},
    "math": {"display"},
    "mo": set(
        [
            "stretchy",
            "lspace",
            "rspace",
            "minsize",
            "maxsize",
            "form",
            "fence",
            "separator",
            "largeop",
            "movablelimits",
            "symmetric",
            "accent",
        ]
    ),
    "mi": {"mathvariant"},
    "mspace": {"width"},
    "mfrac": {"displaystyle", "linethickness"},
    "mover": {"accent"},
    "munder": {"accentunder"},
    "munderover": {"accent", "accentunder"},
    "mtable": {"displaystyle", "scriptlevel"},
    "mtd": {"columnspan", "rowspan"},
    "mstyle": {"displaystyle", "scriptlevel"},
}
PLAYER = {"audio": {"src", "controls", "preload", "aria-label"}}
MATHS_CLASSES = {"math-right", "math-left", "math-gap", "math-back", "math-margin", "math-wide"}
ANSI = {
    f"ansi-{colour}{intense}-{ground}"
    for colour in ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
    for intense in ("", "-intense")
    for ground in ("fg", "bg")
} | {"ansi-bold", "ansi-underline", "ansi-default-inverse-fg", "ansi-default-inverse-bg"}
CLASSES = {
    "span": set(highlight.CLASSES) | ANSI,
    "div": {"highlight", "table"},
    "section": {"footnotes"},
    "code": {"tex"},
    "table": {"dataframe"},
    "td": {"left", "center", "right"},
    "th": {"left", "center", "right"},
    "mtable": MATHS_CLASSES,
    "mtd": MATHS_CLASSES,
    "mspace": MATHS_CLASSES,
}
NOTEBOOK = (  # of nbconvert's basic template
    "cell code_cell text_cell input inner_cell input_area prompt input_prompt output_prompt "
    "output_wrapper output output_area output_subarea output_text output_stream output_stdout "
    "output_stderr output_error output_html output_markdown output_execute_result"
)
NOTEBOOK_CLASSES = CLASSES | {"div": CLASSES["div"] | set(NOTEBOOK.split())}
NUMBERS = {  # the largest value of each attribute that is a count or a size in pixels
    "width": 4000,
    "height": 4000,
    "colspan": 100,
    "rowspan": 100,
    "columnspan": 100,
    "span": 100,
    "start": 10_000,
    "value": 10_000,
}
LENGTH = re.compile(
    r"0|-?[0-3]?(\.\d{1,9})?em"
)  # mathematics may shift things, but not over the page
LENGTHS = {"lspace", "rspace", "minsize", "maxsize", "linethickness"}
MAX_DEPTH = 60
TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]*)")
VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
    ]
)
BARE_AMPERSAND = re.compile(r"&(?![#a-zA-Z])")

Change = Callable[[str], str | None]


def sanitise(
    html: str, *, link: Change, picture: Change, identity: Change, is_notebook: bool = False
) -> str:
    """The part of an HTML fragment that may be published, as balanced HTML.

    `link`, `picture` and `identity` give what stands for an href, an src and an id on the page, or
    None. The classes of a notebook's frame, and players of sounds, are kept only where the fragment
    is one: its pieces, which others wrote, were made safe before and have neither.
    """

    def keep(tag: str, name: str, value: str) -> str | None:
        if name == "href":
            return link(value)
        if name == "src":
            return picture(value)
        if name in LENGTHS or (name == "width" and tag == "mspace"):
            return value if LENGTH.fullmatch(value) else None
        if name in NUMBERS:
            return value if value.isdecimal() and int(value[:9]) <= NUMBERS[name] else None
        if name == "id":
            return identity(value) if re.fullmatch(r"[\w:.-]{1,200}", value) else None
        if name == "mathvariant":
            return value if value == "normal" else None
        if name == "scriptlevel":  # a negative one makes letters as large as one likes
            return value if re.fullmatch(r"\+?[0-3]", value) else None
        return value

    return nh3.clean(
        BARE_AMPERSAND.sub("&amp;", html),
        tags=set(TAGS) | (PLAYER.keys() if is_notebook else set()),
        clean_content_tags=set(DROPPED_WITH_CONTENT) - (PLAYER.keys() if is_notebook else set()),
        attributes=ATTRIBUTES | (PLAYER if is_notebook else {}),
        attribute_filter=keep,
        allowed_classes=NOTEBOOK_CLASSES if is_notebook else CLASSES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        generic_attribute_prefixes=set(),
        strip_comments=True,
    )


def is_too_deep(html: str) -> bool:
    """Whether elements are nested so deeply that no honest document is, as unclosed ones are.

    Parsing such HTML takes time that grows with the square of its length.
    """
    depth = 0
    for closing, name in TAG.findall(html):
        if name.lower() in VOID:
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        if depth > MAX_DEPTH:
            return True
    return False
