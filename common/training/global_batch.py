"""Several processes compute what one would: noise of the global batch, and its statistics."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from common.training.statistics import batch_norm

SIZED = {torch.randn, torch.rand, torch.randint}
LIKE = {
    torch.randn_like,
    torch.rand_like,
    torch.bernoulli,
    torch.normal,
    F.dropout,
    F.dropout1d,
    F.dropout2d,
    F.dropout3d,
}
IN_PLACE = {
    Tensor.normal_,
    Tensor.uniform_,
    Tensor.bernoulli_,
    Tensor.exponential_,
    Tensor.log_normal_,
    Tensor.cauchy_,
}
OPAQUE = {
    F.gumbel_softmax,
    F.rrelu,
    F.alpha_dropout,
    F.feature_alpha_dropout,
    F.scaled_dot_product_attention,
    F.multi_head_attention_forward,
}


class GlobalBatch(TorchFunctionMode):
    """While active, noise and batch normalisation are those of one process with the whole batch.

    All processes hold generators in the same state. A draw with a dimension of this process's
    batch size (the first such) is made for the global batch, and this process's rows of it are
    returned: so the processes stay in step, their examples get independent noise, and dropout or a
    reparameterised sample is what a single process would have used. Any other draw is the same for
    all. Only torch's own generator and `generator` are treated so; a draw from another generator
    (such as `run.init_generator`, for what all processes must agree on) is left alone.

    Batch normalisation in training (`torch.nn.BatchNorm1d` and its kin) takes the statistics of the
    global batch; a layer of a project's own has `batch_var_mean` for that.

    The few functions whose noise cannot be reached from outside (`OPAQUE`, such as attention with
    dropout) get independent noise that is not what one process would have drawn.

    Args:
        rank, world_size: this process, and how many there are.
        local_size: examples in this process's batch.
        generator: the run's generator of noise.
    """

    def __init__(
        self, rank: int, world_size: int, local_size: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.rank, self.world_size, self.local_size = rank, world_size, local_size
        self.generator = generator

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.batch_norm:
            return batch_norm(*args, **kwargs)
        if kwargs.get("generator") in (None, self.generator):
            if func in SIZED or (func is torch.normal and not tensors(args, kwargs)):
                return self.draw_sized(func, args, kwargs)
            if func in LIKE or func in IN_PLACE:
                return self.draw_like(func, args, kwargs)
            if func in OPAQUE:
                return self.draw_apart(func, args, kwargs)
        return func(*args, **kwargs)

    def axis(self, shape: tuple[int, ...]) -> int | None:
        """The batch dimension of a shape, if it has one."""
        return next((i for i, n in enumerate(shape) if n == self.local_size), None)

    def rows(self, wide: Tensor, axis: int) -> Tensor:
        """This process's part of a draw for the global batch."""
        return wide.narrow(axis, self.rank * self.local_size, self.local_size)

    def draw_sized(self, func: Callable, args: tuple, kwargs: dict) -> Tensor:
        """A function that takes a size: randn(2, 3), randn((2, 3)), randint(9, (2, 3)), size=..."""
        args = list(args)
        place = next((i for i, a in enumerate(args) if isinstance(a, tuple | list)), None)
        if "size" in kwargs:
            size = list(kwargs["size"])
        elif place is not None:
            size = list(args[place])
        else:
            size = args
        axis = self.axis(size)
        if axis is None:
            return func(*args, **kwargs)
        size[axis] *= self.world_size
        if "size" in kwargs:
            kwargs = kwargs | {"size": size}
        elif place is not None:
            args[place] = size
        return self.rows(func(*args, **kwargs), axis)

    def draw_like(self, func: Callable, args: tuple, kwargs: dict) -> Tensor:
        """A function of tensors whose noise has their shape; in place or not."""
        first = tensors(args, kwargs)[0]
        axis = self.axis(first.shape)
        if axis is None:
            return func(*args, **kwargs)

        def widen(value: Any) -> Any:
            if not isinstance(value, Tensor) or value.shape != first.shape:
                return value
            zeros = [torch.zeros_like(value)] * self.world_size
            return torch.cat([*zeros[: self.rank], value, *zeros[self.rank + 1 :]], axis)

        wide_kwargs = {name: widen(value) for name, value in kwargs.items()}
        wide = func(*map(widen, args), **wide_kwargs)
        if func in IN_PLACE:
            return first.copy_(self.rows(wide, axis))
        return self.rows(wide, axis)

    def draw_apart(self, func: Callable, args: tuple, kwargs: dict) -> Any:
        """Noise of this process alone; the common state moves on equally everywhere."""
        seed = int(torch.randint(2**62, ()))
        with torch.random.fork_rng():
            torch.manual_seed(seed + self.rank)
            return func(*args, **kwargs)


def tensors(args: tuple, kwargs: dict) -> list[Tensor]:
    """The tensors among the arguments."""
    return [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
