"""What a model without any idea gets: the number to print beside its own."""

import math

import torch
from torch import Tensor

from common.data import Dataset, bits_per_dim
from common.evaluation.measurement import Measurement, mean_measurement


def baseline(data: Dataset, split: str = "test", *, seed: int = 0) -> Measurement:
    """A simple density fitted to the training split, measured on `split`.

    Independent Bernoulli pixels for binary data; the entropy where the data's density is exact (no
    model can do better); else one Gaussian with full covariance, in bits per dimension for images.

    Args:
        data: the data set with the model's preprocessing.
        split: what to measure on.
        seed: of the preprocessing's noise.
    """
    x = data.splits[split].tensor(seed=seed)
    if data.density is not None and data.density.has_log_prob:
        values = -data.density.log_prob(x.double())
        return mean_measurement(
            "nll_nats", values, unit="nats", split=split, protocol="the data's exact density"
        )
    train = data.train.tensor(seed=seed + 1)
    if data.is_binary:
        protocol = "independent Bernoulli pixels fitted to the training split"
        return mean_measurement(
            "nll_nats", bernoulli_nll(train, x), unit="nats", split=split, protocol=protocol
        )
    protocol = "one Gaussian with full covariance fitted to the training split"
    values = gaussian_nll(train, x)
    if data.num_levels is None:
        return mean_measurement("nll_nats", values, unit="nats", split=split, protocol=protocol)
    bits = bits_per_dim(values, data.num_dims, data.preprocess, y=x)
    return mean_measurement("bits_per_dim", bits, unit="bits/dim", split=split, protocol=protocol)


def bernoulli_nll(train: Tensor, x: Tensor) -> Tensor:
    """(B,) nats of x under independent Bernoulli pixels, each mean with one success and one failure
    added (Laplace) so that an unseen pixel costs something finite."""
    train, x = train.flatten(1).double(), x.flatten(1).double()
    mean = (train.sum(0) + 1) / (len(train) + 2)
    return -(x * mean.log() + (1 - x) * (1 - mean).log()).sum(1)


def gaussian_nll(train: Tensor, x: Tensor) -> Tensor:
    """(B,) nats of x under the maximum-likelihood Gaussian of `train`, in float64.

    A pixel that never varies would make the covariance singular: 1e-6 of the mean variance is
    added to its diagonal.
    """
    train, x = train.flatten(1).double(), x.flatten(1).double()
    mean = train.mean(0)
    covariance = torch.cov(train.T, correction=0)
    covariance.diagonal().add_(1e-6 * covariance.diagonal().mean())
    factor = torch.linalg.cholesky(covariance)
    whitened = torch.linalg.solve_triangular(factor, (x - mean).T, upper=False)  # (D, B)
    log_det = 2 * factor.diagonal().log().sum()
    return 0.5 * (whitened.square().sum(0) + log_det + len(mean) * math.log(2 * math.pi))
