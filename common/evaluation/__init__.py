"""Numbers one can trust: metrics by capability, baselines, two-sample tests, figures."""

from common.evaluation.baselines import baseline
from common.evaluation.bounds import iwae
from common.evaluation.capabilities import capabilities
from common.evaluation.evaluate import METRICS, evaluate
from common.evaluation.measurement import EvaluationError, Measurement

__all__ = [
    "METRICS",
    "EvaluationError",
    "Measurement",
    "baseline",
    "capabilities",
    "evaluate",
    "iwae",
]
