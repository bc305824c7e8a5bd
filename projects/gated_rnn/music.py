"""Piano rolls as notes, as MIDI and as sound.

A roll is (T, 88) of 0 and 1, one row a quarter note, column 0 the piano's lowest key (MIDI pitch 21).
It does not tell a held note from one struck again: what sounds in neighbouring rows is held.
"""

import io
from pathlib import Path
from typing import NamedTuple

import mido
import numpy as np
import soundfile
import torch
from IPython.display import Audio
from numpy.typing import NDArray
from torch import Tensor

from common.data.music import LOWEST, NUM_KEYS

TICKS = 480  # of MIDI, a quarter note
TEMPO = 84  # quarter notes a minute
SAMPLE_RATE = 22050
PARTIALS = np.array([1, 0.5, 0.35, 0.16, 0.12, 0.06, 0.04, 0.03])  # a flute-like organ pipe's


class Note(NamedTuple):
    """A pitch that sounds from row `start` up to row `stop`."""

    pitch: int
    start: int
    stop: int


def notes(roll: Tensor) -> list[Note]:
    """The notes of a roll (T, D) in the order in which they begin, the lowest first.

    Raises:
        ValueError: for another shape, more than 88 columns, or numbers other than 0 and 1.
    """
    if roll.ndim != 2 or roll.shape[1] > NUM_KEYS or not ((roll == 0) | (roll == 1)).all():
        raise ValueError(
            f"roll has shape {tuple(roll.shape)}, expected (T, at most {NUM_KEYS}) of 0 and 1"
        )
    silence = np.zeros((1, roll.shape[1]), dtype=int)
    change = np.diff(np.concatenate([silence, roll.cpu().numpy().astype(int), silence]), axis=0)
    starts, stops = np.argwhere(change.T == 1), np.argwhere(change.T == -1)  # (N, 2): key, row
    found = [
        Note(int(key) + LOWEST, int(start), int(stop))
        for (key, start), (_, stop) in zip(starts, stops, strict=True)
    ]
    return sorted(found, key=lambda note: (note.start, note.pitch))


def to_midi(roll: Tensor, *, tempo: float = TEMPO) -> mido.MidiFile:
    """A MIDI file of one track on the church organ (program 20): `to_midi(roll).save("new.mid")`."""
    events = [(note.stop, "note_off", note.pitch) for note in notes(roll)]
    events += [(note.start, "note_on", note.pitch) for note in notes(roll)]
    track, now = mido.MidiTrack(), 0
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo)))
    track.append(mido.Message("program_change", program=19))
    for row, kind, pitch in sorted(events):  # at the same row note_off before note_on
        track.append(mido.Message(kind, note=pitch, velocity=72, time=(row - now) * TICKS))
        now = row
    track.append(mido.MetaMessage("end_of_track", time=(len(roll) - now) * TICKS))
    return mido.MidiFile(ticks_per_beat=TICKS, tracks=[track])


def from_midi(file: mido.MidiFile | str | Path) -> Tensor:
    """The roll (T, 88) of a MIDI file: what sounds in the middle of each quarter note.

    Raises:
        ValueError: for a pitch that a piano does not have.
    """
    file = file if isinstance(file, mido.MidiFile) else mido.MidiFile(file)
    now, sounding, spans = 0, {}, []
    for message in mido.merge_tracks(file.tracks):
        now += message.time
        if message.type == "note_on" and message.velocity > 0:
            sounding[message.channel, message.note] = now
        elif message.type in ("note_off", "note_on"):
            start = sounding.pop((message.channel, message.note), now)
            spans.append((message.note, start / file.ticks_per_beat, now / file.ticks_per_beat))
    roll = torch.zeros(round(now / file.ticks_per_beat), NUM_KEYS)
    for pitch, start, stop in spans:
        if not LOWEST <= pitch < LOWEST + NUM_KEYS:
            raise ValueError(f"pitch {pitch} is not on the piano, expected {LOWEST} to 108")
        roll[round(start) : round(stop), pitch - LOWEST] = 1
    return roll


def to_wave(roll: Tensor, *, tempo: float = TEMPO, rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """The sound of a roll, (samples,) in [-1, 1]: a few partials a note, equal temperament.

    A pitch p has 440 * 2^((p - 69) / 12) Hz. A note takes 30 ms to speak and 150 ms to fade.
    """
    quarter = 60 / tempo
    wave = np.zeros(int((len(roll) * quarter + 0.5) * rate), dtype=np.float32)
    for pitch, start, stop in notes(roll):
        length = (stop - start) * quarter
        t = np.arange(int((length + 0.15) * rate)) / rate
        frequencies = 440 * 2 ** ((pitch - 69) / 12) * np.arange(1, len(PARTIALS) + 1)
        heard = frequencies < rate / 2  # those above would come back as false low ones
        tone = PARTIALS[heard] @ np.sin(2 * np.pi * frequencies[heard, None] * t)
        envelope = np.minimum(1, t / 0.03) * np.clip((length + 0.15 - t) / 0.15, 0, 1)
        begin = int(start * quarter * rate)
        wave[begin : begin + len(t)] += (tone * envelope)[: len(wave) - begin]
    return 0.9 * wave / max(1e-9, float(np.abs(wave).max()))


def to_mp3(roll: Tensor, *, tempo: float = TEMPO) -> bytes:
    """The sound of a roll as MP3, some 4 kB a second: it fits into a notebook."""
    buffer = io.BytesIO()
    wave = to_wave(roll, tempo=tempo)
    soundfile.write(buffer, wave, SAMPLE_RATE, format="MP3", compression_level=0.7)
    return buffer.getvalue()


def player(roll: Tensor, *, tempo: float = TEMPO) -> Audio:
    """A player for the page of a notebook, the sound inside it."""
    audio = Audio(to_mp3(roll, tempo=tempo))
    audio.mimetype = "audio/mpeg"  # which Audio cannot guess of bytes
    return audio
