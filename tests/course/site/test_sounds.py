"""Sounds in notebooks: a player of MP3 becomes a player of a file, and nothing else makes a sound."""

import io
import json
import re

import numpy as np
import pytest
import soundfile
from IPython.display import Audio

from common.course.site.rendering import Place, render_notebook


def mp3() -> bytes:
    """A tenth of a second of a tone."""
    buffer = io.BytesIO()
    tone = 0.1 * np.sin(np.arange(1600) * 0.17)
    soundfile.write(buffer, tone, 16000, format="MP3")
    return buffer.getvalue()


def player(data: bytes) -> str:
    """What a notebook holds of `Audio`."""
    audio = Audio(data)
    audio.mimetype = "audio/mpeg"
    return audio._repr_html_()


def rendered(html: str):
    """The notebook of one cell with this output."""
    output = {"output_type": "display_data", "metadata": {}, "data": {"text/html": html}}
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "source": "",
        "execution_count": 1,
        "outputs": [output],
    }
    table = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    return render_notebook(json.dumps(table), Place(media="media"))


def test_a_player_becomes_one_of_a_file_beside_the_page():
    data = mp3()
    fragment = rendered(player(data))
    [(path, stored)] = fragment.files.items()
    assert re.fullmatch(r"media/[0-9a-f]{16}\.mp3", path)
    assert stored == data
    assert f'src="{path}"' in fragment.html
    assert 'controls="controls"' in fragment.html
    assert 'aria-label="Sound of a cell in “the beginning”"' in fragment.html
    assert "base64" not in fragment.html


@pytest.mark.parametrize(
    "html",
    [
        player(b"<html><script>alert(1)</script>"),
        player(b"\xff<script>alert(1)</script>" * 9),
        player(mp3())[:200] + "</audio>",
        player(mp3()).replace("<audio ", "<audio autoplay onplay=alert(1) "),
        player(mp3()).replace('type="audio/mpeg"', 'type="audio/mpeg" onerror="alert(1)"'),
        player(mp3()).replace("audio/mpeg;base64", "text/html;base64"),
        player(mp3()) + "<p>more</p>",
        '<audio controls="controls" src="https://example.org/a.mp3"></audio>',
        '<audio controls="controls" src="media/0123456789abcdef.mp3"></audio>',
    ],
)
def test_nothing_else_makes_a_sound(html):
    fragment = rendered(html)
    assert not fragment.files
    assert "<audio" not in fragment.html
    assert "alert" not in fragment.html


def test_a_player_in_markdown_is_dropped():
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": player(mp3())}
    table = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    fragment = render_notebook(json.dumps(table), Place())
    assert "<audio" not in fragment.html
