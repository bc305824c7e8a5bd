"""Budgets, validation, early stop, averages, clipping, and losses that are not numbers."""

import math

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam

from common.data import Split, mask
from common.training import NonFiniteLoss, Run, TrainingError, cosine
from common.training.checkpoint import load_checkpoint
from tests.common.training.trainer import duel, make_split, metrics, seeded, train


class Point(nn.Module):
    """One number, and the distance to it."""

    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor([value]))

    def forward(self, x):
        """Value times x."""
        return self.value * x


def ones(size: int = 8) -> Split:
    """A split of ones."""
    return Split("train", torch.ones(size, 1))


def quiet(folder, **options) -> Run:
    """A run without a bar."""
    return Run(folder, progress=False, **options)


def descend(
    run: Run, loop, *, rate: float = 1.0, term=lambda model: 0.0, **setup
) -> tuple[nn.Module, list[float]]:
    """Let the value fall by `rate` each step; the values after each. `term` joins the loss."""
    model, optimiser = run.setup(Point(), SGD, lr=rate, **setup)
    values = []
    for x in loop:
        run.step(model(x).mean() + term(model), optimiser)
        values.append(model.value.item())
    return model, values


@pytest.mark.parametrize(
    ("own", "of_run", "steps"),
    [
        ({"steps": 7}, {}, 7),
        ({"epochs": 2}, {}, 8),
        ({"epochs": 0.5}, {}, 2),
        ({"epochs": 2, "steps": 5}, {}, 5),
        ({"epochs": 3}, {"max_epochs": 1}, 4),
        ({"epochs": 3}, {"max_steps": 6}, 6),
        ({"epochs": 1}, {"max_steps": 6, "max_epochs": 9}, 4),
        ({"epochs": 1, "per_step": 2}, {}, 2),
    ],
)
def test_the_first_limit_ends_the_run(tmp_path, own, of_run, steps):
    run = quiet(tmp_path, **of_run)
    loop = run.batches(ones(), 2, **own)
    assert len(loop) == steps
    count = sum(1 for _ in loop)
    assert count == steps == run.steps_done


def test_seconds_end_the_run(tmp_path):
    run = quiet(tmp_path, max_seconds=0.2)
    descend(run, run.batches(ones(), 2, epochs=10**6))
    line = metrics(tmp_path)[-1]
    assert 0.2 <= line["seconds"] < 2
    assert line["step"] == run.steps_done > 3
    again = quiet(tmp_path, max_seconds=0.2, resume=True)
    descend(again, again.batches(ones(), 2, epochs=10**6))
    assert again.steps_done == run.steps_done


def test_a_loop_without_an_end_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="end"):
        quiet(tmp_path).batches(ones(), 2)


@pytest.mark.parametrize(
    "bad", [{"max_steps": 0}, {"max_seconds": -1.0}, {"devices": 0}, {"seed": -1}]
)
def test_impossible_arguments_are_named(tmp_path, bad):
    with pytest.raises(TrainingError, match=next(iter(bad))):
        quiet(tmp_path, **bad)


def test_every_epoch_has_every_example_once(tmp_path):
    split = Split("train", torch.arange(12.0).reshape(12, 1), y=torch.arange(12))
    loop = quiet(tmp_path).batches(split, 4, epochs=2)
    seen = []
    for x in loop:
        assert torch.equal(split.y[loop.index].float(), x[:, 0])
        seen += x[:, 0].tolist()
    assert sorted(seen[:12]) == sorted(seen[12:]) == list(range(12))
    assert seen[:12] != seen[12:]


def test_early_stop_keeps_the_best_weights(tmp_path):
    # the value falls by 1 a step; the best is at -3
    run = quiet(tmp_path)
    loop = run.batches(
        ones(),
        2,
        steps=100,
        validate=lambda: abs(model.value.item() + 3),
        validate_every=1,
        patience=4,
    )
    model, optimiser = run.setup(Point(), SGD, lr=1.0)
    for x in loop:
        run.step(model(x).mean(), optimiser)
    assert run.steps_done == 3 + 4
    assert model.value.item() == -7
    assert run.best(model).value.item() == -3
    assert not model.training
    assert [line["valid"] for line in metrics(tmp_path)] == [2, 1, 0, 1, 2, 3, 4]
    assert loop.best_value == 0


