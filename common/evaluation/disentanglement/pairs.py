"""Which factor was held fixed? The scores of beta-VAE and FactorVAE."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike

from common.evaluation.disentanglement.labelled import Estimate, labelled, seed

NUM_TRAIN, NUM_TEST = 2000, 2000  # questions to learn from and to be asked
NUM_EXAMPLES = 64  # or pairs of them, behind one question
BLOCK = 2**21  # float64 elements at once: 16 MiB


def beta_vae_score(
    codes: ArrayLike,
    factors: ArrayLike,
    num_values: Sequence[int],
    *,
    generator: torch.Generator,
    num_pairs: int = NUM_EXAMPLES,
) -> Estimate:
    """Accuracy of a linear classifier that tells which factor the pairs have in common.

    A question is the mean of |z - z'| over `num_pairs` pairs of examples that agree in one factor,
    chosen at random, and are random in all others (Higgins et al. 2017, Sec. 3). The classifier is
    a logistic regression on standardised questions. It is a lenient score: a code in which each
    factor merely moves a direction of its own can have it too.

    Args:
        codes: (n, d), n >= 100.
        factors: (n, F) integers.
        num_values: of each factor.
        generator: source of the questions.
        num_pairs: behind one question, at least 1.

    Returns:
        The accuracy on held-out questions, 1 / F by chance, and its standard error over questions,
        codes and classifier given.

    Raises:
        EvaluationError: see `labelled`.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data = labelled(codes, factors, num_values)
    rng = np.random.default_rng(seed(generator))
    answers = rng.integers(data.num_factors, size=NUM_TRAIN + NUM_TEST)
    questions = np.empty((len(answers), data.num_codes))
    members = [Members(column) for column in data.factors.T]
    for rows in blocks(len(answers), num_pairs * data.num_codes):
        first = rng.integers(len(data), size=(rows.stop - rows.start, num_pairs))
        second = np.empty_like(first)
        for k, group in enumerate(members):
            mine = answers[rows] == k
            second[mine] = group.like(first[mine], rng)
        questions[rows] = difference(data.codes[first], data.codes[second])
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    classifier.fit(questions[:NUM_TRAIN], answers[:NUM_TRAIN])
    return accuracy(classifier.predict(questions[NUM_TRAIN:]) == answers[NUM_TRAIN:])


def factor_vae_score(
    codes: ArrayLike,
    factors: ArrayLike,
    num_values: Sequence[int],
    *,
    generator: torch.Generator,
    num_examples: int = NUM_EXAMPLES,
) -> Estimate:
    """Accuracy of telling the fixed factor from the code dimension that varies least.

    A question is the dimension whose variance over `num_examples` examples with one factor fixed,
    divided by its variance over all examples, is smallest; the answer is the factor for which the
    majority of the training questions had that dimension (Kim, Mnih 2018, Sec. 4). Dimensions that
    are constant over all examples take no part.

    Args:
        codes: (n, d), n >= 100.
        factors: (n, F) integers.
        num_values: of each factor.
        generator: source of the questions.
        num_examples: behind one question, at least 2.

    Returns:
        The accuracy on held-out questions, 1 / F by chance, and its standard error over questions,
        codes and majorities given.

    Raises:
        EvaluationError: see `labelled`.
    """
    data = labelled(codes, factors, num_values)
    rng = np.random.default_rng(seed(generator))
    scaled = scaled_to_one(data.codes)
    answers = rng.integers(data.num_factors, size=NUM_TRAIN + NUM_TEST)
    dims = np.empty_like(answers)
    members = [Members(column) for column in data.factors.T]
    for rows in blocks(len(answers), num_examples * scaled.shape[1]):
        size = rows.stop - rows.start
        first = np.repeat(rng.integers(len(data), size=(size, 1)), num_examples, axis=1)
        chosen = np.empty_like(first)
        for k, group in enumerate(members):
            mine = answers[rows] == k
            chosen[mine] = group.like(first[mine], rng)
        dims[rows] = scaled[chosen].var(1).argmin(1)
    votes = np.zeros((scaled.shape[1], data.num_factors))
    np.add.at(votes, (dims[:NUM_TRAIN], answers[:NUM_TRAIN]), 1)
    return accuracy(votes.argmax(1)[dims[NUM_TRAIN:]] == answers[NUM_TRAIN:])


def difference(z: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(q, d) the mean of |z - z'| over the pairs (q, pairs, d) behind each question."""
    return np.abs(z - other).mean(1)


def scaled_to_one(codes: np.ndarray) -> np.ndarray:
    """The dimensions of codes (n, d) that vary, each divided by its standard deviation."""
    std = codes.std(0)
    return codes[:, std > 0] / std[std > 0]


class Members:
    """The examples that share a value of one factor (n,)."""

    def __init__(self, factor: np.ndarray) -> None:
        self.factor = factor
        self.order = np.argsort(factor, kind="stable")
        self.counts = np.bincount(factor)
        self.starts = self.counts.cumsum() - self.counts

    def like(self, examples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each example, one drawn from those with the same value of the factor."""
        value = self.factor[examples]
        return self.order[self.starts[value] + rng.integers(self.counts[value])]


def blocks(n: int, size: int) -> list[slice]:
    """Slices of n rows of so many float64 each that fill at most BLOCK."""
    step = max(1, BLOCK // size)
    return [slice(start, min(n, start + step)) for start in range(0, n, step)]


def accuracy(correct: np.ndarray) -> Estimate:
    """A proportion and its standard error."""
    value = correct.mean().item()
    return value, math.sqrt(value * (1 - value) / len(correct))
