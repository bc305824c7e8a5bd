"""A file is written whole or not at all."""

import os

import pytest

from common.files import write_bytes, write_text


def test_a_failed_write_keeps_the_good_copy_and_leaves_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / "good.json"
    write_text(path, "good")

    def full_disk(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(path, b"half")
    assert path.read_text() == "good"
    assert list(tmp_path.iterdir()) == [path]


def test_parent_folders_are_made(tmp_path):
    write_text(tmp_path / "a" / "b.txt", "ğüş\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "ğüş\n".encode()
