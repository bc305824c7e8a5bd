"""Classifier two-sample test: how well can a forest tell samples from data?"""

import math

import numpy as np
import torch
from torch import Tensor

from common.evaluation.measurement import EvaluationError

NUM_TREES = 200


def classifier_accuracy(x: Tensor, y: Tensor, *, generator: torch.Generator) -> tuple[float, float]:
    """Held-out accuracy of telling samples from data (Lopez-Paz and Oquab 2017): 0.5 if alike.

    Extremely randomised trees (Geurts et al. 2006) learn on one half and are asked about the other,
    then the other way round; an even vote counts one half. Nearest neighbours in pixel space, the
    usual cheap choice, are blind to samples that lie nearer to everything than the data do.

    Args:
        x: (n, D) samples, float64.
        y: (n, D) held-out data, float64, as many.
        generator: source of the halves and of the trees' randomness.

    Returns:
        The accuracy over all 2 n points and its standard error s / sqrt(2 n), the forests given:
        with the training sets drawn anew too, the spread is about a quarter larger.

    Raises:
        EvaluationError: if the sets are not of one size: a majority vote would look like skill.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    if len(x) != len(y):
        raise EvaluationError(
            f"{len(x)} samples against {len(y)} examples, expected as many of both: "
            f"leave some of the larger set out."
        )
    n = len(x)
    # in an order of their own, so that the order in which they came does not matter
    points = np.concatenate([in_order(x.numpy()), in_order(y.numpy())])
    labels = np.repeat([0, 1], n)
    # each half has as many samples as data, drawn apart
    halves = [torch.randperm(n, generator=generator).numpy() % 2 for _ in range(2)]
    half = np.concatenate(halves)
    correct = np.empty(2 * n)
    for k in (0, 1):
        seed = int(torch.randint(2**31, (), generator=generator))
        forest = ExtraTreesClassifier(NUM_TREES, min_samples_leaf=2, random_state=seed)
        forest.fit(points[half != k], labels[half != k])
        vote = forest.predict_proba(points[half == k])[:, 1]
        right = (vote > 0.5) == (labels[half == k] == 1)
        correct[half == k] = np.where(vote == 0.5, 0.5, right)
    return correct.mean().item(), correct.std(ddof=1).item() / math.sqrt(2 * n)


def in_order(points: np.ndarray) -> np.ndarray:
    """The rows sorted by their first value, ties by the second, and so on."""
    return points[np.lexsort(points.T[::-1])]
