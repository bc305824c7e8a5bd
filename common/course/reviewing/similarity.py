"""Reviews that say the same in the same words, for a person to judge.

Only what reviewers wrote is compared: prose outside of code, without the template's questions, the
goals and what programs filled in. Two reviews are alike if half of the shorter one's runs of five
words stand in the other.
"""

import re
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

from common.course.problems import Problem
from common.course.reviewing.checklist import BY_ID, PROGRAM
from common.course.reviewing.reviews import Review, read_review, review_paths
from common.course.reviewing.text import FENCE, is_open, next_fence, shown

RUN = 5
LEAST_RUNS = 25
ALIKE = 0.5
WORD = re.compile(r"[^\W_]+")
Corpus = Mapping[Path, frozenset[int]]


def prose(review: Review) -> str:
    """What the reviewer wrote, without code and without what a program filled in."""
    parts = [review.summary, review.comments]
    for item in review.checklist:
        known = BY_ID.get(item.id)
        if known is None or known.by != PROGRAM:
            parts.append(item.reason)
    for finding in review.findings:
        parts += [finding.title, finding.evidence, finding.suggestion]
    return "\n\n".join(without_code(part) for part in parts if not is_open(part))


def without_code(text: str) -> str:
    """A text without its blocks of code."""
    kept, fence = [], ""
    for line in text.split("\n"):
        if mark := FENCE.match(line):
            fence = next_fence(fence, mark[1], line)
        elif not fence:
            kept.append(line)
    return "\n".join(kept)


def runs(text: str) -> frozenset[int]:
    """The hashes of all runs of five words."""
    words = WORD.findall(text.lower())
    return frozenset(hash(tuple(words[i : i + RUN])) for i in range(len(words) - RUN + 1))


def likeness(one: frozenset[int], other: frozenset[int]) -> float:
    """The share of the shorter text's runs that the other has; 0 for texts too short to tell."""
    shorter = min(len(one), len(other))
    return len(one & other) / shorter if shorter >= LEAST_RUNS else 0.0


def all_reviews(root: Path) -> list[Path]:
    """Every review of the tree."""
    folders = sorted(path for path in (root / "reviews").glob("*") if path.is_dir())
    return [path for folder in folders for path in review_paths(root, folder.name)]


def corpus(root: Path) -> Corpus:
    """The runs of every review of the tree, read once."""
    return {path.resolve(): runs(prose(read_review(path))) for path in all_reviews(root)}


def similar_to(root: Path, review: Review, texts: Corpus | None = None) -> list[Problem]:
    """The reviews of the tree that are nearly the same as one; `texts` are theirs, if at hand."""
    own = runs(prose(review))
    if len(own) < LEAST_RUNS:
        return []
    return [
        told(review.path, path, share)
        for path, text in (corpus(root) if texts is None else texts).items()
        if path != review.path.resolve() and (share := likeness(own, text)) >= ALIKE
    ]


def similar_reviews(root: Path) -> list[Problem]:
    """Every pair of reviews of the tree that are nearly the same, told once."""
    pairs = combinations(corpus(root).items(), 2)
    return [
        told(one, other, share)
        for (one, a), (other, b) in pairs
        if (share := likeness(a, b)) >= ALIKE
    ]


def told(path: Path, other: Path, share: float) -> Problem:
    """The warning for two reviews."""
    message = f"{share:.0%} of its prose stands in {shown(other)} too"
    hint = "each reviewer writes from their own reading; a person judges this"
    return Problem(shown(path), 0, "review.similar", message, hint, "warning")
