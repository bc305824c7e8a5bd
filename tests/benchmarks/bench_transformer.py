"""A character transformer, 4 layers of 128: drawing 1,024 characters with a cache of keys and values,
beside our own without it and beside Hugging Face's GPT-2 with the same weights; a step of training.

The texts are most probable characters, and must be the same three times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from projects.transformer.model import Transformer
from tests.benchmarks.gpt2 import as_gpt2
from tests.benchmarks.timing import Row, side_by_side

NUM_TOKENS, LENGTH, BATCH, CONTEXT = 65, 1024, 12, 64
SIZES = {"width": 128, "num_layers": 4, "num_heads": 4}


def train_step(model: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], None]:
    """One AdamW update."""
    optimiser = torch.optim.AdamW(model.train().parameters(), lr=1e-6, fused=True)

    def step() -> None:
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()

    return step


def rows() -> Iterator[Row]:
    """Give 1,024 characters by three ways; logits and a training step of 12 windows of 64."""
    generator = torch.Generator().manual_seed(0)
    ours = Transformer(NUM_TOKENS, LENGTH, **SIZES, generator=generator).eval()
    theirs = as_gpt2(ours)
    prompt = torch.zeros(1, 1, dtype=torch.int64)
    cached = lambda: ours.generate(prompt, LENGTH, temperature=0.0)  # noqa: E731
    naive = lambda: ours.generate(prompt, LENGTH, temperature=0.0, cached=False)  # noqa: E731
    peer = lambda: theirs.generate(  # noqa: E731
        prompt, max_new_tokens=LENGTH, do_sample=False, attention_mask=torch.ones_like(prompt)
    )
    for name, other in (("the prefix again", naive), ("GPT-2", peer)):
        if not torch.equal(cached(), other()):
            raise AssertionError(f"the text with our cache is not that of {name}")
    name, gpt2 = "transformer 4x128", "transformers GPT-2"
    few = {"repeats": 3, "warmup": 0}
    yield side_by_side(f"{name}: {LENGTH} characters", cached, "prefix again", naive, **few)
    yield side_by_side(f"{name}: {LENGTH} characters", cached, gpt2, peer, **few)
    x = torch.randint(0, NUM_TOKENS, (BATCH, CONTEXT + 1), generator=generator)
    given, wanted = x[:, :-1], x[:, 1:].flatten()
    with torch.no_grad():
        torch.testing.assert_close(ours(given), theirs(given).logits, rtol=1e-4, atol=1e-4)
        logits = side_by_side(
            f"{name}, {BATCH} x {CONTEXT}: logits",
            lambda: ours(given),
            gpt2,
            lambda: theirs(given),
            repeats=31,
        )
    yield logits
    yield side_by_side(
        f"{name}, {BATCH} x {CONTEXT}: train step",
        train_step(ours, lambda: -ours.step_log_prob(x).mean()),
        gpt2,
        train_step(theirs, lambda: F.cross_entropy(theirs(given).logits.flatten(0, 1), wanted)),
        repeats=31,
    )
