"""PacGAN (Lin, Khetan, Fanti, Oh 2018, arXiv:1712.04086): the generator and the packed discriminator.

Section 2: a discriminator that sees m samples of one source at once. m = 1 is the GAN of
Goodfellow et al. (2014). The networks are those of the paper's two-dimensional experiments.

Different from the paper: every layer holds the weights of R independent networks, so that the
paper's runs with different seeds are one batched computation. Replicate r of a batched network
computes what a network alone with its weights computes.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from projects.pacgan.layers import BatchNorm, Linear, Maxout


def pack(x: Tensor, num_replicates: int, m: int) -> Tensor:
    """Concatenate m samples into one input of the discriminator (Section 2), for each replicate.

    Rows are dealt out in order: the first R m of them are the first packed point of every
    replicate, m neighbours each, and no row is used twice.

    Args:
        x: (B R m, d) independent samples of one source, real or generated.
        num_replicates: R.
        m: the degree of packing.

    Returns:
        (R, B, m d).

    >>> pack(torch.arange(8.0)[:, None], num_replicates=2, m=2)[:, 0]
    tensor([[0., 1.],
            [2., 3.]])
    """
    if x.ndim != 2 or len(x) % (num_replicates * m):
        raise ValueError(
            f"x has shape {tuple(x.shape)}, expected (B * {num_replicates} * {m}, d): whole packs "
            f"of {m} samples for {num_replicates} replicates"
        )
    return x.reshape(-1, num_replicates, m * x.shape[1]).transpose(0, 1)


class Generator(nn.Module):
    """R generators x = G(z), z ~ N(0, I): hidden layers of affine map, batch norm and ReLU.

    Args:
        num_dims: of a sample.
        latent_size: of z.
        hidden_size, num_hidden: units of each hidden layer, and how many there are.
        num_replicates: R.
        generator: draws the initial weights.
    """

    def __init__(
        self,
        num_dims: int = 2,
        latent_size: int = 2,
        hidden_size: int = 400,
        num_hidden: int = 4,
        *,
        num_replicates: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        sizes = {"num_dims": num_dims, "latent_size": latent_size, "hidden_size": hidden_size}
        sizes |= {"num_hidden": num_hidden}
        for name, size in (sizes | {"num_replicates": num_replicates}).items():
            if size < 1:
                raise ValueError(f"{name} is {size}, expected at least 1")
        self.sizes, self.num_replicates = sizes, num_replicates
        widths = [latent_size] + [hidden_size] * num_hidden
        self.hidden = nn.ModuleList(
            nn.Sequential(
                Linear(num_replicates, num_in, num_out, bias=False, generator=generator),
                BatchNorm(num_replicates, num_out),
                nn.ReLU(),
            )
            for num_in, num_out in itertools.pairwise(widths)
        )
        self.last = Linear(num_replicates, widths[-1], num_dims, generator=generator)

    def forward(self, z: Tensor) -> Tensor:
        """Generate samples: (R, B, latent_size) -> (R, B, num_dims)."""
        wanted = (self.num_replicates, self.sizes["latent_size"])
        if z.ndim != 3 or (z.shape[0], z.shape[2]) != wanted:
            raise ValueError(
                f"z has shape {tuple(z.shape)}, expected ({wanted[0]}, B, {wanted[1]}): replicates, "
                "batch, latent_size"
            )
        h = z
        for layer in self.hidden:
            h = layer(h)  # (R, B, hidden_size)
        # The hidden layers may compute in bfloat16 (autocast). Samples may not: their modes are a
        # hundredth wide, and bfloat16 rounds numbers near 1 to 1/128.
        with torch.autocast(h.device.type, enabled=False):
            return self.last(h.to(self.last.weight.dtype))

    @torch.no_grad()
    def calibrate(self, z: Tensor) -> Generator:
        """Take the statistics of batch normalisation from many z, (R, B, latent_size); now in eval.

        After training these are the population's (Ioffe and Szegedy 2015, Algorithm 2).
        """
        self.train()(z)
        return self.eval()

    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Independent draws of replicate 0, (n, num_dims)."""
        if n < 0:
            raise ValueError(f"n is {n}, expected at least 0")
        if self.num_replicates > 1:
            return self.replicate(0).sample(n, generator=generator)
        like = self.last.weight
        size = (1, n, self.sizes["latent_size"])
        z = torch.randn(size, generator=generator, device=like.device, dtype=like.dtype)
        return self(z)[0]

    def replicate(self, r: int) -> Generator:
        """Replicate r by itself: a copy, in the same mode, with weights of its own."""
        alone = Generator(**self.sizes, generator=torch.Generator()).to(self.last.weight)
        alone.load_state_dict({name: value[r : r + 1] for name, value in self.state_dict().items()})
        return alone.train(self.training)

    @property
    def replicates(self) -> list[Generator]:
        """Every replicate by itself, for the mean over seeds that Table 1 reports."""
        return [self.replicate(r) for r in range(self.num_replicates)]


class Discriminator(nn.Module):
    """R discriminators of packed points: maxout layers, then one logit, log D / (1 - D).

    Args:
        num_inputs: m d, the size of a packed point; packing changes nothing else (Section 2).
        hidden_size, num_hidden, num_pieces: units of each maxout layer, layers, maps of a unit.
        num_replicates: R.
        generator: draws the initial weights.
    """

    def __init__(
        self,
        num_inputs: int,
        hidden_size: int = 200,
        num_hidden: int = 3,
        num_pieces: int = 5,
        *,
        num_replicates: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.shape = (num_replicates, num_inputs)
        widths = [num_inputs] + [hidden_size] * num_hidden
        self.first, *others = (
            Maxout(num_replicates, num_in, num_out, num_pieces, generator=generator)
            for num_in, num_out in itertools.pairwise(widths)
        )
        self.hidden = nn.Sequential(*others)
        self.last = Linear(num_replicates, hidden_size, 1, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """(R, B, m d) packed points -> (R, B) logits that they are real."""
        if x.ndim != 3 or (x.shape[0], x.shape[2]) != self.shape:
            raise ValueError(
                f"x has shape {tuple(x.shape)}, expected ({self.shape[0]}, B, {self.shape[1]}): "
                "replicates, batch, the coordinates of one pack"
            )
        with torch.autocast(x.device.type, enabled=False):  # as the generator's last layer
            h = self.first(x)
        h = self.hidden(h)  # (R, B, hidden_size)
        with torch.autocast(x.device.type, enabled=False):
            return self.last(h.to(self.last.weight.dtype)).squeeze(2)
