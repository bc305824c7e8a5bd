"""The variational autoencoder: Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014.

Section 2 (the bound, its two estimators and the reparameterisation), Section 3 (the diagonal
Gaussian posterior) and Appendix B (the analytic KL divergence); the perceptrons of Appendix C are
in `networks`. Different from the paper: weights start at Glorot's values with zero biases instead
of draws from N(0, 0.01), and the marginal likelihood is estimated with the importance weights of
Burda et al. (2016), whose proposal is the encoder, instead of the sampler of Appendix D.

Shapes: B examples, K samples for each, D = prod(event_shape) numbers in an example, d latents.
"""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from projects.vae.networks import BernoulliMLP, GaussianMLP, normal_like

LIKELIHOODS = {"bernoulli": BernoulliMLP, "gaussian": GaussianMLP}


class VAE(nn.Module):
    """The variational autoencoder: p(z) = N(0, I), p(x|z) a decoder, q(z|x) a Gaussian encoder.

    Args:
        event_shape: shape of one example, for instance (1, 28, 28).
        latent_size: d, the number of latent variables.
        hidden_sizes: hidden widths of the encoder; the decoder has them in reverse.
        likelihood: "bernoulli" for x in {0, 1}, "gaussian" for real x.
        activation: "tanh", "relu" or "softplus".
        generator: source of the initial weights.

    Raises:
        ValueError: for a size that is not positive, or an unknown likelihood or activation.

    Example:
        >>> model = VAE((1, 8, 8), latent_size=2, hidden_sizes=(16,))
        >>> x = torch.ones(3, 1, 8, 8)
        >>> model.elbo(x).shape, model.log_weights(x, num_samples=5).shape
        (torch.Size([3]), torch.Size([5, 3]))
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        latent_size: int,
        hidden_sizes: Sequence[int] = (200, 200),
        *,
        likelihood: str = "bernoulli",
        activation: str = "tanh",
        generator: Generator | None = None,
    ):
        super().__init__()
        if likelihood not in LIKELIHOODS:
            raise ValueError(f"likelihood {likelihood!r} is not one of {sorted(LIKELIHOODS)}")
        if latent_size < 1:
            raise ValueError(f"latent_size is {latent_size}, expected at least 1")
        self.event_shape = tuple(event_shape)
        self.latent_size = latent_size
        num_dims = math.prod(self.event_shape)
        kinds = {"activation": activation, "generator": generator}
        self.encoder = GaussianMLP(num_dims, hidden_sizes, latent_size, **kinds)
        self.decoder = LIKELIHOODS[likelihood](latent_size, hidden_sizes[::-1], num_dims, **kinds)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give the mean and standard deviation of q(z|x), each (B, d), for x (B, *event_shape)."""
        mean, log_variance = self.encoder(self._flatten(x))
        return mean, torch.exp(0.5 * log_variance)

    def decode(self, z: Tensor) -> Tensor:
        """Give E[x|z], (..., *event_shape), for z (..., d)."""
        self._check_codes(z)
        return self.decoder.mean(z).unflatten(-1, self.event_shape)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """Give log p(x|z) in nats, summed over the dimensions of x.

        Args:
            x: (B, *event_shape).
            z: (B, d), or (K, B, d) for K latent vectors an example.

        Returns:
            (B,), or (K, B), in nats.

        Raises:
            ValueError: for a wrong shape, or x other than 0 and 1 where the decoder is Bernoulli;
                `elbo` and `log_weights` do the same.
        """
        self._check_codes(z, len(x))
        return self.decoder.log_prob(self._flatten(x), z)

    def kl_divergence(self, x: Tensor) -> Tensor:
        """Give KL(q(z_j|x) || p(z_j)) in nats for each latent j, (B, d); Appendix B.

        -KL = 1/2 (1 + log sigma^2 - mu^2 - sigma^2). The sum over j is the KL of the bound.
        """
        return gaussian_kl(*self.encoder(self._flatten(x)))

    def elbo(
        self,
        x: Tensor,
        *,
        num_samples: int = 1,
        generator: Generator | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Give the estimator L^B of the evidence lower bound, Eq. (7) and (10), of each example.

        L = -KL(q(z|x) || p(z)) + 1/K sum_k log p(x|z_k), z_k = mu + sigma * eps_k.

        Args:
            x: (B, *event_shape).
            num_samples: K, samples of z for each example.
            generator: source of eps.
            noise: eps itself, (K, B, d) standard normal draws, in place of the generator's.

        Returns:
            (B,) in nats: summed over dimensions, averaged over nothing but the K samples.
        """
        flat = self._flatten(x)
        mean, log_variance = self.encoder(flat)
        eps = self._noise(mean, num_samples, generator, noise)
        z = reparameterise(mean, log_variance, eps)  # (K, B, d)
        log_likelihood = self.decoder.log_prob(flat, z).mean(0)
        return log_likelihood - gaussian_kl(mean, log_variance).sum(-1)

    def log_weights(
        self,
        x: Tensor,
        *,
        num_samples: int,
        generator: Generator | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Give the log importance weights log p(x|z_k) + log p(z_k) - log q(z_k|x), z_k ~ q(z|x).

        Their mean over k is the estimator L^A, Eq. (6). The logarithm of the mean weight is the
        importance-weighted bound of Burda et al. (2016), Eq. (8), which tends to log p(x).

        Args:
            x: (B, *event_shape).
            num_samples: K, samples of z for each example.
            generator: source of eps.
            noise: eps itself, (K, B, d) standard normal draws, in place of the generator's.

        Returns:
            (K, B) in nats.
        """
        flat = self._flatten(x)
        mean, log_variance = self.encoder(flat)
        eps = self._noise(mean, num_samples, generator, noise)
        z = reparameterise(mean, log_variance, eps)  # (K, B, d)
        # log p(z) - log q(z|x): both are Gaussian, their constants cancel.
        log_ratio = 0.5 * ((eps.square() - z.square()).sum(-1) + log_variance.sum(-1))
        return self.decoder.log_prob(flat, z) + log_ratio

    @torch.no_grad()
    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Draw n independent x ~ p(x), (n, *event_shape): z from the prior, then x from p(x|z)."""
        x = self.decoder.sample(self.sample_prior(n, generator=generator), generator)
        return x.unflatten(-1, self.event_shape)

    def sample_prior(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Draw n latent vectors z ~ N(0, I), (n, d); `decode` turns them into smooth pictures."""
        if n < 0:
            raise ValueError(f"n is {n}, expected at least 0")
        return normal_like(self.encoder.mean_head.bias.expand(n, -1), generator)

    def _flatten(self, x: Tensor) -> Tensor:
        """Check x once and give it as (B, D); Booleans and integers in the type of the weights."""
        if tuple(x.shape[1:]) != self.event_shape:
            wanted = ", ".join(["B", *map(str, self.event_shape)])
            raise ValueError(f"x has shape {tuple(x.shape)}, expected ({wanted})")
        like = x if x.is_floating_point() else self.encoder.mean_head.bias
        return x.flatten(1).to(like.dtype)

    def _check_codes(self, z: Tensor, *batch: int) -> None:
        """Raise ValueError unless z has shape (..., *batch, d)."""
        wanted = (*batch, self.latent_size)
        if z.shape[-len(wanted) :] != wanted:
            expected = ", ".join(["...", *map(str, wanted)])
            raise ValueError(f"z has shape {tuple(z.shape)}, expected ({expected})")

    def _noise(
        self, mean: Tensor, num_samples: int, generator: Generator | None, noise: Tensor | None
    ) -> Tensor:
        """Give eps (K, B, d): the caller's, checked, or fresh draws."""
        shape = (num_samples, *mean.shape)
        if num_samples < 1:
            raise ValueError(f"num_samples is {num_samples}, expected at least 1")
        if noise is None:
            return normal_like(mean.expand(shape), generator)
        if noise.shape != shape:
            raise ValueError(f"noise has shape {tuple(noise.shape)}, expected {shape}")
        return noise


def reparameterise(mean: Tensor, log_variance: Tensor, eps: Tensor) -> Tensor:
    """Give z = mu + sigma * eps, Section 2.4: a draw of q(z|x) through which gradients flow."""
    return mean + torch.exp(0.5 * log_variance) * eps


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Give KL(N(mu, sigma^2) || N(0, 1)) in nats of every element; Appendix B."""
    return 0.5 * (mean.square() + torch.exp(log_variance) - log_variance - 1)
