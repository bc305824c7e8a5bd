"""The adversarial losses of Goodfellow et al. (2014), by logits l = log D / (1 - D), in nats.

Each takes logits (..., B) and returns the mean over the batch, (...): one number per replicate.
"""

from torch import Tensor
from torch.nn import functional as F


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log D(x)] - E[log(1 - D(G(z)))], Eq. (1) of Goodfellow et al. with its sign turned.

    The best discriminator, D = p / (p + q), has log 4 - 2 JS(p, q) (their Theorem 1); on packed
    points log 4 - 2 JS(p^m, q^m).

    Args:
        real: (..., B) logits of packed data.
        fake: (..., B) logits of packed samples.
    """
    return F.softplus(-real).mean(-1) + F.softplus(fake).mean(-1)


def minimax_loss(fake: Tensor) -> Tensor:
    """E[log(1 - D(G(z)))]: the generator's side of Eq. (1); fades where D is sure."""
    return -F.softplus(fake).mean(-1)


def non_saturating_loss(fake: Tensor) -> Tensor:
    """-E[log D(G(z))] (Goodfellow et al., Section 3): the same direction, strong where D is sure."""
    return F.softplus(-fake).mean(-1)


GENERATOR_LOSSES = {"minimax": minimax_loss, "non-saturating": non_saturating_loss}
