"""Spoken digits: wave files, and the mu-law that makes 256 symbols of an amplitude."""

import io
import math
import zipfile
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from common.data.dataset import Split
from common.data.padding import pad
from common.data.registry import DatasetInfo
from common.data.transforms import Preprocess

RATE = 8000  # samples a second
FULL_SCALE = 32768  # of 16 bits


@dataclass(frozen=True)
class MuLaw(Preprocess):
    """Amplitudes in [-1, 1] as symbols 0..mu, finer near silence (ITU-T G.711, the formula).

    f(a) = sign(a) ln(1 + mu |a|) / ln(1 + mu), cut into mu + 1 equal steps, as van den Oord et al.
    (2016, WaveNet, arXiv:1609.03499, section 2.2) do. `inverse` gives the middle of the step.

    >>> MuLaw()(torch.tensor([[-1.0, -0.01, 0.0, 1.0]])).tolist()
    [[0, 98, 128, 255]]
    """

    mu: int = 255
    dequantises: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.mu < 1:
            raise ValueError(f"mu must be at least 1, got {self.mu!r}")

    def __call__(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        x = x.double()
        if len(x) and x.abs().max() > 1:
            raise ValueError(f"amplitudes lie in [-1, 1]; got one of {x.abs().max().item():g}")
        companded = x.sign() * (self.mu * x.abs()).log1p() / math.log1p(self.mu)
        return ((companded + 1) / 2 * self.mu + 0.5).floor().long()

    def inverse(self, y: Tensor) -> Tensor:
        companded = 2 * y / self.mu - 1
        return companded.sign() * (companded.abs() * math.log1p(self.mu)).expm1() / self.mu

    def output_levels(self, num_levels: int | None) -> int | None:
        return self.mu + 1

    def bind(self, shape: tuple[int, ...], num_levels: int | None) -> "MuLaw":
        if num_levels is not None:
            raise ValueError(f"MuLaw needs amplitudes; these data have {num_levels} levels")
        return self


def read_recordings(info: DatasetInfo, content: dict[str, bytes]) -> dict[str, Split]:
    """Waveforms (N, T) float32, digits, and the factors digit and speaker, (N, 2).

    `recordings/<digit>_<speaker>_<number>.wav`: numbers 0-4 are test, 5-9 valid.
    """
    speakers = info.factors["speaker"]
    rows: dict[str, list[tuple[int, int, int, Tensor]]] = {name: [] for name in info.splits}
    (data,) = content.values()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            if not name.endswith(".wav"):
                continue
            digit, speaker, number = name.rsplit("/", 1)[-1].removesuffix(".wav").split("_")
            split = ("test", "valid")[int(number) // 5] if int(number) < 10 else "train"
            wave = read_wave(archive.read(name))
            rows[split].append((int(digit), speakers.index(speaker), int(number), wave))
    return {
        name: _split(name, sorted(part, key=_place), info.shape[0]) for name, part in rows.items()
    }


def _place(row: tuple[int, int, int, Tensor]) -> tuple[int, int, int]:
    return row[:3]


def _split(name: str, rows: list[tuple[int, int, int, Tensor]], num_steps: int) -> Split:
    x, lengths = pad([wave for *_, wave in rows], num_steps)
    factors = torch.tensor([row[:2] for row in rows])
    return Split(name, x, y=factors[:, 0].clone(), factors=factors, lengths=lengths)


def read_wave(data: bytes) -> Tensor:
    """Amplitudes (T,) float32 in [-1, 1) of a wave file: 8 kHz, mono, 16 bits."""
    from scipy.io import wavfile

    rate, samples = wavfile.read(io.BytesIO(data))
    if rate != RATE or samples.dtype != np.int16 or samples.ndim != 1:
        raise ValueError(
            f"a wave of {rate} Hz, {samples.dtype} and shape {samples.shape}; expected {RATE} Hz, "
            "int16 and one channel"
        )
    return torch.from_numpy(samples.astype(np.float32) / FULL_SCALE)
