"""`initialise` gives torch's default distributions, from the generator alone."""

import math

import pytest
import torch
from torch import nn

from common.training import initialise, linear_warmup, step_decay
from common.training.schedules import cosine, linear_decay
from tests.common.training.trainer import seeded

LAYERS = {
    "linear": lambda: nn.Linear(50, 80),
    "bilinear": lambda: nn.Bilinear(20, 9, 40),
    "conv": lambda: nn.Conv2d(8, 16, 5, groups=2),
    "transposed conv": lambda: nn.ConvTranspose2d(16, 6, 4, groups=2),
    "embedding": lambda: nn.Embedding(40, 30, padding_idx=3),
    "gru": lambda: nn.GRU(16, 24, num_layers=2),
    "lstm cell": lambda: nn.LSTMCell(16, 24),
    "attention": lambda: nn.MultiheadAttention(32, 4, add_bias_kv=True),
    "attention of other sizes": lambda: nn.MultiheadAttention(32, 4, kdim=20, vdim=12),
    "encoder layer": lambda: nn.TransformerEncoderLayer(16, 2, 32),
    "batch norm": lambda: nn.BatchNorm2d(16),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_distribution_is_torchs_own(name):
    torch.manual_seed(0)
    theirs, mine = LAYERS[name](), initialise(LAYERS[name](), seeded(1))
    for (label, a), b in zip(theirs.named_parameters(), mine.parameters(), strict=True):
        if a.unique().numel() == 1:
            assert torch.equal(a, b), f"{label} is a constant"
            continue
        assert not torch.equal(a, b)
        noise = 4 / math.sqrt(a.numel())
        assert b.std().item() == pytest.approx(a.std().item(), rel=noise + 0.02), label
        assert abs(b.mean().item()) < noise * a.std().item() + 1e-6, label
        assert b.abs().max().item() <= a.abs().max().item() * (1.2 + noise), label
    if name == "embedding":
        assert mine.weight[3].eq(0).all()


@pytest.mark.parametrize("name", LAYERS)
def test_nothing_hangs_on_the_global_generator(name):
    def make(seed: int, everywhere: int) -> list[torch.Tensor]:
        torch.manual_seed(everywhere)
        return list(initialise(LAYERS[name](), seeded(seed)).parameters())

    assert all(map(torch.equal, make(1, 10), make(1, 20)))
    if name != "batch norm":
        assert not all(map(torch.equal, make(1, 10), make(2, 10)))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (cosine(8), {0: 1, 4: 0.5, 8: 0, 9: 0}),
        (cosine(10, warmup_steps=2, final=0.2), {0: 0.5, 1: 1, 2: 1, 6: 0.6, 10: 0.2}),
        (cosine(3, warmup_steps=6), {0: 1 / 6, 5: 1}),
        (linear_decay(10, final=0.5), {0: 1, 5: 0.75, 10: 0.5, 20: 0.5}),
        (linear_warmup(0), {0: 1, 7: 1}),
        (linear_warmup(4), {0: 0.25, 3: 1, 4: 1}),
        (step_decay((2, 4), 0.1), {1: 1, 2: 0.1, 4: 0.01}),
    ],
)
def test_schedules_at_their_corners(schedule, expected):
    for step, value in expected.items():
        assert schedule(step) == pytest.approx(value)


@pytest.mark.parametrize("bad", [{"total_steps": 0}, {"total_steps": 5, "warmup_steps": -1}])
def test_impossible_schedules_are_named(bad):
    for make in (cosine, linear_decay):
        with pytest.raises(ValueError, match="total_steps"):
            make(**bad)
    with pytest.raises(ValueError, match="final"):
        cosine(5, final=-0.1)
