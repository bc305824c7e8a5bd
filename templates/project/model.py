"""TITLE.

PAPER_URL

FILL-IN: which sections of the paper this file implements, and what is different from the paper.
Until then the folder holds the simplest likelihood there is, a coin for every pixel, so that
everything around it (data, training, laws, notebook) works from the first day.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class IndependentPixels(nn.Module):
    """A mass over {0, 1}^D in which every dimension is a coin of its own.

    FILL-IN: replace this class by the paper's model; keep the names and promises of the methods that
    it can keep (CONTRIBUTING.md, "What a model can say of itself").

    Args:
        num_dims: D >= 1.

    Raises:
        ValueError: for a size below 1.
    """

    def __init__(self, num_dims: int):
        super().__init__()
        if num_dims < 1:
            raise ValueError(f"num_dims is {num_dims}, expected at least 1.")
        self.num_dims = num_dims
        self.logits = nn.Parameter(torch.zeros(num_dims))

    def log_prob(self, x: Tensor) -> Tensor:
        """(B,) log p(x) in nats of {0, 1}^D, for x of shape (B, D) or (B, *event)."""
        if x.ndim < 2 or x[0].numel() != self.num_dims:
            raise ValueError(
                f"x has shape {tuple(x.shape)}, expected (B, {self.num_dims}) or (B, *event) with "
                f"{self.num_dims} elements an example."
            )
        x = x.flatten(1)  # (B, D)
        logits = self.logits.expand_as(x)
        return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)  # (B,)

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """(n, D) independent draws in {0, 1}; the same generator gives the same draws."""
        p = torch.sigmoid(self.logits).expand(n, -1)  # (n, D)
        return torch.bernoulli(p, generator=generator)
