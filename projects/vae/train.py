"""Training the variational autoencoder: Algorithm 1 of Kingma and Welling (2014) with Adam.

dgm train vae --preset demo
dgm reproduce vae dynamic-mnist
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Adam

from common.data import Dataset, DynamicBinarisation, Scale, UniformDequantisation, load
from common.data.preprocess import Compose
from common.errors import UserError
from common.training import Run, Schedule, cosine
from projects.vae.model import LIKELIHOODS, VAE
from projects.vae.networks import ACTIVATIONS


def staircase(total_steps: int) -> Schedule:
    """Give Burda et al.'s rates: 3^i parts of the run at 10^(-i/7) of the first rate, i = 0..7."""

    def rate(step: int) -> float:
        stage, part = 0, 3280 * step / total_steps
        while part >= 3**stage and stage < 7:
            part -= 3**stage
            stage += 1
        return 10 ** (-stage / 7)

    return rate


SCHEDULES = {"cosine": cosine, "staircase": staircase}


@dataclass(frozen=True)
class Config:
    """Every choice of an experiment; the defaults are the paper's where it has one."""

    data: str = "digits"
    likelihood: str = "bernoulli"  # Section 5: Bernoulli for MNIST, Gaussian for Frey faces
    latent_size: int = 2  # Section 5, Figures 2 and 4
    hidden_sizes: tuple[int, ...] = (500,)  # Section 5: 500 hidden units for MNIST
    activation: str = "tanh"  # Appendix C
    epochs: int = 100
    batch_size: int = 100  # Section 2.3: M = 100
    num_samples: int = 1  # Section 2.3: L = 1
    learning_rate: float = 1e-3  # the paper: Adagrad with a rate out of {0.01, 0.02, 0.1}
    schedule: str = "cosine"  # or "staircase", the one of Burda et al. (2016)
    adam_eps: float = 1e-8
    train_on_validation: bool = False  # after the choices were made: no best weights are selected

    def __post_init__(self):
        choices = {"likelihood": LIKELIHOODS, "activation": ACTIVATIONS, "schedule": SCHEDULES}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise UserError(
                    f"{name} is {getattr(self, name)!r}, expected one of: {', '.join(known)}."
                )


PRESETS = {
    "smoke": Config(hidden_sizes=(50,), epochs=20, learning_rate=5e-3),
    "demo": Config(hidden_sizes=(100, 100), epochs=300, learning_rate=4e-3),
    # Ours, for the goal: the network of Burda et al. (2016), Section 5, on a shorter schedule.
    "mnist": Config(
        data="mnist",
        latent_size=50,
        hidden_sizes=(200, 200),
        epochs=500,
        learning_rate=3e-3,
        train_on_validation=True,
    ),
    # The pictures of Figure 4: a plane of digits.
    "manifold": Config(data="mnist", epochs=40, learning_rate=2e-3),
    # Burda et al. (2016), Section 5: 3^0 + ... + 3^7 = 3280 epochs with falling rates.
    "burda2016": Config(
        data="mnist",
        latent_size=50,
        hidden_sizes=(200, 200),
        epochs=3280,
        batch_size=20,
        schedule="staircase",
        adam_eps=1e-4,
        train_on_validation=True,
    ),
}


def load_data(config: Config) -> Dataset:
    """Load binary images for the Bernoulli decoder, images in [0, 1) or points for the Gaussian.

    Raises UserError where the data does not suit the decoder.
    """
    if config.likelihood == "bernoulli":
        return load_binary(config.data)
    raw = load(config.data)
    if raw.num_levels is None:
        return raw
    steps = Compose([UniformDequantisation(), Scale(raw.num_levels)])
    return load(config.data, preprocess=steps)


def load_binary(name: str) -> Dataset:
    """Load images whose pixels are redrawn, with the grey level as probability, at every use."""
    raw = load(name)
    if raw.is_binary:
        return raw
    if raw.num_levels is None:
        raise UserError(
            f"{name} is continuous, but a Bernoulli decoder needs zeros and ones: "
            "take images, or --set likelihood=gaussian."
        )
    return load(name, preprocess=DynamicBinarisation(raw.num_levels))


def build(config: Config, data: Dataset, *, generator: torch.Generator) -> nn.Module:
    """Make the untrained model; a Bernoulli decoder starts from the training set's pixel means."""
    model = VAE(
        data.shape,
        config.latent_size,
        config.hidden_sizes,
        likelihood=config.likelihood,
        activation=config.activation,
        generator=generator,
    )
    if config.likelihood == "bernoulli":
        model.decoder.start_from(data.train.x.float().mean(0) / (data.num_levels - 1))
    return model


def train(config: Config, run: Run) -> nn.Module:
    """Maximise the bound by Algorithm 1: a minibatch, one sample of the posterior, one Adam step."""
    data = load_data(config)
    valid = data.valid.tensor(seed=0).to(run.device)
    generator = torch.Generator().manual_seed(0)  # on the CPU: the same noise for every device
    noise = torch.randn(1, len(valid), config.latent_size, generator=generator).to(run.device)

    def validate() -> float:
        return -model.elbo(valid, noise=noise).mean().item()

    batches = run.batches(
        data.join("train", "valid") if config.train_on_validation else data.train,
        config.batch_size,
        epochs=config.epochs,
        validate=None if config.train_on_validation else validate,
    )
    model, optimiser = run.setup(
        build(config, data, generator=run.init_generator),
        Adam,
        lr=config.learning_rate,
        schedule=SCHEDULES[config.schedule](len(batches)),
        optimiser_args={"eps": config.adam_eps},
    )
    for x in batches:
        elbo = model.elbo(x, num_samples=config.num_samples, generator=run.generator)
        run.step(-elbo.mean(), optimiser)
    return run.best(model)
