"""Training a WGAN with gradient penalty: Algorithm 1 of Gulrajani et al. (2017).

dgm train wgan_gp --preset demo
dgm reproduce wgan_gp twenty-five-modes
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch.optim import Adam

from common.data import Dataset, Scale, load
from common.data.registry import get_info
from common.errors import UserError
from common.evaluation.features import RECIPES, get_feature_net
from common.evaluation.frechet import frechet_distance
from common.evaluation.two_sample import sliced_wasserstein
from common.training import Run, linear_decay
from projects.wgan_gp.loss import critic_loss, frozen, generator_loss
from projects.wgan_gp.model import WGAN, image_wgan, toy_wgan

NUM_JUDGED = 2000  # samples, and as many held-out examples, in a validation


@dataclass(frozen=True)
class Config:
    """Every choice of an experiment; the defaults are those of Algorithm 1 where it names one."""

    data: str = "digits"
    latent_size: int = 128
    hidden_sizes: tuple[int, ...] = (512, 512, 512)  # of both networks on points
    num_channels: int = 64  # of both networks on images, at the highest resolution
    num_scales: int = 3
    penalty_weight: float = 10.0  # lambda
    critic_steps: int = 5  # n_critic
    batch_size: int = 64  # m
    learning_rate: float = 1e-4  # alpha
    betas: tuple[float, float] = (0.0, 0.9)
    final_rate: float = 1.0  # multiplier of the rate at the end of a straight line; 1 is constant
    ema_decay: float | None = None  # of the generator's averaged weights
    steps: int = 200_000  # of the generator
    validate_every: int = 1_000
    precision: str = "32-true"

    def __post_init__(self):
        if self.critic_steps < 1:
            raise UserError(f"critic_steps is {self.critic_steps}, expected at least 1.")
        if self.penalty_weight < 0:
            raise UserError(f"penalty_weight is {self.penalty_weight}, expected at least 0.")


# The toy experiments as the authors ran them: github.com/igul222/improved_wgan_training, gan_toy.py.
TOY = Config(
    data="twenty_five_gaussians",
    latent_size=2,
    penalty_weight=0.1,
    batch_size=256,
    betas=(0.5, 0.9),
    steps=100_000,
)
# Ours, for minutes: a fraction of the steps at a higher rate, and averaged weights.
SHORT_TOY = replace(
    TOY,
    learning_rate=5e-4,
    final_rate=0.0,
    ema_decay=0.99,
    steps=2_500,
    validate_every=250,
    precision="bf16-mixed",
)
DIGITS = Config(
    latent_size=32,
    num_channels=32,
    num_scales=2,
    learning_rate=5e-4,
    final_rate=0.0,
    ema_decay=0.99,
    steps=2_500,
    validate_every=250,
)
PRESETS = {
    "smoke": replace(DIGITS, num_channels=8, learning_rate=2e-3, steps=150, validate_every=50),
    "demo": replace(DIGITS, num_channels=16, learning_rate=2e-3, steps=250, validate_every=25),
    "twenty_five_gaussians": replace(SHORT_TOY, steps=15_000, validate_every=1_000),
    "eight_gaussians": replace(SHORT_TOY, data="eight_gaussians", steps=1_500),
    "swiss_roll": replace(SHORT_TOY, data="swiss_roll", steps=1_500),
    "digits": replace(DIGITS, steps=15_000, validate_every=1_000),
    "fashion_mnist": Config(
        data="fashion_mnist",
        num_channels=32,
        learning_rate=5e-4,
        betas=(0.5, 0.9),
        final_rate=0.0,
        ema_decay=0.99,
        steps=10_000,
        validate_every=1_000,
        precision="bf16-mixed",
    ),
    "paper": TOY,
}


def load_data(config: Config) -> Dataset:
    """Load points as they are, images scaled to [0, 1)."""
    is_image = get_info(config.data).num_levels is not None
    return load(config.data, preprocess=Scale() if is_image else None)


def build(config: Config, data: Dataset, *, generator: torch.Generator) -> WGAN:
    """Make the untrained networks: perceptrons for points, convolutions for images."""
    if len(data.shape) == 1:
        return toy_wgan(
            data.shape[0],
            latent_size=config.latent_size,
            hidden_sizes=config.hidden_sizes,
            generator=generator,
        )
    return image_wgan(
        data.shape,
        latent_size=config.latent_size,
        num_channels=config.num_channels,
        num_scales=config.num_scales,
        generator=generator,
    )


def train(config: Config, run: Run) -> WGAN:
    """Take `critic_steps` steps of the critic and one of the generator in turn: Algorithm 1."""
    data = load_data(config)
    model = build(config, data, generator=run.init_generator)
    batches = run.batches(
        data.train,
        config.batch_size,
        steps=config.steps,
        per_step=config.critic_steps,
        validate=judge(model, data),
        validate_every=config.validate_every,
    )
    args = {"lr": config.learning_rate, "optimiser_args": {"betas": config.betas}}
    critic, critic_optimiser = run.setup(
        model.critic,
        Adam,
        schedule=decay(config, len(batches) * config.critic_steps),
        name="critic",
        **args,
    )
    generator, generator_optimiser = run.setup(
        model.generator,
        Adam,
        schedule=decay(config, len(batches)),
        ema_decay=config.ema_decay,
        name="generator",
        **args,
    )
    for real in batches:
        real = real if config.critic_steps > 1 else [real]
        size = len(real[0])
        with torch.no_grad():  # the generator stands still, so one pass serves all critic steps
            fake = generator(run.normal(size * len(real), config.latent_size)).split(size)
        for x, sample in zip(real, fake, strict=True):
            loss = critic_loss(
                critic,
                x,
                sample,
                penalty_weight=config.penalty_weight,
                generator=run.generator,
            )
            scalars = {"wasserstein": loss.wasserstein, "penalty": loss.penalty}
            run.step(loss.total, critic_optimiser, **scalars)
        with frozen(model.critic):
            loss = generator_loss(critic, generator(run.normal(size, config.latent_size)))
        run.step(loss, generator_optimiser)
    run.best(critic), run.best(generator)
    return model


def decay(config: Config, num_updates: int) -> Callable[[int], float]:
    """The learning rate's multiplier, on a straight line from 1 to `final_rate`."""
    return linear_decay(num_updates, final=config.final_rate)


def judge(model: WGAN, data: Dataset) -> Callable[[], float]:
    """How far the samples are from the validation split, by a measure without the critic.

    It is the Frechet distance in the features of the repository's own network where the data set
    has one, else the sliced Wasserstein distance.
    """
    valid = data.valid.tensor()[:NUM_JUDGED]
    net = get_feature_net(data.name) if data.name in RECIPES else None
    target = valid if net is None else net.features(valid)

    def distance() -> float:
        device = next(model.parameters()).device
        noise = torch.Generator(device).manual_seed(0)
        samples = model.sample(NUM_JUDGED, generator=noise).cpu()
        if net is not None:
            return frechet_distance(net.features(samples), target)
        lines = torch.Generator().manual_seed(0)
        return sliced_wasserstein(samples, target, generator=lines)[0]

    return distance
