"""Gaussian mixtures beside scikit-learn: 100,000 points in 16 dimensions, 16 components, float64.

Both begin from the same weights, means and covariances, and neither tests for convergence, so they do
the same iterations and reach the same likelihood. A row of 50 iterations is measured once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from projects.gaussian_mixture.agreement import scikit_learn
from projects.gaussian_mixture.em import fit
from projects.gaussian_mixture.model import GaussianMixture
from projects.gaussian_mixture.starts import start
from tests.benchmarks.timing import Row, side_by_side

NUM_POINTS, NUM_DIMS, NUM_COMPONENTS = 100_000, 16, 16


def points() -> Tensor:
    """Draws of a random mixture, (N, D) float64."""
    generator = torch.Generator().manual_seed(0)
    truth = GaussianMixture(NUM_COMPONENTS, NUM_DIMS, generator=generator)
    with torch.no_grad():
        shape = truth.covariance.parameter.shape
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        truth.covariance.parameter.add_(0.3 * noise)
        truth.means.mul_(1.5)
    return truth.sample(NUM_POINTS, generator=generator)


def begin(x: Tensor, covariance: str) -> GaussianMixture:
    """A mixture at random points."""
    model = GaussianMixture(NUM_COMPONENTS, NUM_DIMS, covariance=covariance)
    start(model, x, method="random", generator=torch.Generator().manual_seed(1))
    return model


def fits(x: Tensor, covariance: str, iterations: int) -> tuple[Callable, Callable]:
    """Both programs' fit from the same start."""

    def ours() -> None:
        fit(begin(x, covariance), x, iterations=iterations, floor=0.0, added=1e-6)

    def theirs() -> None:
        scikit_learn(begin(x, covariance), x, iterations=iterations, added=1e-6)

    return ours, theirs


def rows() -> Iterator[Row]:
    """Fits of two structures, densities and draws."""
    from sklearn.mixture import GaussianMixture as Estimator  # the peer must be there

    x = points()
    for covariance in ("full", "diag"):
        ours, theirs = fits(x, covariance, 50)
        work = f"GMM 100k x 16, K=16 {covariance}: 50 iterations"
        yield side_by_side(work, ours, "scikit-learn", theirs, repeats=1, warmup=0)
    model = begin(x, "full")
    _, peer = scikit_learn(model, x[:1000], iterations=1, added=1e-6)
    assert isinstance(peer, Estimator)
    numbers, generator = x.numpy(), torch.Generator().manual_seed(2)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pairs = {
            "log_prob": (
                lambda: [model.log_prob(part) for part in x.split(512)],
                lambda: peer.score_samples(numbers),
            ),
            "sample": (
                lambda: model.sample(NUM_POINTS, generator=generator),
                lambda: peer.sample(NUM_POINTS),
            ),
        }
        for name, (ours, theirs) in pairs.items():
            work = f"GMM 100k x 16, K=16 full: {name}"
            yield side_by_side(work, ours, "scikit-learn", theirs, repeats=5, warmup=1)
