"""Pictures that a document carries in itself: checked, and turned into files beside the page."""

import base64
import binascii
import hashlib
import io
import re
from dataclasses import dataclass, field

from PIL import Image, UnidentifiedImageError

KINDS = {"PNG": "png", "JPEG": "jpg", "GIF": "gif", "WEBP": "webp"}
MIME = ("image/png", "image/gif", "image/jpeg", "image/webp")
MAX_SIDE = 10_000
DATA = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,", re.IGNORECASE)


@dataclass(frozen=True)
class Picture:
    """A picture that was stored: its path relative to the page, and its size in pixels."""

    path: str
    width: int
    height: int


@dataclass
class Pictures:
    """The pictures of one document; equal ones are stored once, under a name made of their content."""

    folder: str
    files: dict[str, bytes] = field(default_factory=dict)

    def store(self, text: str) -> Picture | None:
        """A base64 picture as a file; None if it is not a PNG, JPEG, GIF or WebP picture.

        What follows a picture in its file is kept: it is only ever shown as a picture, and named so.
        """
        try:
            data = base64.b64decode("".join(text.split()), validate=True)
            with Image.open(io.BytesIO(data), formats=tuple(KINDS)) as image:
                kind, (width, height) = KINDS[image.format], image.size
        except (binascii.Error, ValueError, UnidentifiedImageError, OSError, SyntaxError):
            return None
        except Image.DecompressionBombError:
            return None
        if max(width, height) > MAX_SIDE:
            return None
        path = f"{self.folder}/{hashlib.sha256(data).hexdigest()[:16]}.{kind}"
        self.files[path] = data
        return Picture(path, width, height)

    def store_url(self, url: str) -> Picture | None:
        """The picture of a data: address."""
        match = DATA.match(url)
        return self.store(url[match.end() :]) if match else None
