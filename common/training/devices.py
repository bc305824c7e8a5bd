"""Where a run computes: device, precision and processes, by Lightning Fabric.

Gradients of several processes are averaged by one all-reduce in `run.step` rather than by a
DistributedDataParallel wrapper. A model keeps its own class and every method, a step may call the
model any number of times or leave parameters unused, and a gradient penalty needs no special case.
"""

import atexit
import logging
import os
import sys
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from common.training.errors import TrainingError
from common.training.network import Network


class Devices:
    """One process's share of the machines of a run.

    Args:
        devices: processes, each with a GPU of its own or a share of the CPU.
        accelerator: "cpu", "gpu" ("cuda") or "auto".
        precision: a precision of Lightning Fabric, such as "32-true" or "bf16-mixed".

    With several devices the first process starts the others by running the same command again,
    unless srun or torchrun already has.
    """

    def __init__(self, devices: int, accelerator: str, precision: str) -> None:
        if devices < 1:
            raise TrainingError(f"devices must be at least 1, got {devices!r}")
        if devices > 1:
            check_launchable()
        from lightning_fabric import Fabric  # a second's import that evaluation does not need

        try:
            strategy = "ddp" if devices > 1 else "auto"
            self.fabric = Fabric(
                accelerator=accelerator, strategy=strategy, devices=devices, precision=precision
            )
        except Exception as error:  # Fabric has no error of its own for what a user may ask in vain
            raise TrainingError(
                f"devices={devices!r}, accelerator={accelerator!r}, precision={precision!r} "
                f"cannot be had here: {error}"
            ) from error
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # its banners
        self.fabric.launch()
        self.precision = precision
        self.device: torch.device = self.fabric.device
        self.rank: int = self.fabric.global_rank
        self.world_size: int = self.fabric.world_size
        if self.world_size > 1:
            atexit.register(leave_group)

    def prepare(self, module: nn.Module) -> nn.Module:
        """Move a module to the device and precision; every process starts from the first one's."""
        module = self.fabric.strategy.precision.convert_module(self.fabric.to_device(module))
        self.share([*module.parameters(), *module.buffers()])
        return module

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Give every process the first one's values, in place."""
        if self.world_size > 1:
            for tensor in tensors:
                values = tensor.detach().flatten()
                # As bytes: gloo refuses some types, such as int16.
                torch.distributed.broadcast(values.view(torch.uint8), src=0)
                tensor.detach().copy_(values.view_as(tensor))

    def step(self, loss: Tensor, network: Network) -> Tensor | None:
        """Backward, the mean gradient of all processes, clipping, and one update.

        Returns:
            The norm of the gradient before clipping, if it is clipped.
        """
        strategy, optimiser, norm = self.fabric.strategy, network.optimiser, None
        optimiser.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        if self.world_size > 1:
            self.average_gradients(optimiser)
        if network.clip_norm is not None:
            norm = strategy.clip_gradients_norm(
                network.module, optimiser, max_norm=network.clip_norm, error_if_nonfinite=False
            )
        strategy.optimizer_step(optimiser)
        return norm

    def average_gradients(self, optimiser: torch.optim.Optimizer) -> None:
        """Replace each gradient by its mean over the processes, all of them in one message."""
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        used = torch.tensor([float(p.grad is not None) for p in parameters], device=self.device)
        flat = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        message = torch.cat([used, *(gradient.reshape(-1) for gradient in flat)])
        torch.distributed.all_reduce(message)
        used, message = message[: len(parameters)], message[len(parameters) :] / self.world_size
        pieces = message.split([p.numel() for p in parameters])
        for parameter, piece, count in zip(parameters, pieces, used.tolist(), strict=True):
            parameter.grad = piece.view_as(parameter).to(parameter.dtype) if count else None

    def sum(self, values: Tensor) -> Tensor:
        """The sum over the processes."""
        if self.world_size > 1:
            torch.distributed.all_reduce(values)
        return values

    def first(self, value: float) -> float:
        """The first process's value."""
        return self.fabric.broadcast(value) if self.world_size > 1 else value

    def gather(self, value: object) -> list:
        """Every process's value, in the order of their ranks."""
        if self.world_size == 1:
            return [value]
        values: list = [None] * self.world_size
        torch.distributed.all_gather_object(values, value)
        return values

    def barrier(self) -> None:
        """Wait for the other processes."""
        self.fabric.barrier()


def leave_group() -> None:
    """End the process group before the interpreter ends, while its threads can still be joined."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def check_launchable() -> None:
    """TrainingError where the command cannot be run again to start the other processes."""
    if "LOCAL_RANK" in os.environ or "SLURM_NTASKS" in os.environ:
        return
    main = sys.modules["__main__"]
    if "pytest" in sys.modules or not hasattr(main, "__file__"):
        raise TrainingError(
            "several devices need a script whose command can be run again, such as "
            "`dgm train PROJECT --devices 2`; in a notebook, a prompt or pytest use devices=1."
        )


def is_main_process() -> bool:
    """Whether this is the process that speaks: the first of a run's, by torchrun's or SLURM's word.

    Right before a `Run` exists, and cheap; afterwards `run.is_main` says the same.
    """
    ranks = (os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    return next((int(rank) for rank in ranks if rank is not None), 0) == 0
