"""Training MADE: minimise the negative log-likelihood, Eq. (3), one pass a minibatch (Section 4).

dgm train made --preset demo
dgm reproduce made mnist-500
"""

from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.optim import Adagrad, AdamW

from common.data import Compose, Dataset, Flatten, StaticBinarisation, load
from common.errors import UserError
from common.training import Run, cosine
from projects.made.masks import SHARED
from projects.made.model import MADE

OPTIMISERS = {"adagrad": (Adagrad, {"fused": True, "eps": 1e-6}), "adam": (AdamW, {"fused": True})}
SCHEDULES = {"constant": lambda steps: None, "cosine": cosine}


@dataclass(frozen=True)
class Config:
    """Every choice of an experiment; the defaults are the paper's for binarized MNIST.

    But for Adagrad's epsilon, inside the root in the authors' code, and the direct weights, which
    start at zero here: README.
    """

    data: str = "digits"
    hidden_sizes: tuple[int, ...] = (8000,)  # Section 6: one or two layers of 8000 ReLU units
    num_masks: int = 1  # Section 6: 1 to 32, taken in turn, one a minibatch
    ordering: str = "random"  # Section 6: drawn before training, so that raster has no edge
    shared: str = "nothing"  # Section 4: every mask has its ordering and connectivity
    fresh_masks: bool = False  # Section 4: draw all masks anew after each has had its minibatch
    direct: bool = True  # Section 6: input-to-output weights
    optimiser: str = "adagrad"  # Section 6
    learning_rate: float = 0.01
    schedule: str = "constant"  # or "cosine"
    weight_decay: float = 0.0
    ema_decay: float | None = None
    batch_size: int = 100
    epochs: int = 300
    patience: int | None = 30  # validations, one an epoch, without a better one
    precision: str = "32-true"

    def __post_init__(self):
        for name, value, known in (
            ("ordering", self.ordering, ("random", "raster")),
            ("shared", self.shared, SHARED),
            ("optimiser", self.optimiser, OPTIMISERS),
            ("schedule", self.schedule, SCHEDULES),
        ):
            if value not in known:
                raise ValueError(f"{name} is {value!r}, expected one of {', '.join(known)}.")
        if self.num_masks < 1:
            raise ValueError(f"num_masks is {self.num_masks}, expected 1 or more.")


PAPER = Config(data="binarized_mnist")
# Ours, for a number in minutes: one layer of 500 and Adam.
MNIST_500 = Config(
    data="binarized_mnist",
    hidden_sizes=(500,),
    optimiser="adam",
    learning_rate=3e-3,
    schedule="cosine",
    weight_decay=0.1,
    ema_decay=0.999,
    epochs=40,
    patience=None,
)
PRESETS = {
    "smoke": Config(hidden_sizes=(32,), num_masks=2, epochs=4, learning_rate=0.05),
    # Ours: order-agnostic on little data, so that the notebook may complete any part of an image.
    "demo": Config(
        hidden_sizes=(500,),
        num_masks=16,
        fresh_masks=True,
        optimiser="adam",
        learning_rate=5e-3,
        schedule="cosine",
        weight_decay=0.01,
        epochs=400,
        patience=None,
    ),
    "mnist_500": MNIST_500,
    # The same with the paper's masks in a cycle, each of which gets every eighth minibatch.
    "mnist_500_8_masks": replace(MNIST_500, num_masks=8),
    "paper": PAPER,
    # The one-layer, one-mask row of Table 6 with bfloat16 products, as long as the time allowed.
    "mnist_8000": replace(PAPER, precision="bf16-mixed", epochs=42),
}


def load_data(config: Config) -> Dataset:
    """Load binary images as vectors, grey ones cut at half their range; UserError for points."""
    raw = load(config.data)
    if raw.num_levels is None:
        raise UserError(f"{config.data} is continuous, but MADE needs zeros and ones: take images.")
    if raw.is_binary:
        return load(config.data, preprocess=Flatten())
    steps = [StaticBinarisation(num_levels=raw.num_levels), Flatten()]
    return load(config.data, preprocess=Compose(steps))


def build(config: Config, data: Dataset, *, generator: torch.Generator) -> nn.Module:
    """Make the untrained model, its masks included."""
    return MADE(
        data.num_dims,
        config.hidden_sizes,
        num_masks=config.num_masks,
        ordering=config.ordering,
        shared=config.shared,
        direct=config.direct,
        generator=generator,
    )


def train(config: Config, run: Run) -> nn.Module:
    """Minimise the negative log-likelihood under one mask a step, the K masks in turn."""
    data = load_data(config)
    valid = data.valid.tensor()

    def validate() -> float:
        return -torch.cat([model.log_prob(x) for x in valid.split(1000)]).mean().item()

    batches = run.batches(
        data.train,
        config.batch_size,
        epochs=config.epochs,
        validate=validate,
        patience=config.patience,
    )
    optimiser_class, optimiser_args = OPTIMISERS[config.optimiser]
    model, optimiser = run.setup(
        build(config, data, generator=run.init_generator),
        optimiser_class,
        lr=config.learning_rate,
        schedule=SCHEDULES[config.schedule](len(batches)),
        ema_decay=config.ema_decay,
        optimiser_args={**optimiser_args, "weight_decay": config.weight_decay},
    )
    for x in batches:
        mask = batches.step % config.num_masks
        run.step(-model.mask_log_prob(x, mask).mean(), optimiser)
        if config.fresh_masks and mask == config.num_masks - 1:
            model.resample_masks(generator=run.init_generator)
    return run.best(model)
