"""Sounds that a notebook plays: MP3, proved to be it, and turned into files beside the page."""

import base64
import binascii
import hashlib
import io
import re
from html import escape

from common.course.site.rendering.pictures import Pictures

PLAYER = re.compile(  # what IPython.display.Audio shows of MP3, and nothing around it
    r'\s*<audio\s+controls="controls"\s*>\s*<source src="data:audio/mpeg;base64,([A-Za-z0-9+/=]+)"'
    r' type="audio/mpeg" />[\s\w.]*</audio>\s*',
)
MAX_BYTES = 2**21


def store_player(html: str, files: Pictures) -> str | None:
    """The path of the sound of a player, stored beside the page; None if the HTML is no player.

    Only what decodes as MP3 from the first byte is taken.
    """
    match = PLAYER.fullmatch(html)
    if match is None or len(match[1]) > 2 * MAX_BYTES:
        return None
    try:
        data = base64.b64decode(match[1], validate=True)
    except binascii.Error:
        return None
    if not is_mp3(data):
        return None
    path = f"{files.folder}/{hashlib.sha256(data).hexdigest()[:16]}.mp3"
    files.files[path] = data
    return path


def is_mp3(data: bytes) -> bool:
    """Whether the bytes are an MPEG stream, which begins with its sync word, and can be played."""
    import soundfile

    if data[:1] != b"\xff" or len(data) > MAX_BYTES:
        return False
    try:
        return soundfile.info(io.BytesIO(data)).format == "MP3"
    except soundfile.SoundFileError:
        return False


def player_html(path: str, label: str) -> str:
    """A player of a stored sound, which loads it when it is asked to play."""
    return (
        f'<audio controls="controls" preload="none" src="{escape(path)}" '
        f'aria-label="{escape(label)}"></audio>'
    )
