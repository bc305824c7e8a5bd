"""A file is written whole or not at all."""

import os

import pytest

from common.errors import UserError
from common.files import replace_bytes, write_bytes, write_text


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


def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "model.py"
    path.write_bytes(b"theirs")
    with pytest.raises(UserError, match="changed by somebody else"):
        replace_bytes(path, b"as it was", b"mended")
    assert path.read_bytes() == b"theirs"
    replace_bytes(path, b"theirs", b"mended")
    assert path.read_bytes() == b"mended"


def test_the_mode_of_an_old_file_is_kept(tmp_path):
    path = tmp_path / "run.py"
    path.write_bytes(b"a")
    path.chmod(0o755)
    write_bytes(path, b"b")
    assert path.stat().st_mode & 0o777 == 0o755
