"""Pictures: their sizes, so that a page does not jump, and small copies for the gallery."""

import io
import re
import struct
from dataclasses import dataclass
from pathlib import Path

CARD_WIDTH = 480
MAX_SIDE = 20_000  # beyond it, what a file says of its size is not believed
IMAGE = re.compile(r"!\[([^\]]*)\]\(\s*<?(figures/[\w.-]+\.png)>?\s*\)")


@dataclass(frozen=True)
class Picture:
    """A picture of a page: a path of the site, what it shows in words, its size in pixels."""

    path: str
    alt: str
    width: int
    height: int


def png_size(path: Path) -> tuple[int, int] | None:
    """Width and height of a PNG from its first bytes; None if it is none."""
    try:
        with path.open("rb") as file:
            head = file.read(24)
    except OSError:
        return None
    if len(head) < 24 or not head.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    width, height = struct.unpack(">II", head[16:24])
    return (width, height) if 0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE else None


def main_picture(folder: Path, readme: str) -> Picture | None:
    """The picture of samples that a README shows, else its first figure, with what it says it is."""
    shown = IMAGE.findall(readme)
    for alt, source in sorted(shown, key=lambda picture: picture[1] != "figures/samples.png"):
        is_inside = (
            (folder / source).resolve().is_relative_to(folder.resolve())
        )  # no link leads out
        if is_inside and (size := png_size(folder / source)):
            return Picture(f"projects/{folder.name}/{source}", alt, *size)
    return None


def card_picture(picture: Picture) -> Picture:
    """The small copy of a picture that the gallery shows."""
    width = min(picture.width, CARD_WIDTH)
    height = max(1, round(picture.height * width / picture.width))
    return Picture(f"{picture.path.removesuffix('.png')}.card.webp", picture.alt, width, height)


def card_bytes(path: Path, width: int, height: int) -> bytes:
    """A PNG as a small WebP."""
    from PIL import Image

    with Image.open(path) as image:
        small = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=82, method=4)
    return buffer.getvalue()
