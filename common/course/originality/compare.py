"""How much of a project's code also stands elsewhere, where, and what project.toml says of it.

For a person to judge: two groups that follow one paper write similar code, and an import is better
than a copy. Every project of the tree is compared with every other, and with the folders that are
named. Runs of the template and runs that most projects have are nobody's and do not count.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from common import schema
from common.course.documents import DocumentError, decode
from common.course.originality.fingerprints import (
    CodeFile,
    Passage,
    covered,
    fingerprint,
    passages,
    without,
)
from common.errors import UserError
from common.notebooks import source
from common.projects import ProjectTable

TEMPLATE = "templates/project"
THRESHOLD = 0.3
LONG_PASSAGE = 40  # lines that are told however small a part of the file they are
MIN_SHARED = 4  # hashes that two files have in common before they are compared
MIN_OWNERS = 8  # from so many on, what more than half of them have is nobody's
MAX_BYTES = 2**20
SKIPPED = frozenset(["__pycache__", "node_modules", "venv", "site-packages", "build", "dist"])


@dataclass(frozen=True)
class Match:
    """Two files of different owners that share code, and what is declared about it."""

    left: CodeFile
    right: CodeFile
    left_share: float  # of the lines with code of the left file, those that the right has too
    right_share: float
    passages: tuple[Passage, ...]
    declared: str  # "" if project.toml says nothing of it
    is_acknowledged: bool  # declared as borrowed: the person need only look at the licence

    @property
    def share(self) -> float:
        """The larger of the two shares."""
        return max(self.left_share, self.right_share)

    @property
    def order(self) -> tuple:
        """What nobody declared first, then by how much."""
        return (self.is_acknowledged, -self.share, self.left.path, self.right.path)


def compare(
    root: Path,
    slugs: Sequence[str] | None = None,
    against: Iterable[Path] = (),
    threshold: float = THRESHOLD,
) -> list[Match]:
    """The files of the chosen projects (all by default) that share code with another owner's."""
    projects = {path.parent.name: path.parent for path in root.glob("projects/*/project.toml")}
    chosen = set(projects if slugs is None else slugs)
    for slug in chosen - projects.keys():
        known = ", ".join(sorted(projects)) or "none"
        raise UserError(f"there is no project {slug!r} in projects/; there are: {known}.")
    files = [
        fingerprint(file)
        for slug, folder in sorted(projects.items())
        for file in code_files(folder, slug, f"projects/{slug}/")
    ]
    for folder in against:
        if not folder.is_dir():
            raise UserError(f"--against is {folder}, which is no folder.")
        name = folder.resolve().name
        files += [fingerprint(f) for f in code_files(folder, f"against:{folder}", f"{name}/")]
    nobodys = template_hashes(root) | common_hashes(files)
    files = [without(file, nobodys) for file in files]
    tables = {slug: read_table(folder) for slug, folder in projects.items()}
    found = []
    for left, right in candidates(files, chosen):
        match = match_of(left, right, tables)
        if match and (match.share >= threshold or match.passages[0].num_lines >= LONG_PASSAGE):
            found.append(match)
    return sorted(found, key=lambda match: match.order)


def code_files(folder: Path, owner: str, prefix: str) -> Iterator[CodeFile]:
    """The Python files and notebooks below a folder; links are not followed."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(n for n in folders if n not in SKIPPED and not n.startswith("."))
        for name in sorted(names):
            path = Path(place) / name
            if not name.endswith((".py", ".ipynb")) or path.is_symlink():
                continue
            shown = prefix + path.relative_to(folder).as_posix()
            file = read_code(path, owner, shown)
            if file is not None and file.text.strip():
                yield file


def read_code(path: Path, owner: str, shown: str) -> CodeFile | None:
    """The code of a file or of a notebook's cells; None if it cannot be read, or is too large."""
    is_notebook = path.suffix == ".ipynb"
    try:
        if not is_notebook and path.stat().st_size > MAX_BYTES:
            return None
        text = decode(path.read_bytes(), path)
    except (DocumentError, OSError):
        return None
    if not is_notebook:
        return CodeFile(owner, shown, text)
    try:
        listed = json.loads(text)["cells"]
        cells = [(n, source(c)) for n, c in enumerate(listed) if c["cell_type"] == "code"]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    joined, starts, line = [], [], 1
    for number, code in cells:
        starts.append((line, number))
        joined.append(code)
        line += code.count("\n") + 1
    return CodeFile(owner, shown, "\n".join(joined), starts)


def template_hashes(root: Path) -> set[int]:
    """The hashes of what `dgm new` gives everybody."""
    folder = root / TEMPLATE
    files = code_files(folder, TEMPLATE, "") if folder.is_dir() else ()
    return {key for file in files for key in fingerprint(file).positions}


def common_hashes(files: Sequence[CodeFile]) -> set[int]:
    """The hashes that more than half of the owners have, where there are enough owners to say so."""
    owners: dict[int, set[str]] = defaultdict(set)
    for file in files:
        for key in file.positions:
            owners[key].add(file.owner)
    num_owners = len({file.owner for file in files})
    if num_owners < MIN_OWNERS:
        return set()
    return {key for key, having in owners.items() if len(having) > num_owners / 2}


def candidates(files: Sequence[CodeFile], chosen: set[str]) -> Iterator[tuple[CodeFile, CodeFile]]:
    """Pairs of files of different owners, one of them chosen, that share enough hashes."""
    holders: dict[int, list[int]] = defaultdict(list)
    for number, file in enumerate(files):
        for key in file.positions:
            holders[key].append(number)
    shared: Counter[tuple[int, int]] = Counter()
    for numbers in holders.values():
        for place, left in enumerate(numbers):
            if files[left].owner in chosen:
                shared.update((left, right) for right in numbers[place + 1 :])
            else:
                chosen_later = (n for n in numbers[place + 1 :] if files[n].owner in chosen)
                shared.update((right, left) for right in chosen_later)
    for (left, right), count in sorted(shared.items()):
        if count >= MIN_SHARED and files[left].owner != files[right].owner:
            yield files[left], files[right]


def match_of(
    left: CodeFile, right: CodeFile, tables: dict[str, ProjectTable | None]
) -> Match | None:
    """What two files share; None if it is nothing to speak of."""
    found = passages(left, right)
    if not found:
        return None
    declared, is_acknowledged = declaration(left, right, tables)
    return Match(
        left,
        right,
        min(1.0, len(covered(found, is_left=True) & set(left.lines)) / max(1, left.num_lines)),
        min(1.0, len(covered(found, is_left=False) & set(right.lines)) / max(1, right.num_lines)),
        tuple(found),
        declared,
        is_acknowledged,
    )


def declaration(
    left: CodeFile, right: CodeFile, tables: dict[str, ProjectTable | None]
) -> tuple[str, bool]:
    """What the project.toml of either side says of its file or of the other project."""
    for file in (left, right):
        table = tables.get(file.owner)
        for entry in table.borrowed if table else ():
            name = entry.file.removeprefix(f"projects/{file.owner}/").removeprefix("./")
            if f"projects/{file.owner}/{name}" == file.path:
                return f"{file.path} is declared as borrowed from {entry.source}", True
    for file, other in ((left, right), (right, left)):
        table = tables.get(file.owner)
        if table and other.owner in table.builds_on:
            return f"{file.owner} builds on {other.owner}: it should import, not copy", False
    return "", False


def read_table(folder: Path) -> ProjectTable | None:
    """A project's metadata; None if it is not valid, which `dgm check` says."""
    try:
        return schema.read(folder / "project.toml", ProjectTable)
    except schema.SchemaError:
        return None
