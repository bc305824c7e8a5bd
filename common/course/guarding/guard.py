"""`dgm guard`: whether an author may bring a change, told before anything of it is run.

Read are git's objects and nothing else: no file of the change is checked out, imported or executed,
and who is who, and who reviews what, is what the branch says that is to take the change.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from common.course.changes import (
    LINK,
    SUBMODULE,
    Change,
    Entry,
    Span,
    find_span,
    read_blobs,
    read_changes,
    read_entries,
    read_sizes,
)
from common.course.checks.layout import MAX_PROJECT_BYTES, PICTURES, megabytes
from common.course.cycle import now
from common.course.git import Repository, TooMuch
from common.course.guarding.code import text_problems
from common.course.guarding.contents import (
    MAX_TEXT_BYTES,
    encoding_problems,
    kind_problems,
    size_problems,
)
from common.course.guarding.history import history_problems
from common.course.guarding.names import collision_problems, name_problems
from common.course.guarding.people import Author, Records, identify
from common.course.guarding.places import ASK, place_problems, refusal
from common.course.guarding.tables import slug_problems, table_problems
from common.course.problems import Problem
from common.errors import UserError

MAX_CHANGES = 300


@dataclass(frozen=True)
class Verdict:
    """What was judged, and what speaks against it: errors refuse, warnings are for a person."""

    author: Author
    span: Span
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]

    @property
    def is_refused(self) -> bool:
        """Whether the change may not be merged."""
        return any(problem.level == "error" for problem in self.problems)

    @property
    def slugs(self) -> list[str]:
        """The projects that are touched."""
        parts = (change.path.split("/") for change in self.changes)
        return sorted({names[1] for names in parts if names[0] == "projects" and len(names) > 2})


def guard(
    root: Path, base: str, author: str, *, head: str = "HEAD", moment: datetime | None = None
) -> Verdict:
    """Judge base...head as brought by an author; raises UserError where it cannot be judged."""
    repository = Repository(root)
    span = find_span(repository, base, head)
    if repository.is_shallow():
        raise UserError("this clone is shallow, and guard reads the commits; git fetch --unshallow")
    records = Records(repository, span.base, moment or now())
    who = identify(records.cycle, author)
    try:
        changes = read_changes(repository, span)
    except TooMuch:
        message = f"touches far more files than {MAX_CHANGES}"
        found = [Problem("(change)", 0, "size.files", message, "take the folders of folders out")]
        return Verdict(who, span, (), tuple(found))
    found = [] if who.is_instructor else judge(repository, span, changes, who, records)
    ordered = sorted(dict.fromkeys(found), key=lambda problem: problem.order)
    return Verdict(who, span, tuple(changes), tuple(ordered))


def judge(
    repository: Repository, span: Span, changes: list[Change], author: Author, records: Records
) -> list[Problem]:
    """Everything that speaks against a student's change."""
    found = list(history_problems(repository, span, changes))
    if len(changes) > MAX_CHANGES:
        message = f"touches {len(changes):,} files, expected at most {MAX_CHANGES}"
        hint = "bring it in parts; data sets come by common.data, not by git"
        found.append(Problem("(change)", 0, "size.files", message, hint))
    own = []
    for change in changes[: 10 * MAX_CHANGES]:
        misplaced = list(place_problems(change, author, records))
        found += misplaced or ([] if change.is_gone else name_problems(change))
        if not misplaced:
            own.append(change)
    found += moved_problems(changes, own, records)
    if len(changes) <= MAX_CHANGES:
        entries = entries_beside(repository, span, own)
        sizes = read_sizes(repository, (e.blob for e in entries if e.mode != SUBMODULE))
        found += folder_problems(entries, sizes, own, records)
        found += content_problems(repository, sizes, own, author, records)
    return found


def moved_problems(
    changes: Iterable[Change], own: Iterable[Change], records: Records
) -> Iterator[Problem]:
    """Files that were somebody else's: moved here, or copied here."""
    places = {
        entry.blob: path
        for path, entry in records.entries.items()
        if path.startswith("projects/") and path.endswith(".py")
    }
    gone = {change.old_blob: change.path for change in changes if change.is_gone}
    for change in own:
        other = places.get(change.blob, change.path)
        if not change.is_new or other.split("/")[1] == change.path.split("/")[1]:
            continue
        if change.blob in gone:
            message = f"was {other}, of another project"
            hint = "leave it where it is, and import it (builds_on)"
            yield refusal(change, "place.moved", message, hint)
        else:
            message = f"is {other}, word by word"
            hint = "code is imported (builds_on), never copied"
            yield Problem(change.path, 0, "originality.copy", message, hint, "warning")


