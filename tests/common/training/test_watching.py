"""What a person or a program sees of a run: the bar, the lines, the metrics, TensorBoard."""

import builtins
import io

import pytest
import torch
from torch import nn
from torch.optim import SGD

from common.training import Run, TrainingError
from common.training.metrics import MetricsLog
from common.training.progress import Progress
from tests.common.training.trainer import make_split, metrics


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def watch(monkeypatch, stream, *, total=150_000, **options) -> str:
    """All that is shown of a long run in which a second passes every thousand steps."""
    now = [0.0]
    monkeypatch.setattr("common.training.progress.time.monotonic", lambda: now[0])
    monkeypatch.setenv("COLUMNS", "80")
    options = {"label": "real_nvp", "done": 0, "enabled": True} | options
    progress = Progress(total=total, stream=stream, **options)
    for step in range(1000, 150_001, 1000):
        now[0] += 1
        progress.update(step, -1234.5678)
        progress.valid = -1230.9876
    progress.close("150000 steps done")
    return stream.getvalue()


def test_the_bar_fits_into_eighty_columns(monkeypatch):
    text = watch(monkeypatch, Screen())
    lines = [line.rstrip() for line in text.replace("\r", "\n").split("\n")]
    assert max(map(len, lines)) <= 80
    last = [line for line in lines if line][-2]
    for part in ("real_nvp", "150000/150000", "loss -1235", "valid -1231", "1000/s"):
        assert part in last


def test_elsewhere_there_is_a_line_now_and_then(monkeypatch):
    text = watch(monkeypatch, io.StringIO())
    lines = text.splitlines()
    assert "\r" not in text
    assert 10 <= len(lines) <= 15
    assert lines[0] == "real_nvp: step 15000/150000  loss -1235 valid -1231 1000/s"
    assert lines[-1] == "real_nvp: 150000 steps done"
    without_end = watch(monkeypatch, io.StringIO(), total=None).splitlines()
    assert len(without_end) == 4, "a line a minute"
    assert "/150000" not in without_end[0]


def test_silence(monkeypatch, capsys, tmp_path):
    assert watch(monkeypatch, io.StringIO(), enabled=False) == ""
    for _ in Run(tmp_path, progress=False).batches(make_split(), 10, steps=3):
        pass
    assert capsys.readouterr() == ("", "")


def descend(run: Run, steps: int) -> None:
    """A short training with a scalar of its own."""
    model, optimiser = run.setup(nn.Linear(4, 1), SGD, lr=1e-3)
    for x in run.batches(make_split(), 10, steps=steps):
        run.step(model(x).square().mean(), optimiser, size=x.square().mean())


def test_every_step_has_a_line(tmp_path, capsys):
    descend(Run(tmp_path), 12)
    assert "12 steps done" in capsys.readouterr().err
    lines = metrics(tmp_path)
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert [line["epoch"] for line in lines] == pytest.approx([i / 10 for i in range(1, 13)])
    keys = ["step", "epoch", "learning_rate", "loss", "size", "rate", "seconds"]
    assert all(list(line) == keys for line in lines)
    assert lines[-1]["seconds"] > 0


def test_scalars_of_one_step_are_averaged(tmp_path):
    run = Run(tmp_path, progress=False)
    for _ in run.batches(make_split(), 10, steps=2):
        run.log(a=1.0)
        run.log(a=torch.tensor(2.0))
    assert [line["a"] for line in metrics(tmp_path)] == [1.5, 1.5]


def test_lines_after_a_checkpoint_are_cut(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.start(position=0, step=0)
    log.write({"step": 1})
    position = log.flush()
    log.write({"step": 2})
    log.flush()
    with open(log.path, "a") as file:
        file.write('{"step": 3, "lo')  # killed in the middle of a line
    again = MetricsLog(log.path)
    again.start(position=position, step=1)
    again.write({"step": 2})
    again.flush()
    assert [line["step"] for line in metrics(tmp_path)] == [1, 2]


def test_tensorboard_on_request(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    descend(Run(tmp_path, tensorboard=True, progress=False, max_steps=3), 5)
    descend(Run(tmp_path, tensorboard=True, progress=False, resume=True), 5)
    accumulator = events.EventAccumulator(str(tmp_path / "tensorboard"))
    accumulator.Reload()
    shown = accumulator.Scalars("loss")
    assert [event.step for event in shown] == [1, 2, 3, 4, 5]
    assert [event.value for event in shown] == pytest.approx([m["loss"] for m in metrics(tmp_path)])


def test_tensorboard_that_is_not_installed_is_told(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("tensorboard"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(TrainingError, match="pip install tensorboard"):
        Run(tmp_path / "run", tensorboard=True)
    assert not (tmp_path / "run").exists()
