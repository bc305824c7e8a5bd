"""The pictures that a link to a page shows elsewhere (Open Graph): 1200 x 630 pixels, PNG."""

import importlib.util
import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from common.course.site.entries import Entry
from common.course.site.pages import NAME, File, Site
from common.course.site.parts import Part

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

WIDTH, HEIGHT, MARGIN = 1200, 630, 60
PICTURE = 460  # side of the square that the samples stand in
PAGE, INK, SOFT, LINE, ACCENT = "#fcfcfb", "#1b1d20", "#51575e", "#d5d8dc", "#0b4f9c"
MET = "#14592c"
SITE_CARD = "cards/site.png"
LONGEST = 300  # characters of a title
MAX_PIXELS = 40_000_000  # a picture with more is not opened


def card_path(entry: Entry) -> str:
    """The card of a project."""
    return f"cards/{entry.slug}.png"


def parts(site: Site) -> Iterator[Part]:
    """The card of each project, made from its files, and the one of all other pages."""
    for entry in site.entries:
        names = ("project.toml", "results/*.json")
        inputs = [path for name in names for path in sorted(entry.project.folder.glob(name))]
        yield Part(
            f"card.{entry.slug}",
            (*inputs, *picture(site, entry)),
            partial(card, site, entry),
            (entry.picture,),
        )
    shown = site.entries[:6]
    inputs = [path for entry in shown for path in picture(site, entry)]
    tables = [entry.project.folder / "project.toml" for entry in site.entries]
    yield Part("card.site", (*tables, *inputs), partial(site_card, site))


