"""A module with what trains it: optimiser, schedule, clipping, averaged and best weights."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from common.training.schedules import Schedule

FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


def make_optimiser(
    kind: type[Optimizer], parameters: list[nn.Parameter], lr: float, args: dict, precision: str
) -> Optimizer:
    """An optimiser, in its fused form where torch has one that goes with the precision."""
    chosen = {"fused", "foreach", "capturable", "differentiable"} & args.keys()
    # the gradient scaler of 16-mixed cannot clip for a fused optimiser
    if kind in FUSED and not chosen and precision != "16-mixed":
        args = args | {"fused": True}
    return kind(parameters, lr=lr, **args)


@dataclass(eq=False)
class Network:
    """One module of a run.

    Attributes:
        name: its name in checkpoints and, if there are several, in the metrics.
        module: the plain module.
        optimiser: what updates it; None where the project does, without a gradient.
        schedule: multiplier of the learning rate by the number of updates made, or None.
        clip_norm: greatest norm of the whole gradient, or None.
        ema_decay: of the exponential moving average of the parameters, or None.
        updates: updates made so far.
        average: the averaged parameters, if ema_decay is given.
        best: the state_dict at the best validation so far, or None.
    """

    name: str
    module: nn.Module
    optimiser: Optimizer | None = None
    schedule: Schedule | None = None
    clip_norm: float | None = None
    ema_decay: float | None = None
    updates: int = 0
    average: list[Tensor] | None = None
    best: dict[str, Any] | None = None
    base_rates: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.parameters = list(self.module.parameters())
        groups = [] if self.optimiser is None else self.optimiser.param_groups
        self.base_rates = [float(group["lr"]) for group in groups]
        if self.ema_decay is not None:
            self.average = [parameter.detach().clone() for parameter in self.parameters]

    def set_rate(self) -> None:
        """Give each parameter group the rate that the schedule has for the coming update."""
        if self.schedule is not None:
            multiplier = self.schedule(self.updates)
            for group, rate in zip(self.optimiser.param_groups, self.base_rates, strict=True):
                group["lr"] = rate * multiplier

    @torch.no_grad()
    def updated(self) -> None:
        """Count an update and move the average towards the new weights.

        The decay is min(ema_decay, (1 + t) / (10 + t)) after t updates, so that a short run's
        average is not stuck at the initial weights.
        """
        self.updates += 1
        if self.average is not None:
            decay = min(self.ema_decay, (1 + self.updates) / (10 + self.updates))
            torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - decay)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The module with its averaged weights, for validation; nothing is copied."""
        self.exchange()
        try:
            yield
        finally:
            self.exchange()

    def exchange(self) -> None:
        """Swap the weights with their average, if there is one."""
        for i, parameter in enumerate(self.parameters if self.average is not None else ()):
            parameter.data, self.average[i] = self.average[i], parameter.data

    def keep_best(self) -> None:
        """Remember the module as it stands."""
        self.best = copy.deepcopy(self.module.state_dict())

    def load_best(self) -> None:
        """Give the module its best weights, or the averaged or last ones if none were validated."""
        if self.best is not None:
            self.module.load_state_dict(self.best)
        elif self.average is not None:
            with torch.no_grad():
                torch._foreach_copy_(self.parameters, self.average)

    def is_finite(self) -> bool:
        """Whether every parameter is a finite number."""
        if not self.parameters:
            return True
        norms = torch._foreach_norm([p.detach() for p in self.parameters], float("inf"))
        return bool(torch.stack(norms).isfinite().all())

    def state_dict(self) -> dict[str, Any]:
        """Everything a checkpoint must hold to continue bit for bit."""
        return {
            "module": dict(self.module.state_dict()),
            "optimiser": None if self.optimiser is None else self.optimiser.state_dict(),
            "updates": self.updates,
            "average": self.average,
            "best": None if self.best is None else dict(self.best),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict()`; the caller has checked that it fits."""
        self.module.load_state_dict(state["module"])
        if self.optimiser is not None:
            self.optimiser.load_state_dict(state["optimiser"])
        self.updates = state["updates"]
        if self.average is not None:
            for mine, saved in zip(self.average, state["average"], strict=True):
                mine.copy_(saved)
        self.best = state["best"]

    def signature(self) -> dict[str, Any]:
        """What has to agree between a checkpoint and the run that continues it."""
        shapes = {name: list(p.shape) for name, p in self.module.state_dict().items()}
        return {
            "module": type(self.module).__name__,
            "shapes": shapes,
            "optimiser": None if self.optimiser is None else type(self.optimiser).__name__,
            "learning rates": self.base_rates,
            "clip_norm": self.clip_norm,
            "ema_decay": self.ema_decay,
            "schedule": self.schedule is not None,
        }
