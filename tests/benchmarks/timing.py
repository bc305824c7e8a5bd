"""Measuring two implementations of the same work side by side."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

THREADS = 2


class Row(NamedTuple):
    """One line of the table: what was done, our median seconds, the peer and its median seconds."""

    work: str
    ours: float
    peer: str
    theirs: float

    @property
    def ratio(self) -> float:
        """How many times faster we are; below one, slower."""
        return self.theirs / self.ours


def side_by_side(
    work: str,
    ours: Callable[[], object],
    peer: str,
    theirs: Callable[[], object],
    *,
    repeats: int = 15,
    warmup: int = 3,
) -> Row:
    """Run both alternately, so that a busy machine hurts both alike, and keep the medians."""
    for _ in range(warmup):
        ours(), theirs()
    our_seconds, their_seconds = [], []
    for _ in range(repeats):
        our_seconds.append(seconds(ours))
        their_seconds.append(seconds(theirs))
    return Row(work, statistics.median(our_seconds), peer, statistics.median(their_seconds))


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
