"""How well does one number tell examples of the data from others? AUROC, AUPR, FPR95."""

import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from common.evaluation.measurement import EvaluationError

MIN_SCORES = 10
NUM_RESAMPLES = 200
Estimate = tuple[float, float]
QUANTITIES = ("auroc", "aupr_in", "aupr_out", "fpr95")


def detection(
    inside: ArrayLike,
    outside: ArrayLike,
    *,
    generator: torch.Generator,
    num_resamples: int = NUM_RESAMPLES,
) -> dict[str, Estimate]:
    """AUROC, AUPR (in and out) and FPR95 of a score that should be higher inside.

    - `auroc`: P(inside > outside) + P(inside = outside) / 2, the area under the ROC curve; 0.5 by
      chance. Its standard error is DeLong's (DeLong, DeLong, Clarke-Pearson 1988).
    - `aupr_in`, `aupr_out`: average precision with the inside, or the outside, as what is looked
      for; the share of either set by chance.
    - `fpr95`: the part of the outside that passes where at least 95 % of the inside do (Hendrycks,
      Gimpel 2017; Liang et al. 2018); 0.95 by chance.

    The others' standard errors are those of a bootstrap that resamples each set. All depend on the
    order of the scores alone, so infinite ones are welcome.

    Args:
        inside: (n,) scores of examples of the data, n >= 10.
        outside: (m,) scores of others, m >= 10.
        generator: source of the bootstrap.
        num_resamples: of the bootstrap, at least 2.

    Returns:
        For each of QUANTITIES its value and its standard error.

    Raises:
        EvaluationError: too few scores, or NaN.

    >>> detection(range(10, 20), range(10), generator=torch.Generator())["auroc"]
    (1.0, 0.0)
    """
    inside, outside = checked(inside, "inside"), checked(outside, "outside")
    if num_resamples < 2:
        raise EvaluationError(f"num_resamples is {num_resamples}, expected at least 2.")
    _, ranks = np.unique(np.concatenate([inside, outside]), return_inverse=True)
    labels = np.repeat([1, 0], [len(inside), len(outside)])
    values = curves(labels, ranks, np.ones(len(ranks)))
    rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
    drawn = [
        curves(
            labels, ranks, np.concatenate([resampled(n, rng) for n in map(len, (inside, outside))])
        )
        for _ in range(num_resamples)
    ]
    errors = np.std(drawn, axis=0, ddof=1).tolist()
    others = zip(values, errors, strict=True)
    return dict(zip(QUANTITIES, [area(inside, outside), *others], strict=True))


def checked(scores: ArrayLike, name: str) -> np.ndarray:
    """Scores as (n,) float64; EvaluationError for too few or NaN."""
    scores = scores.detach().cpu().numpy() if isinstance(scores, torch.Tensor) else scores
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or len(scores) < MIN_SCORES:
        raise EvaluationError(
            f"the scores {name} have shape {scores.shape}, expected ({MIN_SCORES} or more,): one for "
            f"each example, enough of them for a standard error."
        )
    bad = np.isnan(scores)
    if bad.any():
        raise EvaluationError(
            f"{bad.sum()} of {len(scores)} scores {name} are NaN, the first is number "
            f"{bad.argmax()}; expected numbers. Did the training diverge?"
        )
    return scores


def area(inside: np.ndarray, outside: np.ndarray) -> Estimate:
    """The area under the ROC curve and DeLong's standard error of it."""
    n, m = len(inside), len(outside)
    ranks = rankdata(np.concatenate([inside, outside]))
    above = (ranks[:n] - rankdata(inside)) / m  # (n,) the part of the outside below each
    below = 1 - (ranks[n:] - rankdata(outside)) / n  # (m,) the part of the inside above each
    variance = above.var(ddof=1) / n + below.var(ddof=1) / m
    return above.mean().item(), math.sqrt(variance)


def curves(labels: np.ndarray, ranks: np.ndarray, weights: np.ndarray) -> tuple[float, ...]:
    """AUPR in, AUPR out and FPR95 of weighted examples; a weight of 0 leaves one out."""
    from sklearn.metrics import average_precision_score, roc_curve

    seen = weights > 0
    labels, ranks, weights = labels[seen], ranks[seen], weights[seen]
    false, true, _ = roc_curve(labels, ranks, sample_weight=weights, drop_intermediate=False)
    first = np.argmax(true >= 0.95 - 1e-12)
    return (
        float(average_precision_score(labels, ranks, sample_weight=weights)),
        float(average_precision_score(1 - labels, -ranks, sample_weight=weights)),
        float(false[first]),
    )


def resampled(n: int, rng: np.random.Generator) -> np.ndarray:
    """(n,) how often each of n examples is drawn in n draws with replacement."""
    return np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float64)
