"""The embedded digits: scikit-learn's 1797 real scans of 8 x 8 pixels and 17 levels."""

import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

RawSplit = tuple[Tensor, Tensor | None, Tensor | None]  # x, y, factors


def hash_order(size: int, salt: str) -> Tensor:
    """A fixed pseudo-random order of 0..size-1 that no library's generator can change.

    >>> sorted(hash_order(4, "a").tolist())
    [0, 1, 2, 3]
    """
    keys = [hashlib.sha256(f"{salt}:{i}".encode()).digest() for i in range(size)]
    return torch.tensor(sorted(range(size), key=keys.__getitem__))


def _read_table() -> np.ndarray:
    """scikit-learn's table (1797, 64 pixels + label), without the seconds its import takes."""
    package = Path(importlib.util.find_spec("sklearn").origin).parent
    table = package / "datasets" / "data" / "digits.csv.gz"
    if table.exists():
        return np.loadtxt(table, delimiter=",")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.column_stack([bunch.data, bunch.target])


def make_digits() -> dict[str, RawSplit]:
    """The splits train 1199, valid 299, test 299, each class divided 4 : 1 : 1."""
    table = _read_table()
    x = torch.from_numpy(table[:, :-1]).to(torch.uint8).reshape(-1, 1, 8, 8)
    y = torch.from_numpy(table[:, -1]).long()
    order = hash_order(len(x), "digits")
    parts: dict[str, list[Tensor]] = {"train": [], "valid": [], "test": []}
    for label in range(10):
        members = order[y[order] == label]
        sixth = round(len(members) / 6)
        parts["test"].append(members[:sixth])
        parts["valid"].append(members[sixth : 2 * sixth])
        parts["train"].append(members[2 * sixth :])
    index = {name: torch.cat(p).sort().values for name, p in parts.items()}
    return {name: (x[i], y[i], None) for name, i in index.items()}
