"""Text files: UTF-8, with Unix line ends and no byte-order mark."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from common.course.checks import Context
from common.course.problems import Problem

SUFFIXES = frozenset(
    [".py", ".md", ".toml", ".ipynb", ".json", ".yaml", ".yml", ".txt", ".bib", ".tex", ".cfg"]
)
BOM = b"\xef\xbb\xbf"


def check(context: Context) -> Iterator[Problem]:
    """The encoding of every text file."""
    for path in text_files(context):
        data = (context.root / path).read_bytes()
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            yield Problem(path, line, "text.encoding", "is not UTF-8", "save it as UTF-8")
            continue
        if data.startswith(BOM) or b"\r\n" in data:
            message = "has a byte-order mark or Windows line ends"
            hint = "`dgm check --fix` takes them out"
            yield Problem(path, 0, "text.line-ends", message, hint, "warning", fixable=True)


def text_files(context: Context) -> Iterator[str]:
    """The paths of the project's text files, by their names; links are left out."""
    for path in context.files:
        full = context.root / path
        is_text = PurePosixPath(path).suffix.lower() in SUFFIXES
        if is_text and full.is_file() and not full.is_symlink():
            yield path
