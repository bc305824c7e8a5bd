"""scikit-learn's mixture from the same start: python -m projects.gaussian_mixture.agreement.

Prints the mean log-likelihood that it reaches for the presets of the two likelihood goals, and how far
ours is from it after every iteration.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor

from projects.gaussian_mixture.em import fit
from projects.gaussian_mixture.model import GaussianMixture
from projects.gaussian_mixture.starts import start
from projects.gaussian_mixture.train import PRESETS, build, complete, load_data


def scikit_learn(
    model: GaussianMixture, x: Tensor, *, iterations: int, added: float
) -> tuple[list[float], object]:
    """scikit-learn's EM from where `model` stands, its convergence test switched off.

    Returns:
        The mean log-likelihood in nats before each iteration and after the last; and the estimator.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture as Estimator

    precisions = model.covariances.inverse()
    shared = {
        "full": precisions,
        "tied": precisions[0],
        "diag": precisions.diagonal(dim1=-2, dim2=-1),
        "spherical": precisions[:, 0, 0],
    }
    kind = model.covariance.kind
    estimator = Estimator(
        model.num_components,
        covariance_type=kind,
        weights_init=model.weights.detach().numpy(),
        means_init=model.means.detach().numpy().copy(),
        precisions_init=shared[kind].detach().numpy(),
        max_iter=iterations,
        tol=0.0,
        reg_covar=added,
    )
    points = x.flatten(1).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # as asked: every iteration is done
        estimator.fit(points)
    return [*map(float, estimator.lower_bounds_), float(estimator.score(points))], estimator


def begun(preset: str, seed: int = 0) -> tuple[GaussianMixture, Tensor]:
    """A preset's model at the start of its training, and the points it learns from."""
    from common.training.randomness import make_generator

    config = PRESETS[preset]
    data, generator = load_data(config), make_generator(seed, "init")
    model, x = build(config, data, generator=generator), complete(data, config.noise_draws).x
    start(model, x, method=config.start, floor=config.floor, generator=generator)
    return model, x


def main(presets: list[str]) -> None:
    """Both programs on each preset."""
    for preset in presets:
        config = PRESETS[preset]
        model, x = begun(preset)
        options = {"iterations": config.iterations, "added": config.added}
        theirs, _ = scikit_learn(model, x, **options)
        ours = fit(model, x, floor=config.floor, **options)
        worst = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True))
        print(f"{preset}: {theirs[-1]:.10f} nats, largest relative difference {worst:.1e}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:] or ["digits-likelihood", "protein-likelihood"])
