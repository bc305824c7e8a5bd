"""Fitting a mixture: EM on the whole training split, from k-means++ centres or random points.

dgm train gaussian_mixture --preset demo
dgm reproduce gaussian_mixture digits
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from common.data import Compose, Dataset, Logit, Scale, Split, UniformDequantisation, load
from common.errors import UserError
from common.training import Run
from projects.gaussian_mixture.covariances import COVARIANCES
from projects.gaussian_mixture.em import expectation, maximisation
from projects.gaussian_mixture.model import GaussianMixture
from projects.gaussian_mixture.starts import STARTS, start


@dataclass(frozen=True)
class Config:
    """Every choice of an experiment. The paper leaves all of them open."""

    data: str = "digits"
    alpha: float = 0.0  # images: logit(alpha + (1 - 2 alpha) x) after dequantisation; 0 for none
    noise_draws: int = 1  # images: how many dequantised copies of each are learned from
    num_components: int = 10
    covariance: str = "full"
    start: str = "k-means++"
    floor: float = 1e-3  # the least variance of a component in any direction
    added: float = 0.0  # a variance added to every covariance instead, as scikit-learn does
    iterations: int = 100
    patience: int | None = 2  # validations without a better one; None to do all iterations
    validate_every: int = 5
    precision: str = "64-true"

    def __post_init__(self):
        for name, known in (("covariance", COVARIANCES), ("start", STARTS)):
            if getattr(self, name) not in known:
                raise UserError(
                    f"{name} is {getattr(self, name)!r}, expected one of: {', '.join(known)}."
                )


IMAGES = Config(alpha=0.01, noise_draws=10, floor=0.3, validate_every=4)
AGREEMENT = Config(floor=0.0, added=1e-6, iterations=50, patience=None)
PRESETS = {
    "smoke": Config(num_components=4, covariance="tied", iterations=5),
    "demo": replace(IMAGES, noise_draws=5),
    # The goals: what a mixture reaches, chosen on the valid split ...
    "digits": IMAGES,
    "protein": Config(data="protein", num_components=32, floor=1e-6, iterations=150, patience=4),
    # ... and scikit-learn's likelihood from the same start, every iteration alike.
    "digits-likelihood": AGREEMENT,
    "protein-likelihood": replace(AGREEMENT, data="protein", num_components=16),
}


def load_data(config: Config) -> Dataset:
    """The data set; images dequantised and scaled to [0, 1), and sent through the logit if asked."""
    data = load(config.data)
    if data.num_levels is None:
        return data
    steps = [UniformDequantisation(), Scale()]
    return data.with_preprocess(Compose([*steps, Logit(config.alpha)] if config.alpha else steps))


def build(config: Config, data: Dataset, *, generator: torch.Generator) -> GaussianMixture:
    """The mixture before it has seen any data."""
    return GaussianMixture(
        config.num_components, data.shape, covariance=config.covariance, generator=generator
    )


def train(config: Config, run: Run) -> GaussianMixture:
    """Start, then iterate the E-step and the M-step; returns the best on the valid split.

    Without patience there is no choice to make and it is the last iterate.
    """
    data = load_data(config)
    split = complete(data, config.noise_draws)
    valid = data.valid.tensor(seed=0).to(run.device, torch.float64)
    batches = run.batches(
        split,
        len(split),
        epochs=config.iterations,
        validate=None if config.patience is None else lambda: -model.log_prob(valid).mean().item(),
        validate_every=config.validate_every,
        patience=config.patience,
    )
    model = run.adopt(build(config, data, generator=run.init_generator))
    start(
        model,
        split.x.to(run.device),
        method=config.start,
        floor=config.floor,
        generator=run.init_generator,
    )
    for x in batches:
        statistics = expectation(model, x.to(model.means))
        for tensor in statistics.tensors():
            run.devices.sum(tensor)  # of several processes, each with its share of the points
        maximisation(model, statistics, floor=config.floor, added=config.added)
        run.updated(-statistics.log_likelihood / statistics.num_points, model)
    return run.best(model)


def complete(data: Dataset, noise_draws: int) -> Split:
    """The training split in the model's space, float64: one matrix for all iterations.

    With fresh noise at every iteration the likelihood would go up and down with the noise.
    """
    draws = range(noise_draws if data.preprocess and data.preprocess.is_random else 1)
    x = torch.cat([data.train.tensor(seed=draw) for draw in draws]).double()
    return replace(data.train, x=x, y=None, factors=None, preprocess=None)
