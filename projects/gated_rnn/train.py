"""Training recurrent networks by maximum likelihood, as in Section 4 of Chung et al. (2014).

dgm train gated_rnn --preset demo
dgm reproduce gated_rnn gru
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import RMSprop

from common.data import Compose, Dataset, Preprocess, Split, StaticBinarisation, load
from common.errors import UserError
from common.training import Run, linear_decay
from projects.gated_rnn.cells import CELLS
from projects.gated_rnn.model import RecurrentNet, perturbed


@dataclass(frozen=True)
class Config:
    """Every choice of an experiment; the defaults are the paper's where it has one."""

    data: str = "jsb_chorales"
    unit: str = "gru"
    hidden_size: int = 46  # Table 1: 46 GRU, 36 LSTM or 100 tanh units, some 20,000 weights each
    epochs: int = 500
    batch_size: int = 1
    learning_rate: float = 1e-3  # Section 4.2: exp(u), the best of ten u uniform in (-12, -6)
    momentum: float = 0.9
    weight_noise: float = 0.075  # Section 4.2
    clip_norm: float = 1.0  # Section 4.2
    patience: int = 50  # epochs without a better validation; the paper does not say

    def __post_init__(self):
        if self.unit not in CELLS:
            raise UserError(f"unit is {self.unit!r}, expected one of: {', '.join(CELLS)}.")
        if self.weight_noise < 0:
            raise UserError(f"weight_noise is {self.weight_noise}, expected at least 0.")


# The rates are the best of four or fewer on the validation split; see the README.
CHORALES = Config(epochs=80, batch_size=8, learning_rate=3e-4, patience=20)
PRESETS = {
    # digits come with the package: an image is read row by row, eight steps of eight pixels
    "smoke": Config(data="digits", hidden_size=16, epochs=3, batch_size=50, learning_rate=1e-2),
    "demo": replace(CHORALES, epochs=30, learning_rate=1e-3),
    "gru": CHORALES,
    "lstm": replace(CHORALES, unit="lstm", hidden_size=36, learning_rate=5e-4),
    "tanh": replace(CHORALES, unit="tanh", hidden_size=100, learning_rate=5e-4, epochs=150),
    # Section 4.2 as far as it goes, with one chorale an update; not trained here.
    "paper": Config(learning_rate=1e-4),
}


@dataclass(frozen=True)
class Rows(Preprocess):
    """An image as the sequence of its rows: (B, 1, H, W) -> (B, H, W)."""

    def __call__(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        return x.squeeze(1)

    def inverse(self, y: Tensor) -> Tensor:
        return y.unsqueeze(1)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(shape) != 3 or shape[0] != 1:
            raise ValueError(f"Rows needs grey images (1, H, W), got {tuple(shape)}")
        return shape[1:]


def load_data(config: Config) -> Dataset:
    """Load sequences of binary vectors, (T, D) each; grey images are cut at half their range.

    Raises UserError for data that are neither.
    """
    raw = load(config.data)
    if raw.is_binary and len(raw.shape) == 2:
        return raw
    if raw.num_levels is None or len(raw.shape) != 3 or raw.shape[0] != 1:
        raise UserError(
            f"{config.data} has examples of shape {raw.shape}, expected sequences of binary vectors "
            "such as jsb_chorales, or grey images."
        )
    cut = [] if raw.is_binary else [StaticBinarisation(num_levels=raw.num_levels)]
    return load(config.data, preprocess=Compose([*cut, Rows()]))


def lengths_of(split: Split) -> Tensor:
    """The steps of every sequence of a split, (N,) int64."""
    x = split.tensor()
    return torch.full((len(x),), x.shape[1]) if split.lengths is None else split.lengths


def build(config: Config, data: Dataset, *, generator: torch.Generator) -> nn.Module:
    """Make the untrained network; it starts from how often each note sounds in the training split."""
    num_steps, num_notes = data.shape
    model = RecurrentNet(
        num_notes,
        num_steps,
        unit=config.unit,
        hidden_size=config.hidden_size,
        generator=generator,
    )
    if "train" in data.splits:
        x = data.train.tensor()  # padding is silence
        model.start_from(x.sum((0, 1)) / lengths_of(data.train).sum())
    return model


def train(config: Config, run: Run) -> nn.Module:
    """Minimise the nats a step with RMSProp under weight noise; the best epoch is returned."""
    data = load_data(config)
    lengths = lengths_of(data.train).to(run.device)
    x_valid, valid_lengths = data.valid.tensor().to(run.device), lengths_of(data.valid)
    valid_lengths = valid_lengths.to(run.device)

    def validate() -> float:
        return -(model.log_prob(x_valid, valid_lengths).sum() / valid_lengths.sum()).item()

    batches = run.batches(
        data.train,
        config.batch_size,
        epochs=config.epochs,
        validate=validate,
        patience=config.patience,
    )
    model, optimiser = run.setup(
        build(config, data, generator=run.init_generator),
        RMSprop,
        lr=config.learning_rate,
        schedule=linear_decay(len(batches)),
        clip_norm=config.clip_norm,
        optimiser_args={"momentum": config.momentum},
    )
    for x in batches:
        steps = lengths[batches.index]  # (B,)
        weights = perturbed(model, config.weight_noise, run.init_generator)
        log_prob = functional_call(model, weights, (x, steps))
        run.step(-log_prob.sum() / steps.sum(), optimiser)
    return run.best(model)
