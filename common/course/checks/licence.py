"""Who owns what: the repository's licence, the project's, and code that was borrowed."""

import difflib
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from common import schema
from common.course.checks import Context
from common.course.checks.code_units import NotebookLines
from common.course.problems import Problem
from common.notebooks import source
from common.projects import Borrowed

LICENCE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING")
SPDX = """
    0BSD AFL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-1.1 Apache-2.0 Artistic-2.0 BSD-1-Clause
    BSD-2-Clause BSD-2-Clause-Patent BSD-3-Clause BSD-3-Clause-Clear BSD-4-Clause BSL-1.0
    CC-BY-3.0 CC-BY-4.0 CC-BY-NC-4.0 CC-BY-NC-SA-4.0 CC-BY-NC-ND-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0
    CC0-1.0 CDDL-1.0 CECILL-2.1 ECL-2.0 EPL-1.0 EPL-2.0 EUPL-1.2 GPL-2.0-only GPL-2.0-or-later
    GPL-3.0-only GPL-3.0-or-later HPND ISC LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0-only
    LGPL-3.0-or-later MIT MIT-0 MPL-1.1 MPL-2.0 MS-PL MS-RL MulanPSL-2.0 NCSA ODbL-1.0 OFL-1.1
    OSL-3.0 PostgreSQL PSF-2.0 Python-2.0 UPL-1.0 Unlicense Vim WTFPL X11 Zlib ZPL-2.1
"""
KNOWN = {name.lower(): name for name in SPDX.split()}
COPYLEFT = re.compile(r"\b(?:A?GPL|CC-BY-SA|OSL|EUPL|CECILL|LGPL|MPL)-", re.IGNORECASE)
NOT_FREE = re.compile(r"-(?:NC|ND)\b", re.IGNORECASE)
WEB_ADDRESS = re.compile(r"https?://[\w.-]+\.[a-z]{2,}(?:[/:?#]\S*)?", re.IGNORECASE)
EMPTY_WORDS = frozenset(["none", "na", "n/a", "todo", "tbd", "yes", "no", "-", "--", ".", "?", "x"])
COPYRIGHT = re.compile(
    r"copyright\s{1,3}(?:\(c\)|©|&copy;|\d{4})|(?:\(c\)|©)\s{0,3}(?:copyright|\d{4})"
    r"|all rights reserved",
    re.IGNORECASE,
)
LICENSED = re.compile(
    r"licen[sc]ed under the|permission is hereby granted|gnu (?:lesser |affero )?general public"
    r"|redistribution and use in source|apache license, version|SPDX-License-Identifier:\s*(\S+)",
    re.IGNORECASE,
)
TAKEN = re.compile(
    r"(?:adapted|copied|taken|borrowed|ported|modified|stolen|code is|code)\s(?:\w+\s){0,3}?from:?"
    r"\s{1,3}<?(https?://(?:[\w.-]*\b(?:github|gitlab|bitbucket|stackoverflow|kaggle|gist)\b)\S*)",
    re.IGNORECASE,
)
NOTICE_FILE = re.compile(r"(?:LICEN[SC]E|COPYING|NOTICE|COPYRIGHT)(?:[._-].*)?", re.IGNORECASE)


def check(context: Context) -> Iterator[Problem]:
    """The repository's licence, the project's, what is declared as borrowed, and what is not."""
    if not any((context.root / name).is_file() for name in LICENCE_FILES):
        hint = "add the repository's LICENSE; without one nobody may use the code"
        yield Problem("LICENSE", 0, "licence.repository", "LICENSE is missing", hint)
    if context.project is not None:
        lines = schema.line_numbers(context.text(context.path("project.toml")) or "")
        yield from project_problems(context, lines)
        for index, entry in enumerate(context.project.borrowed):
            yield from borrowed_problems(context, entry, index, lines)
    for path, text, lines in code_texts(context):
        if not is_declared(context, path):
            yield from header_problems(context, path, text, lines)
    yield from notice_problems(context)


def project_problems(context: Context, lines: dict[schema.Location, int]) -> Iterator[Problem]:
    """The project's own licence, by its SPDX identifier."""
    licence = context.project.licence if context.project else "MIT"
    line = schema.line_of(("licence",), lines) if ("licence",) in lines else 0
    path = context.path("project.toml")
    if message := licence_fault(licence):
        hint = 'for instance licence = "MIT"'
        yield Problem(path, line, "licence.spdx", f"licence is {licence!r}, {message}", hint)
    elif NOT_FREE.search(licence):
        message = f"licence is {licence}, which forbids what a public course repository is for"
        yield Problem(path, line, "licence.spdx", message, "choose a free one: MIT", "warning")


def licence_fault(licence: str) -> str:
    """What is wrong with an SPDX expression; "" if every licence in it is known."""
    names = re.split(r"\s+(?:AND|OR|WITH)\s+", licence.strip().strip("()"))
    for name in names:
        bare = name.strip("() ").removesuffix("+")
        if bare.endswith("-exception") or bare.startswith("LicenseRef-"):
            continue
        if bare not in KNOWN.values():
            near = difflib.get_close_matches(bare.lower(), KNOWN, n=1, cutoff=0.4)
            hint = f"; did you mean {KNOWN[near[0]]}?" if near else ""
            return f"expected an SPDX identifier{hint}"
    return ""


