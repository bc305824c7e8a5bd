"""Training the diffusion model: Algorithm 1 of Ho, Jain and Abbeel (2020).

dgm train ddpm --preset demo
dgm reproduce ddpm digits-bound
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.optim import Adam

from common.data import Dataset, load
from common.errors import UserError
from common.training import Run, linear_warmup
from common.training import cosine as cosine_decay
from projects.ddpm.loss import bound_loss, draw, draw_for_bound, hybrid_loss, simple_loss
from projects.ddpm.model import DDPM
from projects.ddpm.network import UNet
from projects.ddpm.schedule import NoiseSchedule, cosine, linear


@dataclass(frozen=True)
class Config:
    """Every choice of an experiment; the defaults are the paper's for CIFAR-10, Appendix B."""

    data: str = "cifar10"
    num_steps: int = 1000  # Section 4: T
    noise: Literal["linear", "cosine"] = "linear"  # Section 4: beta from 1e-4 to 0.02
    offset: float = 0.008  # of the cosine: the larger, the coarser the first noise
    parameterisation: Literal["eps", "x0", "v"] = "eps"  # Section 3.2
    variance: Literal["small", "large", "learned"] = "large"  # Section 3.2 has both fixed ones
    objective: Literal["simple", "bound"] = "simple"  # Table 2: L_simple, or L itself
    width: int = 128
    multipliers: tuple[int, ...] = (1, 2, 2, 2)
    num_blocks: int = 2
    attention: tuple[int, ...] = (16,)  # at these heights
    num_heads: int = 1
    dropout: float = 0.1
    patch_size: int = 1  # 2 folds the image to half its height first; the paper has no such thing
    steps: int = 800_000
    batch_size: int = 128
    learning_rate: float = 2e-4
    warmup_steps: int = 5000
    decay: bool = False  # let the rate fall to zero along a cosine
    clip_norm: float | None = 1.0
    ema_decay: float = 0.9999
    validate_every: int = 5000
    sample_steps: int | None = None  # of DDIM; None is Algorithm 2 with all T steps
    eta: float = 0.0  # of DDIM
    precision: str = "32-true"


SMALL = Config(  # what the presets for one or two CPU cores share
    data="digits",
    noise="cosine",
    variance="learned",
    width=32,
    multipliers=(1, 2),
    num_blocks=1,
    attention=(4,),
    dropout=0.0,
    batch_size=64,
    learning_rate=2e-3,
    warmup_steps=100,
    decay=True,
    ema_decay=0.998,
    validate_every=100,
    sample_steps=50,
)
MNIST = replace(
    SMALL,
    data="mnist",
    width=48,
    patch_size=2,
    attention=(7,),
    learning_rate=1e-3,
    warmup_steps=250,
    ema_decay=0.999,
    steps=16_000,
    validate_every=800,
    precision="bf16-mixed",
)
PRESETS = {
    "smoke": replace(SMALL, width=8, steps=60, validate_every=30, warmup_steps=10),
    "demo": replace(SMALL, width=24, steps=800),
    "digits": replace(SMALL, width=24, objective="bound", offset=0.5, steps=4000),
    "mnist": MNIST,
    "mnist_bound": replace(MNIST, objective="bound", offset=0.0, steps=10_000),
    "paper": Config(),
}


def load_data(config: Config) -> Dataset:
    """Load grey or colour levels as they are: the model puts them on its own scale.

    Raises UserError for points, which have no levels.
    """
    data = load(config.data)
    if data.num_levels is None:
        raise UserError(
            f"{config.data} is continuous; the decoder of Section 3.3 needs levels, so take images."
        )
    return data


def build(config: Config, data: Dataset, *, generator: torch.Generator) -> DDPM:
    """Make the untrained model for the shape and the levels of the data."""
    channels = data.shape[0]
    network = UNet(
        data.shape,
        2 * channels if config.variance == "learned" else channels,
        width=config.width,
        multipliers=config.multipliers,
        num_blocks=config.num_blocks,
        attention=config.attention,
        num_heads=config.num_heads,
        dropout=config.dropout,
        patch_size=config.patch_size,
        generator=generator,
    )
    return DDPM(
        network,
        NoiseSchedule(betas(config)),
        data.shape,
        num_levels=data.num_levels,
        parameterisation=config.parameterisation,
        variance=config.variance,
        num_sample_steps=config.sample_steps,
        eta=config.eta,
    )


def betas(config: Config) -> Tensor:
    """Give the noise of the forward process, (T,)."""
    if config.noise == "linear":
        return linear(config.num_steps)
    return cosine(config.num_steps, offset=config.offset)


def objective(config: Config) -> tuple[Callable, Callable]:
    """Give how times and noise are drawn, and the loss of them; learned variances need the hybrid."""
    if config.objective == "bound":
        return draw_for_bound, bound_loss
    return draw, hybrid_loss if config.variance == "learned" else simple_loss


def train(config: Config, run: Run) -> DDPM:
    """Algorithm 1: draw an image, a time and noise; take a step on the squared error.

    The averaged weights are validated on a fixed draw of times and noise; the best are returned.
    """
    data, (draw_of, loss_of) = load_data(config), objective(config)
    generator = torch.Generator().manual_seed(0)  # on the CPU: the same noise for every device
    valid = data.valid.tensor()[:1000]
    model = build(config, data, generator=run.init_generator)
    fixed = [part.to(run.device) for part in (valid, *draw_of(model, valid, generator))]

    def validate() -> float:
        parts = zip(*(part.split(250) for part in fixed), strict=True)
        return torch.cat([loss_of(model, *part) for part in parts]).mean().item()

    batches = run.batches(
        data.train,
        config.batch_size,
        steps=config.steps,
        validate=validate,
        validate_every=config.validate_every,
    )
    warmup = min(config.warmup_steps, len(batches))
    model, optimiser = run.setup(
        model,
        Adam,
        lr=config.learning_rate,
        schedule=cosine_decay(len(batches), warmup) if config.decay else linear_warmup(warmup),
        ema_decay=config.ema_decay,
        clip_norm=config.clip_norm,
    )
    for x in batches:
        t, eps = draw_of(model, x, run.generator)
        run.step(loss_of(model, x, t, eps).mean(), optimiser)
    return run.best(model)
