"""torchvision imports beside any torch, and our table says what torchvision's says."""

import subprocess
import sys
from pathlib import Path

import pytest

from common.data import torchvision_import
from common.data.catalogue import CATALOGUE


def test_torchvision_imports_in_a_fresh_process():
    code = (
        "from common.data.torchvision_import import import_torchvision, prepare_torchvision; "
        "tv = import_torchvision(); import torchvision.datasets, torchvision.transforms; "
        "assert tv is torchvision; prepare_torchvision(); print(len(tv.datasets.MNIST.resources))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "4"


def test_importing_our_data_room_does_not_import_torchvision():
    code = "import sys, common.data; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_torchvision_that_loads_is_left_alone(monkeypatch):
    import torch

    def refuse(*args):
        raise AssertionError("nothing is to be declared")

    monkeypatch.setattr(torch.library, "define", refuse)
    monkeypatch.setattr(torchvision_import, "_operators_load", lambda: True)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    torchvision_import.prepare_torchvision.cache_clear()
    assert torchvision_import.prepare_torchvision() is False


def test_without_torchvision_nothing_is_declared(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert torchvision_import._operators_load() is True


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
def test_our_checksums_are_torchvisions(name):
    info = CATALOGUE[name]
    datasets = torchvision_import.import_torchvision().datasets
    theirs = dict(getattr(datasets, info.torchvision_class).resources)
    assert {Path(f.path).name: f.md5 for f in info.files} == theirs


def test_our_checksum_of_cifar10_is_torchvisions():
    published = torchvision_import.import_torchvision().datasets.CIFAR10
    (file,) = CATALOGUE["cifar10"].files
    assert (Path(file.path).name, file.md5) == (published.filename, published.tgz_md5)
