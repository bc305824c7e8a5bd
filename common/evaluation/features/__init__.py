"""Networks whose features stand for what images show: where FID and its relatives are measured.

A number made in a feature space means nothing without the network: each has a name, a hash of its
weights, a stated recipe and a test accuracy that `dgm features verify` computes again.
"""

from common.evaluation.features.net import FeatureNet
from common.evaluation.features.recipes import RECIPES, Recipe
from common.evaluation.features.store import get_feature_net

__all__ = ["RECIPES", "FeatureNet", "Recipe", "get_feature_net"]
