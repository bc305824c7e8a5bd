"""Training: FILL-IN: the objective and the procedure, with the paper's equation numbers.

dgm train project_slug --preset demo
dgm reproduce project_slug digits
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Adam

from common.data import Compose, Dataset, Flatten, StaticBinarisation, load
from common.errors import UserError
from common.training import Run, cosine
from projects.project_slug.model import IndependentPixels


@dataclass(frozen=True)
class Config:
    """Every choice of an experiment. FILL-IN: the paper's values, each with its section."""

    data: str = "digits"
    epochs: int = 30
    batch_size: int = 100
    learning_rate: float = 0.1


# smoke: seconds on one core, for CI. demo: at most two minutes on two cores. paper: the paper's own.
PRESETS = {
    "smoke": Config(epochs=5),
    "demo": Config(),
    "paper": Config(epochs=100),  # FILL-IN: the paper's configuration and data
}


def load_data(config: Config) -> Dataset:
    """Load images as vectors of zeros and ones, cut at half their range; UserError for points."""
    raw = load(config.data)
    if raw.num_levels is None:
        raise UserError(f"{config.data} is continuous, but this model needs zeros and ones.")
    steps = [] if raw.is_binary else [StaticBinarisation(num_levels=raw.num_levels)]
    return load(config.data, preprocess=Compose([*steps, Flatten()]))


def build(config: Config, data: Dataset, *, generator: torch.Generator) -> nn.Module:
    """Make the untrained model; its random weights, if it has any, come from `generator`."""
    return IndependentPixels(data.num_dims)


def train(config: Config, run: Run) -> nn.Module:
    """Minimise the negative log-likelihood; the best epoch on the validation split is returned."""
    data = load_data(config)
    valid = data.valid.tensor()

    def validate() -> float:
        return -model.log_prob(valid).mean().item()

    batches = run.batches(data.train, config.batch_size, epochs=config.epochs, validate=validate)
    model, optimiser = run.setup(
        build(config, data, generator=run.init_generator),
        Adam,
        lr=config.learning_rate,
        schedule=cosine(len(batches)),
    )
    for x in batches:
        run.step(-model.log_prob(x).mean(), optimiser)
    return run.best(model)
