"""The kernel distance between two sets of features (Binkowski et al. 2018, arXiv:1801.01401)."""

from torch import Tensor

from common.evaluation import pairs
from common.evaluation.points import Values, as_pair

MIN_SAMPLES = 10


def kernel_distance(x: Values, y: Values) -> tuple[float, float]:
    """Squared maximum mean discrepancy of the kernel k(a, b) = (a.b / d + 1)^3, unbiased.

    E k(x, x') + E k(y, y') - 2 E k(x, y) over different examples: the KID, once over all pairs. The
    paper averages over subsets of 1000; all pairs have the same mean and a smaller variance, whose
    estimate comes from Hoeffding's decomposition instead of from the subsets.

    Args:
        x: (n, d) features, n at least 10.
        y: (m, d) features, m at least 10.

    Returns:
        The estimate, which may be negative, and its standard error.

    Raises:
        EvaluationError: for fewer than ten examples, NaN, or unlike dimensions.
    """
    names = ("samples", "held-out examples")
    x, y = as_pair(x, y, names, least=MIN_SAMPLES, why="a statistic with a standard error")
    d = x.shape[1]

    def kernel(products: Tensor) -> Tensor:
        return products.div_(d).add_(1).pow_(3)

    return pairs.u_statistic(kernel, x, y, pairs.inner_products)
