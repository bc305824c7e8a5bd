"""Separated attribute predictability."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from common.evaluation.disentanglement.labelled import (
    NUM_GROUPS,
    Estimate,
    gap,
    jackknife,
    labelled,
)
from common.evaluation.measurement import EvaluationError


def separated_attribute_predictability(
    codes: ArrayLike,
    factors: ArrayLike,
    num_values: Sequence[int],
    *,
    is_numeric: Sequence[bool] | None = None,
) -> Estimate:
    """The mean over factors of the best code's score less the second best's (Kumar et al. 2018).

    The score of a code dimension for a numeric factor is R^2 of a linear regression; for another it
    is the balanced accuracy of thresholds on that dimension, as many as make one interval for each
    value, fitted to the same examples (Sec. 3). Of a constant code it is 0. Thresholds are chosen
    greedily, by a decision tree. Because the second best has at least the accuracy of chance,
    1 / V, codes equal to the factors reach 1 - 1 / V for a factor of V values that is not numeric;
    and a curved code of a numeric factor reaches less than 1. (The paper also calls a dimension
    with variance below 0.05 inactive, which means something for a unit prior alone: not done here.)

    Args:
        codes: (n, d), n >= 100.
        factors: (n, F) integers.
        num_values: of each factor.
        is_numeric: which factors' indices are to be read as numbers; all if None.

    Returns:
        The score, from 0 to 1, and its jackknife standard error over examples, thresholds given.

    Raises:
        EvaluationError: see `labelled`; or if `is_numeric` has another length.
    """
    data = labelled(codes, factors, num_values)
    numeric = np.ones(data.num_factors, bool) if is_numeric is None else np.array(is_numeric, bool)
    if len(numeric) != data.num_factors:
        raise EvaluationError(
            f"is_numeric has {len(numeric)} entries for {data.num_factors} factors, expected one "
            f"for each."
        )
    centred = data.codes - data.codes.mean(0)  # R^2 loses no digits to an offset
    members = np.eye(NUM_GROUPS)[data.groups].T  # (G, n)
    sums = [
        powers(centred, factor, members) if number else hits(data.codes, factor, members)
        for factor, number in zip(data.factors.T, numeric, strict=True)
    ]
    ends = np.cumsum([part.shape[2] for part in sums])[:-1]

    def score(total: np.ndarray) -> float:
        pieces = np.split(total, ends, axis=1)
        rows = [
            r_squared(piece) if is_number else balanced_accuracy(piece)
            for piece, is_number in zip(pieces, numeric, strict=True)
        ]
        return gap(np.stack(rows, 1))

    return jackknife(np.concatenate(sums, 2), score)


def powers(codes: np.ndarray, factor: np.ndarray, members: np.ndarray) -> np.ndarray:
    """(G, d, 6) what R^2 is made of, summed over each group: 1, z, v, z^2, v^2 and z v."""
    v = np.broadcast_to((factor - factor.mean())[:, None], codes.shape)
    terms = (np.ones_like(v), codes, v, codes**2, v**2, codes * v)
    return np.stack([members @ term for term in terms], 2)


def r_squared(total: np.ndarray) -> np.ndarray:
    """(d,) squared correlations from the sums (d, 6) of `powers`."""
    n, z, v, zz, vv, zv = total.T
    product = (n * zz - z**2) * (n * vv - v**2)
    return np.divide((n * zv - z * v) ** 2, product, out=np.zeros_like(n), where=product > 0)


def hits(codes: np.ndarray, factor: np.ndarray, members: np.ndarray) -> np.ndarray:
    """(G, d, 2 V) how often the factor has each of its values, and how often it was predicted."""
    from sklearn.tree import DecisionTreeClassifier

    values, index = np.unique(factor, return_inverse=True)
    one_hot = np.eye(len(values))[index]  # (n, V)
    found = np.zeros((len(members), codes.shape[1], 2 * len(values)))
    found[:, :, : len(values)] = (members @ one_hot)[:, None]
    for i in np.flatnonzero(np.ptp(codes, axis=0) > 0):
        tree = DecisionTreeClassifier(
            max_leaf_nodes=len(values), class_weight="balanced", random_state=0
        )
        right = tree.fit(codes[:, [i]], index).predict(codes[:, [i]]) == index
        found[:, i, len(values) :] = members @ (one_hot * right[:, None])
    return found


def balanced_accuracy(total: np.ndarray) -> np.ndarray:
    """(d,) mean recall of the values from the sums (d, 2 V) of `hits`."""
    present, right = np.split(total, 2, axis=1)
    return (right / present).mean(1)
