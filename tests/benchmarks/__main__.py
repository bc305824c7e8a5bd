"""`python -m tests.benchmarks [NAME ...]`: the table of our times beside the peers' times."""

import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

import torch

from common.provenance import hardware
from tests.benchmarks.timing import THREADS, Row


def main(names: list[str]) -> int:
    """Run the named benchmark files, or all; returns 1 if one could not be run."""
    torch.set_num_threads(THREADS)
    found = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    chosen = [f"bench_{name.removeprefix('bench_')}" for name in names] or found
    unknown = sorted(set(chosen) - set(found))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(found)}", file=sys.stderr)
        return 2
    print(f"{hardware()}, torch {torch.__version__}, {THREADS} threads, medians after warm-up\n")
    print(f"{'work':<46}{'ours':>10}  {'peer':<18}{'theirs':>10}{'ratio':>8}")
    missing = 0
    for name in chosen:
        try:
            print_rows(import_module(f"tests.benchmarks.{name}").rows())
        except ImportError as error:
            missing += 1
            print(f"{name}: not run: {error} (make bench installs the peers)")
    return 1 if missing else 0


def print_rows(rows: Iterable[Row]) -> None:
    """One line a row, seconds in a readable unit."""
    for row in rows:
        row = Row(*row)
        ours, theirs = readable(row.ours), readable(row.theirs)
        print(f"{row.work:<46}{ours:>10}  {row.peer:<18}{theirs:>10}{row.ratio:>7.1f}x", flush=True)


def readable(seconds: float) -> str:
    """Seconds with three digits in s, ms or us.

    >>> readable(0.01234)
    '12.3 ms'
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
