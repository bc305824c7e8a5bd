"""The texts inside of a file: behind escapes, in notebooks, pictures, archives and other binaries.

Text that a search of lines would not see: `\\u00e7` in JSON, a text chunk of a PNG, a picture in a
notebook's output, a member of a zip archive, the strings of a file of weights.
"""

import base64
import binascii
import bz2
import html
import io
import json
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from common.course.documents import DocumentError, decode

MAX_UNPACKED = 64 * 2**20
PNG = b"\x89PNG\r\n\x1a\n"
BZ2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
XZ = b"\xfd7zXZ\0"
CLOSED_STARTS = (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18")
CLOSED_NAMES = (
    ".7z",
    ".rar",
    ".zst",
    ".lz4",
    ".lzma",
    ".lz",
    ".tar.bz2",
    ".tar.xz",
    ".tbz2",
    ".txz",
)
SILENT_CHUNKS = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"pHYs", b"sRGB"}
JSON_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt])|u([0-9a-fA-F]{4}))')
CODE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})")
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,24});")
COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
DATA_ADDRESS = re.compile(r"data:(image/[\w.+-]+|application/pdf);base64,([A-Za-z0-9+/=]{40,})")
TAG = re.compile(r"<[^<>\n]{1,200}>")

# Runs of characters in bytes: UTF-8 (with Latin letters), Turkish Windows, UTF-16.
RUNS = (
    ("utf-8", re.compile(rb"(?:[\x20-\x7e]|[\xc2-\xc5][\x80-\xbf]){6,}")),
    ("cp1254", re.compile(rb"[\x20-\x7e\xc7\xe7\xd0\xf0\xdd\xfd\xd6\xf6\xde\xfe\xdc\xfc]{6,}")),
    ("utf-16-le", re.compile(rb"(?:[\x20-\x7e\xa0-\xff]\x00|[\x00-\x7f]\x01){6,}")),
    ("utf-16-be", re.compile(rb"(?:\x00[\x20-\x7e\xa0-\xff]|\x01[\x00-\x7f]){6,}")),
)
LONG = 16  # shorter runs of bytes look like addresses by chance


@dataclass(frozen=True)
class Piece:
    """A text found in a file. `place` is where in it, empty for the file's own lines.

    `is_noise`: bytes that may be text by chance, in which only known texts mean anything.
    """

    place: str
    text: str
    is_noise: bool = False
    is_closed: bool = False  # an archive that nobody could look into; the text is its name


def pieces(name: str, data: bytes, depth: int = 0) -> Iterator[Piece]:
    """Every text in a file's content."""
    if data.startswith(PNG):
        yield from png_pieces(data)
    elif data.startswith(b"PK\x03\x04") and depth < 3:
        yield from zip_pieces(name, data, depth)
    elif data.startswith(b"\x1f\x8b") and depth < 3:
        yield from within("unpacked", packed_name(name), unzipped(data, 31), depth)
    elif (BZ2.match(data) or data.startswith(XZ)) and depth < 3:
        unpacked = decompressed(data)
        if unpacked is None:
            yield Piece("archive", name, is_closed=True)
        else:
            yield from within("unpacked", packed_name(name), unpacked, depth)
    elif data[257:262] == b"ustar" and depth < 4:
        yield from tar_pieces(name, data, depth)
    elif data.startswith(CLOSED_STARTS) or name.lower().endswith(CLOSED_NAMES):
        yield Piece("archive", name, is_closed=True)
    elif data.startswith(b"%PDF"):
        yield from pdf_pieces(data)
    else:
        yield from text_pieces(name, data)


def packed_name(name: str) -> str:
    """The name of what is in a packed file: without its last ending."""
    return re.sub(r"\.(?:gz|bz2|xz)$", "", name, flags=re.IGNORECASE)


