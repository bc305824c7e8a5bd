"""A small training with everything in play, to be run, killed and continued by the tests.

`python -m tests.common.training.trainer FOLDER --devices 2` runs it as a script.
"""

import argparse
import json
import os
import signal
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD, Adam

from common.data import Split
from common.training import NonFiniteLoss, Run, TrainingError, cosine, initialise

STEPS, BATCH = 60, 16


def seeded(seed: int) -> torch.Generator:
    """A generator of this seed."""
    return torch.Generator().manual_seed(seed)


class Jitter:
    """A preprocessing that draws noise, as dequantisation does."""

    def __call__(self, x: Tensor, *, generator: torch.Generator) -> Tensor:
        """x plus a little uniform noise."""
        return x + 0.1 * torch.rand(x.shape, generator=generator)


def make_split(size: int = 100) -> Split:
    """Points of four dimensions; 100 leave a remainder in batches of 16."""
    return Split("train", torch.randn(size, 4, generator=seeded(5)), preprocess=Jitter())


class Denoiser(nn.Module):
    """Dropout, batch normalisation (running statistics) and a loss with noise of its own."""

    def __init__(self, *, norm: bool, generator: torch.Generator) -> None:
        super().__init__()
        self.encode = nn.Linear(4, 12)
        self.norm = nn.BatchNorm1d(12) if norm else nn.Identity()
        self.register_buffer("degrees", torch.tensor([3, 1, 2], dtype=torch.int16))
        self.register_buffer("is_ready", torch.tensor(True))
        self.dropout = nn.Dropout(0.2)
        self.decode = nn.Linear(12, 4)
        self.unused = nn.Parameter(torch.ones(2))
        initialise(self, generator)

    def error(self, x: Tensor, *, generator: torch.Generator) -> Tensor:
        """Squared error of reconstructing x from a noisy copy, (B,)."""
        noise = torch.randn(x.shape, generator=generator)
        hidden = self.dropout(F.elu(self.norm(self.encode(x + 0.3 * noise))))
        return (self.decode(hidden) - x).square().sum(-1)


def train(
    folder: Path,
    *,
    norm: bool = True,
    optimiser: type = SGD,
    epochs: float | None = None,
    steps: int | None = STEPS,
    patience: int | None = None,
    pause: float = 0.0,
    die_at: int | None = None,
    by: signal.Signals = signal.SIGKILL,
    seed: int = 3,
    width_check: int = 4,
    **options,
) -> tuple[Run, nn.Module]:
    """Train in `folder`.

    `pause` seconds in each step leave time to be killed in it; at step `die_at` the process sends
    itself the signal `by`.
    """
    options = {"progress": False, "checkpoint_seconds": 0.02} | options
    run = Run(folder, seed=seed, **options)
    run.record({"project": "trainer", "config": {"width": width_check}, "commit": str(os.getpid())})
    split = make_split()
    valid = split.tensor(seed=1)[:32]

    def validate() -> float:
        return model.error(valid, generator=seeded(2)).mean().item()

    batches = run.batches(
        split,
        BATCH,
        epochs=epochs,
        steps=steps,
        validate=validate,
        validate_every=4,
        patience=patience,
    )
    model, handle = run.setup(
        Denoiser(norm=norm, generator=run.init_generator),
        optimiser,
        lr=0.05,
        schedule=cosine(len(batches), warmup_steps=5),
        ema_decay=0.9,
        clip_norm=1.0,
        optimiser_args={"momentum": 0.9} if optimiser is SGD else None,
    )
    for x in batches:
        loss = model.error(x, generator=run.generator).mean()
        loss = loss + 0.01 * run.normal(len(x), 2).mean() * model.decode.bias.sum()
        run.step(loss, handle, offset=x.mean())
        time.sleep(pause)
        if die_at == batches.step + 1:
            os.kill(os.getpid(), by)
    return run, run.best(model)


def duel(folder: Path, **options) -> tuple[Run, nn.Module, nn.Module]:
    """Two networks: three critic steps on fresh batches, then one of the generator."""
    run = Run(folder, seed=1, progress=False, **options)
    batches = run.batches(make_split(), BATCH, steps=12, per_step=3)
    source, source_optimiser = run.setup(
        initialise(nn.Linear(2, 4), run.init_generator), Adam, lr=1e-2, name="generator"
    )
    critic, critic_optimiser = run.setup(
        initialise(nn.Sequential(nn.Linear(4, 8), nn.ELU(), nn.Linear(8, 1)), run.init_generator),
        Adam,
        lr=1e-2,
        name="critic",
    )
    for real_batches in batches:
        for x in real_batches:
            fake = source(torch.randn(len(x), 2, generator=run.generator))
            run.step(critic(fake).mean() - critic(x).mean() + penalty(critic, x), critic_optimiser)
        fake = source(torch.randn(len(x), 2, generator=run.generator))
        run.step(-critic(fake).mean(), source_optimiser)
    return run, run.best(source), run.best(critic)


def penalty(critic: nn.Module, x: Tensor) -> Tensor:
    """A gradient penalty: a derivative inside the loss."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return (gradient.norm(dim=1) - 1).square().mean()


def metrics(folder: Path) -> list[dict]:
    """The lines of a run's metrics."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def main() -> None:
    """Run everything once, for comparison between numbers of processes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--devices", type=int, default=1)
    args = parser.parse_args()
    run, model = train(args.folder / "train", steps=24, devices=args.devices)
    save(run, args.folder / "train.safetensors", model)
    run, source, critic = duel(args.folder / "duel", devices=args.devices)
    save(run, args.folder / "duel.safetensors", source, critic)
    if args.devices > 1:
        errors = [broken(args.folder / "broken", args.devices), odd(run)]
        if run.is_main:
            (args.folder / "errors.json").write_text(json.dumps(errors))


def broken(folder: Path, devices: int) -> str:
    """What is said when one example, in the last process's share, makes the loss infinite."""
    run = Run(folder, progress=False, devices=devices)
    model, optimiser = run.setup(nn.Linear(4, 1), SGD, lr=0.1)
    loop = run.batches(make_split(), BATCH, steps=40)
    try:
        for x in loop:
            is_bad = loop.step == 20 and run.devices.rank == devices - 1
            run.step(model(x).mean() + (float("inf") if is_bad else 0.0), optimiser)
    except NonFiniteLoss as error:
        return str(error)
    return "no error"


def odd(run: Run) -> str:
    """What is said to a batch that cannot be shared."""
    try:
        run.batches(make_split(), BATCH + 1, steps=1)
    except TrainingError as error:
        return str(error)
    return "no error"


def save(run: Run, path: Path, *models: nn.Module) -> None:
    """All weights of some models in one file."""
    if run.is_main:
        save_file(
            {f"{i}.{k}": v for i, m in enumerate(models) for k, v in m.state_dict().items()}, path
        )


if __name__ == "__main__":
    main()
