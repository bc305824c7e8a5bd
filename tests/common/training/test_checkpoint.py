"""Checkpoints are whole or not there, and give back what went in."""

import errno
import os
import signal
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adagrad, Adam, AdamW, RMSprop

from common.training import CheckpointError
from common.training.checkpoint import load_checkpoint, save_checkpoint
from common.training.trees import flatten, unflatten
from tests.common.training.trainer import seeded

OPTIMISERS = [
    (SGD, {"momentum": 0.9, "nesterov": True}),
    (Adam, {"amsgrad": True}),
    (AdamW, {"fused": True}),
    (Adagrad, {}),
    (RMSprop, {"centered": True, "momentum": 0.5}),
]


def same(a, b) -> bool:
    """Equal trees, tensors by value, type and shape."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def test_every_kind_of_value_comes_back(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    tree = {
        "scalars": [1, -0.1, 1e-300, True, None, "naïve <tensor> text", float("inf")],
        "keys": {0: "a", 1: {"deep": ()}, "<tensor>": "not one"},
        "slash/in/key": torch.ones(2),
        "slash": {"in": {"key": torch.zeros(2)}},
        "views": [base, base.t(), base[1], base[:, ::2], base],
        "kinds": [torch.tensor(3), torch.zeros(0, 2), torch.ones(2, dtype=torch.bfloat16)],
        "bits": torch.tensor([True, False]),
    }
    save_checkpoint(tmp_path / "c", tree)
    assert same(load_checkpoint(tmp_path / "c"), tree)
    skeleton, tensors = flatten(tree)
    assert same(unflatten(skeleton, tensors), tree)


@pytest.mark.parametrize(("kind", "args"), OPTIMISERS)
def test_an_optimiser_continues_as_if_nothing_had_happened(tmp_path, kind, args):
    def updates(module, optimiser, number, first):
        for i in range(first, first + number):
            optimiser.zero_grad()
            module(torch.randn(5, 3, generator=seeded(i))).square().sum().backward()
            optimiser.step()
        return module.weight.detach().clone()

    def make():
        module = nn.Linear(3, 2)
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
        return module, kind(module.parameters(), lr=0.01, **args)

    module, optimiser = make()
    updates(module, optimiser, 4, 0)
    state = {"module": dict(module.state_dict()), "optimiser": optimiser.state_dict()}
    save_checkpoint(tmp_path / "c", state)
    expected = updates(module, optimiser, 4, 4)
    again, other = make()
    saved = load_checkpoint(tmp_path / "c")
    again.load_state_dict(saved["module"])
    plain = updates(again, other, 4, 4)
    again.load_state_dict(saved["module"])
    other.load_state_dict(saved["optimiser"])
    assert torch.equal(updates(again, other, 4, 4), expected)
    assert not torch.equal(plain, expected), "this optimiser has no state: the test shows nothing"


def test_what_cannot_be_saved_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"'a/0'.*set"):
        save_checkpoint(tmp_path / "c", {"a": [{1, 2}]})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failing_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch, call):
    path = tmp_path / "c"
    save_checkpoint(path, {"x": torch.ones(3)})

    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(CheckpointError, match=r"No space left.*is whole"):
        save_checkpoint(path, {"x": torch.zeros(3)})
    monkeypatch.undo()
    assert load_checkpoint(path)["x"].tolist() == [1, 1, 1]
    assert [file.name for file in tmp_path.iterdir()] == ["c"]


def write_and_die(path: Path, moment: str) -> None:
    """Write a checkpoint and be killed right before or after the file is synced or renamed."""
    when, name = moment.split()
    call = getattr(os, name)

    def deadly(*args):
        if when == "after":
            call(*args)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(os, name, deadly)
    save_checkpoint(path, {"x": torch.zeros(3)})


@pytest.mark.parametrize(
    ("moment", "left"),
    [("before fsync", 1), ("after fsync", 1), ("before replace", 1), ("after replace", 0)],
)
def test_killed_while_writing(tmp_path, processes, moment, left):
    path = tmp_path / "c"
    save_checkpoint(path, {"x": torch.ones(3)})
    process = processes.Process(target=write_and_die, args=(path, moment))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert load_checkpoint(path)["x"].tolist() == [left] * 3
