"""Ancestral sampling from a masked autoencoder by the multiplications of one forward pass.

The paper samples by D forward passes. But a hidden unit of degree m sees only the first m dimensions
of the ordering (Germain et al. 2015, Eq. 8 and 12), so nothing drawn after them can change it: it is
computed once, when the m-th dimension has been drawn. With the units of each layer sorted by degree,
what is known at any time is a prefix of each layer, and a step reads contiguous blocks of weights.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def sample_incrementally(
    noise: Tensor, degrees: Sequence[Tensor], weights: Sequence[Tensor], biases: Sequence[Tensor]
) -> Tensor:
    """Draw x_d = 1[noise_d < logit_d] for d along the ordering, each unit of the network once.

    Args:
        noise: (n, D) standard logistic.
        degrees: m^0 (the ordering, 1..D), m^1, ..., m^L.
        weights: masked weights of the L hidden layers and of the output; then, optionally, the
            masked direct weights (D, D).
        biases: of the L hidden layers and of the output.

    Returns:
        (n, D) in {0, 1}.
    """
    num_hidden = len(degrees) - 1
    by_degree = [m.argsort() for m in degrees]
    above = [*by_degree[1:], by_degree[0]]  # the output has the input's ordering
    blocks = [w[a][:, b] for w, a, b in zip(weights, above, by_degree, strict=False)]
    biases = [bias[a, None] for bias, a in zip(biases, above, strict=True)]
    direct = weights[-1][above[-1]][:, by_degree[0]] if len(weights) > num_hidden + 1 else None
    known = [num_units_known(m, noise.shape[1]) for m in degrees]
    noise = noise.T[by_degree[0]]  # (D, n), in the order of drawing
    layers = [noise.new_zeros(len(m), noise.shape[1]) for m in degrees]  # (H_l, n)
    x, top = layers[0], layers[-1]
    for drawn in range(noise.shape[0]):
        for layer in range(num_hidden) if drawn else ():
            new = slice(known[layer + 1][drawn - 1], known[layer + 1][drawn])
            if new.start < new.stop:
                below = layers[layer][: known[layer][drawn]]
                h = blocks[layer][new, : len(below)] @ below + biases[layer][new]
                layers[layer + 1][new] = F.relu(h)
        below = top[: known[-1][drawn]]
        logit = blocks[-1][drawn, : len(below)] @ below + biases[-1][drawn]  # (n,)
        if direct is not None:
            logit = logit + direct[drawn, :drawn] @ x[:drawn]
        x[drawn] = noise[drawn] < logit
    samples = torch.empty_like(x)
    samples[by_degree[0]] = x
    return samples.T


def num_units_known(degrees: Tensor, num_dims: int) -> list[int]:
    """How many units of a layer have a degree of at most r, for r = 0..D (their degrees are >= 1).

    >>> num_units_known(torch.tensor([1, 3, 1]), 3)
    [0, 2, 2, 3]
    """
    return torch.bincount(degrees.long(), minlength=num_dims + 1).cumsum(0).tolist()