def test_validation_comes_once_an_epoch_and_at_the_end(tmp_path):
    run = quiet(tmp_path)
    loop = run.batches(ones(), 2, steps=10, validate=lambda: 1.0)
    descend(run, loop)
    assert [step for step, _ in loop.history] == [4, 8, 10]
    assert [line["step"] for line in metrics(tmp_path) if "valid" in line] == [4, 8, 10]


def test_validation_is_in_eval_mode_without_gradients_and_gives_the_modes_back(tmp_path):
    run, seen = quiet(tmp_path), []
    module = nn.Sequential(Point(), nn.Dropout(0.5))
    module[1].eval()  # a part that the project has frozen

    def validate() -> float:
        seen.append((model.training, torch.is_grad_enabled()))
        return 0.0

    model, optimiser = run.setup(module, SGD, lr=1.0)
    for x in run.batches(ones(), 2, steps=2, validate=validate, validate_every=1):
        assert (model.training, model[1].training) == (True, False)
        run.step(model(x).mean(), optimiser)
    assert seen == [(False, False)] * 2


def test_a_validation_that_is_not_a_number_is_never_the_best(tmp_path):
    run = quiet(tmp_path)
    values = iter([math.nan, 3.0, math.inf, 2.0])
    loop = run.batches(ones(), 2, steps=4, validate=lambda: next(values), validate_every=1)
    model, _ = descend(run, loop)
    assert loop.best_value == 2.0
    assert run.best(model).value.item() == -4
    assert [line["valid"] for line in metrics(tmp_path)] == [None, 3.0, None, 2.0]


def test_the_average_is_the_recursion_and_is_what_is_validated(tmp_path):
    run, validated = quiet(tmp_path), []
    loop = run.batches(
        ones(),
        2,
        steps=6,
        validate=lambda: validated.append(model.value.item()) or 0,
        validate_every=1,
    )
    model, optimiser = run.setup(Point(), SGD, lr=1.0, ema_decay=0.4)
    average, expected = 0.0, []
    for x in loop:
        run.step(model(x).mean(), optimiser)
        updates = len(expected) + 1
        decay = min(0.4, (1 + updates) / (10 + updates))
        average = decay * average + (1 - decay) * model.value.item()
        expected.append(average)
        assert model.value.item() == -updates  # the weights themselves are untouched
    assert validated == pytest.approx(expected, rel=1e-6)
    assert run.best(model).value.item() == pytest.approx(expected[0], rel=1e-6)


def test_without_validation_the_last_average_is_returned(tmp_path):
    run = quiet(tmp_path)
    model, _ = descend(run, run.batches(ones(), 2, steps=3), ema_decay=0.0)
    assert run.best(model).value.item() == -3
    run = quiet(tmp_path / "b")
    model, _ = descend(run, run.batches(ones(), 2, steps=1), ema_decay=0.9)
    assert run.best(model).value.item() == pytest.approx(-9 / 11)


def test_clipping_limits_the_whole_gradient(tmp_path):
    run = quiet(tmp_path)
    module = nn.ModuleList([Point(), Point()])
    model, optimiser = run.setup(module, SGD, lr=1.0, clip_norm=0.5)
    for x in run.batches(ones(), 2, steps=1):
        run.step(3 * model[0](x).mean() + 4 * model[1](x).mean(), optimiser)
    assert [point.value.item() for point in model] == pytest.approx([-0.3, -0.4], rel=1e-4)
    assert metrics(tmp_path)[0]["gradient_norm"] == pytest.approx(5)


