"""The Inception score of a classifier's predictions (Salimans et al. 2016, arXiv:1606.03498)."""

import math

import torch

from common.evaluation.measurement import EvaluationError
from common.evaluation.points import Values

MIN_SAMPLES = 10


def inception_score(logits: Values) -> tuple[float, float]:
    """exp(E KL(p(y | x) || p(y))), where p(y) is the mean of p(y | x) over the samples.

    From 1 (the predictions do not depend on x) to the number of classes. Over all samples at once:
    the usual mean over ten splits depends on the order of the samples and is biased ten times as
    much. The standard error is the delta method's: the score times s / sqrt(n), where s is the
    standard deviation of KL(p(y | x) || p(y)). That p(y) is estimated too changes nothing to first
    order, for the mixture is where the expected divergence is least.

    Args:
        logits: (n, K) of a classifier, or log-probabilities; minus infinity for probability zero.

    Returns:
        The score and its standard error.

    Raises:
        EvaluationError: for fewer than ten samples, fewer than two classes, or NaN.
    """
    logits = torch.as_tensor(logits).detach().cpu().double()
    if logits.dim() != 2 or logits.shape[1] < 2:
        raise EvaluationError(
            f"the logits have shape {tuple(logits.shape)}, expected (n, K) with K at least 2."
        )
    if len(logits) < MIN_SAMPLES:
        raise EvaluationError(
            f"samples: {len(logits)} of them, expected at least {MIN_SAMPLES} for a score with a "
            f"standard error. Raise max_samples."
        )
    log_given = logits.log_softmax(1)
    bad = log_given.isnan().any(1).nonzero().flatten()
    if len(bad):
        raise EvaluationError(
            f"the logits of {len(bad)} of {len(logits)} samples are no logits, the first is number "
            f"{bad[0].item()}: {logits[bad[0]].tolist()[:5]}; expected numbers. "
            f"Did the training diverge?"
        )
    n = len(logits)
    log_mean = log_given.logsumexp(0) - math.log(n)  # (K,)
    ratio = torch.where(log_given.isinf(), 0.0, log_given - log_mean)  # 0 ln 0 = 0
    divergences = (log_given.exp() * ratio).sum(1)  # (n,)
    score = divergences.mean().exp().item()
    return score, score * divergences.std().item() / math.sqrt(n)
