"""The UCI tables: standardised on train alone, the published test rows, no equal rows in two parts."""

import gzip
from dataclasses import replace

import numpy as np
import pytest
import torch

from common.data import get_info, load
from common.data.tables import moments, read_table


def packed(rows: np.ndarray) -> bytes:
    return gzip.compress("\n".join(",".join(map(repr, row)) for row in rows.tolist()).encode())


def made(repeats: int = 1) -> tuple[np.ndarray, np.ndarray, dict]:
    """A table of 60 rows, every row `repeats` times, with ten masks."""
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(3, 2, (60, 4)), repeats, axis=0)
    masks = np.zeros((len(rows), 10))
    masks[rng.permutation(len(rows))[: len(rows) // 10], 0] = 1
    masks[:, 1] = 1 - masks[:, 0]  # another split, which is not to be taken
    info = replace(get_info("wine"), splits={"train": 0, "valid": len(rows) // 10, "test": 0})
    content = {"data.csv.gz": packed(rows), "test_mask.csv.gz": packed(masks)}
    return rows, masks, read_table(info, content)


def test_train_is_standardised_and_the_others_with_its_numbers():
    rows, masks, splits = made()
    train = splits["train"].x.double()
    assert train.mean(0).abs().max() < 1e-6
    assert (train.var(0, correction=0) - 1).abs().max() < 1e-6
    others = rows[masks[:, 0] == 1]
    mean, std = rows[masks[:, 0] == 0].mean(0), rows[masks[:, 0] == 0].std(0)
    test = splits["test"].x.double().numpy()
    assert not np.allclose(test, (others - mean) / std, atol=1e-3)  # valid did not take part
    # one affine map for all: test values have those of the raw table
    slope = (test[1:] - test[0]) / (others[1:] - others[0])
    assert np.allclose(slope, slope[0], rtol=1e-4)


def test_equal_rows_are_not_divided_between_train_and_valid():
    _, _, splits = made(repeats=3)
    train, valid = (set(map(tuple, splits[name].x.tolist())) for name in ("train", "valid"))
    assert len(splits["valid"]) > 6
    assert not train & valid


def test_the_sums_are_rounded_once():
    column = np.array(
        [[1e16], [1.0], [-1e16], [1.0]]
    )  # added one after the other this gives 1 or 0
    assert moments(column)[0].tolist() == [0.5]


@pytest.mark.parametrize(
    ("name", "size", "num_columns"),
    [("protein", 45730, 10), ("parkinsons", 5875, 21), ("wine", 1599, 12)],
)
def test_the_real_tables_are_what_their_entries_say(name, size, num_columns, mirror):
    data = load(f"uci/{name}")
    assert data.name == name
    assert data.checksum == data.info.checksum
    assert {split: len(part) for split, part in data.splits.items()} == data.info.splits
    assert sum(data.info.splits.values()) == size
    assert data.shape == (num_columns,)
    x = data.train.tensor()
    assert x.dtype == torch.float32
    assert x.mean(0).abs().max() < 1e-4
    assert (x.std(0, correction=0) - 1).abs().max() < 1e-3
    seen = set(map(tuple, x.tolist()))
    assert not seen & set(map(tuple, data.valid.x.tolist()))
