"""The batches of a training loop, with its budget, validation and early stop."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from common.data import Batches, Split
from common.training.errors import TrainingError
from common.training.global_batch import GlobalBatch
from common.training.randomness import derive_seed

if TYPE_CHECKING:
    from common.training.run import Run


ENDLESS = 2**62  # steps, where only the clock ends a loop


class Loop:
    """What `run.batches(...)` returns: iterate over it once; each iteration is one step.

    Attributes:
        step: steps this loop has finished.
        index: (B,) int64, the rows of the split in this process's current batch, so that
            `split.y[loop.index]` are its labels and `split.lengths[loop.index]` the steps of its
            sequences; all of them in a row if a step has several batches.
        history: the validations so far, as (step, value).
        best_value: the lowest value among them, or None.
        ended: why the loop is over ("" while it is not).
    """

    def __init__(
        self,
        run: "Run",
        number: int,
        split: Split,
        batch_size: int,
        *,
        epochs: float | None,
        steps: int | None,
        per_step: int,
        validate: Callable[[], float] | None,
        validate_every: int | None,
        patience: int | None,
    ) -> None:
        check_counts(epochs=epochs, steps=steps, per_step=per_step)
        check_counts(validate_every=validate_every, patience=patience)
        world = run.devices.world_size
        if batch_size % world:
            raise TrainingError(f"batch_size {batch_size} cannot be shared by {world} processes")
        self.run, self.number, self.split, self.per_step = run, number, split, per_step
        seed = derive_seed(run.seed, f"batches {number}")
        self.order = Batches(split, batch_size, seed=seed)
        self.local_size = batch_size // world
        self.steps_per_epoch = len(self.order) / per_step
        self.total = self.budget(epochs, steps)
        self.validate, self.patience = validate, patience
        self.validate_every = validate_every or max(1, round(self.steps_per_epoch))
        self.step = 0
        self.index: Tensor | None = None
        self.history: list[tuple[int, float | None]] = []
        self.best_value: float | None = None
        self.since_best = 0  # validations since then
        self.ended = ""

    def budget(self, epochs: float | None, steps: int | None) -> int:
        """Steps allowed by the loop's own budget and by the run's."""
        limits = [self.run.max_steps, steps]
        for limit in (self.run.max_epochs, epochs):
            limits.append(None if limit is None else math.ceil(limit * self.steps_per_epoch))
        known = [limit for limit in limits if limit is not None]
        if not known and self.run.max_seconds is None:
            raise TrainingError("give the loop an end: epochs=, steps=, or a budget of the run")
        return min(known, default=ENDLESS)

    def __len__(self) -> int:
        """Steps from the first to the last, unless validation or the clock ends it before."""
        return self.total

    @property
    def epoch(self) -> float:
        """Passes over the split so far."""
        return self.step / self.steps_per_epoch

    def stop(self) -> None:
        """End the loop after the current step, as an early stop does."""
        self.ended = "stopped by the project"

    def __iter__(self) -> Iterator[Any]:
        """Yield each step's batch (B, *shape), or its list of batches if `per_step` is not 1."""
        session = self.run.session
        session.enter(self)
        try:
            draws = self.draws()
            while not self.is_over():
                batches = [self.draw(next(draws)) for _ in range(self.per_step)]
                indices, x = zip(*batches, strict=True)
                self.index = indices[0] if self.per_step == 1 else torch.cat(indices)
                x = x[0] if self.per_step == 1 else list(x)
                with self.as_one_process():
                    yield x
                self.step += 1
                session.finish_step(self, x)
            session.finish_loop(self)
        finally:
            session.leave(self)

    def as_one_process(self) -> AbstractContextManager:
        """Several processes see the noise and the batch statistics that one would see."""
        devices = self.run.devices
        if devices.world_size == 1:
            return nullcontext()
        return GlobalBatch(devices.rank, devices.world_size, self.local_size, self.run.generator)

    def draws(self) -> Iterator[Tensor]:
        """Index tensors of one epoch after another."""
        while True:
            yield from self.order

    def draw(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """This process's rows of a global batch; all processes draw the noise of the whole batch."""
        run = self.run
        x = self.split.batch(index, generator=run.data_generator)
        if run.devices.world_size > 1:
            rows = slice(
                run.devices.rank * self.local_size, (run.devices.rank + 1) * self.local_size
            )
            index, x = index[rows], x[rows]
        return index, x

    def is_over(self) -> bool:
        """Whether the budget is used up; `ended` then says by what."""
        if not self.ended:
            if self.step >= self.total:
                self.ended = f"{self.step} steps done"
            elif self.run.session.is_out_of_time():
                self.ended = f"{self.run.max_seconds:g} seconds are over"
        return bool(self.ended)

    def is_validation_due(self) -> bool:
        """Every `validate_every` steps."""
        return self.validate is not None and self.step % self.validate_every == 0

    def note_validation(self, value: float) -> bool:
        """Remember a validation; True if it is the best so far. May end the loop (`patience`)."""
        self.history.append((self.step, value if math.isfinite(value) else None))
        better = math.isfinite(value) and (self.best_value is None or value < self.best_value)
        self.since_best = 0 if better else self.since_best + 1
        if better:
            self.best_value = value
        if self.patience is not None and self.since_best >= self.patience:
            self.ended = f"no better validation in {self.patience}"
        return better

    def state_dict(self) -> dict[str, Any]:
        """Where the loop stands."""
        return {
            "step": self.step,
            "order": self.order.state_dict(),
            "history": [list(entry) for entry in self.history],
            "best_value": self.best_value,
            "since_best": self.since_best,
            "ended": self.ended,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict()`. A budget that was used up may have grown since."""
        self.order.load_state_dict(state["order"])
        self.step = state["step"]
        self.history = [tuple(entry) for entry in state["history"]]
        self.best_value, self.since_best = state["best_value"], state["since_best"]
        final = state["ended"].startswith(("no better", "stopped"))
        self.ended = state["ended"] if final else ""


def check_counts(**values: float | None) -> None:
    """TrainingError unless each value is None or positive."""
    for name, value in values.items():
        if value is not None and not value > 0:
            raise TrainingError(f"{name} must be positive, got {value!r}")
