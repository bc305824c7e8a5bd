"""A run that is killed at any moment and resumed ends as if nothing had happened."""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch.optim import SGD, Adam

from common.training import CheckpointError, ResumeError, Stopped, TrainingError
from common.training.checkpoint import load_checkpoint
from tests.common.training.trainer import STEPS, metrics, train

CHECKPOINT = "checkpoint.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A run that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(folder)
    return folder


def written(folder: Path) -> int:
    """When the checkpoint was last written."""
    path = folder / CHECKPOINT
    return path.stat().st_mtime_ns if path.exists() else 0


def final(folder: Path) -> dict[str, torch.Tensor]:
    """Every tensor of a run's last checkpoint: weights, averages, best, momenta, random states."""
    with safe_open(folder / CHECKPOINT, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def assert_same_end(folder: Path, whole: Path) -> None:
    """Bit for bit the same tensors, and the same metrics but for the times."""
    mine, theirs = final(folder), final(whole)
    assert mine.keys() == theirs.keys()
    assert any("momentum_buffer" in name for name in mine) or any("exp_avg" in n for n in mine)
    for name, tensor in theirs.items():
        assert torch.equal(mine[name], tensor), name
    lines = [
        [{k: v for k, v in line.items() if k not in ("rate", "seconds")} for line in metrics(f)]
        for f in (folder, whole)
    ]
    assert lines[0] == lines[1]
    assert [line["step"] for line in lines[0]] == list(range(1, len(lines[0]) + 1))


def test_killed_at_random_moments_ends_bit_for_bit_the_same(tmp_path, whole, processes):
    folder, kills = tmp_path / "run", 0
    moments = random.Random(0)
    while kills < 8:
        options = {"resume": True, "pause": 0.008}
        process = processes.Process(target=train, args=(folder,), kwargs=options)
        process.start()
        time.sleep(0.2 if kills == 0 else 0.02)
        before = written(folder)
        waited = time.monotonic()
        while process.is_alive() and time.monotonic() - waited < 20:  # until it trains again
            if written(folder) != before:
                break
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.04))
        if not process.is_alive():
            break
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        if load_checkpoint(folder / CHECKPOINT)["step"] == STEPS:
            break
        kills += 1
    assert kills >= 4, "the run ended before it could be killed"
    train(folder, resume=True)
    assert_same_end(folder, whole)


@pytest.mark.parametrize(
    "options", [{"patience": 2, "optimiser": Adam}, {"epochs": 7, "steps": None}]
)
def test_killed_in_the_middle_of_a_step(tmp_path, processes, options):
    # a checkpoint only now and then: the steps since the last one are made again
    options |= {"checkpoint_seconds": 0.03}
    train(tmp_path / "whole", **options)
    steps = len(metrics(tmp_path / "whole"))
    for die_at in (1, 7, steps):
        kwargs = options | {"resume": True, "die_at": die_at, "pause": 0.005}
        process = processes.Process(target=train, args=(tmp_path / "run",), kwargs=kwargs)
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    train(tmp_path / "run", **options, resume=True)
    assert_same_end(tmp_path / "run", tmp_path / "whole")


def test_the_test_of_sameness_can_fail(tmp_path, whole):
    train(tmp_path / "other", seed=4)
    with pytest.raises(AssertionError):
        assert_same_end(tmp_path / "other", whole)


