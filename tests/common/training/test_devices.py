"""Several processes and other precisions compute what one process in float32 does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD

from common.data import Split
from common.training import Run, TrainingError, is_main_process
from common.training.global_batch import GlobalBatch
from common.training.statistics import batch_norm
from tests.common.training.trainer import duel, metrics, seeded, train

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    """The trainer's script on two gloo processes."""
    folder = tmp_path_factory.mktemp("two")
    command = [sys.executable, "-m", "tests.common.training.trainer", str(folder), "--devices", "2"]
    ranks = ("LOCAL_RANK", "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "NODE_RANK")
    environment = {k: v for k, v in os.environ.items() if k not in ranks}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "progress=False is silent"
    return folder


def curves(folder: Path) -> list[dict[str, float]]:
    """What the metrics say but for the times."""
    return [{k: v for k, v in m.items() if k not in ("rate", "seconds")} for m in metrics(folder)]


def test_two_processes_train_like_one(two, tmp_path):
    # batch normalisation, dropout, noise of the preprocessing, of run.generator and of run.normal,
    # averages, validation
    _, model = train(tmp_path, steps=24)
    weights = load_file(two / "train.safetensors")
    for name, value in model.state_dict().items():
        torch.testing.assert_close(weights[f"0.{name}"], value, rtol=1e-5, atol=1e-6)
    one, other = curves(tmp_path), curves(two / "train")
    assert len(one) == len(other)
    for mine, theirs in zip(one, other, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-5, abs=1e-6)


def test_two_networks_on_two_processes_train_like_one(two, tmp_path):
    # several forwards a backward, a gradient penalty, gradients that belong to the other network
    _, *models = duel(tmp_path)
    weights = load_file(two / "duel.safetensors")
    for i, model in enumerate(models):
        for name, value in model.state_dict().items():
            torch.testing.assert_close(weights[f"{i}.{name}"], value, rtol=1e-5, atol=1e-6)
    for mine, theirs in zip(curves(tmp_path), curves(two / "duel"), strict=True):
        assert mine == pytest.approx(theirs, rel=1e-5, abs=1e-6)


def test_two_processes_stop_together(two):
    broken, odd = json.loads((two / "errors.json").read_text())
    assert "inf at step 21" in broken
    assert broken.count("shape (8, 4)") == 2, "the batch of each process is described"
    assert "17 cannot be shared by 2" in odd


def sliced(draw, local: int, world: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What one process draws for all, and what the processes draw together."""
    whole = draw(local * world, generator := seeded(7))
    end, parts = generator.get_state(), []
    for rank in range(world):
        torch.manual_seed(3)
        with GlobalBatch(rank, world, local, generator := seeded(7)):
            parts.append(draw(local, generator))
        assert torch.equal(generator.get_state(), end), "the processes must stay in step"
    return whole, parts


DRAWS = {
    "randn": lambda n, g: torch.randn(n, 3, generator=g),
    "randn of a tuple": lambda n, g: torch.randn((2, n, 3), generator=g),
    "rand of size=": lambda n, g: torch.rand(size=(n,), generator=g, dtype=torch.float64),
    "randint": lambda n, g: torch.randint(9, (n, 2), generator=g),
    "randint low": lambda n, g: torch.randint(3, 9, (n,), generator=g),
    "normal_": lambda n, g: torch.zeros(n, 3).normal_(2.0, 0.5, generator=g),
    "uniform_": lambda n, g: torch.empty(n, 5).uniform_(-1, 1, generator=g),
    "bernoulli_": lambda n, g: torch.zeros(n, 3).bernoulli_(0.3, generator=g),
    "exponential_": lambda n, g: torch.empty(n, 3).exponential_(generator=g),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("world", [2, 3])
def test_processes_draw_the_slices_of_one_draw(name, world):
    whole, parts = sliced(DRAWS[name], 5, world)
    axis = whole.shape.index(5 * world)
    assert torch.equal(torch.cat(parts, axis), whole)


def test_draws_with_parameters_are_sliced_too():
    p = torch.rand(10, 3, generator=seeded(0))
    for draw in (
        lambda rows, g: torch.bernoulli(p[rows], generator=g),
        lambda rows, g: torch.normal(p[rows], 0.1, generator=g),
        lambda rows, g: torch.zeros(len(p[rows]), 3).bernoulli_(p[rows], generator=g),
    ):
        whole = draw(slice(None), seeded(1))
        parts = []
        for rank in range(2):
            with GlobalBatch(rank, 2, 5, g := seeded(1)):
                parts.append(draw(slice(rank * 5, rank * 5 + 5), g))
        assert torch.equal(torch.cat(parts), whole)


def test_dropout_is_sliced_with_its_gradient():
    x = torch.rand(8, 6, generator=seeded(0)).requires_grad_()
    torch.manual_seed(5)
    F.dropout(x, 0.4).square().sum().backward()
    expected, x.grad = x.grad, None
    for rank in range(2):
        torch.manual_seed(5)
        with GlobalBatch(rank, 2, 4, seeded(0)):
            F.dropout(x[rank * 4 : rank * 4 + 4], 0.4).square().sum().backward()
    assert torch.equal(x.grad, expected)


def test_what_has_no_batch_dimension_is_shared_and_other_generators_are_left_alone():
    mode = [GlobalBatch(rank, 2, 4, g) for rank, g in enumerate((seeded(1), seeded(1)))]
    draws = []
    for each in mode:
        with each:
            shared = torch.randperm(4, generator=each.generator), torch.randn(
                3, generator=each.generator
            )
            draws.append((*shared, torch.randn(4, generator=seeded(2))))
    assert all(map(torch.equal, *draws))


def test_noise_that_cannot_be_reached_is_at_least_independent():
    parts, after = [], []
    for rank in range(2):
        torch.manual_seed(1)
        with GlobalBatch(rank, 2, 4, seeded(0)):
            parts.append(F.gumbel_softmax(torch.zeros(4, 3)))
        after.append(torch.rand(2))
    assert not torch.equal(*parts)
    assert torch.equal(*after)


def test_several_devices_need_a_script(tmp_path):
    with pytest.raises(TrainingError, match="script"):
        Run(tmp_path, devices=2)


def test_devices_that_are_not_there_are_named(tmp_path):
    with pytest.raises(TrainingError, match="abacus"):
        Run(tmp_path, accelerator="abacus")
    with pytest.raises(TrainingError, match="12-true"):
        Run(tmp_path, precision="12-true")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, True),
        ({"LOCAL_RANK": "1"}, False),
        ({"LOCAL_RANK": "1", "SLURM_PROCID": "0"}, False),
        ({"RANK": "2", "LOCAL_RANK": "0"}, False),
        ({"SLURM_PROCID": "3"}, False),
        ({"RANK": "0", "LOCAL_RANK": "0"}, True),
    ],
)
def test_the_main_process_is_known_beforehand(monkeypatch, environment, expected):
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_main_process() is expected


class Scorer(nn.Module):
    """A method besides `forward`, and notes of the types it computes with."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.types: list[torch.dtype] = []

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        """Any number per row."""
        hidden = self.layer(x)
        self.types.append(hidden.dtype)
        return hidden.sum(-1)


@pytest.mark.parametrize(
    ("precision", "inside", "outside", "stored"),
    [
        ("32-true", torch.float32, torch.float32, torch.float32),
        ("bf16-mixed", torch.bfloat16, torch.float32, torch.float32),
        ("64-true", torch.float64, torch.float64, torch.float64),
    ],
)
def test_methods_compute_in_the_precision_of_the_run(tmp_path, precision, inside, outside, stored):
    run = Run(tmp_path, progress=False, precision=precision)
    module = Scorer()
    model, optimiser = run.setup(module, SGD, lr=0.1)
    assert isinstance(model, Scorer)
    for x in run.batches(Split("train", torch.randn(8, 4, generator=seeded(0))), 4, steps=2):
        score = model.log_prob(x)
        assert score.dtype == outside
        run.step(score.mean(), optimiser)
    assert module.types == [inside] * 2
    best = run.best(model)
    assert best is module
    assert type(best) is Scorer
    assert not best.training
    assert best.layer.weight.dtype == stored


@pytest.mark.parametrize("shape", [(12, 3), (6, 3, 4, 2)])
def test_batch_norm_over_processes_is_torchs_in_one(shape):
    x = torch.randn(shape, generator=seeded(0), dtype=torch.float64).requires_grad_()
    results = []
    for function in (F.batch_norm, batch_norm):
        layer = nn.BatchNorm1d(3).double()
        y = function(
            x, layer.running_mean, layer.running_var, layer.weight, layer.bias, True, 0.2, 1e-3
        )
        y.pow(3).sum().backward()
        results.append([y, x.grad, layer.weight.grad, layer.running_mean, layer.running_var])
        x.grad = None
    torch.testing.assert_close(*results)