def test_the_schedule_sets_every_update(tmp_path):
    run = quiet(tmp_path)
    loop = run.batches(ones(), 2, steps=4)
    schedule = cosine(len(loop), warmup_steps=2)
    _, values = descend(run, loop, rate=0.5, schedule=schedule)
    rates = [0.5 * schedule(step) for step in range(4)]
    steps = [a - b for a, b in zip([0.0, *values], values, strict=False)]
    assert steps == pytest.approx(rates, rel=1e-6)
    assert [line["learning_rate"] for line in metrics(tmp_path)] == pytest.approx(rates)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_the_run(tmp_path, value):
    run = quiet(tmp_path, checkpoint_seconds=0)
    loop = run.batches(Split("train", torch.full((8, 1), 2.5)), 2, steps=9)
    with pytest.raises(NonFiniteLoss) as error:
        descend(run, loop, term=lambda model: value if loop.step == 4 else 0.0)
    message = str(error.value)
    assert f"loss is {value} at step 5" in message
    assert "min 2.5, max 2.5, mean 2.5, 0 values not finite" in message
    assert f"{run.checkpoint} (step 4)" in message
    assert load_checkpoint(run.checkpoint)["step"] == 4
    assert [line["loss"] for line in metrics(tmp_path)][-1] is None


def test_a_broken_gradient_never_reaches_a_checkpoint(tmp_path):
    run = quiet(tmp_path, checkpoint_seconds=0)
    loop = run.batches(ones(), 2, steps=9)

    def root(model: nn.Module) -> torch.Tensor | float:
        return (model.value * 0).sqrt().sum() if loop.step == 2 else 0.0  # 0, but its slope is nan

    with pytest.raises(NonFiniteLoss, match=r"weights of point.*step 3.*\(step 2\)"):
        descend(run, loop, term=root)
    assert load_checkpoint(run.checkpoint)["step"] == 2


def test_two_networks_and_several_critic_steps(tmp_path):
    run, source, _ = duel(tmp_path)
    updates = {network.name: network.updates for network in run.networks}
    assert updates == {"generator": 12, "critic": 36}
    line = metrics(tmp_path)[-1]
    assert {"generator_loss", "critic_loss", "critic_learning_rate"} <= line.keys()
    assert run.steps_done == 12
    again, same, _ = duel(tmp_path, resume=True)
    assert again.steps_done == 12
    assert torch.equal(source.weight, same.weight)


