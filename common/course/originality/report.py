"""The report of `dgm originality`: for the terminal, for a program, and as a private page."""

import html
import json
import os
from collections.abc import Sequence
from pathlib import Path

from common.course.git import GitError, Repository
from common.course.originality.compare import Match
from common.course.originality.fingerprints import CodeFile, Passage
from common.course.private import VARIABLE, private_folder
from common.errors import UserError
from common.files import write_text

MARK = "<!-- dgm originality: private, for a person to judge -->"
SCHEMA = "originality/1"
MAX_PLACES = 6  # of one pair of files, in the terminal
NOTE = (
    "Shares are of the lines with code that the other file has too, names and comments aside. "
    "They say where to look, not who copied, nor whether anybody did."
)


def as_text(matches: Sequence[Match]) -> str:
    """For the terminal: the pairs of files, what is declared, the longest passages."""
    lines = []
    for match in matches:
        lines.append(f"{match.left.path}  {match.left_share:.0%} of its code is in")
        lines.append(f"{match.right.path}  {match.right_share:.0%} the other way")
        lines.append(f"  {match.declared or 'not declared'}")
        for passage in match.passages[:MAX_PLACES]:
            left, right = places(match, passage)
            one_line = f"  {left}  =  {right}"
            lines += [one_line] if len(one_line) <= 80 else [f"  {left}", f"    = {right}"]
        if len(match.passages) > MAX_PLACES:
            lines.append(f"  and {len(match.passages) - MAX_PLACES} shorter passages")
        lines.append("")
    return "\n".join(lines)


def as_json(matches: Sequence[Match]) -> str:
    """For a program."""
    report = {"schema": SCHEMA, "matches": [table(match) for match in matches]}
    return json.dumps(report, indent=2, ensure_ascii=False)


def table(match: Match) -> dict:
    """A match as plain values."""
    return {
        "left": match.left.path,
        "right": match.right.path,
        "left_owner": match.left.owner,
        "right_owner": match.right.owner,
        "left_share": round(match.left_share, 3),
        "right_share": round(match.right_share, 3),
        "declared": match.declared,
        "acknowledged": match.is_acknowledged,
        "passages": [
            {"left": left, "right": right, "lines": passage.num_lines}
            for passage in match.passages
            for left, right in [places(match, passage)]
        ],
    }


def as_markdown(matches: Sequence[Match]) -> str:
    """A page of Markdown, with every place."""
    lines = [MARK, "", "# Originality", "", NOTE, ""]
    for match in matches:
        lines += [f"## {match.left.path} and {match.right.path}", ""]
        lines += [f"{match.left_share:.0%} of the first, {match.right_share:.0%} of the second; "]
        lines[-1] += match.declared or "**not declared**"
        lines += ["", "| lines | first | second |", "|---:|---|---|"]
        for passage in match.passages:
            left, right = places(match, passage)
            lines.append(f"| {passage.num_lines} | {left} | {right} |")
        lines.append("")
    return "\n".join(lines)


def as_html(matches: Sequence[Match]) -> str:
    """A page with the passages side by side; nothing in it is loaded from elsewhere."""
    parts = [
        "<!doctype html>",
        MARK,
        '<html lang="en"><head><meta charset="utf-8"><title>Originality</title><style>',
        "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;max-width:90rem}",
        ".pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem}",
        "pre{overflow-x:auto;background:#f4f4f4;color:#111;padding:.7rem;font-size:13px}",
        "b{color:#a00}</style></head><body><h1>Originality</h1>",
        f"<p>{html.escape(NOTE)}</p>",
    ]
    for match in matches:
        left, right = html.escape(match.left.path), html.escape(match.right.path)
        declared = html.escape(match.declared) or "<b>not declared</b>"
        parts.append(f"<h2>{left} and {right}</h2>")
        parts.append(
            f"<p>{match.left_share:.0%} of the first, {match.right_share:.0%} of the second; "
            f"{declared}</p>"
        )
        for passage in match.passages:
            places_shown = places(match, passage)
            codes = (
                excerpt(match.left, passage.left_first, passage.left_last),
                excerpt(match.right, passage.right_first, passage.right_last),
            )
            parts.append('<div class="pair">')
            for place, code in zip(places_shown, codes, strict=True):
                parts.append(
                    f"<div><code>{html.escape(place)}</code><pre>{html.escape(code)}</pre></div>"
                )
            parts.append("</div>")
    parts.append("</body></html>")
    return "\n".join(parts) + "\n"


def places(match: Match, passage: Passage) -> tuple[str, str]:
    """Where a passage stands on both sides."""
    return (
        match.left.place(passage.left_first, passage.left_last),
        match.right.place(passage.right_first, passage.right_last),
    )


def excerpt(file: CodeFile, first: int, last: int) -> str:
    """The lines of a passage."""
    return "\n".join(file.text.split("\n")[first - 1 : last])


FORMATS = {".html": as_html, ".md": as_markdown, ".json": as_json}


def write_report(matches: Sequence[Match], name: str, root: Path) -> Path:
    """Write the report where git does not see it, and return its path; raises UserError."""
    path = report_path(name, root)
    if path.exists() and not any(mark in first_lines(path) for mark in (MARK, SCHEMA)):
        raise UserError(f"{path} is no report of this command; name another file, or remove it.")
    write_text(path, FORMATS[path.suffix](matches) + "\n")
    path.chmod(0o600)
    return path


def report_path(name: str, root: Path) -> Path:
    """The file to write: a bare name lies in the private folder, if there is one."""
    path = Path(name).expanduser()
    if path.suffix not in FORMATS:
        raise UserError(f"--out is {name!r}, expected a name that ends in .html, .md or .json.")
    if path.parent == Path() and os.environ.get(VARIABLE):
        path = private_folder(root) / path
    path = path.resolve()
    if path.is_relative_to(root.resolve()):
        raise UserError(
            f"--out is {path.name} in the repository, where it would become public; name a file "
            f"outside, or set ${VARIABLE} and give a bare name."
        )
    if not path.parent.is_dir():
        raise UserError(f"--out is in {path.parent}, which is no folder; make it first.")
    refuse_other_work_tree(path)
    return path


def refuse_other_work_tree(path: Path) -> None:
    """Raise UserError if another repository would see the file."""
    try:
        top = Path(Repository(path.parent).git("rev-parse", "--show-toplevel").strip())
    except GitError:
        return
    if not Repository(top).is_ignored(path):
        raise UserError(f"{path} lies in the git work tree {top}, which does not ignore it.")


def first_lines(path: Path) -> str:
    """The beginning of a file."""
    return path.read_bytes()[:500].decode("utf-8", "replace")
