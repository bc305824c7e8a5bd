"""Grades under public keys: a key of the roster in one row with a number or a letter grade.

A key alone is public, and so is a number alone. Together they tell a grade where a head says so, above
the number or before it, or where the value can be nothing else (`AA`).
"""

import re
from collections.abc import Collection, Iterator
from itertools import pairwise

GRADED_FILES = (".md", ".csv", ".tsv", ".json", ".txt", ".toml", ".yaml", ".yml")
LISTS = (".csv", ".tsv", ".json")  # in these a head is good for all that follows it
HEAD = re.compile(
    r"(?i)(?<![^\W\d_])(?:grades?|marks?|scores?|developer|reviewer|points?|notes?|notu|puanı?)"
    r"(?![^\W\d_])"
)
SAID = re.compile(r"(?i)(?<![^\W_])(?:grades?|notu|puanı?)(?![^\W_])[^\d\n|]{0,15}\d{1,3}(?!\d)")
SEPARATOR = re.compile(r"[|\t,;={}\[\]]|(?<!\d):|:(?!\d)")
NUMBER = re.compile(r"(?:100|\d{1,2})(?:[.,]\d{1,6})?(?:\s?/\s?100|\s?%)?")
LETTERS = re.compile(r"AA|BA|BB|CB|CC|DC|DD|FD|FF")
LETTER = re.compile(r"[A-F][+-]?")
EDGES = " \r\"'`*_()-+#>"
NEAR = 10  # lines between a key and a value of the same entry


def grade_lines(name: str, text: str, keys: Collection[str]) -> list[tuple[int, str]]:
    """Line (from 1) and text of every grade that stands with one of the keys."""
    if not keys or not name.endswith(GRADED_FILES) or is_review(name):
        return []
    key = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, keys))})(?![\w/-]|\.\w)")
    if not key.search(text):
        return []
    lines = text.split("\n")
    found = set(beside(name, lines, key)) | set(below(lines, key))
    return [(number + 1, lines[number].strip()) for number in sorted(found)]


def is_review(name: str) -> bool:
    """Whether a file is a review, a response or a verification: keys and numbers belong there."""
    return name.startswith("reviews/") and name.endswith(".md")


def cells_of(line: str) -> list[str]:
    """The cells of a row, bare; the words of a line that has no other separator."""
    line = line.strip().strip("|")
    cells = SEPARATOR.split(line) if SEPARATOR.search(line) else line.split()
    return [cell.strip(EDGES) if cell.strip(EDGES) else "" for cell in cells]


def is_value(cell: str) -> bool:
    """Whether a cell is a number from 0 to 100 or a letter grade, and nothing else."""
    return any(pattern.fullmatch(cell) for pattern in (NUMBER, LETTERS, LETTER))


def beside(name: str, lines: list[str], key: re.Pattern[str]) -> Iterator[int]:
    """Lines that hold a key and its grade."""
    is_list = name.endswith(LISTS)
    is_headed = in_name = bool(HEAD.search(name.rsplit("/", 1)[-1]))
    in_section = False
    columns: list[str] = []
    before = ""
    for number, line in enumerate(lines):
        if not line.strip():
            if not is_list:
                columns = []
                is_headed = in_name or in_section or bool(HEAD.search(before))
            continue
        if not is_list and line.startswith(("#", "[")):
            in_section = bool(HEAD.search(line))
            is_headed = in_name or in_section
        if key.search(line):
            cells = cells_of(line)
            if is_graded(line, cells, key, columns, is_headed):
                yield number
        elif HEAD.search(line):
            is_headed, columns = True, cells_of(line)
        before = line


def is_graded(
    line: str, cells: list[str], key: re.Pattern[str], columns: list[str], is_headed: bool
) -> bool:
    """Whether a line with a key has a grade too."""
    if SAID.search(line):
        return True
    filled = [cell for cell in cells if cell]
    for first, second in pairwise(filled):
        if key.search(first) and LETTERS.fullmatch(second):
            return True
        if HEAD.search(first) and is_value(second):
            return True
    values = [index for index, cell in enumerate(cells) if is_value(cell)]
    if is_headed and len(columns) == len(cells) > 1:
        return any(HEAD.search(columns[index]) for index in values)
    return is_headed and bool(values) and is_row(line, cells)


def is_row(line: str, cells: list[str]) -> bool:
    """Whether a line is cells, not a sentence that has a number in it."""
    return bool(SEPARATOR.search(line)) or len(cells) <= 4


def below(lines: list[str], key: re.Pattern[str]) -> Iterator[int]:
    """Lines of a grade by itself (`developer = 78.4`) in an entry whose key is on another line."""
    last = -NEAR - 1
    waiting: list[int] = []
    for number, line in enumerate(lines):
        if not line.strip():
            last, waiting = -NEAR - 1, []
            continue
        if key.search(line):
            yield from (one for one in waiting if number - one <= NEAR)
            last, waiting = number, []
        cells = [cell for cell in cells_of(line) if cell]
        if len(cells) == 2 and HEAD.search(cells[0]) and is_value(cells[1]):
            if number - last <= NEAR:
                yield number
            else:
                waiting.append(number)
