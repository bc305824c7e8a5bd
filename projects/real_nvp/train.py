"""How Real NVP is trained: maximum likelihood, on points of the plane and on images (Sec. 4.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.optim import Adam

from common.data import Compose, Dataset, Logit, Scale, UniformDequantisation, load
from common.data.registry import get_info
from common.training import Run, cosine
from projects.real_nvp.model import RealNVP, image_real_nvp, vector_real_nvp

IMAGES_ONLY = ("alpha", "flip", "num_scales", "num_blocks", "num_hidden", "batch_norm")
VECTORS_ONLY = ("num_couplings", "hidden_sizes", "fresh_samples")


@dataclass(frozen=True)
class Config:
    """Everything that decides a training. The defaults are the paper's for CIFAR-10, where it has one.

    Raises ValueError where a field is set that the data's kind of model does not read.
    """

    data: str = "cifar10"
    alpha: float = 0.05  # Sec. 4.1: logit(alpha + (1 - alpha) x); as released, (1 - 2 alpha)
    flip: bool = True  # Sec. 4.1: horizontal flips
    num_scales: int = 2  # Sec. 4.1: CIFAR-10 is downscaled only once
    num_blocks: int = 8  # Sec. 4.1: residual blocks of each conditioner
    num_hidden: int = 64  # Sec. 4.1: feature maps of the first scale
    batch_norm: bool = True  # Sec. 3.7
    num_couplings: int = 32
    hidden_sizes: tuple[int, ...] = (64, 64)
    fresh_samples: bool = False  # draw every batch from the known density: infinite data
    batch_size: int = 64  # Sec. 4.1
    learning_rate: float = 1e-3  # Sec. 4.1: Adam with default hyper-parameters
    warmup_steps: int = 0
    final_rate: float = 1.0  # multiplier at the end of the cosine; 1 is the paper's constant rate
    scale_penalty: float = 5e-5 / 3072  # Sec. 4.1: L2 on the scales; the loss is per dimension
    clip_norm: float | None = None
    steps: int = 800_000  # ours: the paper names no number
    validate_every: int = 781  # steps
    precision: str = "32-true"

    def __post_init__(self):
        is_image = len(get_info(self.data).shape) == 3
        for name in VECTORS_ONLY if is_image else IMAGES_ONLY:
            unused = False if name == "flip" else getattr(Config, name)
            if getattr(self, name) != unused:
                raise ValueError(
                    f"the model of {self.data}, {'images' if is_image else 'vectors'}, does not read "
                    f"{name}; expected {name}={unused!r} or another preset."
                )


SMALL = Config(  # what the presets for one or two CPU cores share
    data="digits",
    alpha=0.01,
    flip=False,
    num_blocks=1,
    num_hidden=32,
    learning_rate=2e-3,
    warmup_steps=100,
    final_rate=0.0,
    scale_penalty=5e-5,  # num_dims times the paper's (README, "Deviations")
    clip_norm=1.0,
)
PRESETS = {
    "smoke": replace(SMALL, num_hidden=8, steps=20, validate_every=10),
    "demo": replace(SMALL, steps=1_000, validate_every=100),
    "ring": Config(
        data="ring",
        flip=False,
        fresh_samples=True,
        batch_size=512,
        warmup_steps=200,
        final_rate=0.0,
        scale_penalty=0.0,
        clip_norm=1.0,
        steps=12_000,
        validate_every=1_000,
    ),
    "digits": replace(SMALL, steps=1_500, validate_every=50),
    "mnist": replace(
        SMALL,
        data="mnist",
        num_blocks=2,
        learning_rate=1e-3,
        steps=6_000,
        validate_every=750,
        precision="bf16-mixed",
    ),
    "paper": Config(),
}


def load_data(config: Config) -> Dataset:
    """The data set; images dequantised, scaled to [0, 1) and sent through the logit (Sec. 4.1)."""
    data = load(config.data)
    if data.num_levels is None:
        return data
    steps = [UniformDequantisation(), Scale(), Logit(config.alpha)]
    return data.with_preprocess(Compose(steps))


def build(config: Config, data: Dataset, *, generator: torch.Generator) -> RealNVP:
    """The multi-scale model for images, the fully connected one for vectors."""
    if len(data.shape) == 3:
        return image_real_nvp(
            data.shape,
            num_scales=config.num_scales,
            num_hidden=config.num_hidden,
            num_blocks=config.num_blocks,
            batch_norm=config.batch_norm,
            generator=generator,
        )
    return vector_real_nvp(
        data.shape[0],
        num_couplings=config.num_couplings,
        hidden_sizes=config.hidden_sizes,
        generator=generator,
    )


def train(config: Config, run: Run) -> RealNVP:
    """Maximise the mean log p(x) by Adam; returns the model that was best on the valid split."""
    data = load_data(config)
    batches = run.batches(
        data.train,
        config.batch_size,
        steps=config.steps,
        validate=lambda: validation(model, data),
        validate_every=config.validate_every,
    )
    model, optimiser = run.setup(
        build(config, data, generator=run.init_generator),
        Adam,
        lr=config.learning_rate,
        schedule=cosine(len(batches), min(config.warmup_steps, len(batches)), config.final_rate),
        clip_norm=config.clip_norm,
        optimiser_args={"fused": True},
    )
    gains = [p for name, p in model.named_parameters() if name.endswith(("gain", "scale"))]
    for x in batches:
        if config.fresh_samples:
            x = data.density.sample(len(x), generator=run.generator).to(x)
        if config.flip:
            x = mirrored(x, run.generator)
        nll_nats_per_dim = -model.log_prob(x).mean() / data.num_dims
        loss = nll_nats_per_dim
        if config.scale_penalty:
            loss = loss + config.scale_penalty * sum(gain.square().sum() for gain in gains)
        run.step(loss, optimiser, nll_nats_per_dim=nll_nats_per_dim)
    return run.best(model)


def mirrored(x: Tensor, generator: torch.Generator) -> Tensor:
    """The images (B, C, H, W), each left-right mirrored with probability one half (Sec. 4.1)."""
    coin = torch.rand(len(x), 1, 1, 1, generator=generator, device=x.device) < 0.5
    return torch.where(coin, x.flip(-1), x)


def validation(model: RealNVP, data: Dataset) -> float:
    """Mean negative log-likelihood on the valid split, in nats per dimension like the loss."""
    device = next(model.parameters()).device
    parts = [part.to(device) for part in data.valid.tensor().split(500)]
    nll_nats = torch.cat([-model.log_prob(part) for part in parts])
    return nll_nats.mean().item() / data.num_dims
