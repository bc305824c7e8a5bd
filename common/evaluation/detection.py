"""How well does one number tell examples of the data from others? AUROC, AUPR, FPR95."""

import math

import numpy as np
import torch
from numpy.typing import ArrayLike

from common.evaluation.measurement import EvaluationError

MIN_SCORES = 10
NUM_RESAMPLES = 200
BLOCK = 2**20  # scores resampled at once: 8 MiB
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
    levels, ranks = np.unique(np.concatenate([inside, outside]), return_inverse=True)
    sets = np.split(ranks, [len(inside)])
    values = curves(*(np.bincount(one, minlength=len(levels))[None] for one in sets))[0]
    rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
    size, drawn = max(1, BLOCK // len(ranks)), []
    for start in range(0, num_resamples, size):
        rows = min(size, num_resamples - start)
        drawn.append(curves(*(resampled(one, len(levels), rows, rng) for one in sets)))
    errors = np.concatenate(drawn).std(0, ddof=1)
    others = zip(values.tolist(), errors.tolist(), strict=True)
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
    from scipy.stats import rankdata  # slow to import

    n, m = len(inside), len(outside)
    ranks = rankdata(np.concatenate([inside, outside]))
    above = (ranks[:n] - rankdata(inside)) / m  # (n,) the part of the outside below each
    below = 1 - (ranks[n:] - rankdata(outside)) / n  # (m,) the part of the inside above each
    variance = above.var(ddof=1) / n + below.var(ddof=1) / m
    return above.mean().item(), math.sqrt(variance)


def curves(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """AUPR in, AUPR out and FPR95 from how often each score occurs, lowest score first.

    What scikit-learn's curves give, for all resamples at once.

    Args:
        inside: (R, U) counts of U different scores in each of R sets.
        outside: (R, U).

    Returns:
        (R, 3).
    """
    n, m = inside[0].sum(), outside[0].sum()
    true, false = (x[:, ::-1].cumsum(1)[:, ::-1] for x in (inside, outside))  # at or above a score
    missed, rejected = (x.cumsum(1) for x in (inside, outside))  # at or below
    precision_in = true / np.maximum(true + false, 1)
    precision_out = rejected / np.maximum(missed + rejected, 1)
    threshold = (true >= 0.95 * n - 1e-9).sum(1) - 1  # the highest that 95 % reach
    passed = np.take_along_axis(false, threshold[:, None], 1)[:, 0]
    return np.stack(
        [(inside * precision_in).sum(1) / n, (outside * precision_out).sum(1) / m, passed / m], 1
    )


def resampled(
    ranks: np.ndarray, num_scores: int, rows: int, rng: np.random.Generator
) -> np.ndarray:
    """(rows, num_scores) how often each score occurs in sets drawn with replacement."""
    drawn = ranks[rng.integers(len(ranks), size=(rows, len(ranks)))]
    drawn += num_scores * np.arange(rows)[:, None]
    return np.bincount(drawn.ravel(), minlength=rows * num_scores).reshape(rows, num_scores)
