"""Omniglot: handwritten characters of fifty alphabets, as published and resized to 28 x 28."""

import io

import numpy as np
import torch
from torch import Tensor

from common.data.dataset import Split
from common.data.drawings import ALPHABETS
from common.data.registry import DatasetInfo

NUM_VALID = 161  # characters of the last five background alphabets
DRAWERS = 20
SIDE = 105


def read_omniglot(info: DatasetInfo, content: dict[str, bytes]) -> dict[str, Split]:
    """Images (N, 1, side, side) with ink 1 or 255, characters 0..1622, and their alphabets as texts.

    Twenty images of every character, in the order of the drawers. Whole alphabets are held out.
    """
    background = _ink(content["images_background.npz"])  # (964, 20, 105, 105)
    evaluation = _ink(content["images_evaluation.npz"])  # (659, 20, 105, 105)
    num_train = len(background) - NUM_VALID
    parts = {
        "train": (background[:num_train], 0),
        "valid": (background[num_train:], num_train),
        "test": (evaluation, len(background)),
    }
    return {name: _split(name, part, first, info.shape[1]) for name, (part, first) in parts.items()}


def _ink(data: bytes) -> np.ndarray:
    with np.load(io.BytesIO(data), allow_pickle=False) as packed:
        return ~packed["images"]


def _split(name: str, ink: np.ndarray, first: int, side: int) -> Split:
    x = torch.from_numpy(ink).view(torch.uint8).reshape(-1, 1, SIDE, SIDE)
    x = x if side == SIDE else shrink(x, side)
    characters = range(first, first + len(ink))
    y = torch.tensor(characters).repeat_interleave(DRAWERS)
    alphabets = tuple(_alphabet(character) for character in characters for _ in range(DRAWERS))
    return Split(name, x, y=y, texts={"alphabet": alphabets})


def _alphabet(character: int) -> str:
    """The alphabet of a character 0..1622: the last one that begins at it or before."""
    return next(name for start, name in reversed(ALPHABETS) if start <= character)


def shrink(x: Tensor, side: int) -> Tensor:
    """Area averages of binary images (N, 1, H, H) uint8 as grey levels 0..255, (N, 1, side, side).

    Pixels that an output pixel covers in part count in part; all in integers, so that every
    machine rounds alike.

    >>> shrink(torch.tensor([[[[1, 0, 0], [1, 1, 0], [0, 0, 0]]]], dtype=torch.uint8), 1).item()
    85
    """
    size = x.shape[-1]
    cover = coverage(size, side).float()  # (side, H), entries up to `side`
    total = size * size  # of the weights of one output pixel
    parts = []
    for block in x.split(1000):
        weight = cover @ block.float() @ cover.T  # exact: integers far below 2^24
        parts.append(((510 * weight.long() + total) // (2 * total)).to(torch.uint8))
    return torch.cat(parts)


def coverage(size: int, side: int) -> Tensor:
    """How much of each of `size` pixels in a row each of `side` wide ones covers, in 1 / side.

    >>> coverage(3, 2).tolist()
    [[2, 1, 0], [0, 1, 2]]
    """
    wide, narrow = torch.arange(side)[:, None] * size, torch.arange(size)[None, :] * side
    overlap = torch.minimum(wide + size, narrow + side) - torch.maximum(wide, narrow)
    return overlap.clamp(min=0)
