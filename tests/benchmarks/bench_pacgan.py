"""PacGAN2, the paper's networks: one round of five seeds as one model beside five plain GANs in turn.

The peer is a straightforward implementation in plain torch (nn.Linear, nn.BatchNorm1d, a reshape and
a maximum for maxout), one replicate after the other, with a second pass of the generator for its own
turn left out as here. Both start from the same weights; after three rounds in double precision on the
same data and noise, samples and logits of every replicate must agree before any clock.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from projects.pacgan.model import Discriminator, Generator, pack
from projects.pacgan.train import turns
from tests.benchmarks.timing import Row, side_by_side

R, M, BATCH_SIZE = 5, 2, 100


class PlainMaxout(nn.Linear):
    """Five affine maps of each unit, one after the other in the output."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).view(len(x), 5, -1).max(1).values


def plain_generator() -> nn.Sequential:
    """Four hidden layers of 400 units."""
    layers = []
    for num_in in (2, 400, 400, 400):
        layers += [nn.Linear(num_in, 400, bias=False), nn.BatchNorm1d(400), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(400, 2))


def plain_discriminator() -> nn.Sequential:
    """Three maxout layers of 200 units."""
    layers = [PlainMaxout(num_in, 1000) for num_in in (2 * M, 200, 200)]
    return nn.Sequential(*layers, nn.Linear(200, 1))


def rows() -> list[Row]:
    """A round in float32, and one with bfloat16 hidden layers."""
    check_same()
    found = []
    for name, dtype in (("float32", None), ("bfloat16", torch.bfloat16)):
        x = torch.randn(R * M * BATCH_SIZE, 2, generator=torch.Generator().manual_seed(0))
        players = batched_players()
        ours = Batched(*players, dtype)
        theirs = OneByOne(*players, dtype)
        found.append(
            side_by_side(
                f"PacGAN2: round of {R} seeds, B = {BATCH_SIZE}, {name}",
                lambda ours=ours, x=x: ours.round(x, x),
                "plain torch",
                lambda theirs=theirs, x=x: theirs.round(x, x),
                repeats=15,
            )
        )
    return found


def batched_players() -> tuple[Generator, Discriminator]:
    """The paper's networks, R of each."""
    generator = torch.Generator().manual_seed(0)
    G = Generator(num_replicates=R, generator=generator)
    return G, Discriminator(2 * M, num_replicates=R, generator=generator)


def adam(module: nn.Module) -> torch.optim.Adam:
    """The paper's optimiser, fused on both sides."""
    return torch.optim.Adam(module.parameters(), lr=1e-4, betas=(0.8, 0.999), fused=True)


def autocast(dtype: torch.dtype | None) -> torch.autocast:
    """Mixed precision on both sides, or none."""
    return torch.autocast("cpu", dtype or torch.bfloat16, enabled=dtype is not None)


class Batched:
    """Our round, as in `train`."""

    def __init__(self, G: Generator, D: Discriminator, dtype: torch.dtype | None) -> None:
        self.G, self.D, self.dtype = G, D, dtype
        self.optimisers = adam(D), adam(G)

    def round(self, x: Tensor, z: Tensor) -> None:
        losses = turns(self.G, self.D, pack(x, R, M), pack(z, R, M), "non-saturating")
        for optimiser in self.optimisers:
            with autocast(self.dtype):
                loss = next(losses).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


class OneByOne:
    """R plain GANs from the same weights, each with its own optimisers."""

    def __init__(self, G: Generator, D: Discriminator, dtype: torch.dtype | None) -> None:
        self.dtype = dtype
        self.pairs = [self.alone(G, D, r) for r in range(R)]
        self.optimisers = [(adam(d), adam(g)) for g, d in self.pairs]

    @torch.no_grad()
    def alone(self, G: Generator, D: Discriminator, r: int) -> tuple[nn.Module, nn.Module]:
        """Plain networks with the weights of replicate r; torch keeps matrices transposed."""
        g, d = (plain.to(G.last.weight) for plain in (plain_generator(), plain_discriminator()))
        for plain, ours in ((g, G), (d, D)):
            for theirs, value in zip(plain.parameters(), ours.parameters(), strict=True):
                value = value[r]
                if theirs.ndim == 2:
                    value = value.T
                theirs.copy_(value.reshape(theirs.shape))
        return g, d

    def round(self, x: Tensor, z: Tensor) -> None:
        packs, noise = pack(x, R, M), pack(z, R, M)
        for r, ((g, d), (d_optimiser, g_optimiser)) in enumerate(
            zip(self.pairs, self.optimisers, strict=True)
        ):
            with autocast(self.dtype):
                fake = g(noise[r].reshape(-1, 2)).view(-1, 2 * M)
                real_loss = F.softplus(-d(packs[r])).mean()
                loss = real_loss + F.softplus(d(fake.detach())).mean()
            d_optimiser.zero_grad()
            loss.backward()
            d_optimiser.step()
            with autocast(self.dtype):
                loss = F.softplus(-d(fake)).mean()
            g_optimiser.zero_grad()
            loss.backward()
            g_optimiser.step()


def check_same() -> None:
    """RuntimeError unless three rounds end with the same samples and logits in every replicate."""
    G, D = (player.double() for player in batched_players())
    ours, theirs = Batched(G, D, None), OneByOne(G, D, None)
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        x, z = torch.randn(2, R * M * BATCH_SIZE, 2, generator=generator, dtype=torch.float64)
        ours.round(x, z), theirs.round(x, z)
    noise = pack(z, R, M).reshape(R, -1, 2)
    with torch.no_grad():
        samples = G(noise)
        logits = D(samples.reshape(R, -1, 2 * M))
        for r, (g, d) in enumerate(theirs.pairs):
            peer_samples = g(noise[r])
            peer_logits = d(peer_samples.view(-1, 2 * M))[:, 0]
            for what, a, b in (("samples", samples, peer_samples), ("logits", logits, peer_logits)):
                if not torch.allclose(a[r], b, rtol=1e-6, atol=1e-6):
                    worst = (a[r] - b).abs().max().item()
                    raise RuntimeError(f"{what} of replicate {r} differ by {worst:.2g}")
