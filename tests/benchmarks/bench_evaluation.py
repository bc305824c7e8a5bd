"""Statistics of features beside torchmetrics and torch-fidelity, from 2,048 features an example.

The work is from two matrices of features in float64 to the number; networks take no part. Before
any clock all sides must give the same number: the Frechet distance to 1e-6 relative.
"""

import math

import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from common.data.torchvision_import import import_torchvision
from common.evaluation.frechet import frechet_distance, frechet_from_moments
from common.evaluation.kernel import kernel_distance
from common.evaluation.manifold import precision_recall
from tests.benchmarks.timing import THREADS, Row, side_by_side

DIMS, MANY, FEW, PAIRS = 2048, 10_000, 1000, 4000
EQUAL = 1e-6  # relative
REPEATS = 3  # of works of seconds


def rows() -> list[Row]:
    """Each statistic, ours against the peers'."""
    import_torchvision()  # before the peers do, who want it whole
    with threadpool_limits(THREADS):  # also for NumPy, in both sides' code
        return [*frechet_rows(MANY), *frechet_rows(FEW), *pair_rows()]


def features(n: int, seed: int, gain: float = 1.0) -> Tensor:
    """(n, 2048) like pooled activations: never negative, correlated, spreads that fall off."""
    mixing, generator = (torch.Generator().manual_seed(k) for k in (0, seed))
    factors = torch.randn(DIMS, DIMS, generator=mixing, dtype=torch.float64) / math.sqrt(DIMS)
    spread = torch.arange(1, DIMS + 1, dtype=torch.float64).rsqrt()
    hidden = torch.randn(n, DIMS, generator=generator, dtype=torch.float64) * spread
    return (gain * hidden @ factors + 0.02).relu()


def frechet_rows(n: int) -> list[Row]:
    """From features to the distance, and from moments alone where those are enough."""
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torchmetrics.image.fid import _compute_fid

    x, y = features(n, 1), features(n, 2, gain=1.1)
    statistics = [fid_features_to_statistics(values) for values in (x, y)]
    arrays = [part[key] for part in statistics for key in ("mu", "sigma")]
    tensors = [torch.from_numpy(values) for values in arrays]
    from_features = {
        "torchmetrics": lambda: torchmetrics_distance(x, y),
        "torch-fidelity": lambda: fid_statistics_to_metric(
            *map(fid_features_to_statistics, (x, y)), False
        )["frechet_inception_distance"],
    }
    from_moments = {
        "torchmetrics": lambda: _compute_fid(*tensors).item(),
        "torch-fidelity": lambda: fid_statistics_to_metric(*statistics, False)[
            "frechet_inception_distance"
        ],
    }
    works = [(f"Frechet distance of {n:,} x 2,048", lambda: frechet_distance(x, y), from_features)]
    if n > DIMS:
        moments = ("Frechet distance from moments of 2,048", lambda: frechet_from_moments(*arrays))
        works.append((*moments, from_moments))
    return [
        compare(work, ours, peer, theirs)
        for work, ours, peers in works
        for peer, theirs in peers.items()
    ]


def pair_rows() -> list[Row]:
    """What visits all pairs: the kernel distance on one subset of all, precision and recall."""
    from torch_fidelity.metric_kid import kernel_mmd
    from torch_fidelity.metric_prc import calculate_precision_recall_full

    x, y = features(PAIRS, 1), features(PAIRS, 2, gain=1.1)
    arrays = [values.numpy() for values in (x, y)]
    options = {"kid_kernel": "poly", "kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None}
    options |= {"kid_kernel_poly_coef0": 1.0}
    return [
        compare(
            f"kernel distance of {PAIRS:,} x 2,048",
            lambda: kernel_distance(x, y)[0],
            "torch-fidelity",
            lambda: kernel_mmd(*arrays, **options),
        ),
        compare(
            f"precision and recall of {PAIRS:,} x 2,048",
            lambda: sum(precision_recall(x, y)),
            "torch-fidelity",
            lambda: sum(calculate_precision_recall_full(x, y)),
        ),
    ]


def torchmetrics_distance(x: Tensor, y: Tensor) -> float:
    """torchmetrics' distance of features that are there already."""
    from torchmetrics.image.fid import FrechetInceptionDistance

    network = nn.Identity()
    network.num_features = DIMS
    metric = FrechetInceptionDistance(feature=network)
    metric.update(y, real=True)
    metric.update(x, real=False)
    return metric.compute().item()


def compare(work: str, ours, peer: str, theirs) -> Row:
    """A row of the table; RuntimeError unless both sides give the same number."""
    found, expected = ours(), theirs()
    if not math.isclose(found, expected, rel_tol=EQUAL):
        raise RuntimeError(f"{work}: ours {found:.12g}, {peer}'s {expected:.12g}: not equal")
    return side_by_side(work, ours, peer, theirs, repeats=REPEATS, warmup=0)