def entries_beside(repository: Repository, span: Span, own: list[Change]) -> list[Entry]:
    """Every file of the change's commit in the folders that its author may touch."""
    places = {folder_of(change.path) for change in own}
    listed = read_entries(repository, span.head) if places else []
    return [entry for entry in listed if folder_of(entry.path) in places]


def folder_of(path: str) -> str:
    """`projects/SLUG` or `reviews/SLUG`."""
    return "/".join(path.split("/")[:2])


def folder_problems(
    entries: list[Entry], sizes: Mapping[str, int], own: list[Change], records: Records
) -> Iterator[Problem]:
    """What concerns whole folders: colliding names, new projects, sizes, projects that vanish."""
    places = sorted({folder_of(change.path) for change in own})
    tops = {folder_of(path) for path in records.entries if path.count("/") > 1}
    yield from collision_problems(own, [*(entry.path for entry in entries), *sorted(tops)])
    for place in places:
        folder, slug = place.split("/")
        inside = [entry for entry in entries if entry.path.startswith(f"{place}/")]
        first = next(change for change in own if f"{change.path}/".startswith(f"{place}/"))
        if folder != "projects":
            continue
        total = sum(sizes.get(entry.blob, 0) for entry in inside)
        if total > MAX_PROJECT_BYTES:
            message = f"holds {megabytes(total)}, expected at most {megabytes(MAX_PROJECT_BYTES)}"
            hint = 'keep weights for the main goal; others: weights = "retrain"'
            yield Problem(place, 0, "size.project", message, hint)
        has_table = any(entry.path == f"{place}/project.toml" for entry in inside)
        if slug in records.slugs and not has_table:
            message = "would be a project no more: project.toml, which says whose it is, is gone"
            yield Problem(place, 0, "project.gone", message, ASK)
        elif slug not in records.slugs:
            yield from slug_problems(first, slug)
            if not has_table:
                message = "is a new folder without a project.toml, so it is nobody's"
                yield Problem(place, 0, "project.missing", message, "`dgm new` writes one")


def content_problems(
    repository: Repository,
    sizes: Mapping[str, int],
    own: Iterable[Change],
    author: Author,
    records: Records,
) -> Iterator[Problem]:
    """What is in the files: sizes first, and only what is small enough is read."""
    kept = {c.path: c for c in own if not c.is_gone and c.mode not in (LINK, SUBMODULE)}
    small = []
    for change in kept.values():
        found = list(size_problems(change, sizes.get(change.blob)))
        yield from found
        if not found:
            small.append(change)
    if sum(sizes[change.blob] for change in small) > 2 * MAX_PROJECT_BYTES:
        message = f"the change brings more than {megabytes(2 * MAX_PROJECT_BYTES)}, and is not read"
        yield Problem("(change)", 0, "size.change", message, "bring it in parts")
        return
    blobs = read_blobs(repository, [change.blob for change in small]) if small else {}
    yield from file_problems({c.path: (c, blobs[c.blob]) for c in small}, author, records)


def file_problems(
    files: Mapping[str, tuple[Change, bytes]], author: Author, records: Records
) -> Iterator[Problem]:
    """What is in each file, by its kind; the texts are read together, as `dgm check` does."""
    texts: dict[str, bytes] = {}
    binary = (".safetensors", *PICTURES)
    for path, (change, data) in files.items():
        is_review = path.startswith("reviews/")
        found = list((encoding_problems if is_review else kind_problems)(change, data))
        yield from found
        is_odd = any(p.code.startswith(("kind.", "size.", "text.encoding")) for p in found)
        if not is_odd and not path.lower().endswith(binary):
            texts[path] = data
        if path.startswith("projects/") and path.split("/")[2:] == ["project.toml"]:
            yield from table_problems(change, data, author, records)
    if (total := sum(map(len, texts.values()))) > MAX_TEXT_BYTES:
        message = f"has {megabytes(total)} of text, expected at most {megabytes(MAX_TEXT_BYTES)}"
        yield Problem("(change)", 0, "size.text", message, "bring it in parts")
        return
    yield from text_problems({path: files[path][0] for path in texts}, texts)
