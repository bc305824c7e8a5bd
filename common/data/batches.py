"""Shuffled mini-batches of a set in memory: index tensors, seeded and resumable."""

from collections.abc import Iterator, Sized

import numpy as np
import torch
from torch import Tensor


class Batches:
    """Iterate over the index tensors of one epoch after another.

    The order of an epoch depends on (seed, epoch) alone, so a run continued from
    `state_dict()` sees the batches it would have seen. Each `for` is one epoch, or what is
    left of it after `load_state_dict`.

    Sequences, which are a `Split` with `lengths`, are batched by length, so that little of a batch
    is padding: the shuffled examples are sorted within pools of 32 batches, and the batches
    shuffled again.

    Args:
        split: anything with a length, such as a `Split`.
        batch_size: examples a batch, 1 to len(split).
        seed: any non-negative integer.
        drop_last: leave out the last batch of an epoch if it is short.

    >>> batches = Batches(range(7), 3, seed=0)
    >>> [len(index) for index in batches], batches.epoch
    ([3, 3], 1)
    """

    def __init__(self, split: Sized, batch_size: int, *, seed: int, drop_last: bool = True) -> None:
        size = len(split)
        if not 1 <= batch_size <= size:
            raise ValueError(f"batch_size must be 1 to {size} (the split); got {batch_size!r}")
        if seed < 0:
            raise ValueError(f"seed must be a non-negative integer, got {seed!r}")
        self.size, self.batch_size, self.seed, self.drop_last = size, batch_size, seed, drop_last
        lengths = getattr(split, "lengths", None)
        self.lengths = None if lengths is None else lengths.cpu()
        self.epoch = 0
        self.position = 0  # batches of this epoch already given out

    def __len__(self) -> int:
        """Batches in one epoch."""
        full, rest = divmod(self.size, self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Tensor]:
        order = permutation(self.size, self.seed, self.epoch)
        if self.lengths is not None:
            order = by_length(order, self.lengths, self.batch_size)
        while self.position < len(self):
            start = self.position * self.batch_size
            self.position += 1  # before the yield: a state saved during the step counts its batch
            yield order[start : start + self.batch_size]
        self.epoch += 1
        self.position = 0

    def state_dict(self) -> dict[str, int]:
        """Where the iteration stands, as integers; a finished epoch is the start of the next."""
        finished = self.position == len(self)
        return {
            "size": self.size,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "drop_last": int(self.drop_last),
            "epoch": self.epoch + finished,
            "position": 0 if finished else self.position,
        }

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue where `state` was taken; ValueError if it is of other batches."""
        mine = self.state_dict()
        for key in ("size", "batch_size", "seed", "drop_last"):
            if state[key] != mine[key]:
                raise ValueError(f"saved batches had {key}={state[key]}, these have {mine[key]}")
        if state["epoch"] < 0 or not 0 <= state["position"] < len(self):
            raise ValueError(f"not a position in {len(self)} batches an epoch: {state!r}")
        self.epoch, self.position = state["epoch"], state["position"]


POOL = 32  # batches that are sorted by length together


def by_length(order: Tensor, lengths: Tensor, batch_size: int) -> Tensor:
    """The examples (size,) in an order whose batches hold sequences of nearly one length.

    Which batch comes when is as random as `order`, whose function it is; the examples of a short
    last batch stay where they are.

    >>> by_length(torch.tensor([3, 0, 2, 1]), torch.tensor([9, 1, 8, 2]), 2).view(2, 2).tolist()
    [[2, 0], [1, 3]]
    """
    full = len(order) // batch_size * batch_size
    pools = []
    for pool in order[:full].split(POOL * batch_size):
        batches = pool[lengths[pool].argsort(stable=True)].view(-1, batch_size)
        # the place in the shuffled order of one member is as good as a draw, and needs no generator
        pools.append(batches[pool[::batch_size].argsort()].flatten())
    return torch.cat([*pools, order[full:]])


def permutation(size: int, seed: int, epoch: int) -> Tensor:
    """The order of the examples in one epoch: (size,) int64, a pure function of its arguments."""
    # SeedSequence mixes the two integers, so that (0, 1) and (1, 0) share nothing
    mixed = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]
    generator = torch.Generator().manual_seed(int(mixed) >> 1)
    return torch.randperm(size, generator=generator)
