"""All models on one data set: the declared goals beside each other, and samples judged alike."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from common.course.documents import DocumentError, read_text
from common.course.site.entries import Entry, GoalState
from common.course.site.links import Links
from common.course.site.pages import File, Page, Site
from common.course.site.rendering import render_markdown

SOURCE = "docs/comparison.md"
PATH = "comparisons.html"
BLOCK = re.compile(
    r"<!-- comparison:(?P<name>[\w-]+):begin -->\n(?P<text>.*?)<!-- comparison:(?P=name):end -->",
    re.DOTALL,
)
PICTURE = re.compile(r"\((comparison-[\w-]+\.png)\)")


@dataclass(frozen=True)
class Metric:
    """The goals of one metric on one split of a data set, the best first; unmeasured ones last."""

    name: str
    split: str
    direction: str
    rows: tuple[tuple[Entry, GoalState], ...]


@dataclass(frozen=True)
class DataSet:
    """Everything there is to compare on one data set."""

    name: str
    metrics: tuple[Metric, ...]
    samples: tuple[Markup, ...]  # tables of `dgm compare`


def pages(site: Site, links: Links) -> Iterator[Page | File]:
    """The page of comparisons and the figures of `dgm compare`."""
    blocks = comparison_blocks(site.root)
    names = {goal.goal.dataset for entry in site.entries for goal in entry.goals} | set(blocks)
    sets = [
        DataSet(
            name,
            tuple(metrics(site.entries, name)),
            tuple(
                Markup(render_markdown(text, links.place(PATH, "docs", prefix=label, top=2)).html)
                for label, text in blocks.get(name, {}).items()
            ),
        )
        for name in sorted(names)
    ]
    yield Page(
        PATH,
        "Comparisons: all models on one data set",
        description="The numbers of every project on each data set, and samples judged alike.",
        section=PATH,
        template="comparisons.html",
        context={"sets": sets},
    )
    for texts in blocks.values():
        for name in (name for text in texts.values() for name in PICTURE.findall(text)):
            picture = site.root / "docs" / name
            if picture.is_file() and not picture.is_symlink():
                yield File(f"docs/{name}", picture.read_bytes())


def metrics(entries: tuple[Entry, ...], dataset: str) -> Iterator[Metric]:
    """The goals on a data set by metric and split."""
    found: dict[tuple[str, str, str], list[tuple[Entry, GoalState]]] = {}
    for entry in entries:
        for goal in entry.goals:
            if goal.goal.dataset == dataset:
                key = (goal.goal.metric, goal.goal.split, goal.goal.direction)
                found.setdefault(key, []).append((entry, goal))
    for (name, split, direction), rows in sorted(found.items()):
        sign = 1 if direction == "at most" else -1
        yield Metric(
            name, split, direction, tuple(sorted(rows, key=lambda row: rank(row[1], sign)))
        )


def rank(goal: GoalState, sign: int) -> tuple[bool, float]:
    """Where a goal stands in its table: measured ones by their value, then the others."""
    return (goal.result is None, sign * (goal.result.value if goal.result else goal.goal.target))


def comparison_blocks(root: Path) -> dict[str, dict[str, str]]:
    """What `dgm compare` wrote in docs/comparison.md, by data set and by the block's name."""
    try:
        text = read_text(root / SOURCE)
    except DocumentError:
        return {}
    blocks: dict[str, dict[str, str]] = {}
    for match in BLOCK.finditer(text):
        record = root / "docs" / f"comparison-{match['name']}.json"
        try:
            name = json.loads(record.read_text(encoding="utf-8"))["dataset"]
        except (OSError, ValueError, KeyError, TypeError):
            name = match["name"]
        blocks.setdefault(str(name), {})[match["name"]] = match["text"]
    return blocks
