"""Training the transformer on windows of a text: AdamW, a linear warm-up, then a cosine.

dgm train transformer --preset demo
dgm reproduce transformer shakespeare-cpu
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.optim import AdamW

from common.data import Dataset, load
from common.errors import UserError
from common.training import Run, cosine
from projects.transformer.model import ACTIVATIONS, NORMS, POSITIONS, Transformer


@dataclass(frozen=True)
class Config:
    """Every choice of an experiment; the defaults are those of the public figure for a CPU.

    nanoGPT's README (github.com/karpathy/nanoGPT), "I only have a macbook", names the sizes, the
    batch, the steps and no dropout; config/train_shakespeare_char.py the rates, the warm-up, beta2.
    """

    data: str = "tiny_shakespeare"
    context: int = 64
    width: int = 128
    num_layers: int = 4
    num_heads: int = 4
    positions: str = "learned"  # or "sinusoidal" (the paper's Section 3.5), "none"
    norm: str = "pre"  # or "post", the paper's
    activation: str = "gelu"  # or "relu", the paper's
    tied: bool = True
    bias: bool = False
    dropout: float = 0.0
    batch_size: int = 12
    steps: int = 2_000
    learning_rate: float = 1e-3
    final_rate: float = 0.1  # multiplier at the end of the cosine
    warmup_steps: int = 100
    beta2: float = 0.99
    weight_decay: float = 0.1  # of matrices and embeddings
    clip_norm: float = 1.0
    hold_out: float = 0.0  # the last share of the training text, kept to choose by
    validate_every: int = 250
    precision: str = "32-true"

    def __post_init__(self):
        words = {"positions": POSITIONS, "norm": NORMS, "activation": tuple(ACTIVATIONS)}
        for name, known in words.items():
            if getattr(self, name) not in known:
                raise UserError(
                    f"{name} is {getattr(self, name)!r}, expected one of: {', '.join(known)}."
                )
        if not 0 <= self.hold_out < 1:
            raise UserError(f"hold_out is {self.hold_out}, expected at least 0 and below 1.")


CPU = Config()
PRESETS = {
    "smoke": Config(
        data="shakespeare_excerpt", context=32, width=32, num_layers=2, num_heads=2, steps=30,
        learning_rate=1e-2, warmup_steps=5, hold_out=0.1, validate_every=15,
    ),
    "demo": replace(
        CPU, num_layers=2, steps=600, learning_rate=4e-3, hold_out=0.1, validate_every=100
    ),
    "cpu": replace(CPU, learning_rate=4e-3),  # chosen on the end of the training text: README
    # config/train_shakespeare_char.py of nanoGPT: the GPU setting.
    "gpu": replace(
        CPU, num_layers=6, num_heads=6, width=384, context=256, batch_size=64, steps=5_000,
        dropout=0.2, precision="bf16-mixed",
    ),
    # Table 3 of the paper, "base", without its encoder; 100,000 steps with another schedule there.
    "paper": replace(
        CPU, num_layers=6, num_heads=8, width=512, context=512, batch_size=48, steps=100_000,
        positions="sinusoidal", norm="post", activation="relu", bias=True, dropout=0.1,
        learning_rate=7e-4, final_rate=0.0, warmup_steps=4_000, beta2=0.98, weight_decay=0.0,
    ),
}  # fmt: skip


def load_data(config: Config) -> Dataset:
    """Load a text as windows of `context` characters, each with the one before them as given.

    With `hold_out` the validation split is the end of the training text, and the public one is not
    looked at. Raises UserError where the data is no text.
    """
    text = load(config.data)
    if not text.vocabulary or text.info.shape != ():
        raise UserError(f"{config.data} is no running text, expected one such as tiny_shakespeare.")
    return held_out(text, config.hold_out).windows(config.context)


def held_out(text: Dataset, share: float) -> Dataset:
    """The text with the last share of its training split in place of its validation split."""
    if not share:
        return text
    kept = round(len(text.train) * (1 - share))
    train, valid = text.train.subset(slice(kept)), text.train.subset(slice(kept, None))
    return replace(text, splits={"train": train, "valid": replace(valid, name="valid")})


def build(config: Config, data: Dataset, *, generator: torch.Generator) -> nn.Module:
    """Make the untrained model; samples begin with the first symbol, the end of a line."""
    return Transformer(
        len(data.vocabulary),
        config.context,
        width=config.width,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        positions=config.positions,
        norm=config.norm,
        activation=config.activation,
        tied=config.tied,
        bias=config.bias,
        dropout=config.dropout,
        generator=generator,
    )


class DecayMatrices(AdamW):
    """AdamW (Loshchilov and Hutter, 2019) whose decay spares biases and the gains of norms."""

    def __init__(self, parameters: Iterable[nn.Parameter], *, weight_decay: float, **settings):
        parameters = list(parameters)
        vectors = [p for p in parameters if p.ndim < 2]
        groups = [{"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay}]
        groups += [{"params": vectors, "weight_decay": 0.0}] if vectors else []
        super().__init__(groups, **settings)


def train(config: Config, run: Run) -> nn.Module:
    """Minimise the mean nats a character of windows from random places of the text."""
    data = load_data(config)

    def validate() -> float:
        parts = [model.step_log_prob(part.to(run.device)) for part in data.valid.x.split(64)]
        return -torch.cat(parts).mean().item()

    batches = run.batches(
        data.train,
        config.batch_size,
        steps=config.steps,
        # the public validation split is for the number that is reported, not to choose by
        validate=validate if config.hold_out else None,
        validate_every=config.validate_every,
    )
    model, optimiser = run.setup(
        build(config, data, generator=run.init_generator),
        DecayMatrices,
        lr=config.learning_rate,
        schedule=cosine(len(batches), min(config.warmup_steps, len(batches)), config.final_rate),
        clip_norm=config.clip_norm,
        optimiser_args={
            "betas": (0.9, config.beta2),
            "weight_decay": config.weight_decay,
            "fused": True,
        },
    )
    for x in batches:
        run.step(-model.step_log_prob(x).mean(), optimiser)
    return run.best(model)