def decompressed(data: bytes) -> bytes | None:
    """What is in bzip2 or xz, all its streams; None if it is broken or too large."""
    unpacked = b""
    try:
        while data.startswith(XZ) or BZ2.match(data):
            stream = lzma.LZMADecompressor() if data.startswith(XZ) else bz2.BZ2Decompressor()
            unpacked += stream.decompress(data, MAX_UNPACKED - len(unpacked) + 1)
            if not stream.eof or len(unpacked) > MAX_UNPACKED:
                return None
            data = stream.unused_data.lstrip(b"\0")
    except (lzma.LZMAError, OSError, EOFError, ValueError):
        return None
    return unpacked if not data else None


def tar_pieces(name: str, data: bytes, depth: int) -> Iterator[Piece]:
    """The members of a tar archive, and whom they belong to."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                yield Piece("tar member", f"{member.name}\n{member.linkname}")
                yield Piece("tar member", f"{member.uname}\n{member.gname}")
                if file := archive.extractfile(member) if member.isreg() else None:
                    yield from within(member.name, member.name, file.read(), depth)
    except (tarfile.TarError, OSError, EOFError, ValueError):
        yield Piece("archive", name, is_closed=True)


def text_pieces(name: str, data: bytes) -> Iterator[Piece]:
    """A text file with its escapes resolved, line by line; of a binary file, its strings."""
    try:
        text = decode(data, name)
    except DocumentError:
        yield from strings(data)
        return
    is_json = name.endswith((".json", ".ipynb"))
    yield Piece("", plain(text, is_json=is_json))
    for match in DATA_ADDRESS.finditer(text):
        yield from picture(match[1], match[2], "embedded")
    if is_json:
        yield from json_pieces(text)


def plain(text: str, *, is_json: bool = False) -> str:
    """A text as a person sees it, line for line: escapes, entities and colours resolved."""
    if "\\" in text:
        text = JSON_ESCAPE.sub(json_character, text) if is_json else text
        text = CODE_ESCAPE.sub(lambda match: printable(int(match[1] or match[2], 16)), text)
    if "&" in text:
        text = ENTITY.sub(lambda match: html.unescape(match[0]).replace("\n", " "), text)
    return COLOUR.sub("", text) if "\x1b" in text else text


def json_character(match: re.Match[str]) -> str:
    """The character of a JSON escape; line breaks become spaces, so that lines keep their number."""
    if match[2]:
        return printable(int(match[2], 16))
    return match[1] if match[1] in '"\\/' else " "


def printable(code: int) -> str:
    """A character, or a space (an escape of the terminal stays)."""
    character = chr(code)
    return character if character.isprintable() or code == 0x1B else " "


def without_tags(text: str) -> str:
    """A text without its markup, line for line."""
    return TAG.sub(" ", text) if "<" in text else text


def json_pieces(text: str) -> Iterator[Piece]:
    """Texts that a JSON file breaks over lines, and the pictures in a notebook."""
    try:
        table = json.loads(text)
    except (ValueError, RecursionError):
        return
    cells = table.get("cells") if isinstance(table, dict) else None
    if not isinstance(cells, list):
        yield from joined(table, "")
        return
    for number, cell in enumerate(cells):  # as a review counts them
        yield from joined(cell, f"cell-{number}")
    yield from joined(table.get("metadata"), "metadata")


def joined(value: object, place: str) -> Iterator[Piece]:
    """Every text of a JSON value; lists of lines are put together, pictures are unpacked."""
    stack: list[tuple[str, object]] = [("", value)]
    while stack:
        name, value = stack.pop()
        if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
            value = "".join(value) if name != "names" else "\n".join(value)
        if isinstance(value, dict):
            stack += [(str(key), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            stack += [(name, inner) for inner in value]
        elif isinstance(value, str) and name.startswith(("image/", "application/pdf")):
            yield from picture(name, value, place)
        elif isinstance(value, str):
            yield Piece(place, plain(value))


def picture(kind: str, text: str, place: str) -> Iterator[Piece]:
    """What a picture in an output says besides its pixels."""
    try:
        data = base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError):
        data = b""
    if kind == "image/svg+xml" or not data:
        yield Piece(place, plain(text))
        return
    yield from within(f"{place} {kind}".strip(), "picture", data, 2)


def within(place: str, name: str, data: bytes, depth: int) -> Iterator[Piece]:
    """The texts of something unpacked, with the place it came from."""
    for piece in pieces(name, data, depth + 1):
        inner = f"{place}, {piece.place}" if piece.place else place
        yield Piece(inner, piece.text, piece.is_noise, piece.is_closed)


def png_pieces(data: bytes) -> Iterator[Piece]:
    """The chunks of a PNG that are no pixels, and what stands behind its end."""
    start = len(PNG)
    while start + 8 <= len(data):
        length = int.from_bytes(data[start : start + 4], "big")
        kind = data[start + 4 : start + 8]
        body = data[start + 8 : start + 8 + length]
        start += length + 12
        if kind not in SILENT_CHUNKS:
            yield from chunk_pieces(kind, body)
        if kind == b"IEND":
            break
    if start < len(data):
        yield from strings(data[start:], "behind the end of the PNG")


def chunk_pieces(kind: bytes, body: bytes) -> Iterator[Piece]:
    """The text of one chunk, unpacked if it is packed."""
    name = kind.decode("latin-1")
    keyword, _, rest = body.partition(b"\0")
    if kind == b"zTXt":
        rest = unzipped(rest[1:], 15)
    elif kind == b"iTXt":
        is_packed, rest = rest[:1] == b"\1", rest[2:]
        language, _, rest = rest.partition(b"\0")
        translated, _, rest = rest.partition(b"\0")
        rest = unzipped(rest, 15) if is_packed else rest
        rest = b" ".join((language, translated, rest))
    elif kind != b"tEXt":
        yield from strings(body, f"PNG chunk {name}")
        return
    place = f"PNG chunk {name} {keyword.decode('latin-1')[:40]}"
    text = rest.replace(b"\0", b" ")
    yield Piece(place, plain(f"{keyword.decode('latin-1')}: {decode(text)}"))


def zip_pieces(name: str, data: bytes, depth: int) -> Iterator[Piece]:
    """The members of a zip archive (also .npz and office files)."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield Piece("zip comment", archive.comment.decode("utf-8", "replace"))
            left = MAX_UNPACKED
            for member in archive.infolist():
                yield Piece("zip member", member.filename)
                left -= member.file_size
                if left > 0 and not member.is_dir():
                    content = archive.read(member)
                    yield from within(member.filename, member.filename, content, depth)
    except RuntimeError:  # a password, or a method that the library does not know
        yield Piece("archive", name, is_closed=True)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError):
        yield from strings(data)


def pdf_pieces(data: bytes) -> Iterator[Piece]:
    """The strings of a PDF and of its packed streams."""
    yield from strings(data)
    for match in re.finditer(rb"stream\r?\n(.*?)endstream", data, re.DOTALL):
        if unpacked := unzipped(match.group(1), 15):
            yield from strings(unpacked, "PDF stream")


def unzipped(data: bytes, bits: int) -> bytes:
    """Packed bytes unpacked, as far as they are whole and not too many."""
    try:
        return zlib.decompressobj(bits).decompress(data, MAX_UNPACKED)
    except zlib.error:
        return b""


def strings(data: bytes, place: str = "bytes") -> Iterator[Piece]:
    """What may be text in binary content; only long runs of plain characters surely are."""
    for encoding, pattern in RUNS:
        found = [match.decode(encoding, "replace") for match in pattern.findall(data)]
        if found:
            yield Piece(place, plain("\n".join(found)), is_noise=True)
        long = [text for text in found if len(text) >= LONG and encoding != "cp1254"]
        if long:
            yield Piece(place, plain("\n".join(long)))
