"""Losses of the steps: gathered cheaply, checked, written, shown."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from common.training.devices import Devices
from common.training.errors import NonFiniteLoss
from common.training.metrics import MetricsLog
from common.training.progress import Progress


@dataclass
class Pending:
    """A finished step whose numbers have not been read from the device yet."""

    row: dict[str, Any]
    batch: Any
    scalars: dict[str, list[Tensor | float]]


class Monitor:
    """Keeps each step's scalars on the device and reads them in one go.

    On one CPU process they are read at every step; on a GPU or with several processes, where
    reading waits for the device or for the others, every 16 steps.
    """

    def __init__(self, devices: Devices, metrics: MetricsLog) -> None:
        self.devices, self.metrics = devices, metrics
        self.progress: Progress | None = None
        self.scalars: dict[str, list[Tensor | float]] = {}
        self.losses: set[str] = set()
        self.pending: list[Pending] = []
        cheap = devices.device.type == "cpu" and devices.world_size == 1
        self.read_every = 1 if cheap else 16
        self.flushed_at = time.monotonic()

    def add(self, name: str, value: Tensor | float, *, is_loss: bool = False) -> None:
        """Note a scalar of the current step; several of one name are averaged."""
        value = value.detach() if isinstance(value, Tensor) else float(value)
        self.scalars.setdefault(name, []).append(value)
        if is_loss:
            self.losses.add(name)

    def end_step(self, row: dict[str, Any], batch: Any) -> bool:
        """Close the step; True if it is time to `read`."""
        self.pending.append(Pending(row, batch, self.scalars))
        self.scalars = {}
        return len(self.pending) >= self.read_every

    def read(self, control: list[float]) -> tuple[list[dict[str, Any]], list[float]]:
        """The rows of the pending steps with their numbers, and the sum of `control`.

        Args:
            control: numbers that the processes agree on by adding them up.

        Returns:
            (rows, control): the rows hold means over all processes.
        """
        world = self.devices.world_size
        if world > 1 or self.devices.device.type != "cpu":
            control = self.reduce(control)
        rows = []
        for step in self.pending:
            for name, values in step.scalars.items():
                step.row[name] = sum(float(value) for value in values) / len(values)
            rows.append(step.row)
        return rows, control

    def reduce(self, control: list[float]) -> list[float]:
        """Replace all pending scalars by their means over the processes, in one message."""
        lists = [values for step in self.pending for values in step.scalars.values()]
        device = self.devices.device
        dtype = torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
        flat = [torch.as_tensor(v).to(device, dtype) for values in lists for v in values]
        numbers = torch.tensor(control, dtype=dtype, device=device)
        message = torch.cat([numbers, torch.stack(flat)]) if flat else numbers
        summed = self.devices.sum(message).tolist()
        means = iter([value / self.devices.world_size for value in summed[len(control) :]])
        for values in lists:
            values[:] = [next(means) for _ in values]
        return summed[: len(control)]

    def check(self, rows: list[dict[str, Any]], last_good: Callable[[], str]) -> None:
        """NonFiniteLoss at the first step whose loss is NaN or infinite."""
        for row, step in zip(rows, self.pending, strict=True):
            for name in sorted(self.losses & row.keys()):
                if not abs(row[name]) < float("inf"):
                    self.write(rows)
                    self.metrics.flush()
                    described = "; ".join(self.devices.gather(describe(step.batch)))
                    raise NonFiniteLoss(
                        f"the {name} is {row[name]} at step {row['step']} (epoch {row['epoch']}). "
                        f"Its batch: {described}. {last_good()} Lower the learning rate, set "
                        "clip_norm, or look for a log or a division near zero."
                    )

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Log the rows and show the last one."""
        for row in rows:
            self.metrics.write(row)
        self.pending.clear()
        now = time.monotonic()
        if now - self.flushed_at > 2:
            self.flushed_at = now
            self.metrics.flush()
        if rows and self.progress is not None:
            last = rows[-1]
            loss = next((last[name] for name in last if name in self.losses), None)
            self.progress.update(last["step"], loss)


def describe(batch: Any) -> str:
    """Smallest, largest and mean value of a batch, and how many values are not finite."""
    tensors = batch if isinstance(batch, list | tuple) else [batch]
    x = torch.cat([tensor.detach().cpu().double().reshape(-1) for tensor in tensors])
    odd = int((~x.isfinite()).sum())
    shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors)
    return (
        f"shape {shapes}, min {x.min():.6g}, max {x.max():.6g}, mean {x.mean():.6g}, "
        f"{odd} values not finite"
    )
