"""The two perceptrons of the variational autoencoder: Kingma and Welling (2014), Appendix C.

Shapes: B examples, K samples for each, D numbers in an example, d latents, H hidden units.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "softplus": nn.Softplus}
LOG_2PI = math.log(2 * math.pi)
# Rows decoded at once when no gradient is wanted: few enough for the cache, enough for the matmul.
CACHED_ROWS = 1000


class GaussianMLP(nn.Module):
    """A network that gives a diagonal Gaussian: N(mean(u), diag(exp(log_variance(u)))), App. C.2.

    It is the encoder q(z|x), and the decoder p(x|z) of continuous data.

    Args:
        num_inputs: size of u.
        hidden_sizes: width of each hidden layer, input side first; () makes both heads affine.
        num_outputs: dimensions of the Gaussian.
        activation: "tanh" (the paper's), "relu" or "softplus".
        generator: source of the initial weights.
    """

    def __init__(
        self,
        num_inputs: int,
        hidden_sizes: Sequence[int],
        num_outputs: int,
        *,
        activation: str = "tanh",
        generator: Generator | None = None,
    ):
        super().__init__()
        self.body, width = hidden_layers(num_inputs, hidden_sizes, activation)
        self.mean_head = nn.Linear(width, num_outputs)
        self.log_variance_head = nn.Linear(width, num_outputs)
        glorot(self, generator)

    def forward(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Give the mean and the log variance, each (..., num_outputs), for u (..., num_inputs)."""
        hidden = self.body(u)
        return self.mean_head(hidden), self.log_variance_head(hidden)

    def log_prob(self, x: Tensor, z: Tensor) -> Tensor:
        """Give log p(x|z) in nats, (..., B), for x (B, D) and z (..., B, d)."""
        mean, log_variance = self(z)  # (..., B, D)
        squares = (x - mean).square() * torch.exp(-log_variance)
        return -0.5 * (squares + log_variance + LOG_2PI).sum(-1)

    def mean(self, z: Tensor) -> Tensor:
        """Give E[x|z], (..., D), for z (..., d)."""
        return self(z)[0]

    def sample(self, z: Tensor, generator: Generator | None = None) -> Tensor:
        """Draw x ~ p(x|z), (..., D), for z (..., d)."""
        mean, log_variance = self(z)
        return mean + torch.exp(0.5 * log_variance) * normal_like(mean, generator)


class BernoulliMLP(nn.Module):
    """A network that gives the logits of D independent Bernoulli variables: p(x|z), App. C.1.

    Args:
        num_inputs: size of z.
        hidden_sizes: width of each hidden layer, input side first.
        num_outputs: number of binary variables D.
        activation: "tanh" (the paper's), "relu" or "softplus".
        generator: source of the initial weights.
    """

    def __init__(
        self,
        num_inputs: int,
        hidden_sizes: Sequence[int],
        num_outputs: int,
        *,
        activation: str = "tanh",
        generator: Generator | None = None,
    ):
        super().__init__()
        self.body, width = hidden_layers(num_inputs, hidden_sizes, activation)
        self.logit_head = nn.Linear(width, num_outputs)
        glorot(self, generator)

    def forward(self, z: Tensor) -> Tensor:
        """Give the logits of p(x_i = 1|z), (..., D), for z (..., d)."""
        return self.logit_head(self.body(z))

    def log_prob(self, x: Tensor, z: Tensor) -> Tensor:
        """Give log p(x|z) = sum_i x_i log y_i + (1 - x_i) log(1 - y_i) in nats, App. C.1.

        Args:
            x: (B, D) with values 0 and 1.
            z: (..., B, d).

        Returns:
            (..., B) in nats. Without gradients it takes the fast way of `cached_log_prob`.

        Raises:
            ValueError: if an element of x is not 0 or 1.
        """
        check_binary(x)
        if torch.is_grad_enabled() or z.dim() == 2:
            return bernoulli_log_prob(x, self(z))
        rows = max(1, CACHED_ROWS // max(1, len(x)))
        samples = z.flatten(0, -3).split(rows)
        return torch.cat([self.cached_log_prob(x, part) for part in samples]).view(z.shape[:-1])

    def cached_log_prob(self, x: Tensor, z: Tensor) -> Tensor:
        """Give log p(x|z), (K, B), for many samples z (K, B, d) of few examples x (B, D).

        With logits l = W h + b the log-likelihood is (x - 1/2) l - sum_i (|l_i|/2 - log s(|l_i|)).
        The first term is linear in l, hence h . W'(x - 1/2) + b . (x - 1/2), a dot product in the
        hidden layer; only the second, which does not know x, needs the logits. Both are hundreds of
        nats and all but cancel, so coarser numbers than float32's take the ordinary way.
        """
        hidden = self.body(z)  # (K, B, H)
        logits = self.logit_head(hidden)  # (K, B, D)
        if not is_fine(logits):
            return bernoulli_log_prob(x, logits)
        signs = x - 0.5  # (B, D)
        linear = (hidden * (signs @ self.logit_head.weight)).sum(-1) + signs @ self.logit_head.bias
        return linear - sum_log_2cosh_half_(logits)

    @torch.no_grad()
    def start_from(self, probabilities: Tensor) -> None:
        """Set the output bias to the logits of the pixel means (D,), as Burda et al. (2016) do."""
        self.logit_head.bias.copy_(torch.logit(probabilities.flatten(), eps=1e-3))

    def mean(self, z: Tensor) -> Tensor:
        """Give E[x|z] = p(x = 1|z), (..., D), for z (..., d)."""
        return torch.sigmoid(self(z))

    def sample(self, z: Tensor, generator: Generator | None = None) -> Tensor:
        """Draw x ~ p(x|z), (..., D) of zeros and ones, for z (..., d)."""
        return torch.bernoulli(self.mean(z), generator=generator)


def normal_like(tensor: Tensor, generator: Generator | None) -> Tensor:
    """Draw standard normal numbers with the shape, dtype and device of `tensor`."""
    return torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype, device=tensor.device)


def hidden_layers(
    num_inputs: int, sizes: Sequence[int], activation: str
) -> tuple[nn.Sequential, int]:
    """Give the hidden layers of a perceptron and the width that they end with."""
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation {activation!r} is not one of {sorted(ACTIVATIONS)}")
    widths = [num_inputs, *sizes]
    if min(widths) < 1:
        raise ValueError(f"layer sizes {widths} must all be positive")
    layers = []
    for fan_in, fan_out in itertools.pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers), widths[-1]


