"""Critics whose input gradient is known in closed form, and the generators beside them.

A critic of affine layers and (leaky) ReLUs is linear on each of its pieces: its gradient in the
input is a product of its weights with the rectifiers' slopes, a second, linear network with the
same weights. A penalty on that gradient then needs an ordinary backward pass. Of any other critic
the gradient comes from automatic differentiation (`loss.input_gradient`).

Shapes: B examples of `shape`, either (D,) or (C, H, W); d latents.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

KERNEL, STRIDE, PADDING = 5, 2, 2  # of every convolution, as in the authors' code for MNIST
LEAK = 0.2  # slope below zero in the critic of images, as in DCGAN


class ExactLinear(nn.Linear):
    """An affine layer that mixed precision leaves alone: coordinates need more than three digits."""

    def forward(self, x: Tensor) -> Tensor:
        """Give W x + b in the precision of W."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))

    def transposed(self, y: Tensor) -> Tensor:
        """Give W' y in the precision of W."""
        with torch.autocast(y.device.type, enabled=False):
            return y.to(self.weight.dtype) @ self.weight


class PiecewiseLinearCritic(nn.Module):
    """f(x) = w . h_L with h_k = rectifier(A_k h_(k-1)), h_0 = x, for affine A_k.

    The output has no bias: no loss here depends on a constant in f.

    Args:
        shape: of one example.
        layers: the A_k, linear layers for shape (D,) and convolutions for (C, H, W).
        num_features: numbers in h_L.
        slope: of the rectifier below zero; 0 is ReLU.
        generator: source of the initial weights (He et al. 2015, arXiv:1502.01852).
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        layers: Sequence[nn.Linear | nn.Conv2d],
        num_features: int,
        *,
        slope: float,
        generator: Generator | None,
    ):
        super().__init__()
        self.shape, self.slope = tuple(shape), slope
        self.layers = nn.ModuleList(layers)
        self.head = ExactLinear(num_features, 1, bias=False)
        for layer in self.layers:
            initialise(layer, 2 / (1 + slope**2), generator)
        initialise(self.head, 1.0, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Give f(x), (B,), for x (B, *shape)."""
        check_shape(x, self.shape)
        return self.head(self.hidden(x)[-1].flatten(1)).squeeze(1)

    def input_gradient(self, x: Tensor) -> Tensor:
        """Give the gradient of f at x, shaped like x; differentiable in the weights, not in x.

        With S_k the rectifier's slopes it is A_1' S_1 A_2' S_2 ... A_L' S_L w. The slopes are
        constant on each piece, so that no derivative has to pass through them.
        """
        check_shape(x, self.shape)
        with torch.no_grad():
            hidden = self.hidden(x)
            sizes = [x.shape[1:], *(h.shape[1:] for h in hidden)]
            slopes = [self.slopes_(h) for h in hidden]
        gradient = self.head.weight.view(1, *sizes[-1])
        for k in reversed(range(len(slopes))):
            gradient = transposed(self.layers[k], gradient * slopes[k], sizes[k])
        return gradient

    def hidden(self, x: Tensor) -> list[Tensor]:
        """Give h_1, ..., h_L."""
        outputs = []
        for layer in self.layers:
            x = F.leaky_relu_(layer(x), self.slope) if self.slope else F.relu_(layer(x))
            outputs.append(x)
        return outputs

    def slopes_(self, hidden: Tensor) -> Tensor:
        """Overwrite h = rectifier(a) with the rectifier's slope at a."""
        positive = hidden.gt_(0)  # in place it makes no Booleans, which are slow to multiply by
        return positive.mul_(1 - self.slope).add_(self.slope) if self.slope else positive


def transposed(layer: nn.Linear | nn.Conv2d, gradient: Tensor, size: Sequence[int]) -> Tensor:
    """Give A' g without the bias: (B, *outputs of A) to (B, *size)."""
    if isinstance(layer, ExactLinear):
        return layer.transposed(gradient)
    if isinstance(layer, nn.Linear):
        return gradient @ layer.weight
    missing = [
        n - (STRIDE * (m - 1) + KERNEL - 2 * PADDING)
        for n, m in zip(size[1:], gradient.shape[2:], strict=True)
    ]
    return F.conv_transpose2d(
        gradient, layer.weight, stride=STRIDE, padding=PADDING, output_padding=missing
    )


def mlp_critic(
    num_dims: int, hidden_sizes: Sequence[int], *, generator: Generator | None = None
) -> PiecewiseLinearCritic:
    """Make the critic of the toy data: ReLU layers of `hidden_sizes` on points (B, num_dims)."""
    sizes = [num_dims, *hidden_sizes]
    kinds = [ExactLinear, *[nn.Linear] * (len(hidden_sizes) - 1)]
    layers = [kind(*pair) for kind, pair in zip(kinds, itertools.pairwise(sizes), strict=True)]
    return PiecewiseLinearCritic((num_dims,), layers, sizes[-1], slope=0.0, generator=generator)


