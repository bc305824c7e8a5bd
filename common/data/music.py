"""JSB chorales: piano rolls of the sounding notes, and the pitches of the four voices."""

import json

import numpy as np
import torch
from torch import Tensor

from common.data.dataset import Split
from common.data.padding import pad
from common.data.registry import DatasetInfo

LOWEST = 21  # the piano's A0 as a MIDI pitch: key 0 of 88
NUM_KEYS = 88
STRIDES = {"jsb_voices": 4, "jsb_voices_eighth": 2, "jsb_voices_sixteenth": 1}  # of sixteenths

Pieces = dict[str, list[list[list[int]]]]  # split -> pieces -> steps -> pitches


def read_rolls(info: DatasetInfo, content: dict[str, bytes]) -> dict[str, Split]:
    """Piano rolls (N, T, 88) uint8 in {0, 1}: key k sounds, MIDI pitch k + 21."""
    pieces = _pieces(content)
    return _splits(info, {name: [roll(piece) for piece in pieces[name]] for name in info.splits})


def read_voices(info: DatasetInfo, content: dict[str, bytes]) -> dict[str, Split]:
    """Pitches (N, T, 4) int64 of soprano, alto, tenor and bass; 0 is silence.

    The file has sixteenths; coarser steps are every second or fourth of them.
    """
    pieces, stride = _pieces(content), STRIDES[info.name]
    return _splits(
        info,
        {
            name: [torch.tensor(piece[::stride]).clamp(min=0) for piece in pieces[name]]
            for name in info.splits
        },
    )


def roll(piece: list[list[int]]) -> Tensor:
    """The piano roll (T, 88) uint8 of a piece: its MIDI pitches at every step.

    >>> roll([[60, 64], []]).nonzero().tolist()
    [[0, 39], [0, 43]]
    """
    keys = np.zeros((len(piece), NUM_KEYS), np.uint8)
    steps = np.repeat(np.arange(len(piece)), [len(pitches) for pitches in piece])
    pitches = [pitch for step in piece for pitch in step]
    keys[steps, np.array(pitches, np.int64) - LOWEST] = 1
    return torch.from_numpy(keys)


def _pieces(content: dict[str, bytes]) -> Pieces:
    (data,) = content.values()
    return json.loads(data)


def _splits(info: DatasetInfo, sequences: dict[str, list[Tensor]]) -> dict[str, Split]:
    padded = {name: pad(each, info.shape[0]) for name, each in sequences.items()}
    return {name: Split(name, x, lengths=lengths) for name, (x, lengths) in padded.items()}
