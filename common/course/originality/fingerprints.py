"""Code as fingerprints that survive renaming, and the passages that two files share.

copydetect makes the fingerprints: names become one letter, strings, comments and spaces go, and of
the hashes of all short runs that are left winnowing keeps a few (Schleimer, Wilkerson, Aiken 2003).
Its own places are off by lines around classes, so the passages and their lines are found here.
"""

import io
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property

from common.errors import UserError

RUN = 25  # characters of filtered code in one hash, about two statements
GUARANTEE = 36  # a common run of this length is always seen
MAX_GAP = 60  # between two hashes of one passage: a changed statement or two
MAX_DRIFT = 24  # by how much such a change may lengthen one side
MIN_PASSAGE = 90  # shorter ones are idioms: about six statements
MAX_REPEATS = 6  # a run that stands more often in a file says nothing


@dataclass
class CodeFile:
    """Code of one owner (a project or a folder): a file, or all code cells of a notebook.

    `cells` are the first lines (from 1) of the notebook's cells in `text`, with their numbers.
    """

    owner: str
    path: str
    text: str
    cells: list[tuple[int, int]] = field(default_factory=list)
    positions: dict[int, list[int]] = field(default_factory=dict)  # of each hash, in filtered code
    lines: list[int] = field(default_factory=list)  # of each character of the filtered code

    @cached_property
    def num_lines(self) -> int:
        """How many lines have code."""
        return len(set(self.lines))

    def place(self, first: int, last: int) -> str:
        """Where lines stand, as a person writes it: `model.py:3-9`, `demo.ipynb#cell-4:1-5`."""
        cell, start = self.cell_of(first)
        if cell is None:
            return f"{self.path}:{first}-{last}"
        other, other_start = self.cell_of(last)
        end = f"cell-{other}:" if other != cell else ""
        return f"{self.path}#cell-{cell}:{first - start}-{end}{last - (other_start or 0)}"

    def cell_of(self, line: int) -> tuple[int | None, int]:
        """The notebook's cell of a line, and what to take from it for its line in the cell."""
        index = bisect_right([start for start, _ in self.cells], line) - 1
        return (None, 0) if index < 0 else (self.cells[index][1], self.cells[index][0] - 1)


@dataclass(frozen=True)
class Passage:
    """Lines (from 1, both ends included) of two files that are the same but for names."""

    left_first: int
    left_last: int
    right_first: int
    right_last: int

    @property
    def num_lines(self) -> int:
        """The length, by the shorter side."""
        return 1 + min(self.left_last - self.left_first, self.right_last - self.right_first)


def fingerprint(file: CodeFile) -> CodeFile:
    """The file with its hashes and lines filled in; raises UserError without copydetect."""
    CodeFingerprint = code_fingerprint()
    text = file.text.lstrip("\n")  # its lexer drops empty lines at the beginning
    dropped = len(file.text) - len(text)
    made = CodeFingerprint("code.py", RUN, GUARANTEE - RUN + 1, fp=io.StringIO(text))
    file.positions = {
        int(key): [int(place) for place in places] for key, places in made.hash_idx.items()
    }
    file.lines = lines_of(text, made.filtered_code, made.offsets.tolist())
    file.lines = [line + dropped for line in file.lines]
    return file


def code_fingerprint():
    """copydetect's class; its import takes a second."""
    try:
        from copydetect import CodeFingerprint
    except ImportError:
        message = "copydetect is not installed; it compares the code: pip install -e '.[course]'"
        raise UserError(message) from None
    return CodeFingerprint


def lines_of(text: str, filtered: str, offsets: list[list[int]]) -> list[int]:
    """The line of the text for every character of its filtered code.

    `offsets` are pairs: up to this character of the filtered code, so many characters were taken
    out. For the name of a class copydetect notes only what that name takes out; it is mended here.
    """
    for row, (place, removed) in enumerate(offsets[:-1]):
        if 0 <= place < len(filtered) and filtered[place] == "O":
            following = offsets[row + 1][1]
            if following >= removed and offsets[row + 1][0] >= place:
                offsets[row][1] = following - removed
    breaks = [index for index, character in enumerate(text) if character == "\n"]
    lines, row = [], 0
    for place in range(len(filtered)):
        while row < len(offsets) - 1 and offsets[row][0] < place:
            row += 1
        lines.append(bisect_right(breaks, place + offsets[row][1] - 1) + 1)
    return lines


def without(file: CodeFile, hashes: set[int]) -> CodeFile:
    """The file less what is the template's or everybody's; those lines no longer count."""
    for key in hashes & file.positions.keys():
        del file.positions[key]
    covered = {
        line
        for places in file.positions.values()
        for place in places
        for line in file.lines[place : place + RUN]
    }
    file.__dict__["num_lines"] = len(covered)
    return file


def passages(left: CodeFile, right: CodeFile) -> list[Passage]:
    """The passages that two files share, longest first."""
    pairs = sorted(
        (i, j)
        for key in left.positions.keys() & right.positions.keys()
        if max(len(left.positions[key]), len(right.positions[key])) <= MAX_REPEATS
        for i in left.positions[key]
        for j in right.positions[key]
    )
    found = []
    for run in chains(pairs):
        (i, j), (k, m) = run[0], run[-1]
        if min(k - i, m - j) + RUN >= MIN_PASSAGE:
            first, last = left.lines[i], left.lines[k + RUN - 1]
            found.append(Passage(first, last, right.lines[j], right.lines[m + RUN - 1]))
    found.sort(key=lambda passage: (-passage.num_lines, passage.left_first, passage.right_first))
    return [
        passage for n, passage in enumerate(found) if not any(inside(passage, p) for p in found[:n])
    ]


def chains(pairs: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Sorted pairs of places joined into runs that go on together on both sides."""
    done: list[list[tuple[int, int]]] = []
    growing: list[list[tuple[int, int]]] = []
    for i, j in pairs:
        still = []
        for run in growing:
            (still if i - run[-1][0] <= MAX_GAP else done).append(run)
        growing = still
        near = [run for run in growing if goes_on(run[-1], (i, j))]
        if near:
            max(near, key=len).append((i, j))
        else:
            growing.append([(i, j)])
    return done + growing


def goes_on(last: tuple[int, int], pair: tuple[int, int]) -> bool:
    """Whether a pair of places continues a run that ended at `last`."""
    left, right = pair[0] - last[0], pair[1] - last[1]
    return 0 < left <= MAX_GAP and 0 < right <= MAX_GAP and abs(left - right) <= MAX_DRIFT


def inside(passage: Passage, other: Passage) -> bool:
    """Whether a passage tells nothing that a longer one does not."""
    return (
        other.left_first <= passage.left_first
        and passage.left_last <= other.left_last
        and other.right_first <= passage.right_first
        and passage.right_last <= other.right_last
    )


def covered(found: list[Passage], *, is_left: bool) -> set[int]:
    """The lines of one side that the passages cover."""
    sides = [
        (p.left_first, p.left_last) if is_left else (p.right_first, p.right_last) for p in found
    ]
    return {line for first, last in sides for line in range(first, last + 1)}
