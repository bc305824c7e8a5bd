"""Files that are not what they seem, too large, or that would do something where they are shown."""

import io
import re
import struct
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from common import notebooks
from common.course.changes import Change
from common.course.checks.layout import (
    ARCHIVES,
    MAX_FILE_BYTES,
    MAX_WEIGHT_BYTES,
    PICTURES,
    WEIGHTS,
    megabytes,
)
from common.course.checks.weights import HINT, holds_pickle, stream_faults
from common.course.guarding.places import refusal
from common.course.problems import Problem

TEXTS = frozenset([".py", ".ipynb", ".md", ".toml", ".json", ".txt", ".bib", ".csv", ".tsv"])
TEXTS |= {".yaml", ".yml", ".tex"}
ACTIVE = frozenset(
    [".html", ".htm", ".xhtml", ".svg", ".svgz", ".js", ".mjs", ".css", ".wasm", ".swf", ".xml"]
)
SCRIPTS = frozenset([".sh", ".bash", ".bat", ".cmd", ".ps1", ".exe", ".so", ".dll", ".dylib"])
SCRIPTS |= {".pyc", ".pyd", ".pyo", ".pyx", ".c", ".cpp", ".cu", ".jar", ".whl", ".egg"}
MAX_REVIEW_BYTES = 256 * 2**10
MAX_TABLE_BYTES = 64 * 2**10
MAX_TEXT_BYTES = 8 * 2**20  # of all texts of a change; a project has one or two
MAX_HEADER_BYTES = 2**20
MAX_PIXELS = 40_000_000
SETTINGS = {"execution", "nbmake", "papermill", "skip-execution", "raises-exception"}
LFS = b"version https://git-lfs.github.com/spec/"

# Not `std::error::`, but after an escaped line end (`\\n::error::`), which ends in one letter.
COMMAND = re.compile(
    r"(?<![A-Za-z]{2})::(?:error|warning|notice|debug|group|endgroup|add-mask|add-path|set-output|set-env"
    r"|save-state|stop-commands|add-matcher|remove-matcher|echo)(?:\s[^\n]{0,400}?)?::"
    r"|##\[(?:error|warning|notice|debug|command|group|endgroup|section|add-mask|add-path"
    r"|set-output|set-env|save-state|stop-commands|add-matcher|remove-matcher|echo)\b",
    re.IGNORECASE,
)
MARKUP = re.compile(
    r"<\s*(?:script|iframe|object|embed|applet|base|form|meta|link)\b|javascript\s*:(?=\S)"
    r"|<[^>]{0,300}\son\w{3,20}\s*=|data\s*:\s*text/html",
    re.IGNORECASE,
)
DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
COLOUR = re.compile(r"\x1b\[[0-9;]{0,20}m")


def size_limit(path: str) -> int:
    """How many bytes a file may have."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".safetensors":
        return MAX_WEIGHT_BYTES
    if path.endswith("/project.toml"):
        return MAX_TABLE_BYTES
    if suffix == ".ipynb":
        return notebooks.MAX_BYTES
    return MAX_REVIEW_BYTES if path.startswith("reviews/") else MAX_FILE_BYTES


def size_problems(change: Change, size: int | None) -> Iterator[Problem]:
    """A file over its limit, which is not read; or one that git has no content of."""
    if size is None:
        message = "its content is not in the repository"
        yield refusal(change, "size.missing", message, "push it again")
    elif size > (limit := size_limit(change.path)):
        message = f"has {megabytes(size)}, expected at most {megabytes(limit)}"
        hint = "git keeps every version forever: leave it out, and rewrite the branch without it"
        yield refusal(change, "size.file", message, hint)


def kind_problems(change: Change, data: bytes) -> Iterator[Problem]:
    """A file of a kind that projects do not have, or whose content is of another kind."""
    suffix = PurePosixPath(change.path).suffix.lower()
    if suffix == ".safetensors":
        yield from weight_problems(change, data)
    elif holds_pickle(io.BytesIO(data), suffix):
        message = "holds pickled objects, which run code when they are loaded"
        yield refusal(change, "kind.pickle", message, HINT)
    elif data.startswith(LFS):
        message = "is a pointer of git LFS, not the file: what it stands for cannot be read"
        yield refusal(change, "kind.lfs", message, "add the file itself, if it is small enough")
    elif kind := next((k for magic, k in ARCHIVES.items() if is_archive(data, magic)), None):
        message = f"is {kind}, which cannot be read and reviewed"
        yield refusal(change, "kind.archive", message, "unpack it, or leave it out")
    elif suffix in PICTURES:
        yield from picture_problems(change, data)
    elif suffix in TEXTS:
        yield from encoding_problems(change, data)
    else:
        yield unknown_kind(change, suffix)


def unknown_kind(change: Change, suffix: str) -> Problem:
    """A file whose suffix is none of those that projects have."""
    hint = "keep .py, .ipynb, .md, .toml, .json, .safetensors, .png and the like"
    if suffix in WEIGHTS:
        return refusal(change, "kind.pickle", f"weights are .safetensors, not {suffix}", HINT)
    if suffix in ACTIVE:
        message = f"is {suffix}: a browser runs what is in it"
        return refusal(change, "kind.active", message, "pictures are .png; the site makes pages")
    if suffix in SCRIPTS:
        return refusal(change, "kind.program", f"is {suffix}: a program", "say it in Python")
    what = f"is {suffix}" if suffix else "has no suffix"
    return refusal(change, "kind.unknown", f"{what}, expected a kind of file we know", hint)


def is_archive(data: bytes, magic: bytes) -> bool:
    """Whether data begin as this kind does; two letters alone (MZ) may begin a text, too."""
    return data.startswith(magic) and (len(magic) > 2 or b"\0" in data[:512])


def weight_problems(change: Change, data: bytes) -> Iterator[Problem]:
    """A .safetensors file whose header does not agree with its size; no number is looked at."""
    length = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else -1
    if data.startswith(b"PK") or (length > MAX_HEADER_BYTES and data[:1] in b"\x80\x1f\x89"):
        message = "is named .safetensors, but is an archive or a pickle"
        yield refusal(change, "kind.weights", message, HINT)
    elif MAX_HEADER_BYTES < length <= len(data):
        message = f"has a header of {length:,} bytes, expected at most {MAX_HEADER_BYTES:,}"
        yield refusal(change, "kind.weights", message, HINT)
    else:
        for fault in stream_faults(io.BytesIO(data), len(data)):
            yield refusal(change, "kind.weights", fault, HINT)


def picture_problems(change: Change, data: bytes) -> Iterator[Problem]:
    """A picture that is none, has a program or an archive behind it, or unfolds to a huge one."""
    suffix = PurePosixPath(change.path).suffix.lower()
    if not data.startswith(PICTURES[suffix]):
        message = f"is named {suffix}, but its content is not"
        yield refusal(change, "kind.picture", message, "save it again in that format")
    elif zipfile.is_zipfile(io.BytesIO(data)):
        message = "is a picture and an archive in one"
        yield refusal(change, "kind.archive", message, "save the picture again")
    elif suffix == ".pdf" and re.search(
        rb"/(?:JavaScript|JS|Launch|EmbeddedFile|OpenAction)\b", data
    ):
        message = "is a PDF that does something when it is opened"
        yield refusal(change, "kind.active", message, "pictures are .png")
    elif pixels(data) > MAX_PIXELS:
        message = f"unfolds to {pixels(data):,} pixels, expected at most {MAX_PIXELS:,}"
        yield refusal(change, "size.picture", message, "a page shows 2,000 across at most")


def pixels(data: bytes) -> int:
    """How many pixels the header of a PNG or GIF promises; 0 for other formats."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width * height
    if data[:3] == b"GIF" and len(data) >= 10:
        width, height = struct.unpack("<HH", data[6:10])
        return width * height
    return 0


