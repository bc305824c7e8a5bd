"""Models tiny enough that everything they can produce is listed: strings, and masses over them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tests.laws.statistics import ALPHA, chi_square_p_value


def all_strings(num_values: int, length: int) -> Tensor:
    """Every string over 0..V-1 in counting order, (V^T, T) in float64.

    >>> all_strings(3, 2)[:4].tolist()
    [[0.0, 0.0], [0.0, 1.0], [0.0, 2.0], [1.0, 0.0]]
    """
    if num_values**length > 20_000:
        raise ValueError(f"{num_values}^{length} strings: enumeration needs a tiny model")
    places = num_values ** torch.arange(length - 1, -1, -1)
    codes = torch.arange(num_values**length)
    return (codes[:, None] // places % num_values).double()


def all_binary(num_dims: int) -> Tensor:
    """Every vector of {0, 1}^D in counting order, (2^D, D) in float64."""
    return all_strings(2, num_dims)


def string_counts(draws: Tensor, num_values: int) -> np.ndarray:
    """How often each string of `all_strings` occurs in draws (n, T), (V^T,)."""
    is_value = (draws >= 0) & (draws < num_values) & (draws == draws.round())
    wrong = draws[~is_value]
    assert len(wrong) == 0, (
        f"sample() returned {wrong[0].item():.4g}: draws of this model are the integers 0 to "
        f"{num_values - 1}, not probabilities"
    )
    places = num_values ** torch.arange(draws.shape[1] - 1, -1, -1)
    codes = (draws.long() * places).sum(1)  # (n,)
    return np.bincount(codes.numpy(), minlength=num_values ** draws.shape[1])


def assert_is_mass(states: Tensor, log_prob: Tensor, cause: str) -> None:
    """The masses of all states are at most one each, and one together, in float64."""
    worst = int(log_prob.argmax())
    assert log_prob[worst] <= 1e-9, (
        f"log_prob = {log_prob[worst].item():.6g} > 0 at {states[worst].flatten().tolist()}: a "
        "mass is never above one. Likely cause: a sign error (nll instead of log_prob)"
    )
    total = log_prob.logsumexp(0).exp().item()
    assert abs(total - 1) <= 1e-8, (
        f"the mass of all {len(states)} states sums to {total:.10g}, expected 1 within 1e-8. "
        f"Likely cause: {cause}"
    )


def assert_follow(counts: np.ndarray, mass: Tensor, what: str, cause: str) -> None:
    """Draws, counted by state, follow the mass (S,): Pearson's chi-square test."""
    p_value = chi_square_p_value(counts, mass.numpy())
    assert p_value >= ALPHA, (
        f"{int(counts.sum())} samples do not follow {what}: chi-square p = {p_value:.2g} < "
        f"{ALPHA:g}. Likely cause: {cause}"
    )
