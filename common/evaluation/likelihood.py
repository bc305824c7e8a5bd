"""Exact log-likelihood, in nats and in bits per dimension, and the divergence from exact data."""

import math

import torch
from torch import Tensor

from common.data import Dataset, bits_per_dim
from common.evaluation.context import Context
from common.evaluation.measurement import Measurement, mean_measurement, ratio_measurement


def nll_nats(context: Context) -> Measurement:
    """The mean negative log-likelihood -log p(x) in the model's space."""
    return mean_measurement(
        "nll_nats", context.nll(), unit="nats", split=context.split, protocol=context.noise
    )


def nll_nats_per_step(context: Context) -> Measurement:
    """The negative log-likelihood a step: of all examples together over all their steps."""
    counted = "characters" if context.data.vocabulary else "steps"
    return ratio_measurement(
        "nll_nats_per_step",
        context.nll(),
        context.steps(),
        unit="nats/step",
        split=context.split,
        protocol=f"all nats over all {counted}, {context.noise}",
    )


def nll_bits_per_dim(context: Context) -> Measurement:
    """The negative log-likelihood as bits a dimension of the raw levels."""
    protocol = f"{context.data.num_levels} levels, {context.noise}"
    if context.lengths is not None:
        bits, dims = code_lengths(context)
        return ratio_measurement(
            "bits_per_dim",
            bits,
            dims,
            unit="bits/dim",
            split=context.split,
            protocol=f"all bits over all that is no padding, {protocol}",
        )
    bits = code_length(context.nll(), context.x, context.data, context.batch_size)
    return mean_measurement(
        "bits_per_dim", bits, unit="bits/dim", split=context.split, protocol=protocol
    )


def code_length(nll: Tensor, x: Tensor, data: Dataset, batch_size: int = 500) -> Tensor:
    """`bits_per_dim` of each example in float64, (N,), a batch at a time.

    Args:
        nll: (N,) nats in the model's space.
        x: (N, *data.shape) the preprocessed examples that they belong to.
    """
    parts = [
        bits_per_dim(nats, data.num_dims, data.preprocess, y=batch.double())
        for nats, batch in zip(nll.double().split(batch_size), x.split(batch_size), strict=True)
    ]
    return torch.cat(parts)


def code_lengths(context: Context) -> tuple[Tensor, Tensor]:
    """(N,) bits and (N,) dimensions of each padded example: the padding has neither."""
    dims = context.steps() * math.prod(context.data.info.shape[1:])
    parts = zip(context.nll().double(), context.x, context.lengths, dims, strict=True)
    bits = [
        bits_per_dim(nats[None], int(size), context.data.preprocess, y=x[None, :length].double())
        for nats, x, length, size in parts
    ]
    return torch.cat(bits) * dims, dims


def kl_data_model_nats(context: Context) -> Measurement:
    """KL(data || model) = E_data[log p(x) - log q(x)] with the exact log p, on fresh samples.

    The expectation is over `context.num_fresh_samples` new draws from the data's density, so that
    neither the model nor its early stopping has seen them. Preprocessing changes both densities by
    the same determinant, and the divergence not at all.
    """
    n, data = context.num_fresh_samples, context.data
    x = data.density.sample(n, generator=context.generator("kl"))
    log_data = data.density.log_prob(x.double())
    y = x
    if data.preprocess is not None:
        y = data.preprocess(x, generator=context.generator("kl preprocessing"))
        log_data = log_data - data.preprocess.log_abs_det(y.double())
    log_model = context.per_example(context.model.log_prob, y, label="kl")
    return mean_measurement(
        "kl_data_model_nats",
        log_data - log_model,
        unit="nats",
        split=context.split,
        protocol=f"{n} fresh samples of the data's exact density, seed {context.seed}",
    )
