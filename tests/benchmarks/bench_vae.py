"""VAE 784-200-200-50 beside pythae: a training step, and the likelihood by 5000 importance samples.

Both sides have the same network, weights, optimiser and number of samples; pythae's `get_nll` gets
the batch size that suits it best of those tried, and both estimates must agree before any clock.
"""

import itertools
import math

import torch
from torch import nn
from torch.optim import Adam

from common.evaluation import iwae
from projects.vae.model import VAE
from tests.benchmarks.timing import Row, side_by_side

LATENT_SIZE, HIDDEN, NUM_DIMS = 50, 200, 784
NUM_SAMPLES = 5000
PEER_BATCH_SIZES = (100, 500, 5000)


def rows() -> list[Row]:
    """The training step and the evaluation, ours against pythae's."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    x = torch.bernoulli(torch.full((100, 1, 28, 28), 0.13), generator=generator)
    ours = VAE((1, 28, 28), LATENT_SIZE, (HIDDEN, HIDDEN), generator=generator)
    with torch.no_grad():
        ours.decoder.logit_head.weight *= 0.1  # a decoder that listens little: estimates agree soon
    theirs = peer_like(ours)
    check_same_bound(ours, theirs, x)
    step = side_by_side(
        "VAE 784-200-200-50: training step, B = 100",
        our_step(ours, x, generator),
        "pythae",
        peer_step(theirs, x),
        repeats=100,
        warmup=10,
    )
    ours.eval(), theirs.eval()
    batch_size = best_batch_size(theirs, x)
    evaluation = side_by_side(
        "VAE 784-200-200-50: IWAE-5000 of 100 images",
        lambda: our_nll(ours, x),
        f"pythae ({batch_size})",
        lambda: peer_nll(theirs, x, batch_size),
        repeats=3,
        warmup=1,
    )
    return [step, evaluation]


def our_step(model: VAE, x: torch.Tensor, generator: torch.Generator):
    """One step of Algorithm 1."""
    optimiser = Adam(model.parameters(), lr=1e-3, fused=True)

    def step():
        loss = -model.elbo(x, generator=generator).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def peer_step(model: nn.Module, x: torch.Tensor):
    """One step of pythae's trainer, less its bookkeeping."""
    optimiser = Adam(model.parameters(), lr=1e-3, fused=True)
    inputs = {"data": x}

    def step():
        loss = model(inputs).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def our_nll(model: VAE, x: torch.Tensor) -> float:
    """Minus the importance-weighted bound in nats, averaged over the images."""
    generator = torch.Generator().manual_seed(0)
    return -iwae(model, x, num_samples=NUM_SAMPLES, generator=generator).mean().item()


def peer_nll(model: nn.Module, x: torch.Tensor, batch_size: int) -> float:
    """The same by pythae's `get_nll`, which in spite of its name returns the log-likelihood."""
    with torch.no_grad():
        return -float(model.get_nll(x, n_samples=NUM_SAMPLES, batch_size=batch_size))


def best_batch_size(model: nn.Module, x: torch.Tensor) -> int:
    """The batch size with which pythae evaluates two images in the least time."""
    times = {}
    for size in PEER_BATCH_SIZES:
        work = [lambda size=size: peer_nll(model, x[:2], size)] * 2
        times[size] = side_by_side("", work[0], "", work[1], repeats=3, warmup=1).theirs
    return min(times, key=times.get)


def check_same_bound(ours: VAE, theirs: nn.Module, x: torch.Tensor) -> None:
    """RuntimeError unless both give the same loss and the same marginal likelihood."""
    with torch.no_grad():
        elbo = ours.elbo(x, num_samples=64, generator=torch.Generator().manual_seed(1))
        losses = [theirs({"data": x}).loss.item() for _ in range(64)]
    close(-elbo.mean().item(), sum(losses) / 64, "training loss")
    close(our_nll(ours, x[:4]), peer_nll(theirs, x[:4], 500), "log-likelihood")


def close(ours: float, theirs: float, what: str) -> None:
    """RuntimeError unless two Monte Carlo estimates agree to a thousandth."""
    if not math.isclose(ours, theirs, rel_tol=1e-3):
        raise RuntimeError(f"{what}: ours {ours:.4f}, pythae's {theirs:.4f}: not the same work")


def peer_like(model: VAE) -> nn.Module:
    """pythae's VAE with our layers copied into its encoder and decoder."""
    from pythae.models import VAE as PeerVAE
    from pythae.models import VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.body = tanh_layers(NUM_DIMS, HIDDEN, HIDDEN)
            self.mean_head = nn.Linear(HIDDEN, LATENT_SIZE)
            self.log_variance_head = nn.Linear(HIDDEN, LATENT_SIZE)

        def forward(self, x):
            hidden = self.body(x.reshape(-1, NUM_DIMS))
            return ModelOutput(
                embedding=self.mean_head(hidden), log_covariance=self.log_variance_head(hidden)
            )

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.body = tanh_layers(LATENT_SIZE, HIDDEN, HIDDEN)
            self.logit_head = nn.Linear(HIDDEN, NUM_DIMS)

        def forward(self, z):
            probabilities = torch.sigmoid(self.logit_head(self.body(z)))
            return ModelOutput(reconstruction=probabilities.reshape(-1, 1, 28, 28))

    config = VAEConfig((1, 28, 28), LATENT_SIZE, reconstruction_loss="bce")
    peer = PeerVAE(config, Encoder(), Decoder())
    peer.load_state_dict(model.state_dict())
    return peer


def tanh_layers(*sizes: int) -> nn.Sequential:
    """Affine layers with a tanh after each."""
    layers = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), nn.Tanh()]
    return nn.Sequential(*layers)