def test_a_finished_run_returns_at_once(tmp_path):
    run, model = train(tmp_path, optimiser=Adam)
    stamp = (tmp_path / CHECKPOINT).stat().st_mtime_ns
    again, same = train(tmp_path, optimiser=Adam, resume=True)
    assert again.steps_done == run.steps_done == STEPS
    assert (tmp_path / CHECKPOINT).stat().st_mtime_ns == stamp
    for a, b in zip(model.state_dict().values(), same.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_early_stop_is_remembered(tmp_path):
    run, _ = train(tmp_path, patience=1)
    assert run.steps_done < STEPS
    assert train(tmp_path, patience=1, resume=True)[0].steps_done == run.steps_done


def test_a_budget_that_grew_goes_on_where_it_ended(tmp_path):
    assert train(tmp_path / "a", max_steps=9)[0].steps_done == 9
    run, _ = train(tmp_path / "a", max_steps=21, resume=True)
    assert run.steps_done == 21
    assert [line["step"] for line in metrics(tmp_path / "a")] == list(range(1, 22))


def test_resume_without_a_checkpoint_starts(tmp_path):
    run, _ = train(tmp_path / "new", steps=3, resume=True)
    assert run.steps_done == 3


def test_without_resume_an_earlier_run_is_moved_aside(tmp_path, capsys):
    train(tmp_path / "run", steps=3)
    earlier = (tmp_path / "run" / CHECKPOINT).read_bytes()
    train(tmp_path / "run", steps=4)
    assert (tmp_path / "run.1" / CHECKPOINT).read_bytes() == earlier
    assert len(metrics(tmp_path / "run.1")) == 3
    assert len(metrics(tmp_path / "run")) == 4
    assert "run.1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 9}, "seed was 3 and is now 9"),
        ({"width_check": 5}, "config.width was 4 and is now 5"),
        ({"optimiser": Adam}, "optimiser was 'SGD' and is now 'Adam'"),
        ({"norm": False}, "norm.weight was [12] and is now None"),
    ],
)
def test_another_run_is_refused(tmp_path, change, named):
    train(tmp_path, steps=3)
    before = (tmp_path / CHECKPOINT).read_bytes(), (tmp_path / "metrics.jsonl").read_bytes()
    with pytest.raises(ResumeError) as error:
        train(tmp_path, **{"steps": 5, "resume": True} | change)
    assert named in str(error.value)
    assert "resum" in str(error.value)
    after = (tmp_path / CHECKPOINT).read_bytes(), (tmp_path / "metrics.jsonl").read_bytes()
    assert after == before


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text"])
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    train(tmp_path, steps=3)
    path = tmp_path / CHECKPOINT
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "flip":
        data[-100] ^= 1
    path.write_bytes({"empty": b"", "text": b"not a checkpoint"}.get(damage, bytes(data)))
    with pytest.raises(CheckpointError, match="cannot be used") as error:
        train(tmp_path, steps=5, resume=True)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("by", "raised"), [(signal.SIGTERM, Stopped), (signal.SIGINT, KeyboardInterrupt)]
)
def test_told_to_stop_it_finishes_the_step_and_saves(tmp_path, whole, by, raised):
    before = signal.getsignal(by)
    with pytest.raises(raised) as stop:
        train(tmp_path / "run", die_at=20, by=by, checkpoint_seconds=1e6)
    assert by == signal.SIGINT or stop.value.code == 143
    assert signal.getsignal(by) is before
    assert load_checkpoint(tmp_path / "run" / CHECKPOINT)["step"] == 20
    train(tmp_path / "run", resume=True)
    assert_same_end(tmp_path / "run", whole)


def test_a_folder_in_use_is_refused(tmp_path, processes):
    process = processes.Process(target=train, args=(tmp_path,), kwargs={"pause": 0.05})
    process.start()
    while not (tmp_path / "metrics.jsonl").exists():
        time.sleep(0.01)
    for resume in (False, True):
        with pytest.raises(TrainingError, match="another process"):
            train(tmp_path, resume=resume)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    run, _ = train(tmp_path, steps=3, resume=True)  # the lock died with the process
    assert run.steps_done >= 3


def test_the_record_is_kept(tmp_path):
    train(tmp_path, steps=3)
    assert json.loads((tmp_path / "run.json").read_text())["config"] == {"width": 4}
    assert load_checkpoint(tmp_path / CHECKPOINT)["record"]["project"] == "trainer"
    assert SGD.__name__ in str(load_checkpoint(tmp_path / CHECKPOINT)["signatures"])
