"""The last look at a tree before it becomes public: everything private in any of its files."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from common.course.git import Repository
from common.course.privacy import (
    GRADE,
    KNOWN,
    WORD,
    Private,
    find_known,
    find_private,
    find_spaced,
    fold,
)
from common.course.private import Roster
from common.course.publishing.embedded import Piece, pieces, without_tags
from common.course.publishing.grades import grade_lines

PRIVATE_FIELD, PRIVATE_FILE = "private field", "private file"
CLOSED = "archive that cannot be read"
STUDENT_NUMBER = re.compile(r"[A-Za-z]{0,2}[ -]?\d[\d ._/-]{4,}\d")
MIN_AMONG_NOISE = 8  # letters; a shorter text may be there by chance
TABLES = (".toml", ".json", ".yaml", ".yml", ".csv")
HOURS = re.compile(r"""(?im)^[\s#>*-]*["']?hours["']?\s*[=:]\s*["']?\d|"hours"\s*:""")
PRIVATE_SCHEMA = re.compile(
    r"""(?m)^\W*schema\W{1,6}(?:adjudication|grades|roster|bids|conflicts)/\d"""
)
GRADE_TABLE = re.compile(
    r"(?i)\A[^\n]*(?:\b(?:grades?|marks?|notu|puanı?)\b|\bdeveloper\b.*\breviewer\b)[^\n]*"
)


@dataclass(frozen=True, order=True)
class Disclosure:
    """One private thing: file, line (0: the whole file), where in it, kind, and a masked text."""

    path: str
    line: int
    place: str
    kind: str
    shown: str = ""

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        place = f" ({self.place})" if self.place else ""
        return f"{where}{place}: {self.kind} {self.shown}".rstrip()


class Known:
    """Texts to look for, prepared once for many files; `keys` are public, but not with a grade."""

    def __init__(self, texts: Iterable[str] = (), keys: Iterable[str] = ()):
        texts = list(texts)
        self.keys = tuple(dict.fromkeys(keys))
        self.numbers = {
            re.sub(r"\D", "", text) for text in texts if STUDENT_NUMBER.fullmatch(text.strip())
        }
        self.by_first: dict[str, list[str]] = {}
        self.bare: dict[str, str] = {}
        for text in dict.fromkeys(texts):
            if words := WORD.findall(fold(text)):
                self.by_first.setdefault(words[0], []).append(text)
                self.bare[text] = " ".join(words)

    def candidates(self, text: str) -> list[str]:
        """Those that may be in a text: their first word is."""
        words = dict.fromkeys(WORD.findall(fold(text))) if self.by_first else ()
        return [entry for word in words for entry in self.by_first.get(word, ())]

    def among_noise(self, text: str) -> Iterator[Private]:
        """Those among bytes, where a letter may stand beside them by chance."""
        bare = " ".join(WORD.findall(fold(text))) if self.bare else ""
        for entry, words in self.bare.items():
            if len(words) >= MIN_AMONG_NOISE and words in bare:
                yield Private(1, KNOWN, entry)


def known_texts(roster: Roster) -> list[str]:
    """What must appear nowhere: addresses, numbers, and the names of who did not agree.

    A name is looked for in both orders, and without the names in the middle.
    """
    known = []
    for person in roster.person:
        known += [text for text in (person.email, person.student_number) if text.strip()]
        digits = re.sub(r"\D", "", person.student_number)  # without its letter and its spaces
        known += [digits] if len(digits) >= 6 else []
        if person.consent:
            continue
        words = person.name.split()
        known.append(person.name)
        if len(words) > 1:
            known.append(" ".join([words[-1], *words[:-1]]))
        if len(words) > 2:
            known += [f"{words[0]} {words[-1]}", f"{words[-1]} {words[0]}"]
    return known


def disclosures(root: Path, known: Known) -> list[Disclosure]:
    """Everything private in the files of a tree and in the objects of its git history."""
    found: list[Disclosure] = []
    blobs = set()
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found.append(Disclosure(name, 0, "", "link"))
        elif path.is_file() and not name.startswith(".git/objects/"):
            data = path.read_bytes()
            blobs.add(hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest())
            found += file_disclosures(name, data, known)
    if (root / ".git").is_dir():
        found += history_disclosures(root, known, blobs)
    return sorted(set(found))


def history_disclosures(root: Path, known: Known, scanned: set[str]) -> Iterator[Disclosure]:
    """What the git objects hold that no file of the tree does: commits, tags, other blobs."""
    repository = Repository(root)
    listed = repository.git("cat-file", "--batch-all-objects", "--batch-check").splitlines()
    for name, kind, _ in (line.split() for line in listed):
        if kind == "tree" or name in scanned:
            continue
        data = repository.run("cat-file", kind, name)
        yield from file_disclosures(f"git {kind} {name[:10]}", data, known)


def file_disclosures(name: str, data: bytes, known: Known) -> list[Disclosure]:
    """Everything private in one file, its name included; each thing once, with its best place."""
    found = [
        Disclosure(name, 0, "file name", private.kind, private.masked)
        for private in find_private(name, known.candidates(name))
    ]
    seen: set[tuple[str, str]] = set()
    for piece in pieces(name, data):
        for private in piece_private(name, piece, known):
            thing = (private.kind, private.text)
            if piece.place and thing in seen:
                continue
            seen.add(thing)
            line = 0 if piece.place else private.line
            found.append(Disclosure(name, line, piece.place, private.kind, private.masked))
    return sorted(set(found))


def piece_private(name: str, piece: Piece, known: Known) -> Iterable[Private]:
    """What is private in one text of a file."""
    if piece.is_closed:
        return [Private(1, CLOSED, piece.text)]
    if piece.is_noise:
        short = find_known(piece.text, known.candidates(piece.text))
        return [*short, *known.among_noise(piece.text)]
    found = set(find_private(piece.text, known.candidates(piece.text)))
    found |= set(find_spaced(piece.text, known.numbers))
    inner = piece.place.rsplit(", ", 1)[-1]
    for number, line in grade_lines(inner if "." in inner else name, piece.text, known.keys):
        found.add(Private(number, GRADE, line))
    bare = without_tags(piece.text)
    if bare != piece.text:
        found |= set(find_known(bare, known.candidates(bare)))
    if not piece.place and (name.endswith(TABLES) or name.startswith("reviews/")):
        for match in HOURS.finditer(piece.text):
            found.add(Private(line_of(piece.text, match), PRIVATE_FIELD, "hours"))
        if match := PRIVATE_SCHEMA.search(piece.text):
            found.add(Private(line_of(piece.text, match), PRIVATE_FILE, match.group().strip()))
    if name.endswith(".csv") and (match := GRADE_TABLE.match(piece.text)):
        found.add(Private(1, PRIVATE_FILE, match.group().strip()))
    return sorted(found, key=lambda private: (private.line, private.kind, private.text))


def line_of(text: str, match: re.Match[str]) -> int:
    """The line on which a match has its last character."""
    return text.count("\n", 0, match.end()) + 1