def conv_critic(
    shape: tuple[int, int, int],
    num_channels: int,
    num_scales: int,
    *,
    generator: Generator | None = None,
) -> PiecewiseLinearCritic:
    """Make the critic of images: strided 5 x 5 convolutions, channels doubled, no normalisation.

    Section 4, "No critic batch normalization": it would make f depend on the whole batch.
    """
    channels = [shape[0], *(num_channels * 2**k for k in range(num_scales))]
    layers = [
        nn.Conv2d(*pair, KERNEL, stride=STRIDE, padding=PADDING)
        for pair in itertools.pairwise(channels)
    ]
    height, width = image_sizes(shape, num_scales)[-1]
    num_features = channels[-1] * height * width
    return PiecewiseLinearCritic(shape, layers, num_features, slope=LEAK, generator=generator)


class MLPGenerator(nn.Module):
    """ReLU layers from latents (B, d) to points (B, D): the generator of the toy data."""

    def __init__(
        self,
        latent_size: int,
        hidden_sizes: Sequence[int],
        num_dims: int,
        *,
        generator: Generator | None = None,
    ):
        super().__init__()
        sizes = [latent_size, *hidden_sizes]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(sizes))
        self.head = ExactLinear(sizes[-1], num_dims)
        for layer in self.layers:
            initialise(layer, 2.0, generator)
        initialise(self.head, 1.0, generator)

    def forward(self, z: Tensor) -> Tensor:
        """Give G(z), (B, D)."""
        hidden = z
        for layer in self.layers:
            hidden = F.relu_(layer(hidden))
        return self.head(hidden)


class ConvGenerator(nn.Module):
    """A linear layer and strided transposed convolutions from (B, d) to images in (0, 1)."""

    def __init__(
        self,
        latent_size: int,
        num_channels: int,
        num_scales: int,
        shape: tuple[int, int, int],
        *,
        generator: Generator | None = None,
    ):
        super().__init__()
        sizes = image_sizes(shape, num_scales)[::-1]  # smallest first
        channels = [*(num_channels * 2**k for k in reversed(range(num_scales))), shape[0]]
        self.start = (channels[0], *sizes[0])
        self.first = nn.Linear(latent_size, math.prod(self.start))
        self.layers = nn.ModuleList(
            nn.ConvTranspose2d(
                *channels[k : k + 2],
                KERNEL,
                stride=STRIDE,
                padding=PADDING,
                output_padding=[1 - n % 2 for n in sizes[k + 1]],
            )
            for k in range(num_scales)
        )
        for layer in (self.first, *self.layers[:-1]):
            initialise(layer, 2.0, generator)
        initialise(self.layers[-1], 1.0, generator)

    def forward(self, z: Tensor) -> Tensor:
        """Give G(z), (B, C, H, W) in (0, 1)."""
        hidden = F.relu_(self.first(z)).view(-1, *self.start)
        for layer in self.layers[:-1]:
            hidden = F.relu_(layer(hidden))  # (B, C, H, W), twice as high and wide
        return torch.sigmoid(self.layers[-1](hidden))


def image_sizes(shape: tuple[int, int, int], num_scales: int) -> list[tuple[int, int]]:
    """Give the heights and widths from the image inwards: halved, rounded up, at each scale."""
    sizes = [tuple(shape[1:])]
    for _ in range(num_scales):
        sizes.append(tuple((n + 1) // 2 for n in sizes[-1]))
    return sizes


@torch.no_grad()
def initialise(layer: nn.Module, gain: float, generator: Generator | None) -> None:
    """Draw the weights from N(0, gain / fan_in) and set the biases to zero (He et al. 2015)."""
    if isinstance(layer, nn.ConvTranspose2d):  # an output pixel meets 1 / STRIDE^2 of the kernel
        fan_in = layer.in_channels * (KERNEL / STRIDE) ** 2
    else:
        fan_in = math.prod(layer.weight.shape[1:])
    layer.weight.normal_(0, math.sqrt(gain / fan_in), generator=generator)
    if layer.bias is not None:
        layer.bias.zero_()


def check_shape(x: Tensor, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless x is (B, *shape)."""
    if x.dim() != len(shape) + 1 or tuple(x.shape[1:]) != shape:
        expected = ", ".join(["B", *map(str, shape)])
        raise ValueError(f"x has shape {tuple(x.shape)}, expected ({expected})")