def encoding_problems(change: Change, data: bytes) -> Iterator[Problem]:
    """A text that is not plain UTF-8, so that people and programs see different things."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 at byte {error.start}"
        yield refusal(change, "text.encoding", message, "save it as UTF-8")
        return
    if found := DIRECTION.search(text):
        name = unicodedata.name(found.group())
        message = f"has {name}: the line reads differently from how it runs"
        yield placed(change, text, found.start(), "text.direction", message, "take it out")
    plain = COLOUR.sub("", text)
    control = next((c for c in plain if c < " " and c not in "\t\n\r"), None)
    if control is not None:
        message = f"has the control character {control!a}, which terminals obey"
        yield placed(change, text, text.index(control), "text.control", message, "take it out")


def said_problems(change: Change, text: str) -> Iterator[Problem]:
    """A text, or a part of a notebook, that CI's log would take for its own commands."""
    if found := COMMAND.search(text):
        shown = found.group().strip()[:40]
        message = f"has {shown!r}, which GitHub takes for a command when it is printed"
        yield placed(change, text, found.start(), "text.forged", message, "take it out")


def placed(change: Change, text: str, position: int, code: str, message: str, hint: str) -> Problem:
    """A refusal on the line where it stands."""
    return Problem(change.path, text.count("\n", 0, position) + 1, code, message, hint)


def notebook_problems(change: Change, notebook: Mapping) -> Iterator[Problem]:
    """Settings that change how it is run, and programs for the reader's browser."""
    tags = {tag for cell in notebook["cells"] for tag in cell["metadata"].get("tags", [])}
    if found := sorted(SETTINGS & {*notebook["metadata"], *tags}):
        message = f"has the setting {found[0]}, which changes how CI runs it"
        yield refusal(change, "notebook.settings", message, "take it out of the metadata")
    for index, cell in enumerate(notebook["cells"]):
        outputs = cell.get("outputs", [])
        kinds = {kind for output in outputs for kind in output.get("data", {})}
        is_shown = [cell.get("outputs"), cell["source"] if cell["cell_type"] != "code" else ""]
        texts = ("".join(text) for text in joined_texts(is_shown))
        if bad := sorted(kind for kind in kinds if "javascript" in kind or "widget" in kind):
            message = f"cell {index}: an output is {bad[0]}, a program for the reader's browser"
        elif any(MARKUP.search(text) for text in texts):
            message = f"cell {index}: has markup that runs or fetches something in a browser"
        elif "image/svg+xml" in kinds:
            message = f"cell {index}: an output is SVG, in which a browser runs programs"
        else:
            continue
        yield refusal(change, "notebook.active", message, "show text and .png, and run it again")
        return


def joined_texts(value: object) -> Iterator[Sequence[str]]:
    """The texts in a JSON value; a list of lines is one."""
    if isinstance(value, str):
        yield (value,)
    elif isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from joined_texts(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if not name.startswith("image/") or name == "image/svg+xml":
                yield from joined_texts(item)
