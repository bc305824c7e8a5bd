"""Nothing personal in a project: addresses, numbers, names that programs put into files unasked."""

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.course.checks import Context
from common.course.checks.code_units import NotebookLines
from common.course.checks.project_texts import pieces
from common.course.privacy import Private, find_private
from common.course.problems import Problem
from common.course.records import was_published

HINT = "take it out, here and from history (ask the instructor); people have public keys"
AUTHOR_FIELDS = frozenset(["author", "creator", "artist", "copyright", "owner", "e-mail", "email"])
PDF_AUTHOR = re.compile(rb"/Author\s{0,3}\(([^)]{1,200})\)")
MAX_METADATA = 2**20


def check(context: Context) -> Iterator[Problem]:
    """Every text, every name of a file, and the metadata of notebooks, pictures and weights."""
    for path in context.files:
        for private in find_private(path.rsplit("/", 1)[-1]):
            message = f"the file's name has a {private.kind}: {private.masked}"
            yield Problem(path, 0, code_of(private), message, "rename it; people have public keys")
    for piece in pieces(context):
        for private in find_private(piece.text):
            yield private_problem(piece.path, piece.line(private.line), private)
    for path in context.notebooks:
        notebook = context.notebook(path)
        if notebook is not None:
            yield from author_problems(path, notebook, NotebookLines(context.text(path) or ""))
    for path in context.files:
        full = context.root / path
        if full.is_file() and not full.is_symlink() and context.text(path) is None:
            yield from metadata_problems(path, full)
    yield from name_problems(context)


def private_problem(path: str, line: int, private: Private) -> Problem:
    """Something private as a problem; a public log must not repeat it, so it is masked."""
    message = f"a {private.kind}: {private.masked}"
    return Problem(path, line, code_of(private), message.replace("a e-", "an e-"), HINT)


def code_of(private: Private) -> str:
    """`personal.student-number` and the like."""
    return f"personal.{private.kind.replace('e-mail address', 'email').replace(' ', '-')}"


def author_problems(path: str, notebook: dict[str, Any], lines: NotebookLines) -> Iterator[Problem]:
    """Names and accounts in the metadata of a notebook: Jupyter's authors, Colab's user."""
    hint = "clear the notebook's metadata and save it again"
    for name in sorted(AUTHOR_FIELDS | {"authors"}):
        if notebook["metadata"].get(name):
            message = f"the notebook's metadata names people ({name})"
            yield Problem(path, lines.at(("metadata", name)), "personal.author", message, hint)
    for index, cell in enumerate(notebook["cells"]):
        execution = cell["metadata"].get("executionInfo")
        if isinstance(execution, dict) and execution.get("user"):
            line = lines.at(("cells", index, "metadata", "executionInfo", "user"))
            message = f"cell {index}: the metadata has the account of whoever ran it (Colab)"
            yield Problem(path, line, "personal.author", message, hint)
            return  # every cell has it: one message is enough


def metadata_problems(path: str, full: Path) -> Iterator[Problem]:
    """What pictures, PDFs and weights carry besides what they show."""
    hint = "save it again without metadata"
    for name, text in embedded_texts(full):
        for private in find_private(text):
            message = f"its metadata has a {private.kind}: {private.masked}"
            yield Problem(path, 0, code_of(private), message, hint)
        if name.lower() in AUTHOR_FIELDS and text.strip():
            message = f"its metadata names somebody ({name})"
            yield Problem(path, 0, "personal.author", message, hint)
        elif name == "EXIF":
            message = "its metadata has a camera's or phone's record (EXIF): place, time, owner"
            yield Problem(path, 0, "personal.exif", message, hint)


def embedded_texts(path: Path) -> Iterator[tuple[str, str]]:
    """The names and texts of a binary file's metadata, as far as it can be read by hand."""
    data = path.read_bytes()
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        yield from png_texts(data)
    elif data.startswith(b"\xff\xd8\xff"):
        if b"Exif\0\0" in data[:MAX_METADATA]:
            yield "EXIF", ""
    elif data.startswith(b"%PDF"):
        for found in PDF_AUTHOR.finditer(data):
            yield "author", found.group(1).decode("utf-8", "replace")
    elif path.suffix == ".safetensors" and len(data) > 8:
        length = min(struct.unpack("<Q", data[:8])[0], MAX_METADATA)
        yield "header", data[8 : 8 + length].decode("utf-8", "replace")


def png_texts(data: bytes) -> Iterator[tuple[str, str]]:
    """The text chunks of a PNG picture, and whether it has EXIF."""
    position = 8
    while position + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        body = data[position + 8 : position + 8 + min(length, MAX_METADATA)]
        name, _, rest = body.partition(b"\0")
        if kind == b"tEXt":
            yield name.decode("latin-1"), rest.decode("latin-1")
        elif kind == b"zTXt":
            yield name.decode("latin-1"), inflated(rest[1:]).decode("latin-1")
        elif kind == b"iTXt" and len(rest) > 2:
            text = rest[2:].split(b"\0", 2)[-1]
            text = inflated(text) if rest[0] else text
            yield name.decode("latin-1"), text.decode("utf-8", "replace")
        elif kind == b"eXIf":
            yield "EXIF", ""
        position += 12 + length


def inflated(data: bytes) -> bytes:
    """The beginning of compressed data; nothing if it is broken."""
    try:
        return zlib.decompressobj().decompress(data, MAX_METADATA)
    except zlib.error:
        return b""


def name_problems(context: Context) -> Iterator[Problem]:
    """Real names in project.toml, which only `dgm publish` writes, where consent is recorded."""
    if context.project is None or not context.project.group.names:
        return
    if was_published(context.root, context.slug):
        return
    path = context.path("project.toml")
    text = context.text(path) or ""
    lines = enumerate(text.split("\n"), 1)
    line = next((n for n, t in lines if re.match(r"\s*names\s*=", t)), 0)
    message = "group.names has real names; only `dgm publish` writes them, with consent"
    yield Problem(path, line, "personal.names", message, "take the line out; members are keys")
