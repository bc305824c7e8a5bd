"""A bar is for a person who looks on."""

import sys

from common.bars import bar


def drawn(capsys, *, shown):
    assert list(bar([1, 2, 3], "counting", shown=shown)) == [1, 2, 3]
    return capsys.readouterr().err


def test_a_pipe_gets_no_bar(capsys):
    assert drawn(capsys, shown=True) == ""


def test_a_terminal_gets_one_unless_it_is_hidden(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert drawn(capsys, shown=False) == ""
    assert "counting: 100%" in drawn(capsys, shown=True)
