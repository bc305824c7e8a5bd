"""README.md: its sections, the markers of the results table, and links that lead somewhere."""

import posixpath
import re
from collections.abc import Iterator
from urllib.parse import unquote

from common.course.checks import Context
from common.course.documents import FENCE, HEADING, next_fence
from common.course.problems import Problem
from common.projects import FILL
from common.results import BEGIN, END

NAME = "README.md"
SECTIONS = {
    "Results": (r"result", "with the generated table between its two markers"),
    "Run it": (
        r"\brun|usage|\buse\b|how to|reproduc|quick|start|install",
        "the commands that train, evaluate and reproduce",
    ),
    "Deviations from the paper": (
        r"deviat|differ|depart|chang|unlike",
        "what is not as in the paper, and why",
    ),
}
TARGET = re.compile(r"\]\(\s*<?([^()\s<>]+)")
IMAGE = re.compile(r"!\[([^\]]*)\]\(\s*<?([^()\s<>]+)")
HTML_IMAGE = re.compile(r"<img\b[^>]*?\bsrc\s*=\s*[\"']([^\"'>]+)", re.IGNORECASE)
DEFINITION = re.compile(r"^\s{0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)")
INLINE_CODE = re.compile(r"(`+).*?\1")
EXTERNAL = re.compile(r"^(?:[a-zA-Z][a-zA-Z0-9+.-]*:|//)")
ADDRESS = re.compile(r"https?://[^\s<>()\"'\]]+")
PAPER_HOSTS = re.compile(
    r"arxiv\.org|doi\.org|openreview\.net|proceedings|jmlr\.org|thecvf\.com|aclanthology"
)


def check(context: Context) -> Iterator[Problem]:
    """The public face of a project."""
    path = context.path(NAME)
    text = context.text(path) if context.has(NAME) else None
    if text is None:
        hint = "copy templates/project/README.md; it is what the public sees first"
        yield Problem(path, 0, "readme.missing", f"{NAME} is missing", hint)
        return
    prose = list(prose_lines(text))
    yield from section_problems(path, prose)
    yield from marker_problems(path, text)
    yield from paper_problems(context, path, text)
    yield from link_problems(context, path, prose)


def prose_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines outside fenced code with their numbers, inline code taken out."""
    fence = ""
    for number, line in enumerate(text.split("\n"), 1):
        if mark := FENCE.match(line):
            fence = next_fence(fence, mark.group(1), line)
        elif not fence:
            yield number, INLINE_CODE.sub("", line)


def section_problems(path: str, prose: list[tuple[int, str]]) -> Iterator[Problem]:
    """A title and the sections that every README has."""
    found = [(len(m.group(1)), m.group(2)) for _, line in prose if (m := HEADING.match(line))]
    if not any(level == 1 for level, _ in found):
        yield Problem(path, 1, "readme.title", "there is no title, expected a line: # TITLE")
    for name, (words, content) in SECTIONS.items():
        if not any(level > 1 and re.search(words, title, re.IGNORECASE) for level, title in found):
            message = f"no section {name!r}: {content}"
            yield Problem(path, 0, "readme.section", message, f"add a heading: ## {name}")


def marker_problems(path: str, text: str) -> Iterator[Problem]:
    """Both markers of the results table, once, in order."""
    counts = text.count(BEGIN), text.count(END)
    if counts != (1, 1) or text.index(BEGIN) > text.index(END):
        message = "the results table needs its two markers, once each and in order"
        hint = f"put the lines {BEGIN} and {END} below Results, then `dgm check --fix`"
        line = text.count("\n", 0, text.find(BEGIN)) + 1 if BEGIN in text else 0
        yield Problem(path, line, "readme.markers", message, hint)


def paper_problems(context: Context, path: str, text: str) -> Iterator[Problem]:
    """A link to the paper, to where project.toml says it is."""
    if context.project is None:
        return
    addresses = [address.rstrip(".,;") for address in ADDRESS.findall(text)]
    url = context.project.paper.url
    if any(plain_address(address) == plain_address(url) for address in addresses):
        return
    others = [address for address in addresses if PAPER_HOSTS.search(address)]
    if others:
        message = f"the paper's address in project.toml, {url}, is not linked"
        yield Problem(path, 0, "readme.paper", message, f"found {others[0]}", "warning")
    else:
        yield Problem(path, 0, "readme.paper", "there is no link to the paper", f"expected {url}")


def plain_address(url: str) -> str:
    """An address without what does not matter: scheme, www, version, pdf or abstract page."""
    url = re.sub(r"^https?://(www\.)?", "", url.strip().casefold()).rstrip("/")
    url = url.removesuffix(".pdf").replace("arxiv.org/pdf/", "arxiv.org/abs/")
    return re.sub(r"(arxiv\.org/abs/\S+?)v\d+$", r"\1", url)


def link_problems(context: Context, path: str, prose: list[tuple[int, str]]) -> Iterator[Problem]:
    """Pictures and relative links lead to files of the tree; pictures have a description."""
    pictures = 0
    for number, line in prose:
        images = [target for _, target in IMAGE.findall(line)] + HTML_IMAGE.findall(line)
        pictures += len(images)
        targets = dict.fromkeys([*images, *TARGET.findall(line), *DEFINITION.findall(line)])
        for target in targets:
            if fault := target_fault(context, target):
                kind = "picture" if target in images else "link"
                message = f"the {kind} {target} leads nowhere: {fault}"
                hint = "links are relative to the README's folder, with capitals as in the name"
                yield Problem(path, number, f"readme.{kind}", message, hint)
        for alternative, target in IMAGE.findall(line):
            if not alternative.strip():
                message = f"the picture {target} has no description"
                hint = "![what it shows](...) is what a reader who cannot see it gets"
                yield Problem(path, number, "readme.description", message, hint, "warning")
    if not pictures:
        message = "there is no picture, expected samples or the figure that explains the paper"
        hint = f"`dgm sample {context.slug}` draws one; keep it in figures/"
        level = "fill" if FILL in (context.text(path) or "") else "warning"
        yield Problem(path, 0, "readme.no-picture", message, hint, level)


def target_fault(context: Context, target: str) -> str:
    """Why a link leads nowhere; "" if it leads somewhere or out of the repository."""
    if EXTERNAL.match(target) or target.startswith("#"):
        return ""
    name = unquote(target.split("#")[0].split("?")[0])
    base = "" if name.startswith("/") else context.folder
    place = posixpath.normpath(posixpath.join(base, name.lstrip("/")))
    if place == ".." or place.startswith("../"):
        return "it leaves the repository"
    if place in context.files:
        return ""
    try:
        is_there = (context.root / place).exists()
    except (OSError, ValueError):
        is_there = False
    if not is_there:
        return "there is no such file"
    is_ours = place.startswith(f"{context.folder}/") and not (context.root / place).is_dir()
    return "git ignores the file, so others do not get it" if is_ours else ""
