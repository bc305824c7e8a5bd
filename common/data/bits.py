"""Bits per dimension: the one place where nats become bits."""

import math

from torch import Tensor

from common.data.transforms import Preprocess


def bits_per_dim(
    nll_nats: Tensor,
    num_dims: int,
    preprocess: Preprocess | None = None,
    *,
    y: Tensor | None = None,
) -> Tensor:
    r"""Turn a negative log-likelihood in the model's space into bits per raw dimension.

    If `preprocess` dequantises, `nll_nats` is that of a density of y = f(x + u), and
    -ln P(x) <= E_u[-ln p(y) - ln|dy/dx|] (Theis et al. 2016, section 3.1), so

        bits = (nll_nats - log_abs_det(y)) / (num_dims ln 2)

    bounds the length of a lossless code for the integer levels. If it does not, the values are
    still discrete, `nll_nats` is that of a probability mass, and an invertible map changes no
    mass: bits = nll_nats / (num_dims ln 2). Binarisation makes another, binary data set, whose
    code length this is.

    Args:
        nll_nats: (B,) negative log-likelihood of each example in the model's space, in nats.
        num_dims: dimensions of one raw example before padding (`Dataset.num_dims`).
        preprocess: what was applied to the raw levels (`Dataset.preprocess`).
        y: (B, *shape) the preprocessed batch that `nll_nats` belongs to; needed if it dequantises.

    Returns:
        (B,) bits per dimension of each example.

    Raises:
        ValueError: if y is needed and missing, or the sizes do not match.

    >>> import torch
    >>> from common.data.preprocess import Compose, Scale, UniformDequantisation
    >>> steps = Compose([UniformDequantisation(), Scale(256)])
    >>> y = torch.rand(2, 784, generator=torch.Generator().manual_seed(0))
    >>> bits_per_dim(torch.zeros(2), 784, steps, y=y).tolist()  # uniform on [0, 1): 8 bits
    [8.0, 8.0]
    """
    if num_dims < 1:
        raise ValueError(f"num_dims must be at least 1, got {num_dims!r}")
    if nll_nats.dim() != 1:
        raise ValueError(f"nll_nats must have shape (B,), got {tuple(nll_nats.shape)}")
    nats = nll_nats
    if preprocess is not None and preprocess.dequantises:
        if y is None:
            raise ValueError("the preprocessing has a log-determinant at y: pass y=, the batch")
        if len(y) != len(nll_nats):
            raise ValueError(f"nll_nats has {len(nll_nats)} examples, y has {len(y)}")
        nats = nats - preprocess.log_abs_det(y)
    return nats / (num_dims * math.log(2))
