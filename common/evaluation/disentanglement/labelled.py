"""Codes with the factors that made their examples: checked once, in an order of their own."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from common.evaluation.measurement import EvaluationError

MIN_EXAMPLES = 100
NUM_GROUPS = 20  # of the jackknife
Estimate = tuple[float, float]


@dataclass(frozen=True)
class Labelled:
    """Codes and factors, example by example.

    Attributes:
        codes: (n, d) float64, finite, not all constant.
        factors: (n, F) int64, factors[:, k] in [0, num_values[k]), each with two values or more.
        num_values: how many values each factor has.
    """

    codes: np.ndarray
    factors: np.ndarray
    num_values: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def num_codes(self) -> int:
        """Dimensions d of a code."""
        return self.codes.shape[1]

    @property
    def num_factors(self) -> int:
        """Factors F."""
        return self.factors.shape[1]

    @property
    def groups(self) -> np.ndarray:
        """(n,) the jackknife's group of each example: random, equally large, always the same."""
        return np.random.default_rng(0).permutation(len(self)) % NUM_GROUPS


def labelled(codes: ArrayLike, factors: ArrayLike, num_values: Sequence[int]) -> Labelled:
    """Check codes (n, d) and factors (n, F), tensors or arrays, and sort their rows.

    The rows are sorted by their factors and then by their codes, so that what is drawn at random
    from them does not depend on the order in which they came.

    Raises:
        EvaluationError: too few examples, unlike lengths, NaN, no code that varies, a factor that
            is out of range or has one value only.
    """
    codes, factors = as_array(codes, "codes"), as_array(factors, "factors")
    if len(codes) != len(factors):
        raise EvaluationError(
            f"{len(codes)} codes and the factors of {len(factors)} examples, expected as many."
        )
    if len(codes) < MIN_EXAMPLES:
        raise EvaluationError(
            f"{len(codes)} examples, expected at least {MIN_EXAMPLES}: pass more, or raise "
            f"max_examples."
        )
    codes = codes.astype(np.float64)
    bad = ~np.isfinite(codes).all(1)
    if bad.any():
        raise EvaluationError(
            f"{bad.sum()} of {len(codes)} codes hold NaN or infinite values, the first is number "
            f"{bad.argmax()}; expected numbers. Did the training diverge?"
        )
    if not (np.ptp(codes, axis=0) > 0).any():
        raise EvaluationError(
            f"all {codes.shape[1]} dimensions of the codes are constant, expected one that varies: "
            f"the encoder ignores its input (posterior collapse?)."
        )
    factors = check_factors(factors, num_values)
    order = own_order(codes, factors)
    return Labelled(codes[order], factors[order], tuple(num_values))


def own_order(codes: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """(n,) the rows sorted by their factors, ties by their codes."""
    return np.lexsort([*codes.T[::-1], *factors.T[::-1]])


def as_array(values: ArrayLike, name: str) -> np.ndarray:
    """A matrix as an array on the CPU."""
    array = values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else values
    array = np.asarray(array)
    if array.ndim != 2 or not array.shape[1]:
        raise EvaluationError(
            f"{name} have shape {array.shape}, expected a matrix, one row for each example."
        )
    return array


def check_factors(factors: np.ndarray, num_values: Sequence[int]) -> np.ndarray:
    """Factors as int64; EvaluationError names the first that is not an index of its values."""
    if factors.shape[1] != len(num_values):
        raise EvaluationError(
            f"{factors.shape[1]} factors and {len(num_values)} numbers of values "
            f"{tuple(num_values)}, expected as many."
        )
    if not np.issubdtype(factors.dtype, np.integer):
        raise EvaluationError(
            f"factors are {factors.dtype}, expected integers: the index of each factor's value."
        )
    for k, (column, count) in enumerate(zip(factors.T, num_values, strict=True)):
        if column.min() < 0 or column.max() >= count:
            raise EvaluationError(
                f"factor {k} reaches from {column.min()} to {column.max()}, expected indices of its "
                f"{count} values, 0 to {count - 1}."
            )
        if np.ptp(column) == 0:
            raise EvaluationError(
                f"factor {k} has the value {column[0]} in all {len(column)} examples, expected two "
                f"values or more: leave it out, or take all examples (the first of a split may be "
                f"in order)."
            )
    return factors.astype(np.int64)


def jackknife(parts: np.ndarray, statistic: Callable[[np.ndarray], float]) -> Estimate:
    """A statistic of a sum over groups, with its jackknife standard error over the groups.

    se^2 = (G - 1) / G sum_g (s_g - mean)^2, where s_g leaves out group g (Efron, Stein 1981).

    Args:
        parts: (G, ...) what each group of examples adds to the sum.
        statistic: of the sum.
    """
    total, num_groups = parts.sum(0), len(parts)
    left_out = np.array([statistic(total - part) for part in parts])
    spread = np.square(left_out - left_out.mean()).sum()
    return float(statistic(total)), math.sqrt((num_groups - 1) / num_groups * spread)


def gap(scores: np.ndarray) -> float:
    """The mean over factors of the best code's score less the second best's, of scores (d, F)."""
    padded = np.concatenate([scores, np.zeros((1, scores.shape[1]))])  # one code: the second is 0
    second, best = np.sort(padded, axis=0)[-2:]
    return float((best - second).mean())


def seed(generator: torch.Generator) -> int:
    """A seed for scikit-learn."""
    return int(torch.randint(2**31, (), generator=generator))
