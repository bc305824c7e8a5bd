"""Progress bars of loops."""

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

Thing = TypeVar("Thing")


def bar(things: Iterable[Thing], label: str, *, shown: bool) -> Iterable[Thing]:
    """The things one by one, under a bar if `shown` and on a terminal: logs and pipes get none."""
    return tqdm(things, desc=label, ncols=79, disable=None if shown else True)