def glorot(module: nn.Module, generator: Generator | None) -> None:
    """Draw every weight from Glorot and Bengio's (2010) uniform law and set the biases to zero."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)


def check_binary(x: Tensor) -> None:
    """Raise ValueError if an element is not 0 or 1: of a grey one the sum is no log-probability."""
    off = x * x - x  # a third of the time of two comparisons; NaN for NaN and infinity
    if off.any():
        raise ValueError(f"x holds {x[off != 0][0].item():g}, expected 0 and 1: binarise it first")


def bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """Give sum_i log Bernoulli(x_i; logits_i) in nats, (..., B), for logits (..., B, D)."""
    losses = F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none")
    return -losses.sum(-1)


def is_fine(product: Tensor) -> bool:
    """Whether a matrix product was rounded no coarser than float32: no autocast, half or TF32."""
    if product.dtype == torch.float32:
        return torch.get_float32_matmul_precision() == "highest"
    return product.dtype == torch.float64


def sum_log_2cosh_half_(logits: Tensor) -> Tensor:
    """Give sum_i log(2 cosh(l_i / 2)) over the last dimension; overwrites `logits`.

    It equals sum_i |l_i|/2 - log s(|l_i|), s the logistic function. As s(|l_i|) is in [1/2, 1), the
    product of up to 64 of them is at least 2^-64, which float32 and float64 can hold (float16
    cannot), so that one logarithm serves a whole group.
    """
    num_dims = logits.shape[-1]
    group = max(size for size in range(1, 65) if num_dims % size == 0)
    magnitudes = logits.abs_()
    total = 0.5 * magnitudes.sum(-1)
    products = magnitudes.sigmoid_().unflatten(-1, (num_dims // group, group)).prod(-1)
    return total - products.log_().sum(-1)