def borrowed_problems(
    context: Context, entry: Borrowed, index: int, lines: dict[schema.Location, int]
) -> Iterator[Problem]:
    """One declared file: it is there, its source and licence are told, and so is the reason."""
    path = context.path("project.toml")

    def problem(field: str, message: str, hint: str = "", level: str = "error") -> Problem:
        line = schema.line_of(("borrowed", index, field), lines)
        return Problem(path, line, "licence.borrowed", f"borrowed: {message}", hint, level)

    file = context.path(borrowed_file(context, entry))
    if file not in context.files:
        hint = "name it relative to the folder of the project"
        yield problem("file", f"{entry.file} is not a file of the project", hint)
    elif PurePosixPath(file).name in {"model.py", "train.py"}:
        message = f"{entry.file} is the project itself; only model-independent utilities may come"
        hint = "move what you borrowed to a file of its own, and write the model yourselves"
        yield problem("file", f"{message} from outside", hint)
    if not WEB_ADDRESS.fullmatch(entry.source):
        message = f"the source is {entry.source[:60]!r}, expected a web address"
        yield problem("source", message, "the file's page at a fixed commit is best")
    if fault := licence_fault(entry.licence):
        hint = "if its owner gave no licence, it may not be used"
        yield problem("licence", f"the licence is {entry.licence[:40]!r}, {fault}", hint)
    elif COPYLEFT.search(entry.licence) and context.project and context.project.licence == "MIT":
        message = f"{entry.licence} asks that what is built with it keeps its licence, not MIT"
        yield problem("licence", message, "find another source, or ask the instructor", "warning")
    if entry.reason.strip().lower() in EMPTY_WORDS or len(entry.reason.split()) < 2:
        message = f"the reason is {entry.reason[:40]!r}, expected why it is model-independent"
        yield problem("reason", message, "for instance: reads a file format; knows no model")
    text = context.text(file) or ""
    if text and entry.source not in text and not COPYRIGHT.search(text):
        message = f"{entry.file} does not say where it is from"
        hint = "keep its copyright notice (its licence asks for it) and name the source on top"
        yield problem("file", message, hint, "warning")


def borrowed_file(context: Context, entry: Borrowed) -> str:
    """The declared file, relative to the folder of the project."""
    return entry.file.replace("\\", "/").removeprefix(f"{context.folder}/").removeprefix("./")


def is_declared(context: Context, path: str) -> bool:
    """Whether a file, or the folder it lies in, is declared as borrowed."""
    entries = context.project.borrowed if context.project else ()
    declared = [context.path(borrowed_file(context, entry)).rstrip("/") for entry in entries]
    return any(path == place or path.startswith(f"{place}/") for place in declared)


def code_texts(context: Context) -> Iterator[tuple[str, str, object]]:
    """The Python files and the notebooks' cells, each with the line for a line of its text."""
    for path in context.python_files:
        yield path, context.text(path) or "", int
    for path in context.notebooks:
        lines = NotebookLines(context.text(path) or "")
        notebook = context.notebook(path)
        for index, cell in enumerate(notebook["cells"] if notebook else ()):

            def line(number: int, index: int = index, lines: NotebookLines = lines) -> int:
                return lines.of(index, number - 1)

            yield path, source(cell), line


def header_problems(context: Context, path: str, text: str, line) -> Iterator[Problem]:
    """Signs that a file that is not declared comes from somebody else."""
    hint = (
        "declare it in project.toml as [[borrowed]], if it knows nothing of the model; or write it"
    )
    for number, content in enumerate(text.split("\n"), 1):
        if len(content) > 1000:
            continue
        if (found := COPYRIGHT.search(content)) and not is_own_name(context, content):
            message = f"has somebody's copyright ({found.group()}), and is not declared as borrowed"
            yield Problem(path, line(number), "licence.header", message, hint)
            return
        if (found := LICENSED.search(content)) and not is_own_licence(context, found):
            message = f"has a licence of its own ({found.group()[:40]}), and is not declared"
            yield Problem(path, line(number), "licence.header", message, hint)
            return
        if found := TAKEN.search(content):
            message = f"says that it is from {found.group(1)[:60]}, and is not declared as borrowed"
            yield Problem(path, line(number), "licence.header", message, hint)
            return


def is_own_licence(context: Context, found: re.Match[str]) -> bool:
    """Whether a licence line is the project's own identifier."""
    own = context.project.licence if context.project else "MIT"
    return found.group(1) == own


def is_own_name(context: Context, line: str) -> bool:
    """Whether a copyright line names the group itself, by its public keys."""
    if context.project is None:
        return False
    group = context.project.group
    folded = line.casefold()
    names = [group.key, *group.members, *group.names]
    return any(re.search(rf"\b{re.escape(name.casefold())}\b", folded) for name in names)


def notice_problems(context: Context) -> Iterator[Problem]:
    """A licence file of somebody else inside the project, where nothing is declared as borrowed."""
    for path in context.files:
        if NOTICE_FILE.fullmatch(PurePosixPath(path).name) and context.project is not None:
            text = context.text(path) or ""
            if COPYRIGHT.search(text) and not context.project.borrowed:
                message = "is somebody's licence, and project.toml declares nothing as borrowed"
                hint = "declare the files it covers as [[borrowed]]"
                yield Problem(path, 0, "licence.header", message, hint)
