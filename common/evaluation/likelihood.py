"""Log-likelihood and the bounds on it, per example, in nats, in bounded memory."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from tqdm import tqdm

from common.data import Dataset, bits_per_dim
from common.evaluation.measurement import EvaluationError, Measurement, mean_measurement

CHUNK_ELEMENTS = 2**23  # importance samples x examples x dimensions at once: tens of MiB


def per_example(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    batch_size: int,
    label: str = "",
    progress: bool = False,
) -> Tensor:
    """`function` over batches of x (N, *event) without gradients: (N,), checked for its shape."""
    parts = []
    with torch.no_grad():
        for batch in tqdm(x.split(batch_size), desc=label, ncols=79, disable=not progress):
            values = function(batch)
            if values.shape != (len(batch),):
                raise EvaluationError(
                    f"{label or 'the model'} gave shape {tuple(values.shape)} for "
                    f"{len(batch)} examples; expected one value an example, ({len(batch)},)."
                )
            parts.append(values)
    return torch.cat(parts)


def iwae(
    model: torch.nn.Module,
    x: Tensor,
    *,
    num_samples: int,
    chunk: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The importance-weighted bound log 1/K sum_k w_k of each example (Burda et al. 2016, Eq. 8).

    The weights are made in chunks and summed as they come, so memory does not grow with K.

    Args:
        model: has `log_weights(x, num_samples=, generator=) -> (K, B)`.
        x: (B, *event).
        num_samples: K >= 1.
        chunk: samples at once; chosen by the size of x if None.
        generator: source of the samples of z.

    Returns:
        (B,) nats, in float64: a lower bound of log p(x) in expectation that rises with K.
    """
    if num_samples < 1:
        raise EvaluationError(f"num_samples is {num_samples}, expected at least 1.")
    chunk = chunk or max(1, CHUNK_ELEMENTS // max(1, x.numel()))
    total = x.new_full((len(x),), -torch.inf, dtype=torch.float64)
    with torch.no_grad():
        for start in range(0, num_samples, chunk):
            size = min(chunk, num_samples - start)
            weights = model.log_weights(x, num_samples=size, generator=generator)  # (size, B)
            if weights.shape != (size, len(x)):
                raise EvaluationError(
                    f"log_weights gave shape {tuple(weights.shape)}, expected ({size}, {len(x)})."
                )
            total = torch.logaddexp(total, torch.logsumexp(weights.double(), 0))
    return total - math.log(num_samples)


def nll_nats(model, data: Dataset, x: Tensor, context) -> Measurement:
    """The mean negative log-likelihood -log p(x) in the model's space."""
    values = -per_example(
        model.log_prob, x, batch_size=context.batch_size, label="nll", progress=context.progress
    )
    return mean_measurement(
        "nll_nats", values, unit="nats", split=context.split, protocol=noise(data, context.seed)
    )


def nll_bits_per_dim(model, data: Dataset, x: Tensor, context) -> Measurement:
    """The negative log-likelihood as bits a dimension of the raw levels."""
    values = -per_example(
        model.log_prob, x, batch_size=context.batch_size, label="bits", progress=context.progress
    )
    bits = bits_per_dim(values.double(), data.num_dims, data.preprocess, y=x)
    protocol = f"{data.num_levels} levels, preprocessing {data.preprocess}, seed {context.seed}"
    return mean_measurement(
        "bits_per_dim", bits, unit="bits/dim", split=context.split, protocol=protocol
    )


def nll_elbo_nats(model, data: Dataset, x: Tensor, context) -> Measurement:
    """The mean negative evidence lower bound, one sample of z an example: an upper bound of nll."""
    generator = context.generator("elbo")
    values = -per_example(
        lambda batch: model.elbo(batch, generator=generator),
        x,
        batch_size=context.batch_size,
        label="elbo",
        progress=context.progress,
    )
    protocol = f"1 sample of z, {noise(data, context.seed)}"
    return mean_measurement(
        "nll_elbo_nats", values, unit="nats", split=context.split, protocol=protocol
    )


def nll_iwae_nats(model, data: Dataset, x: Tensor, context) -> Measurement:
    """The mean negative importance-weighted bound: an upper bound of nll that K tightens."""
    generator = context.generator("iwae")
    values = -per_example(
        lambda batch: iwae(
            model, batch, num_samples=context.num_importance_samples, generator=generator
        ),
        x,
        batch_size=min(context.batch_size, 100),
        label=f"iwae-{context.num_importance_samples}",
        progress=context.progress,
    )
    protocol = f"{context.num_importance_samples} importance samples, {noise(data, context.seed)}"
    return mean_measurement(
        "nll_iwae_nats", values, unit="nats", split=context.split, protocol=protocol
    )


def kl_data_model_nats(model, data: Dataset, x: Tensor, context) -> Measurement:
    """KL(data || model) = E_data[log p(x) - log q(x)] with the exact log p, on fresh samples.

    Samples are drawn from the data's exact density, as many as `context.num_fresh_samples`.
    """
    n = context.num_fresh_samples
    fresh = data.density.sample(n, generator=context.generator("kl"))
    log_data = data.density.log_prob(fresh.double())
    log_model = per_example(
        model.log_prob,
        fresh.to(x.dtype),
        batch_size=context.batch_size,
        label="kl",
        progress=context.progress,
    )
    protocol = f"{n} fresh samples of the data's density, seed {context.seed}"
    return mean_measurement(
        "kl_data_model_nats",
        log_data - log_model.double(),
        unit="nats",
        split=context.split,
        protocol=protocol,
    )


def noise(data: Dataset, seed: int) -> str:
    """How the preprocessing drew its noise, in words."""
    return f"preprocessing {data.preprocess}, seed {seed}"
