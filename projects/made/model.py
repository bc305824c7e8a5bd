"""MADE: Masked Autoencoder for Distribution Estimation (Germain, Gregor, Murray, Larochelle, 2015).

https://arxiv.org/abs/1502.03509, Section 4: masks, deep networks, order- and connectivity-agnostic
training. An autoencoder whose weights are masked so that output d sees only the inputs that come
before d in an ordering: its outputs are then the conditionals of a joint mass.

Different from the paper: integer *degrees* are saved, and masks are comparisons of them, made and kept
in memory when they are needed; and sampling computes every hidden unit once, when its last input
becomes known, instead of running the network D times.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from projects.made.masks import (
    MaskCache,
    check_sizes,
    given_ordering,
    hidden_mask,
    output_mask,
    sample_degrees,
)
from projects.made.sampler import sample_incrementally


class MADE(nn.Module):
    """A mass over {0, 1}^D as a product of Bernoulli conditionals computed in one pass, Eq. (4)-(7).

    With several masks it is their mixture with equal weights, the ensemble of Section 4:
    p(x) = 1/K sum_k p_k(x), which is a normalised mass again.

    Args:
        num_dims: D >= 1.
        hidden_sizes: units of each hidden layer, at least one layer.
        num_masks: K >= 1 orderings and connectivities that share the weights.
        ordering: "random", "raster" (dimensions as they come), or a (D,) permutation of 1..D.
        shared: what the K masks have in common: "nothing" (order- and connectivity-agnostic),
            "ordering" (connectivity-agnostic) or "connectivity" (order-agnostic); it is drawn once
            and stays when masks are drawn anew.
        direct: add weights from input to output, masked strictly by the ordering.
        generator: source of the masks and of the initial weights.

    Raises:
        ValueError: for sizes below 1, an unknown word or an ordering that is no permutation.

    >>> model = MADE(4, (8,), generator=torch.Generator().manual_seed(0))
    >>> every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4)  # (16, 4)
    >>> round(model.log_prob(every).exp().sum().item(), 5)
    1.0
    """

    def __init__(
        self,
        num_dims: int,
        hidden_sizes: Sequence[int] = (500,),
        *,
        num_masks: int = 1,
        ordering: str | Tensor = "random",
        shared: str = "nothing",
        direct: bool = False,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        check_sizes(num_dims, hidden_sizes, num_masks, shared)
        self.num_dims, self.hidden_sizes = num_dims, tuple(hidden_sizes)
        self.num_masks, self.shared = num_masks, shared
        sizes = (num_dims, *hidden_sizes, num_dims)
        for layer, size in enumerate(sizes[:-1]):
            self.register_buffer(
                f"degrees_{layer}", torch.zeros(num_masks, size, dtype=torch.int16)
            )
        self.weights = nn.ParameterList(
            torch.empty(above, below) for below, above in pairwise(sizes)
        )
        self.biases = nn.ParameterList(torch.zeros(size) for size in sizes[1:])
        for weight in self.weights:
            nn.init.orthogonal_(weight, generator=generator)
        self.direct = nn.Parameter(torch.zeros(num_dims, num_dims)) if direct else None
        given = given_ordering(ordering, num_dims)
        self.has_given_ordering = given is not None
        if given is not None:
            self.degrees_0.copy_(given)
        self._kept_masks = MaskCache()
        self._draw_masks(None, generator)

    def resample_masks(self, *, generator: torch.Generator | None = None) -> None:
        """Draw all K orderings and connectivities anew, but for what the masks share."""
        self._draw_masks([m.clone() for m in self.degrees()], generator)

    @torch.no_grad()
    def _draw_masks(self, first: list[Tensor] | None, generator: torch.Generator | None) -> None:
        """Draw K masks that share what they share with `first`, else with the first one drawn."""
        for k in range(self.num_masks):
            given = self.ordering.cpu() if self.has_given_ordering else None
            drawn = sample_degrees(
                self.num_dims, self.hidden_sizes, ordering=given, generator=generator
            )
            first = first or drawn
            if self.shared == "ordering":
                drawn[0] = first[0]
            elif self.shared == "connectivity":
                drawn[1:] = first[1:]
            for layer, degrees in enumerate(drawn):
                getattr(self, f"degrees_{layer}")[k] = degrees.to(torch.int16)

    @property
    def ordering(self) -> Tensor:
        """(D,) int64 position of each dimension, 1..D, in the ordering of the first mask."""
        return self.degrees(0)[0].long()

    def degrees(self, mask: int = 0) -> list[Tensor]:
        """The degrees m^0, ..., m^L of one of the K masks."""
        layers = range(len(self.hidden_sizes) + 1)
        return [getattr(self, f"degrees_{layer}")[mask] for layer in layers]

    def masks(self, mask: int = 0) -> list[Tensor]:
        """Boolean masks of the L + 1 weights, then of the direct weights if there are any."""
        degrees = self.degrees(mask)
        masks = [hidden_mask(a, b) for a, b in pairwise(degrees)]
        masks.append(output_mask(degrees[-1], degrees[0]))
        if self.direct is not None:
            masks.append(output_mask(degrees[0], degrees[0]))
        return masks

    def _masked_weights(self, mask: int) -> list[Tensor]:
        """W * M for the L + 1 weights, then for the direct ones.

        The weights themselves are never overwritten, so that any number of masks may share them,
        and products are not kept, so that none can outlive a change of its weights.
        """
        weights = [*self.weights, *([] if self.direct is None else [self.direct])]
        device, dtype = weights[0].device.type, weights[0].dtype
        if torch.is_autocast_enabled(device):
            dtype = torch.get_autocast_dtype(device)
        # A mask of the weights' own type multiplies ten times faster than a Boolean one.
        masks = self._kept_masks.get(
            mask, self.degrees(mask), dtype, lambda: [m.to(dtype) for m in self.masks(mask)]
        )
        return [w.to(dtype) * m for w, m in zip(weights, masks, strict=True)]

    def conditional_logits(self, x: Tensor, *, mask: int = 0) -> Tensor:
        """The logit of p(x_d = 1 | x_{<d}) for every d in one pass, Eq. (5), (7), (11).

        Args:
            x: (B, D), or (B, *event) with D elements an example, values in {0, 1}.
            mask: which of the K masks.

        Returns:
            (B, D); column d depends only on the dimensions before d in this mask's ordering.

        Raises:
            ValueError: if x has not D elements an example.
        """
        x = self.flat(x)
        return self._logits(x, self._masked_weights(mask))

    def _logits(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """(B, D) logits of x (B, D) from masked weights."""
        h = x
        for layer in range(len(self.hidden_sizes)):
            h = F.relu(F.linear(h, weights[layer], self.biases[layer]))  # (B, H_l)
        logits = F.linear(h, weights[len(self.hidden_sizes)], self.biases[-1])  # (B, D)
        if self.direct is not None:
            logits = logits + F.linear(x, weights[-1])
        return logits.to(x.dtype)  # under autocast the sum over D below needs full precision

    def mask_log_prob(self, x: Tensor, mask: int = 0) -> Tensor:
        """(B,) log p_k(x) in nats of {0, 1}^D under one of the K masks, Eq. (3)-(4).

        Raises:
            ValueError: if x has not D elements an example, or any that is not 0 or 1.
        """
        x = binary(self.flat(x))
        logits = self.conditional_logits(x, mask=mask)
        return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)  # (B,)

    def log_prob(self, x: Tensor) -> Tensor:
        """(B,) log p(x) in nats of {0, 1}^D: log-mean-exp over the masks (Section 4).

        The paper's ensemble averages probabilities of whole images. (Averaging the logits of
        different orderings scores better and is the likelihood of nothing.)

        Raises:
            ValueError: as `mask_log_prob`.
        """
        if self.num_masks == 1:
            return self.mask_log_prob(x)
        log_probs = torch.stack([self.mask_log_prob(x, k) for k in range(self.num_masks)])  # (K, B)
        return torch.logsumexp(log_probs, 0) - math.log(self.num_masks)

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """(n, D) independent ancestral samples in {0, 1}, by the multiplications of one pass a mask.

        Each picks one of the K masks and follows its ordering. A hidden unit of degree m is computed
        when the m-th dimension has been drawn, once: no later dimension can change it. The D small
        steps take longer than one pass does, and every mask that is picked takes its own.
        """
        which, noise = self._draw(n, generator)
        x = torch.empty_like(noise)
        for k in which.unique().tolist():
            x[which == k] = sample_incrementally(
                noise[which == k], self.degrees(k), self._masked_weights(k), [*self.biases]
            )
        return x

    @torch.no_grad()
    def sample_naive(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """`sample` by D runs of the whole network, as in the paper: the same draws, D times the work."""
        which, noise = self._draw(n, generator)
        x = torch.zeros_like(noise)
        for k in which.unique().tolist():
            rows, weights = torch.where(which == k)[0], self._masked_weights(k)
            for d in self.degrees(k)[0].argsort().tolist():
                logits = self._logits(x[rows], weights)
                x[rows, d] = (noise[rows, d] < logits[:, d]).to(x.dtype)
        return x

    @torch.no_grad()
    def complete(
        self, x: Tensor, known: Tensor, *, mask: int = 0, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw the unknown dimensions given the known ones, exactly: x ~ p_k(x | x_known).

        Args:
            x: (B, D) or (B, *event) in {0, 1}; what is not known is not looked at.
            known: (D,) Boolean; the known dimensions come first in the mask's ordering.
            mask: which of the K masks.
            generator: source of randomness.

        Returns:
            (B, D), equal to x where it is known.

        Raises:
            ValueError: if an unknown dimension precedes a known one (`reordered` mends that), or a
                known one is not 0 or 1.
        """
        x, rank = self.flat(x), self.degrees(mask)[0]
        check_known(known, self.num_dims)
        if known[rank.argsort()].int().diff().gt(0).any():
            raise ValueError(
                "known must be dimensions that come first in the ordering; model.reordered(known) "
                "is a model where they do."
            )
        binary(x[:, known])
        _, noise = self._draw(len(x), generator)
        certain = torch.where(x > 0.5, -math.inf, math.inf).to(noise.dtype)
        noise = torch.where(known, certain, noise)
        return sample_incrementally(
            noise, self.degrees(mask), self._masked_weights(mask), [*self.biases]
        )

    def reordered(self, known: Tensor, *, generator: torch.Generator | None = None) -> "MADE":
        """A MADE of the same weights whose one ordering begins with the known dimensions.

        Order-agnostic training prepares a network for this (Section 4): a model trained under one
        ordering gives a normalised mass in any other, but a bad one. A shared connectivity stays.

        Raises:
            ValueError: if `known` is not a (D,) Boolean.
        """
        check_known(known, self.num_dims)
        keys = torch.rand(self.num_dims, generator=generator) - known.cpu().float()
        model = MADE(
            self.num_dims,
            self.hidden_sizes,
            ordering=keys.argsort().argsort() + 1,
            direct=self.direct is not None,
            generator=generator,
        ).to(self.biases[-1])
        kept = dict(self.named_parameters())
        if self.shared == "connectivity":
            kept |= {f"degrees_{k}": m[None] for k, m in enumerate(self.degrees()) if k > 0}
        model.load_state_dict(model.state_dict() | kept)
        return model.train(self.training)

    def _draw(self, n: int, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """(n,) masks and (n, D) standard logistic noise: x_d = 1 where noise < logit."""
        bias = self.biases[-1]
        device = generator.device if generator is not None else bias.device
        which = torch.randint(self.num_masks, (n,), generator=generator, device=device)
        uniform = torch.rand(n, self.num_dims, generator=generator, device=device, dtype=bias.dtype)
        return which.to(bias.device), torch.logit(uniform).to(bias.device)

    def flat(self, x: Tensor) -> Tensor:
        """(B, D) from (B, *event), checked; Booleans and integers in the type of the weights."""
        if x.ndim < 2 or math.prod(x.shape[1:]) != self.num_dims:
            raise ValueError(
                f"x has shape {tuple(x.shape)}, expected (B, {self.num_dims}) or (B, *event) with "
                f"{self.num_dims} elements an example."
            )
        return x.flatten(1) if x.is_floating_point() else x.flatten(1).to(self.biases[-1])


def binary(x: Tensor) -> Tensor:
    """x, or ValueError if an element is not 0 or 1: of a grey one Eq. (3) is no log-probability."""
    ones = (x != 0).to(x.dtype)
    if not torch.equal(ones, x):
        wrong = x[ones != x][0].item()
        raise ValueError(f"x holds {wrong:g}, expected 0 and 1: binarise it first.")
    return x


def check_known(known: Tensor, num_dims: int) -> None:
    """Raise ValueError if this is not a mask of known dimensions."""
    if known.dtype != torch.bool or known.shape != (num_dims,):
        raise ValueError(
            f"known is {known.dtype} of shape {tuple(known.shape)}, expected ({num_dims},) Booleans."
        )
