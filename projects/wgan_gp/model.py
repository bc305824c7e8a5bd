"""A Wasserstein GAN: Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville (2017), arXiv:1704.00028.

The generator G turns noise into examples, and the critic f tells how far they are from the data:
by the Kantorovich-Rubinstein duality, Eq. (2),

    W(P_r, P_g) = max over 1-Lipschitz f of  E_(x ~ P_r) f(x) - E_(z ~ p(z)) f(G(z)).

`networks.py` has both networks, `loss.py` the penalty that keeps f near the 1-Lipschitz functions.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from projects.wgan_gp.networks import ConvGenerator, MLPGenerator, conv_critic, mlp_critic


class WGAN(nn.Module):
    """A generator with its critic.

    Args:
        generator: latents (B, latent_size) to examples (B, *shape).
        critic: examples (B, *shape) to (B,).
        latent_size: d of the prior p(z) = N(0, I).
        shape: of one example.
    """

    def __init__(
        self, generator: nn.Module, critic: nn.Module, *, latent_size: int, shape: tuple[int, ...]
    ):
        super().__init__()
        self.generator, self.critic = generator, critic
        self.latent_size, self.shape = latent_size, tuple(shape)

    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Draw G(z) with z ~ N(0, I), (n, *shape); ValueError if n is negative."""
        if n < 0:
            raise ValueError(f"n is {n}, expected at least 0")
        like = next(self.generator.parameters())
        z = torch.randn(
            n, self.latent_size, generator=generator, dtype=like.dtype, device=like.device
        )
        return self.generator(z)


def toy_wgan(
    num_dims: int,
    *,
    latent_size: int = 2,
    hidden_sizes: Sequence[int] = (512, 512, 512),
    generator: Generator | None = None,
) -> WGAN:
    """Make the GAN of the toy data: two ReLU networks, by default with three layers of 512."""
    sizes = [latent_size, num_dims, *hidden_sizes]
    if not hidden_sizes or min(sizes) < 1:
        raise ValueError(f"layer sizes {sizes} must be positive, with at least one hidden layer")
    return WGAN(
        MLPGenerator(latent_size, hidden_sizes, num_dims, generator=generator),
        mlp_critic(num_dims, hidden_sizes, generator=generator),
        latent_size=latent_size,
        shape=(num_dims,),
    )


def image_wgan(
    shape: tuple[int, int, int],
    *,
    latent_size: int = 128,
    num_channels: int = 64,
    num_scales: int = 3,
    generator: Generator | None = None,
) -> WGAN:
    """Make the GAN of images (C, H, W): as many stride-2 layers in each network as `num_scales`.

    Of `num_channels` after the critic's first layer each further one makes twice as many.
    """
    if min(latent_size, num_channels, num_scales) < 1:
        raise ValueError(f"{latent_size=}, {num_channels=} and {num_scales=} must be positive")
    return WGAN(
        ConvGenerator(latent_size, num_channels, num_scales, shape, generator=generator),
        conv_critic(shape, num_channels, num_scales, generator=generator),
        latent_size=latent_size,
        shape=shape,
    )
