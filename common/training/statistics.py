"""Statistics of a batch that several processes share."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


class SumOverProcesses(torch.autograd.Function):
    """The sum over the processes; so is its gradient, since each process's loss depends on it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """The sum, in every process."""
        total = x.detach().clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """The sum of what each process's loss asks for."""
        return SumOverProcesses.apply(gradient)


def batch_var_mean(x: Tensor, dims: list[int], *, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """Variance (not corrected) and mean over the batch, whatever number of processes share it.

    For layers that normalise by the batch, in training mode: `torch.var_mean` in one process; in
    a run of several, the statistics of the global batch, with their gradients. Every process must
    call it equally often, with equal shapes.

    Args:
        x: (B, ...) this process's rows.
        dims: the dimensions to reduce, 0 among them.
        keepdim: keep them with size 1.

    Returns:
        (variance, mean).

    >>> variance, mean = batch_var_mean(torch.tensor([[1.0], [3.0]]), [0])
    >>> variance.item(), mean.item()
    (1.0, 2.0)
    """
    world = world_size()
    if world == 1:
        return torch.var_mean(x, dims, correction=0, keepdim=keepdim)
    mean = SumOverProcesses.apply(x.mean(dims, keepdim=True)) / world
    variance = SumOverProcesses.apply((x - mean).square().mean(dims, keepdim=True)) / world
    if keepdim:
        return variance, mean
    keep = [size for dim, size in enumerate(x.shape) if dim not in {d % x.ndim for d in dims}]
    return variance.reshape(keep), mean.reshape(keep)


def batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`torch.nn.functional.batch_norm` with the statistics of the global batch while training."""
    if not training:
        return F.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    variance, mean = batch_var_mean(x, [0, *range(2, x.ndim)])
    count = x.numel() // x.shape[1] * world_size()
    with torch.no_grad():
        if running_mean is not None:
            running_mean.lerp_(mean, momentum)
            running_var.lerp_(variance * count / (count - 1), momentum)
    shape = [1, -1, *[1] * (x.ndim - 2)]
    y = (x - mean.view(shape)) * (variance.view(shape) + eps).rsqrt()
    if weight is not None:
        y = y * weight.view(shape)
    return y if bias is None else y + bias.view(shape)


def world_size() -> int:
    """Processes of the run, 1 without a process group."""
    distributed = torch.distributed
    is_on = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if is_on else 1