def test_loops_follow_one_another_and_resume_in_the_second(tmp_path):
    def two_phases(folder, limit=None, **options):
        run = quiet(folder, **options)
        first, optimiser = run.setup(Point(), SGD, lr=1.0, name="first")
        first_loop = run.batches(ones(), 2, steps=3, validate=lambda: 1.0, validate_every=1)
        for x in first_loop:
            run.step(first(x).mean() + 0.1 * run.normal(1).sum() * first.value.sum(), optimiser)
        start = run.best(first).value.item()
        second, optimiser = run.setup(Point(start), SGD, lr=1.0, name="second")
        loop = run.batches(ones(), 2, steps=5)
        for x in loop:
            run.step(second(x).mean() + 0.1 * run.normal(1).sum() * second.value.sum(), optimiser)
            if loop.step == limit:
                raise KeyboardInterrupt
        return run, start, second.value.item()

    whole = two_phases(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        two_phases(tmp_path / "run", limit=2, checkpoint_seconds=0)
    assert load_checkpoint(tmp_path / "run" / "checkpoint.safetensors")["step"] == 5
    resumed = two_phases(tmp_path / "run", resume=True)
    assert resumed[1:] == whole[1:]
    assert resumed[0].steps_done == whole[0].steps_done == 8
    assert [line["step"] for line in metrics(tmp_path / "run")] == list(range(1, 9))


def test_a_project_may_end_its_loop(tmp_path):
    run = quiet(tmp_path)
    loop = run.batches(ones(), 2, steps=50)
    for _ in loop:
        if loop.step == 4:
            loop.stop()
    assert run.steps_done == 5


def test_the_same_seed_gives_the_same_weights_whatever_the_global_generator(tmp_path):
    torch.manual_seed(1)
    _, a = train(tmp_path / "a", optimiser=Adam, steps=8)
    torch.manual_seed(2)
    _, b = train(tmp_path / "b", optimiser=Adam, steps=8)
    _, c = train(tmp_path / "c", optimiser=Adam, steps=8, seed=8)
    assert torch.equal(a.decode.weight, b.decode.weight)
    assert not torch.equal(a.decode.weight, c.decode.weight)


def test_wrong_use_is_told(tmp_path):
    run = quiet(tmp_path)
    model, optimiser = run.setup(Point(), SGD, lr=1.0)
    for x in run.batches(make_split(), 2, steps=1):
        with pytest.raises(ValueError, match="take its mean"):
            run.step(model(x), optimiser)
        with pytest.raises(ValueError, match="setup"):
            run.step(model(x).mean(), SGD(model.parameters(), lr=1.0))
        with pytest.raises(ValueError, match="'epoch'"):
            run.step(model(x).mean(), optimiser, epoch=1.0)
    with pytest.raises(ValueError, match="setup"):
        run.best(Point())
    with pytest.raises(TrainingError, match="ema_decay"):
        run.setup(Point(), SGD, lr=1.0, ema_decay=1.0)
    with pytest.raises(TrainingError, match="clip_norm"):
        run.setup(Point(), SGD, lr=1.0, clip_norm=0.0)


def halve(run: Run, steps: int, **loop) -> nn.Module:
    """Halve the value at each step, without an optimiser; the loss is its distance from 1."""
    model = None

    def distance() -> float:
        return (model.value - 1).abs().item()

    batches = run.batches(ones(), 8, steps=steps, validate=distance, validate_every=1, **loop)
    model = run.adopt(Point(8.0))
    for _ in batches:
        loss = distance()
        with torch.no_grad():
            model.value.mul_(0.5)
        run.updated(loss, model, value=model.value)
    return run.best(model)


def test_a_model_without_an_optimiser_is_validated_and_logged(tmp_path):
    assert halve(quiet(tmp_path), 5).value.item() == 1.0  # 8, 4, 2, [1], 0.5, 0.25
    rows = metrics(tmp_path)
    assert [row["loss"] for row in rows] == [7.0, 3.0, 1.0, 0.0, 0.5]
    assert [row["value"] for row in rows] == [4.0, 2.0, 1.0, 0.5, 0.25]
    assert [row["valid"] for row in rows] == [3.0, 1.0, 0.0, 0.5, 0.75]
    assert "learning_rate" not in rows[0]


def test_a_model_without_an_optimiser_resumes(tmp_path):
    run = quiet(tmp_path, max_steps=2)
    assert halve(run, 5).value.item() == 2.0
    run.close()
    assert halve(quiet(tmp_path, resume=True), 5).value.item() == 1.0
    assert [row["step"] for row in metrics(tmp_path)] == [1, 2, 3, 4, 5]


def test_a_loss_without_an_optimiser_must_be_finite_too(tmp_path):
    def train() -> None:
        run = quiet(tmp_path)
        model = run.adopt(Point())
        for _ in run.batches(ones(), 8, steps=1):
            run.updated(math.nan, model)

    with pytest.raises(NonFiniteLoss, match="step 1"):
        train()


def test_an_update_is_for_adopted_models_alone(tmp_path):
    run = quiet(tmp_path)
    model, _ = run.setup(Point(), SGD, lr=1.0)
    with pytest.raises(ValueError, match=r"point has an optimiser.*run\.step"):
        run.updated(0.0, model)
    with pytest.raises(ValueError, match="adopt"):
        run.updated(0.0, Point())


def test_noise_of_a_run_is_standard_normal(tmp_path):
    noise = quiet(tmp_path).normal(5000, 2, 2)
    assert noise.shape == (5000, 2, 2)
    assert abs(noise.mean().item()) < 0.04
    assert abs(noise.std().item() - 1) < 0.03
    assert not torch.equal(noise, torch.randn(5000, 2, 2, generator=seeded(0)))


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_loop_over_sequences_tells_their_lengths(tmp_path, batch_size):
    lengths = torch.tensor([3, 1, 5, 2, 2, 4, 1, 5])
    x = torch.arange(8.0).view(8, 1, 1).expand(8, 5, 2) * mask(lengths).unsqueeze(2)
    split = Split("train", x, lengths=lengths)
    loop = quiet(tmp_path).batches(split, batch_size, epochs=3)
    seen = []
    for batch in loop:
        steps = split.lengths[loop.index]
        assert batch.shape == (batch_size, steps.max(), 2)
        assert torch.equal(batch, x[loop.index, : steps.max()])
        seen += loop.index.tolist()
    assert [sorted(seen[k : k + 8]) for k in (0, 8, 16)] == [list(range(8))] * 3
