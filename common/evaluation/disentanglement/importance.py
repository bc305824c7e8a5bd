"""Disentanglement, completeness and informativeness."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from common.evaluation.disentanglement.labelled import labelled, seed

NUM_TREES = 100
MAX_FEATURES = 32  # code dimensions that a split looks at, so that long codes take no longer


@dataclass(frozen=True)
class DCI:
    """What `dci` found.

    Attributes:
        disentanglement: from 0 to 1, 1 if each code dimension matters to one factor only.
        completeness: from 0 to 1, 1 if each factor is told by one code dimension only.
        informativeness: mean accuracy of the predicted factors.
        informativeness_error: its standard error over examples, the forests given.
        importance: (d, F) of each code dimension for each factor; each column sums to 1.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    informativeness_error: float
    importance: np.ndarray


def dci(
    codes: ArrayLike,
    factors: ArrayLike,
    num_values: Sequence[int],
    *,
    generator: torch.Generator,
    num_trees: int | None = None,
) -> DCI:
    """Disentanglement, completeness, informativeness (Eastwood, Williams 2018, Sec. 2).

    A random forest predicts each factor from the codes; R_ij is the importance (mean decrease of
    impurity) of code dimension i for factor j. With P_ij = R_ij / sum_j R_ij and entropies to base F,
    D = sum_i rho_i (1 - H(P_i)), rho_i = sum_j R_ij / sum_ij R_ij; completeness is the mean over j of
    1 - H(R_.j) to base d. The forests learn on one half of the examples and are asked about the
    other, then the other way round; importances are the mean of both. Informativeness is their
    accuracy (the paper's regressors have an error instead, where less is better). Every split looks
    at all code dimensions, up to 32: a forest that is denied the right one must use a wrong one, and
    no code would then reach 1.

    Args:
        codes: (n, d), n >= 100.
        factors: (n, F) integers.
        num_values: of each factor.
        generator: source of the halves and of the forests' randomness.
        num_trees: of each forest; NUM_TREES if None.

    Raises:
        EvaluationError: see `labelled`.
    """
    from sklearn.ensemble import RandomForestClassifier

    data = labelled(codes, factors, num_values)
    half = torch.randperm(len(data), generator=generator).numpy() % 2
    importance = np.zeros((data.num_codes, data.num_factors))
    correct = np.empty((len(data), data.num_factors))
    for k in (0, 1):
        for j, factor in enumerate(data.factors.T):
            forest = RandomForestClassifier(
                num_trees or NUM_TREES,
                max_features=min(MAX_FEATURES, data.num_codes),
                random_state=seed(generator),
            )
            forest.fit(data.codes[half != k], factor[half != k])
            importance[:, j] += forest.feature_importances_ / 2
            correct[half == k, j] = forest.predict(data.codes[half == k]) == factor[half == k]
    of_example = correct.mean(1)
    return DCI(
        disentanglement=disentanglement(importance),
        completeness=completeness(importance),
        informativeness=of_example.mean().item(),
        informativeness_error=of_example.std(ddof=1).item() / math.sqrt(len(data)),
        importance=importance,
    )


def disentanglement(importance: np.ndarray) -> float:
    """sum_i rho_i (1 - H_F(P_i)) of importances (d, F)."""
    weight = importance.sum(1) / importance.sum()
    return float(weight @ (1 - normalised_entropy(importance)))


def completeness(importance: np.ndarray) -> float:
    """The mean of 1 - H_d(P_j) over the columns of importances (d, F)."""
    return float((1 - normalised_entropy(importance.T)).mean())


def normalised_entropy(rows: np.ndarray) -> np.ndarray:
    """Entropies of rows (a, b), each made to sum to 1, to base b; 0 where b is 1 or a row is 0."""
    total = rows.sum(1, keepdims=True)
    p = np.divide(rows, total, out=np.zeros_like(rows), where=total > 0)
    entropy = -(p * np.log(np.where(p > 0, p, 1))).sum(1)
    return entropy / math.log(rows.shape[1]) if rows.shape[1] > 1 else entropy
