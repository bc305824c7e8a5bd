"""What a model without any idea gets: the number to print beside its own."""

import math

import torch
from torch import Tensor

from common.data import Dataset
from common.evaluation.evaluate import has_density, has_levels
from common.evaluation.likelihood import code_length
from common.evaluation.measurement import EvaluationError, Measurement, mean_measurement
from common.evaluation.step_baseline import step_baseline

BLOCK = 5000  # examples in float64 at once


def baseline(data: Dataset, split: str = "test", *, seed: int = 0) -> Measurement:
    """A simple density fitted to the training split, measured on `split`.

    Independent Bernoulli pixels for binary data; the entropy where the data's density is exact (no
    model can do better); for sequences, steps that are all alike (`step_baseline`), in nats a step;
    else one Gaussian with full covariance, in bits per dimension for images.

    Args:
        data: the data set with the model's preprocessing.
        split: what to measure on.
        seed: of the preprocessing's noise.

    Raises:
        EvaluationError: for an unknown split.

    >>> from common.data import load
    >>> baseline(load("ring")).protocol
    "the data's exact density: no model can do better"
    """
    if split not in data.splits:
        raise EvaluationError(
            f"{data.name} has no split {split!r}; it has: {', '.join(data.splits)}."
        )
    if data.is_sequence:
        return step_baseline(data, split, seed=seed)
    x = data.splits[split].tensor(seed=seed).cpu()
    if has_density(data):
        return entropy(data, split, x)
    train = data.train.tensor(seed=seed + 1).cpu()
    if data.is_binary:
        protocol = f"independent Bernoulli pixels fitted to the training split, seed {seed}"
        return mean_measurement(
            "nll_nats", bernoulli_nll(train, x), unit="nats", split=split, protocol=protocol
        )
    protocol = f"one Gaussian with full covariance fitted to the training split, seed {seed}"
    values = gaussian_nll(train, x)
    if not has_levels(data):
        return mean_measurement("nll_nats", values, unit="nats", split=split, protocol=protocol)
    bits = code_length(values, x, data)
    return mean_measurement("bits_per_dim", bits, unit="bits/dim", split=split, protocol=protocol)


def entropy(data: Dataset, split: str, x: Tensor) -> Measurement:
    """The exact density's own negative log-likelihood of the preprocessed x, in the model's space."""
    values = -data.density.log_prob(data.splits[split].x.cpu().double())
    if data.preprocess is not None:
        values = values + data.preprocess.log_abs_det(x.double())
    protocol = "the data's exact density: no model can do better"
    return mean_measurement("nll_nats", values, unit="nats", split=split, protocol=protocol)


def bernoulli_nll(train: Tensor, x: Tensor) -> Tensor:
    """(B,) nats of x under independent Bernoulli pixels, each mean with one success and one failure
    added (Laplace) so that an unseen pixel costs something finite."""
    train, x = train.flatten(1), x.flatten(1).double()
    mean = (train.sum(0, dtype=torch.float64) + 1) / (len(train) + 2)
    return -(x @ mean.log() + (1 - x) @ (1 - mean).log())


def gaussian_nll(train: Tensor, x: Tensor) -> Tensor:
    """(B,) nats of x under the maximum-likelihood Gaussian of `train`, in float64.

    A pixel that never varies would make the covariance singular: 1e-6 of the mean variance is
    added to its diagonal.
    """
    train, x = train.flatten(1), x.flatten(1)
    mean = train.mean(0, dtype=torch.float64)
    scatter = mean.new_zeros(len(mean), len(mean))
    for block in train.split(BLOCK):
        centred = block.double() - mean
        scatter += centred.T @ centred
    covariance = scatter / len(train)
    covariance.diagonal().add_(1e-6 * covariance.diagonal().mean())
    factor = torch.linalg.cholesky(covariance)
    parts = []
    for block in x.split(BLOCK):
        whitened = torch.linalg.solve_triangular(factor, (block.double() - mean).T, upper=False)
        parts.append(whitened.square().sum(0))  # (b,)
    log_det = 2 * factor.diagonal().log().sum()
    return 0.5 * (torch.cat(parts) + log_det + len(mean) * math.log(2 * math.pi))
