"""A finished comparison of models' samples, as text for a terminal and a page and as JSON."""

import dataclasses
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.errors import UserError
from common.evaluation.columns import columns, reading, table
from common.evaluation.measurement import Measurement
from common.evaluation.spaces import SPACES

WIDTH = 79
NO_BREAK = "\0"  # stands for a space inside a command while lines are broken
SUPERSCRIPTS = "¹²³⁴⁵⁶⁷⁸⁹"
WHY_NO_LIKELIHOODS = (
    "No likelihoods: each would be of the data as its model sees them (nats of black and white "
    "pixels, bounds of them, bits of grey levels), and some models have none; `dgm evaluate` has "
    "each in its own space."
)
PAGE = """# Samples side by side

What stands between two markers is written by `dgm compare`; edit around it, not in it.
"""


@dataclass(frozen=True)
class Row:
    """One model, or training examples in its place, judged in the common space.

    Attributes:
        label: of the row, its mark not included.
        source: what was taken: a goal, a run, or the training split.
        preset, seed, commit: of the training; None for the training split.
        code_changed: whether the project's code is no longer what was trained.
        preprocess: how the model sees the data.
        foreign: in words, what makes its data another data set than the common one; or None.
        metrics: the measurements.
    """

    label: str
    source: str
    preset: str | None
    seed: int | None
    commit: str | None
    code_changed: bool
    preprocess: str
    foreign: str | None
    metrics: Mapping[str, Measurement]


@dataclass(frozen=True)
class LeftOut:
    """A project without a row: why, and the command that would give it one, if there is one."""

    label: str
    reason: str
    command: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Models' samples on one split of one data set in one space.

    Attributes:
        asked: the metrics that were asked for; empty for all.
        floor: each metric between the training split and this one.
        foreign_floors: the same of training examples as the models saw them whose data is foreign.
        command: makes it again at this commit.
    """

    dataset: str
    split: str
    space: str
    seed: int
    asked: Sequence[str]
    rows: Sequence[Row]
    floor: Mapping[str, float | None]
    foreign_floors: Sequence[Row]
    left_out: Sequence[LeftOut]
    command: str
    commit: str
    hardware: str

    def to_dict(self) -> dict:
        """What comparison-<data>.json holds."""
        return {"schema": "comparison/1", **dataclasses.asdict(self)}

    @property
    def heading(self) -> str:
        """One line: what was compared."""
        return f"{self.dataset} ({self.space}): samples against the {self.split} split"

    def marked(self, row: Row) -> str:
        """The row's label with the mark of its foreign data."""
        kinds = [floor.foreign for floor in self.foreign_floors]
        return row.label + (SUPERSCRIPTS[kinds.index(row.foreign)] if row.foreign else "")

    def table(self) -> str:
        """The Markdown table."""
        rows = {self.marked(row): row.metrics for row in (*self.rows, *self.foreign_floors)}
        names = columns(list(self.rows[0].metrics), self.asked)
        return table(rows, self.floor, names)

    def notes(self) -> str:
        """How to read the table, what each row is, and what has no row, as a Markdown list."""
        first = next(iter(self.rows[0].metrics.values()))
        shown = columns(list(self.rows[0].metrics), self.asked)
        items = [
            f"Space: {self.space}, {SPACES[self.space]}. {first.n} samples against {first.n} "
            f"examples, seed {self.seed}; in brackets the standard error of the last digit."
            f"{self.features()}",
            reading(shown),
            "floor: training examples instead of samples, what a perfect model would get.",
        ]
        for mark, row in zip(SUPERSCRIPTS, self.foreign_floors, strict=False):
            items.append(
                f"{mark} trained on {row.foreign}, which is another data set than the one it is "
                f"judged on here; floor{mark} is what a perfect model of it would get, though the "
                f"noise of a worse one may happen to bring it nearer."
            )
        items += [model_line(row) for row in self.rows]
        for left in self.left_out:
            command = f"; `{left.command}` makes one" if left.command else ""
            items.append(f"left out: {left.label}, {left.reason.rstrip('.')}{command}.")
        items.append(WHY_NO_LIKELIHOODS)
        return "\n".join(bullet(item) for item in items)

    def features(self) -> str:
        """The feature net of the numbers, with its hash, as a sentence; or nothing."""
        for value in self.rows[0].metrics.values():
            if found := re.search(r"features (\S+ sha256 \w+)", value.protocol):
                return f" Feature net {found[1]}."
        return ""

    def section(self, picture: str) -> str:
        """The Markdown section of a page, with the figure of this name beside it."""
        alt = f"Samples of {', '.join(row.label for row in self.rows)} and {self.dataset}"
        made = bullet(f"Written by `{self.command}` at commit {self.commit[:12]}, {self.hardware}.")
        return (
            f"## {self.heading[0].upper()}{self.heading[1:]}\n\n{self.table()}\n\n"
            f"![{alt}]({picture})\n\n{self.notes()}\n{made}"
        )


def model_line(row: Row) -> str:
    """What stands behind a row."""
    changed = ", its code has changed since" if row.code_changed else ""
    commit, _, dirty = row.commit.partition("+")
    commit = commit[:12] + (f"+{dirty}" if dirty else "")
    return f"{row.label}: {row.source} ({row.preset}), trained at {commit}{changed}."


def bullet(text: str) -> str:
    """A list item, wrapped for a terminal; commands stay whole."""
    text = re.sub("`[^`]+`", lambda code: code[0].replace(" ", NO_BREAK), text)
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent="- ",
        subsequent_indent="  ",
        break_on_hyphens=False,
        break_long_words=False,
    ).replace(NO_BREAK, " ")


def with_section(text: str, key: str, section: str) -> str:
    """A page with the section of this key replaced, or added at its end if it has none.

    Raises UserError if the section begins and does not end.

    >>> page = with_section("before", "a", "one")
    >>> with_section(page + "after", "a", "two").split()
    ['before', '<!--', 'a:begin', '-->', 'two', '<!--', 'a:end', '-->', 'after']
    """
    begin, end = f"<!-- {key}:begin -->", f"<!-- {key}:end -->"
    block = f"{begin}\n{section.strip()}\n{end}"
    if begin not in text:
        return f"{text.rstrip()}\n\n{block}\n".lstrip()
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise UserError(f"the page has {begin} and no {end}; add that line after the section.")
    return f"{before}{block}{after}"
