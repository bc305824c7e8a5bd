"""Training PacGAN: Algorithm 1 of Goodfellow et al. (2014), one step each, with packed points.

dgm train pacgan --preset demo
dgm reproduce pacgan ring-pacgan2
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.optim import Adam

from common.data import Dataset, load
from common.errors import UserError
from common.training import Run, linear_decay
from projects.pacgan.loss import GENERATOR_LOSSES, discriminator_loss
from projects.pacgan.model import Discriminator, Generator, pack


@dataclass(frozen=True)
class Config:
    """Every choice of an experiment; the defaults are the paper's for its Table 1."""

    data: str = "thin_ring"
    m: int = 2  # samples in a pack; 1 is the plain GAN
    num_replicates: int = 10  # runs with seeds of their own
    generator_loss: str = "non-saturating"
    latent_size: int = 2
    generator_size: int = 400  # units of each of four hidden layers
    discriminator_size: int = 200  # units of each of three maxout layers
    num_pieces: int = 5
    batch_size: int = 100  # packed points
    steps: int = 400_000  # 400 epochs of 100,000 packed points
    learning_rate: float = 1e-4
    final_rate: float = 1.0  # multiplier at the end of a straight line; the paper's is constant
    beta1: float = 0.8
    precision: str = "32-true"

    def __post_init__(self):
        if self.generator_loss not in GENERATOR_LOSSES:
            raise UserError(
                f"generator_loss is {self.generator_loss!r}, expected one of: "
                f"{', '.join(GENERATOR_LOSSES)}."
            )
        for name in ("m", "num_replicates"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}, expected at least 1.")


# Short schedules: from ten times the paper's rate down to zero.
RING = Config(
    num_replicates=5, steps=2_000, learning_rate=1e-3, final_rate=0.0, precision="bf16-mixed"
)
GRID = replace(RING, data="grid", steps=20_000)
PRESETS = {
    "smoke": replace(RING, generator_size=32, discriminator_size=16, steps=100, num_replicates=2),
    "demo": replace(RING, steps=1_500, num_replicates=1),
    "ring-gan": replace(RING, m=1),
    "ring-pacgan2": RING,
    "grid-gan": replace(GRID, m=1),
    "grid-pacgan2": GRID,
    "paper": Config(),
}


def load_data(config: Config) -> Dataset:
    """Load points of the plane; UserError for images, which these networks are not made for."""
    data = load(config.data)
    if len(data.shape) != 1:
        raise UserError(f"{config.data} has images, but these networks are for points: thin_ring.")
    return data


def build(config: Config, data: Dataset, *, generator: torch.Generator) -> Generator:
    """Make the untrained generators."""
    return Generator(
        data.num_dims,
        config.latent_size,
        config.generator_size,
        num_replicates=config.num_replicates,
        generator=generator,
    )


def build_discriminator(
    config: Config, data: Dataset, *, generator: torch.Generator
) -> Discriminator:
    """Make the untrained discriminators of packs of m."""
    return Discriminator(
        config.m * data.num_dims,
        config.discriminator_size,
        num_pieces=config.num_pieces,
        num_replicates=config.num_replicates,
        generator=generator,
    )


def train(config: Config, run: Run) -> nn.Module:
    """Play Algorithm 1 of Goodfellow et al.: one Adam step of the discriminators, one of the generators.

    The last weights are the result, as in the paper; nothing is selected. The losses in the metrics
    are sums over the replicates, so that each gets the gradient that it would have alone.
    """
    data, m, num_replicates = load_data(config), config.m, config.num_replicates
    num_samples = config.batch_size * num_replicates * m  # of a batch; every row is used once
    batches = run.batches(data.train, num_samples, steps=config.steps)
    settings = {
        "lr": config.learning_rate,
        # by the config's steps: a run that is cut short can be continued
        "schedule": linear_decay(config.steps, final=config.final_rate),
        "optimiser_args": {"betas": (config.beta1, 0.999)},
    }
    generators = build(config, data, generator=run.init_generator)
    discriminators = build_discriminator(config, data, generator=run.init_generator)
    G, G_optimiser = run.setup(generators, Adam, **settings)
    D, D_optimiser = run.setup(discriminators, Adam, **settings)
    for x in batches:
        z = run.normal(len(x), config.latent_size)
        losses = turns(
            G, D, pack(x, num_replicates, m), pack(z, num_replicates, m), config.generator_loss
        )
        for loss, optimiser in zip(losses, (D_optimiser, G_optimiser), strict=True):
            run.step(loss.sum(), optimiser)
    size = (num_replicates, 5000, config.latent_size)
    z = torch.randn(size, generator=run.generator, device=run.device)
    return run.best(G).calibrate(z)


def turns(
    G: Generator, D: Discriminator, real: Tensor, z: Tensor, generator_loss: str
) -> Iterator[Tensor]:
    """Yield the losses (R,) of one round: the discriminators', and after their step the generators'.

    Both judge the same samples.

    Args:
        G, D: R players each.
        real: (R, B, m d) packed data.
        z: (R, B, m latent_size) the noise of as many packs.
        generator_loss: a name in `GENERATOR_LOSSES`.
    """
    z = z.reshape(len(z), -1, G.sizes["latent_size"])  # (R, B m, latent_size)
    fake = G(z).reshape(real.shape)  # (R, B, m d): neighbours are packed
    real_logits, fake_logits = D(torch.cat([real, fake.detach()], 1)).chunk(2, 1)  # (R, B) each
    yield discriminator_loss(real_logits, fake_logits)
    with frozen(D):
        logits = D(fake)  # (R, B)
    yield GENERATOR_LOSSES[generator_loss](logits)


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Leave the parameters out of the graph that is made meanwhile: nobody needs their gradients."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
