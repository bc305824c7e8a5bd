"""How well the dimensions of a code keep known generative factors apart.

Every function takes codes (n, d), factors (n, F) and the number of values of each factor, and gives
a number that is 1 for codes that equal the factors, whatever their order, sign or scale (where it
is not, its docstring says so). The five definitions disagree on all but the extremes: state which.
"""

from common.evaluation.disentanglement.importance import DCI, dci
from common.evaluation.disentanglement.information import mutual_information_gap
from common.evaluation.disentanglement.pairs import beta_vae_score, factor_vae_score
from common.evaluation.disentanglement.separated import separated_attribute_predictability

__all__ = [
    "DCI",
    "beta_vae_score",
    "dci",
    "factor_vae_score",
    "mutual_information_gap",
    "separated_attribute_predictability",
]
