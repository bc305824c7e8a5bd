"""Emoji with their names: one drawing of each, held out so that no skin tone leaks."""

import csv
import io

import numpy as np
import torch

from common.data.dataset import Split
from common.data.digits import hash_order
from common.data.registry import DatasetInfo

TEXTS = ("name", "keywords", "char", "subgroup")
TENTHS = {"train": 8, "valid": 1, "test": 1}


def read_emoji(info: DatasetInfo, content: dict[str, bytes]) -> dict[str, Split]:
    """Pictures (N, 3, 72, 72) over white, the group as label, and texts; keywords part at ';'.

    An emoji and its skin tones are in the same split: a tenth of the base emoji is valid, a tenth
    is test.
    """
    captions = io.StringIO(content["captions.tsv"].decode("utf-8"), newline="")
    rows = list(csv.DictReader(captions, delimiter="\t", quoting=csv.QUOTE_NONE))
    (drawing,) = (data for name, data in content.items() if name.endswith(".npz"))
    with np.load(io.BytesIO(drawing), allow_pickle=False) as packed:
        x = torch.from_numpy(over_white(packed["images"]))
    y = torch.tensor([info.class_names.index(row["group"]) for row in rows])
    bases = [base(row["name"]) for row in rows]
    splits = {}
    for name, members in _hold_out(sorted(set(bases))).items():
        index = [i for i, each in enumerate(bases) if each in members]
        texts = {key: tuple(rows[i][key] for i in index) for key in TEXTS}
        splits[name] = Split(name, x[index], y=y[index], texts=texts)
    return splits


def base(name: str) -> str:
    """The emoji that a name is a variant of: tones, hair and members of a family come after a colon.

    >>> base("waving hand: light skin tone"), base("man: red hair"), base("strawberry")
    ('waving hand', 'man', 'strawberry')
    """
    return name.split(":")[0]


def over_white(images: np.ndarray) -> np.ndarray:
    """(N, 3, H, W) uint8 from (N, H, W, 4) colours that are not multiplied by their opacity."""
    colour, opacity = images[..., :3], images[..., 3]
    mixed = np.where(opacity[..., None] == 255, colour, np.uint8(255))
    partly = (opacity > 0) & (opacity < 255)
    c, a = colour[partly].astype(np.int32), opacity[partly, None].astype(np.int32)
    mixed[partly] = (c * a + 255 * (255 - a) + 127) // 255
    return np.ascontiguousarray(mixed.transpose(0, 3, 1, 2))


def _hold_out(bases: list[str]) -> dict[str, set[str]]:
    order = hash_order(len(bases), "emoji").tolist()
    splits, start = {}, 0
    for name in ("test", "valid", "train"):
        stop = start + len(bases) * TENTHS[name] // 10 if name != "train" else len(bases)
        splits[name] = {bases[i] for i in order[start:stop]}
        start = stop
    return {name: splits[name] for name in TENTHS}
