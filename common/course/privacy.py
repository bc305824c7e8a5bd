"""What must not stand in a public tree: e-mail addresses, student numbers, grades, phone numbers.

`find_private` looks at one text and reads nothing else. It errs on the side of silence where numbers
are concerned (seeds, sizes, dates, hashes, arXiv and ORCID identifiers are everywhere in a course on
models): digits count only beside a word that tells what they are, or with the letter that student
numbers here begin with (b or N and eight digits). `addresses` says what counts as an address.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from common.course.addresses import addresses

EMAIL = "e-mail address"
STUDENT_NUMBER = "student number"
IDENTITY_NUMBER = "identity number"
GRADE = "grade"
PHONE = "phone number"
KNOWN = "roster entry"

DIGITS = r"(?:[A-Za-z]{0,2}\d{8,11})(?![^\W_])"
STUDENT = (
    r"(?:student|öğrenci(?:nin)?|ogrenci|university|school|okul|roll|enrol?lment|registration)"
)
NUMBER_WORD = r"(?:numbers?|numaralar\w*|numara\w{0,3}|num|nr|nos?|ids?|\#)"
TELLING = (
    rf"(?<![^\W_])(?:{STUDENT}(?:['’]?s)?[\s_.-]{{0,2}}{NUMBER_WORD}|öğrenci|student|"
    r"matriculation(?:\s(?:number|no|nr))?|matrikel\w{0,8}|matricola|numara\w{0,3})(?![^\W_])"
)
NUMBER_AFTER = re.compile(
    rf"{TELLING}[^\w\n]{{0,12}}\n{{0,2}}[^\w\n]{{0,12}}(?P<number>{DIGITS})", re.I
)
TABLE_HEAD = re.compile(rf"(?<![^\W_]){STUDENT}[\s_.-]{{0,2}}{NUMBER_WORD}(?![^\W_])", re.I)
SHORT_WORD = re.compile(
    rf"(?<!\w)(?:no|nr|number|id|num)(?:[ \t]{{0,3}}[.:\#=°º|]{{1,3}}[ \t]{{0,3}}|[ \t]{{1,3}})"
    rf"(?P<number>{DIGITS})",
    re.I,
)
WORD_BEFORE = re.compile(r"([^\W\d_]+)[^\w\n]{0,3}$")
STANDALONE = re.compile(rf"(?<![\w.-]){DIGITS}(?![.-]\d)")
# n0... and n1... are classes of ImageNet (WordNet's numbers of nouns).
LETTERED = re.compile(r"(?<![^\W_])(?:[bBN]\d|n[2-9])\d{7}(?![^\W_])")
COMMIT_BEFORE = re.compile(
    r"(?:commits?|blob|tree|hash|sha1?|rev(?:ision)?)[\s/:=`'\"(]{1,3}$", re.I
)
IDENTITY = re.compile(
    r"(?<![^\W_])(?:T\.?C\.?\s?(?:kimlik)?|kimlik|identity)\s?(?:no|numarası|numarasi|number)?\W{0,5}"
    r"(?P<number>[1-9]\d{10})(?!\d)",
    re.I,
)
# What a number or an id may be of, other than of a person.
OTHER_NUMBERS = """
    arxiv article batch build cell chunk class commit dataset doi entry epoch experiment figure
    frame gist image isbn issn issue item job key layer line model object page paper part patent
    phone pid pmid process product record reference request run sample seed serial slurm step
    table task thread token trial version video wandb zenodo
"""

GRADES = (
    re.compile(
        r"(?<![^\W_])(?:grades?|marks?|points|notu|puanı?)(?![^\W_])(?:\W{1,4}|\W{1,3}(?:is|was|of)\s)"
        r"\d{1,3}(?:[.,]\d{1,4})?\s?/\s?(?:100|20|10|5|4(?:\.0)?)(?!\d)",
        re.I,
    ),
    re.compile(r"(?<![^\W_])(?:[Gg]rade|[Nn]otu)\s?[:=]\s?[\"'*]{0,3}[A-F]{1,2}[+-]?(?![\w.(/])"),
    re.compile(
        r"^\W{0,4}(?:(?:final|overall|total|v1|v2|version [12]|project|reviewer|developer|course)"
        r"[\s_-])*grade\W{0,3}[:=]\W{0,3}\d{1,3}(?:[.,]\d{1,4})?\W{0,3}$",
        re.I | re.M,
    ),
)

PHONES = (
    re.compile(r"(?<![\w.+])\+[1-9]\d{0,2}[ .-]?\(?\d{2,4}\)?(?:[ .-]\d{2,4}){2,4}(?![\w.-])"),
    re.compile(r"(?<![\w.+])\+[1-9]\d{10,13}(?![\w.])"),
    re.compile(r"(?<![\w.+-])0?5\d{2}[ -]\d{3}[ -]\d{2}[ -]?\d{2}(?![\w-])"),
    re.compile(r"(?<![\w.+-])05\d{9}(?![\w.-])"),
    re.compile(
        r"(?<![^\W_])(?:tel|phone|telephone|telefon|gsm|mobile|cep|whatsapp)(?![^\W_])"
        r"[^\w\n(+]{0,4}(?P<number>[+(]?\d[\d ().-]{7,16}\d)(?!\d)",
        re.I,
    ),
)
NOT_DIGIT = re.compile(r"\D")
HIDDEN_CHARACTERS = {ord(character): None for character in "\u200b\u200c\u200d\u2060\ufeff\u00ad"}
COMBINING = re.compile("[\u0300-\u036f]")
WORD = re.compile(r"[^\W_]+")
SPACED = re.compile(
    r"(?<![^\W_])(?<!\d[.,])(?:[A-Za-z]{0,2}[ -]?)\d+(?:[ \t\u00a0\u202f._/-]\d+)+(?![^\W_])"
)
DIGIT_GROUP = re.compile(r"\d+")
MAX_GROUPS = 11
MAX_GAP = 6  # characters between two words of a roster entry: "Ada  **Lovelace"


@dataclass(frozen=True)
class Private:
    """Something private in a text: its line (from 1), what it is, and the text itself."""

    line: int
    kind: str
    text: str

    @property
    def masked(self) -> str:
        """The text as a public log may show it: enough to find it, too little to learn it."""
        shown = " ".join(self.text.split())
        return f"{shown[:2]}{'*' * min(8, max(1, len(shown) - 2))}"


def find_private(text: str, known: Iterable[str] = ()) -> list[Private]:
    """Everything private in a text, by line: addresses, numbers, grades, phones, roster entries.

    `known` are texts of the roster (names, addresses, numbers), found whatever their case and
    accents, with any separators between their words, as whole words only.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).translate(HIDDEN_CHARACTERS)
    ends = [position for position, character in enumerate(text) if character == "\n"]
    found: list[Private] = []
    taken: list[tuple[int, int]] = []
    for kind, start, end in sorted(spans(text), key=lambda span: (span[1], -span[2])):
        if taken and start < taken[-1][1]:  # one place is told once
            continue
        taken.append((start, end))
        found.append(Private(bisect_left(ends, start) + 1, kind, text[start:end]))
    found += find_known(text, known)
    return sorted(set(found), key=lambda private: (private.line, private.kind, private.text))


def spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Kind, start and end of what looks private by itself; places may overlap."""
    for start, end in addresses(text):
        yield EMAIL, start, end
    for match in IDENTITY.finditer(text):
        yield IDENTITY_NUMBER, *match.span("number")
    for start, end in student_numbers(text):
        yield STUDENT_NUMBER, start, end
    for pattern in GRADES:
        for match in pattern.finditer(text):
            yield GRADE, *match.span()
    for pattern in PHONES:
        group = "number" if "number" in pattern.groupindex else 0
        for match in pattern.finditer(text):
            if 10 <= len(NOT_DIGIT.sub("", match.group(group))) <= 15:
                yield PHONE, *match.span(group)


def student_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Where student numbers stand: beside a word that says so, below such a head, or lettered."""
    for match in NUMBER_AFTER.finditer(text):
        yield match.span("number")
    for match in SHORT_WORD.finditer(text):
        if tells_person(text[max(0, match.start() - 24) : match.start()]):
            yield match.span("number")
    for match in LETTERED.finditer(text):
        if not COMMIT_BEFORE.search(text, max(0, match.start() - 12), match.start()):
            yield match.span()
    yield from numbers_below_heads(text)


def tells_person(before: str) -> bool:
    """Whether what stands before a bare "no" or "id" lets it be a person's: nothing, or a name."""
    if before.endswith(('"', "'")):
        return False  # a key of JSON
    word = WORD_BEFORE.search(before)
    return word is None or (word[1].istitle() and word[1].lower() not in OTHER_NUMBERS.split())


def numbers_below_heads(text: str) -> Iterator[tuple[int, int]]:
    """Numbers behind a word that tells them, in its line and in the rows of a table below it."""
    if not TABLE_HEAD.search(text):
        return
    start, separator = 0, ""
    for line in text.split("\n"):
        if head := TABLE_HEAD.search(line):
            separator = next((mark for mark in "|\t;," if mark in line), "")
        elif separator not in line:
            separator = ""
        if head or separator:
            for match in STANDALONE.finditer(line, head.end() if head else 0):
                yield start + match.start(), start + match.end()
        start += len(line) + 1


def find_known(text: str, known: Iterable[str]) -> list[Private]:
    """Roster entries in a text, as whole words in order, whatever their case and accents."""
    by_first: dict[str, list[tuple[list[str], str]]] = {}
    for entry in known:
        words = WORD.findall(fold(entry))
        if words:
            by_first.setdefault(words[0], []).append((words, entry))
    if not by_first:
        return []
    folded = fold(text)
    ends = [position for position, character in enumerate(folded) if character == "\n"]
    matches = list(WORD.finditer(folded))
    found = []
    for index, match in enumerate(matches):
        for words, entry in by_first.get(match.group(), ()):
            run = matches[index : index + len(words)]
            if [word.group() for word in run] == words and is_close(run):
                found.append(Private(bisect_left(ends, match.start()) + 1, KNOWN, entry))
    return found


def find_spaced(text: str, numbers: Collection[str]) -> list[Private]:
    """Numbers of the roster (digits only) written in groups: 12 345 678, 12-345-678."""
    found = []
    for match in SPACED.finditer(text) if numbers else ():
        groups = DIGIT_GROUP.findall(match.group())
        for start in range(len(groups)):
            for end in range(start + 2, min(len(groups), start + MAX_GROUPS) + 1):
                if (number := "".join(groups[start:end])) in numbers:
                    line = text.count("\n", 0, match.start()) + 1
                    found.append(Private(line, KNOWN, number))
    return found


def is_close(run: list[re.Match[str]]) -> bool:
    """Whether words follow each other with little between them."""
    return all(b.start() - a.end() <= MAX_GAP for a, b in pairwise(run))


def fold(text: str) -> str:
    """A text without case and accents; Turkish dotted and dotless i are one letter.

    >>> fold("Işık ÇİĞDEM") == fold("isik cigdem")
    True
    """
    if text.isascii():
        return text.lower()
    bare = COMBINING.sub("", unicodedata.normalize("NFKD", text))
    return COMBINING.sub("", bare.replace("ı", "i").casefold())
