"""Spoken digits: the reader of wave files, the official split, the mu-law."""

import io
import math
import wave
import zipfile

import numpy as np
import pytest
import torch

from common.data import MuLaw, Scale, get_info, load
from common.data.speech import read_recordings, read_wave


def a_wave(samples: np.ndarray, rate: int = 8000) -> bytes:
    """A wave file as the standard library writes it."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(samples.itemsize)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())
    return file.getvalue()


def test_a_wave_file_is_read_as_amplitudes():
    samples = np.array([0, 1, -32768, 32767], np.int16)
    assert read_wave(a_wave(samples)).tolist() == [0.0, 1 / 32768, -1.0, 32767 / 32768]
    with pytest.raises(ValueError, match="16000 Hz"):
        read_wave(a_wave(samples, 16000))
    with pytest.raises(ValueError, match="uint8"):
        read_wave(a_wave(np.zeros(3, np.uint8)))


def test_the_official_split_with_digits_and_speakers():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for digit, speaker, number in [
            (7, "theo", 4),
            (7, "theo", 12),
            (3, "lucas", 9),
            (0, "george", 0),
        ]:
            samples = np.full(digit + 1, number, np.int16)
            archive.writestr(f"recordings/{digit}_{speaker}_{number}.wav", a_wave(samples))
    splits = read_recordings(get_info("fsdd"), {"recordings.zip": file.getvalue()})
    assert splits["train"].y.tolist() == [7]
    assert splits["valid"].factors.tolist() == [[3, 2]]
    assert splits["test"].factors.tolist() == [[0, 0], [7, 4]]
    assert splits["test"].lengths.tolist() == [1, 8]
    assert (splits["test"].x[1, :8] * 32768).tolist() == [4] * 8
    assert not splits["test"].x[1, 8:].any()


def test_the_mu_law_is_the_formula_and_its_inverse_the_middle_of_a_step():
    step = MuLaw()
    assert step(torch.tensor([-1.0, 0.0, 1.0])).tolist() == [0, 128, 255]
    a = torch.linspace(-1, 1, 20001, dtype=torch.float64)
    symbols = step(a)
    assert symbols.dtype == torch.int64
    assert symbols.unique().tolist() == list(range(256))
    assert (symbols.diff() >= 0).all()
    back = step.inverse(symbols)
    # half a step of f, 1 / mu, over its slope mu / ((1 + mu |a|) ln(1 + mu)), at its outer end
    width = (1 + 255 * torch.maximum(a.abs(), back.abs())) * math.log(256) / 255 / 255
    assert ((back - a).abs() <= width).all()
    assert torch.equal(step(step.inverse(torch.arange(256.0))), torch.arange(256))


def test_the_mu_law_refuses_what_is_no_amplitude():
    with pytest.raises(ValueError, match=r"got one of 1\.5"):
        MuLaw()(torch.tensor([1.5]))
    with pytest.raises(ValueError, match="17 levels"):
        load("digits", preprocess=MuLaw())
    with pytest.raises(ValueError, match="mu must be at least 1"):
        MuLaw(0)


def test_the_real_recordings_are_what_their_entry_says(mirror):
    data = load("fsdd")
    assert data.checksum == data.info.checksum
    assert {name: len(split) for name, split in data.splits.items()} == data.info.splits
    for split in data.splits.values():
        assert split.y.unique(return_counts=True)[1].tolist() == [len(split) // 10] * 10
        cells = (split.factors[:, 0] * 6 + split.factors[:, 1]).unique(return_counts=True)[1]
        assert cells.tolist() == [len(split) // 60] * 60
        assert split.x.abs().max() <= 1
    lengths = torch.cat([split.lengths for split in data.splits.values()])
    assert (lengths.min(), lengths.max(), lengths.sum()) == (1148, 18262, 10498424)
    symbols = data.with_preprocess(MuLaw()).test.batch(torch.tensor([0, 5]))
    assert symbols.dtype == torch.int64
    assert symbols.shape == (2, data.test.lengths[[0, 5]].max())
    with pytest.raises(ValueError, match="continuous"):
        data.with_preprocess(Scale())
