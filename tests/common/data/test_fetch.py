"""Fetching: whole and proved, or not at all, whatever the network and the disk do."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from common.data import DataError, download, get_info, load
from common.data.fetch import fetch, public_addresses, state
from common.data.mirror import find_mirror


def files_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "data"


def test_fetch_brings_every_file_and_only_once(toy, server, root):
    assert state(toy.info) == "absent"
    assert {f.origin for f in fetch(toy.info)} == {"public"}
    assert files_below(root) == sorted(toy.content)
    assert all((root / path).read_bytes() == data for path, data in toy.content.items())
    assert state(toy.info) == "here"
    asked = len(server.requests)
    assert {f.origin for f in fetch(toy.info)} == {"kept"}
    assert len(server.requests) == asked
    load("toy")


def test_fetched_files_are_readable_by_others(toy, root):
    fetch(toy.info)
    assert (root / toy.first).stat().st_mode & 0o777 == 0o644


def test_the_mirror_is_asked_first(toy, server, root, tmp_path, monkeypatch):
    monkeypatch.setenv("DGM_MIRROR", str(toy.write(tmp_path / "mirror")))
    assert state(toy.info, mirror=find_mirror()) == "mirror"
    assert {f.origin for f in fetch(toy.info)} == {"mirror"}
    assert server.requests == []
    assert files_below(root) == sorted(toy.content)


def test_a_mirror_that_lacks_the_set_leaves_the_public_address(toy, tmp_path, monkeypatch, root):
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("DGM_MIRROR", str(tmp_path / "mirror"))
    assert {f.origin for f in fetch(toy.info)} == {"public"}
    assert files_below(root) == sorted(toy.content)


def test_an_unreachable_mirror_stops_the_fetch(toy, server, monkeypatch, root):
    monkeypatch.setenv("DGM_MIRROR", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"mirror DGM_MIRROR=.* cannot be reached"):
        fetch(toy.info)
    assert server.requests == []
    assert files_below(root) == []


@pytest.mark.parametrize("how", ["cut", "short", 404, 500, "damaged", "page"])
def test_a_bad_answer_leaves_nothing(toy, server, root, how):
    path = f"public/{toy.first}"
    if how == "damaged":
        data = bytearray(server.content[path])
        data[50] ^= 1
        server.content[path] = bytes(data)
    elif how == "page":
        server.content[path] = b"<html>please log in</html>" * 10_000
    else:
        server.behaviour[path] = how
    with pytest.raises(DataError, match=Path(toy.first).name):
        fetch(toy.info)
    assert files_below(root) == []


def test_an_answer_that_stalls_is_given_up(toy, server, root, monkeypatch):
    monkeypatch.setattr(download, "_TIMEOUT_SECONDS", 0.2)
    server.behaviour[f"public/{toy.first}"] = "stall"
    with pytest.raises(DataError, match="timed out"):
        fetch(toy.info)
    assert files_below(root) == []


def test_a_damaged_file_is_replaced_and_the_good_ones_are_kept(toy, server, root):
    toy.write(root)
    good = root / toy.info.files[1].path
    before = good.stat()
    (root / toy.first).write_bytes(b"half")
    origins = [f.origin for f in fetch(toy.info)]
    assert origins == ["public", "kept", "kept", "kept"]
    after = good.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    load("toy")


def test_a_failed_fetch_keeps_what_stood_there(toy, server, root):
    toy.write(root)
    (root / toy.first).write_bytes(b"half")
    server.behaviour[f"public/{toy.first}"] = "cut"
    with pytest.raises(DataError, match=r"broke off|truncated"):
        fetch(toy.info)
    assert (root / toy.first).read_bytes() == b"half"
    assert files_below(root) == sorted(toy.content)


def test_a_full_disk_in_the_middle_leaves_the_old_copy(toy, server, root, monkeypatch):
    toy.write(root)
    (root / toy.first).write_bytes(b"old")
    monkeypatch.setattr(download, "_CHUNK", 1000)
    written = []

    def write(handle, chunk):
        if len(written) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(handle.write(chunk))

    monkeypatch.setattr(download, "_write", write)
    with pytest.raises(DataError, match=r"no space left for .*set DGM_DATA"):
        fetch(toy.info)
    assert sum(written) == 2000
    assert (root / toy.first).read_bytes() == b"old"
    assert files_below(root) == sorted(toy.content)


def test_a_full_disk_at_the_end_counts_too(toy, root, monkeypatch):
    def fsync(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(download.os, "fsync", fsync)
    with pytest.raises(DataError, match="no space left"):
        fetch(toy.info)
    assert files_below(root) == []


def test_a_folder_that_cannot_be_written_is_named(toy, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DGM_DATA", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cannot write .*Set DGM_DATA"):
        fetch(toy.info)


def test_fetching_at_the_same_time_gives_whole_files(toy, root):
    """Eight fetch at once while a reader looks: whatever has the name is whole."""
    target, problems, done = root / toy.first, [], threading.Event()

    def reader():
        while not done.is_set():
            if target.exists() and target.read_bytes() != toy.content[toy.first]:
                problems.append("half a file under the name")

    def writer():
        try:
            fetch(toy.info)
        except DataError as error:
            problems.append(str(error))

    watching = threading.Thread(target=reader)
    writers = [threading.Thread(target=writer) for _ in range(8)]
    watching.start()
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    watching.join()
    assert problems == []
    assert files_below(root) == sorted(toy.content)


def test_a_killed_fetch_leaves_no_file_and_the_next_one_succeeds(toy, server, root):
    path = f"public/{toy.first}"
    server.behaviour[path] = "stall"
    file = toy.info.files[0]
    code = (
        "import sys; from pathlib import Path; from common.data.download import download; "
        "from common.data.registry import RemoteFile; "
        f"download(RemoteFile({file.path!r}, sha256={file.sha256!r}, size={file.size}), "
        f"{file.urls[0]!r}, Path(sys.argv[1]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(root / toy.first)])
    deadline = time.monotonic() + 60
    while path not in server.requests and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (root / toy.first).exists()
    (left,) = root.rglob("*.part")
    server.behaviour.clear()
    os.utime(left, (0, 0))  # as if it had been left long ago
    fetch(toy.info)
    assert files_below(root) == sorted(toy.content)


def test_the_addresses_of_torchvision_are_used_for_its_sets():
    from common.data.catalogue import CATALOGUE

    for name, count in (("mnist", 4), ("fashion_mnist", 4), ("kmnist", 4), ("cifar10", 1)):
        info = CATALOGUE[name]
        (form,) = info.forms
        addresses = [public_addresses(info, file) for file in form]
        assert len(addresses) == count
        for file, urls in zip(form, addresses, strict=True):
            assert urls
            assert all(u.startswith("http") and u.endswith(Path(file.path).name) for u in urls)


def test_a_file_without_a_public_address_says_where_it_comes_from():
    with pytest.raises(DataError, match=r"recordings\.zip has no public address; it was made from"):
        fetch(get_info("fsdd"))