def card(site: Site, entry: Entry) -> Iterator[File]:
    """A project: its title, paper, goals and samples."""
    image, draw = sheet()
    text_width = WIDTH - 2 * MARGIN
    for path in picture(site, entry):
        text_width -= PICTURE + MARGIN
        place(image, path, (WIDTH - MARGIN - PICTURE, (HEIGHT - PICTURE) // 2, PICTURE, PICTURE))
    x, paper = MARGIN, entry.project.paper
    write(draw, (x, MARGIN), [entry.project.family.upper()], 24, SOFT)
    title, size = fitted(entry.project.title, text_width, lines=4)
    y = write(draw, (x, MARGIN + 48), title, size, INK, bold=True)
    names = paper["authors"]
    names = ", ".join(names) if len(names) < 4 else f"{names[0]} and {len(names) - 1} others"
    about = wrapped(f"{names}, {paper['year']}", 28, text_width)[:2]
    write(draw, (x, y + 18), about, 28, SOFT)
    states = entry.states
    met = states.get("met", 0)
    if total := sum(states.values()):
        colour = MET if met == total else INK
        goals = f"{met} of {total} goal{'s' * (total > 1)} met"
        write(draw, (x, HEIGHT - MARGIN - 84), [goals], 32, colour, bold=True)
    write(draw, (x, HEIGHT - MARGIN - 28), [NAME], 24, ACCENT)
    yield File(card_path(entry), png(image))


def site_card(site: Site) -> Iterator[File]:
    """The whole site: what it is, and samples of the first projects."""
    image, draw = sheet()
    title, size = fitted(NAME, WIDTH - 3 * MARGIN - PICTURE, lines=3)
    y = write(draw, (MARGIN, MARGIN + 20), title, size, INK, bold=True)
    text = "Implemented from the papers, proved by laws, with numbers that anyone can recompute."
    lines = wrapped(text, 30, WIDTH - 3 * MARGIN - PICTURE)
    write(draw, (MARGIN, y + 24), lines, 30, SOFT)
    number = len(site.entries)
    count = f"{number} paper{'s' * (number != 1)}"
    write(draw, (MARGIN, HEIGHT - MARGIN - 32), [count], 28, ACCENT, bold=True)
    shown = [path for entry in site.entries for path in picture(site, entry)][:6]
    side = (PICTURE - 16) // 2
    for at, path in enumerate(shown):
        column, row = at % 2, at // 2
        left, top = WIDTH - MARGIN - PICTURE + column * (side + 16), 36 + row * 190
        place(image, path, (left, top, side, 174))
    yield File(SITE_CARD, png(image))


def picture(site: Site, entry: Entry) -> tuple[Path, ...]:
    """The file of a project's samples, if it has one that can be shown."""
    shown = entry.picture
    if shown is None or shown.width * shown.height > MAX_PIXELS:
        return ()
    path = site.root / shown.path
    return (path,) if path.is_file() and not path.is_symlink() else ()


def sheet() -> "tuple[Image, ImageDraw]":
    """An empty card and a pen."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, HEIGHT), PAGE)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, HEIGHT - 12, WIDTH, HEIGHT), fill=ACCENT)
    return image, draw


def place(image: "Image", path: Path, box: tuple[int, int, int, int]) -> None:
    """A picture on white in the middle of a box (left, top, width, height); none that is damaged."""
    from PIL import Image

    left, top, width, height = box
    try:
        with Image.open(path, formats=["PNG"]) as opened:
            shown = opened.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return
    paper = Image.new("RGBA", shown.size, "white")
    paper.alpha_composite(shown)
    scale = min(width / shown.width, height / shown.height)
    size = (max(1, round(shown.width * scale)), max(1, round(shown.height * scale)))
    small = paper.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    corner = (left + (width - size[0]) // 2, top + (height - size[1]) // 2)
    image.paste(
        LINE, (corner[0] - 1, corner[1] - 1, corner[0] + size[0] + 1, corner[1] + size[1] + 1)
    )
    image.paste(small, corner)


def write(
    draw: "ImageDraw",
    corner: tuple[int, int],
    lines: Sequence[str],
    size: int,
    colour: str,
    *,
    bold: bool = False,
) -> int:
    """Lines of text below each other; returns where the next would begin."""
    x, y = corner
    for line in lines:
        draw.text((x, y), line, fill=colour, font=font(size, bold))
        y += round(size * 1.25)
    return y


def fitted(text: str, width: int, *, lines: int) -> tuple[list[str], int]:
    """A title in the largest size in which it takes no more lines than these; cut if in none."""
    for size in range(52, 31, -4):
        rows = wrapped(text[:LONGEST], size, width, bold=True)
        if len(rows) <= lines:
            return rows, size
    return [*rows[: lines - 1], rows[lines - 1][:-1] + "…"], size


def wrapped(text: str, size: int, width: int, *, bold: bool = False) -> list[str]:
    """A text in lines of at most a width; a word that is wider is broken."""
    rows: list[str] = []
    for word in text.split():
        joined = f"{rows[-1]} {word}" if rows else word
        if rows and font(size, bold).getlength(joined) <= width:
            rows[-1] = joined
            continue
        while len(word) > 1 and font(size, bold).getlength(word) > width:
            ends = range(2, len(word))
            kept = 1 + bisect_right(
                ends, width, key=lambda end: font(size, bold).getlength(word[:end])
            )
            rows.append(word[:kept])
            word = word[kept:]
        rows.append(word)
    return rows or [""]


@cache
def font(size: int, bold: bool) -> "FreeTypeFont":
    """DejaVu Sans, which comes with matplotlib; the font of Pillow where there is none."""
    from PIL import ImageFont

    found = importlib.util.find_spec("matplotlib")
    for folder in found.submodule_search_locations or () if found else ():
        name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
        path = Path(folder) / "mpl-data" / "fonts" / "ttf" / name
        if path.is_file():
            return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
    return ImageFont.load_default(size)


def png(image: "Image") -> bytes:
    """A card as a PNG of at most 256 colours, which nobody tells from more."""
    from PIL import Image

    buffer = io.BytesIO()
    small = image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    small.save(buffer, "PNG")
    return buffer.getvalue()
