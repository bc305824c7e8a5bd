"""Recurrent networks of the paper's sizes over 88 keys, beside torch's fused recurrent networks.

The peer has the same layers around `nn.GRU` or `nn.LSTM`, whose equations differ a little: torch
resets after the product with U and has no peepholes. Like ours it samples with the state kept, by the
fused network called for one step.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from projects.gated_rnn.model import RecurrentNet
from tests.benchmarks.timing import Row, side_by_side

NUM_NOTES, STEPS, BATCH, NUM_SAMPLES = 88, 60, 8, 16
SIZES = {"gru": (46, nn.GRU), "lstm": (36, nn.LSTM), "tanh": (100, nn.RNN)}


class Peer(nn.Module):
    """Torch's fused network with the same outputs."""

    def __init__(self, kind: type[nn.RNNBase], hidden_size: int):
        super().__init__()
        self.network = kind(NUM_NOTES, hidden_size, batch_first=True)
        self.output = nn.Linear(hidden_size, NUM_NOTES)

    def log_prob(self, x: Tensor) -> Tensor:
        """(B,) in nats."""
        logits = self.output(self.network(F.pad(x[:, :-1], (0, 0, 1, 0)))[0])
        return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum((1, 2))

    def sample(self, n: int, *, num_steps: int, generator: torch.Generator) -> Tensor:
        """(n, num_steps, D) with the state kept."""
        last, state, rows = torch.zeros(n, 1, NUM_NOTES), None, []
        for _ in range(num_steps):
            hidden, state = self.network(last, state)
            chance = torch.sigmoid(self.output(hidden))
            last = (torch.rand(chance.shape, generator=generator) < chance).to(chance)
            rows.append(last)
        return torch.cat(rows, 1)


def train_step(model: nn.Module, x: Tensor) -> Callable[[], None]:
    """One RMSProp update on minus the mean of log_prob."""
    optimiser = torch.optim.RMSprop(model.parameters(), lr=1e-5, momentum=0.9)

    def step() -> None:
        optimiser.zero_grad()
        (-model.log_prob(x).mean()).backward()
        optimiser.step()

    return step


def rows() -> list[Row]:
    """A train step and log_prob of eight chorales for each unit, and sampling sixteen."""
    generator, table = torch.Generator().manual_seed(0), []
    x = (torch.rand(BATCH, STEPS, NUM_NOTES, generator=generator) < 0.045).float()
    for unit, (size, kind) in SIZES.items():
        ours = RecurrentNet(NUM_NOTES, STEPS, unit=unit, hidden_size=size, generator=generator)
        theirs = Peer(kind, size)
        name, peer = f"{unit} net {NUM_NOTES}-{size}-{NUM_NOTES}", f"torch nn.{kind.__name__}"
        table.append(
            side_by_side(
                f"{name}, B={BATCH}, T={STEPS}: train step",
                train_step(ours, x),
                peer,
                train_step(theirs, x),
            )
        )
        with torch.no_grad():
            table.append(
                side_by_side(
                    f"{name}, B={BATCH}, T={STEPS}: log_prob",
                    lambda ours=ours: ours.log_prob(x),
                    peer,
                    lambda theirs=theirs: theirs.log_prob(x),
                )
            )
            table.append(
                side_by_side(
                    f"{name}: sample {NUM_SAMPLES} of {STEPS} steps",
                    lambda ours=ours: ours.sample(NUM_SAMPLES, generator=generator),
                    peer,
                    lambda theirs=theirs: theirs.sample(
                        NUM_SAMPLES, num_steps=STEPS, generator=generator
                    ),
                )
            )
    return table
