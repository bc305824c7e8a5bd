"""The masks of MADE, from the integer degrees that they compare (Germain et al. 2015, Sections 3-4)."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

MAX_KEPT = 2**26  # elements of all masks that a model keeps in memory, 256 MiB in float32
SHARED = ("nothing", "ordering", "connectivity")


def sample_degrees(
    num_dims: int,
    hidden_sizes: Sequence[int],
    *,
    ordering: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> list[Tensor]:
    """Draw the numbers m that the masks compare (Section 4).

    m^0(d) in 1..D is the position of dimension d in the ordering, uniform over permutations if
    `ordering` is not given. m^l(k), the number of dimensions that hidden unit k may depend on, is
    uniform from the smallest degree of the layer below to D - 1, so that no unit is left unconnected.

    Args:
        num_dims: D >= 1.
        hidden_sizes: units of each hidden layer.
        ordering: (D,) integers, a permutation of 1..D.
        generator: source of randomness.

    Returns:
        One int64 tensor a layer, the input's first: (D,), (H_1,), ..., (H_L,).
    """
    if ordering is None:
        ordering = torch.randperm(num_dims, generator=generator) + 1
    degrees = [ordering]
    lowest = 1
    for size in hidden_sizes:
        # With D = 1 there is nothing to depend on: degree 1 > D - 1 = 0 keeps the units unused.
        drawn = torch.randint(lowest, max(num_dims, lowest + 1), (size,), generator=generator)
        lowest = int(drawn.min())
        degrees.append(drawn)
    return degrees


def hidden_mask(below: Tensor, above: Tensor) -> Tensor:
    """Which units below a hidden unit may see: M_{k',k} = 1[m(k') >= m(k)], Eq. (8) and (12).

    >>> hidden_mask(torch.tensor([1, 2, 3]), torch.tensor([1, 2])).int()
    tensor([[1, 0, 0],
            [1, 1, 0]], dtype=torch.int32)
    """
    return above[:, None] >= below[None, :]  # (above, below)


def output_mask(below: Tensor, ordering: Tensor) -> Tensor:
    """What an output may see: M_{d,k} = 1[d > m(k)], Eq. (9) and (13), and strictly so for inputs.

    >>> output_mask(torch.tensor([1, 2]), torch.tensor([1, 2, 3])).int()
    tensor([[0, 0],
            [1, 0],
            [1, 1]], dtype=torch.int32)
    """
    return ordering[:, None] > below[None, :]  # (D, below)


def given_ordering(ordering: str | Tensor, num_dims: int) -> Tensor | None:
    """The permutation of 1..D that was asked for, or None for one at random."""
    if isinstance(ordering, Tensor):
        if ordering.tolist() and sorted(ordering.tolist()) == list(range(1, num_dims + 1)):
            return ordering.long()
        raise ValueError(f"ordering is {ordering}, expected a permutation of 1..{num_dims}.")
    if ordering not in ("random", "raster"):
        raise ValueError(f'ordering is {ordering!r}, expected "random", "raster" or a permutation.')
    return torch.arange(1, num_dims + 1) if ordering == "raster" else None


def check_sizes(num_dims: int, hidden_sizes: Sequence[int], num_masks: int, shared: str) -> None:
    """Raise ValueError for sizes that no MADE can have."""
    if num_dims < 1 or num_masks < 1:
        raise ValueError(f"num_dims is {num_dims}, num_masks {num_masks}; expected 1 or more.")
    if not isinstance(hidden_sizes, Sequence) or not hidden_sizes or min(hidden_sizes) < 1:
        raise ValueError(f"hidden_sizes is {hidden_sizes}, expected (H,): one size >= 1 a layer.")
    if shared not in SHARED:
        raise ValueError(f"shared is {shared!r}, expected one of {', '.join(SHARED)}.")


class MaskCache:
    """The masks of each member of the ensemble, made again when its degrees change.

    A write through `.data` leaves no trace and goes unseen.
    """

    def __init__(self):
        self.entries: dict[int, tuple[tuple, list[Tensor]]] = {}

    def get(self, k: int, degrees: Sequence[Tensor], dtype: torch.dtype, make: Callable) -> list:
        """The masks kept for member `k` if they are of these degrees and this type, else `make()`'s."""
        if any(m.is_inference() for m in degrees):  # nothing tells when such a tensor changes
            return make()
        key = (dtype, *((m.data_ptr(), m._version, m.device) for m in degrees))
        if k not in self.entries or self.entries[k][0] != key:
            with torch.inference_mode(False):  # else they could not multiply weights in training
                masks = make()
            if sum(m.numel() for m in masks) * (len(self.entries) + 1) > MAX_KEPT:
                self.entries.clear()
            self.entries[k] = (key, masks)
        return self.entries[k][1]
