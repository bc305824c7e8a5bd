"""Real-valued tables: the published test rows, a validation part of our own, standardised on train."""

import gzip
import io
import math

import numpy as np
import torch

from common.data.dataset import Split
from common.data.digits import hash_order
from common.data.registry import DatasetInfo


def read_table(info: DatasetInfo, content: dict[str, bytes]) -> dict[str, Split]:
    """The rows (N, D) float32, each column with mean 0 and variance 1 on the training split.

    Test rows are those of the first of the ten published masks. Of the others a tenth is valid;
    equal rows stay together, so that none of them is in both.
    """
    rows, masks = (_numbers(content[name]) for name in ("data.csv.gz", "test_mask.csv.gz"))
    in_test = masks[:, 0] == 1
    others = rows[~in_test]
    in_valid = _hold_out(others, info.splits["valid"], info.name)
    parts = {"train": others[~in_valid], "valid": others[in_valid], "test": rows[in_test]}
    mean, std = moments(parts["train"])
    return {
        name: Split(name, torch.from_numpy(((part - mean) / std).astype(np.float32)))
        for name, part in parts.items()
    }


def moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column (D,), from sums that are rounded once.

    numpy's sums depend on the width of the machine's registers, and the checksum must not.

    >>> mean, std = moments(np.array([[1.0], [3.0]]))
    >>> mean.tolist(), std.tolist()
    ([2.0], [1.0])
    """
    n = len(rows)
    mean = np.array([math.fsum(column) / n for column in rows.T])
    variance = [math.fsum(column) / n for column in ((rows - mean) ** 2).T]
    return mean, np.sqrt(variance)


def _numbers(packed: bytes) -> np.ndarray:
    return np.loadtxt(io.BytesIO(gzip.decompress(packed)), delimiter=",")


def _hold_out(rows: np.ndarray, size: int, salt: str) -> np.ndarray:
    """Which rows (N,) bool: `size` of them, or a few less, in whole groups of equal rows."""
    _, group, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    order = hash_order(len(counts), salt).numpy()
    chosen = order[np.cumsum(counts[order]) <= size]
    return np.isin(group.reshape(-1), chosen)
