"""MADE 784-500-784 on binary images: log_prob, a train step, ancestral sampling, beside nflows.

nflows' MADE is built of its own masked layers, of the same sizes, with Bernoulli outputs and the ReLU
that its blocks have between them. It samples as its autoregressive transforms invert: one pass of
the whole network a dimension.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from projects.made.model import MADE
from tests.benchmarks.timing import Row, side_by_side

NUM_DIMS, HIDDEN, BATCH, NUM_SAMPLES = 784, 500, 100, 64


class Peer(nn.Module):
    """nflows' masked layers as a Bernoulli MADE with one hidden layer."""

    def __init__(self):
        from nflows.nn.nde.made import MADE as NflowsMADE

        super().__init__()
        self.layers = NflowsMADE(NUM_DIMS, HIDDEN, num_blocks=0, use_residual_blocks=False)

    def logits(self, x: Tensor) -> Tensor:
        """(B, D) in one pass."""
        return self.layers.final_layer(F.relu(self.layers.initial_layer(x)))

    def log_prob(self, x: Tensor) -> Tensor:
        """(B,) in nats."""
        return -F.binary_cross_entropy_with_logits(self.logits(x), x, reduction="none").sum(1)

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """(n, D) by D passes; raster order is the only one that the layers offer."""
        x = torch.zeros(n, NUM_DIMS)
        uniform = torch.rand(n, NUM_DIMS, generator=generator)
        for d in range(NUM_DIMS):
            x[:, d] = (uniform[:, d] < torch.sigmoid(self.logits(x)[:, d])).to(x.dtype)
        return x


def train_step(model: nn.Module, x: Tensor) -> Callable[[], None]:
    """One Adam update on minus the mean of log_prob."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-5, fused=True)

    def step() -> None:
        model.train()
        optimiser.zero_grad()
        (-model.log_prob(x).mean()).backward()
        optimiser.step()

    return step


def rows() -> list[Row]:
    """log_prob and train step of 100 images, ancestral sampling of 64."""
    generator = torch.Generator().manual_seed(0)
    ours, theirs = MADE(NUM_DIMS, (HIDDEN,), generator=generator), Peer()
    x = (torch.rand(BATCH, NUM_DIMS, generator=generator) < 0.13).float()
    name, peer = f"MADE {NUM_DIMS}-{HIDDEN}-{NUM_DIMS}", "nflows"
    table = [
        side_by_side(
            f"{name}, B={BATCH}: train step", train_step(ours, x), peer, train_step(theirs, x)
        )
    ]
    ours.eval(), theirs.eval()
    with torch.no_grad():
        table.append(
            side_by_side(
                f"{name}, B={BATCH}: log_prob",
                lambda: ours.log_prob(x),
                peer,
                lambda: theirs.log_prob(x),
                repeats=101,
            )
        )
        table.append(
            side_by_side(
                f"{name}: sample {NUM_SAMPLES} images",
                lambda: ours.sample(NUM_SAMPLES, generator=generator),
                peer,
                lambda: theirs.sample(NUM_SAMPLES, generator=generator),
                repeats=5,
                warmup=1,
            )
        )
    return table
