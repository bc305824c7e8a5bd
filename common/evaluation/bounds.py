"""Bounds on the log-likelihood of latent-variable models, in memory that does not grow."""

import math

import torch
from torch import Tensor

from common.evaluation.context import Context
from common.evaluation.measurement import EvaluationError, Measurement, mean_measurement

# Decoded at once. A (rows, 784) float32 layer of 1,000 rows is 3 MiB and stays in a core's cache,
# which is faster than fewer, larger products; an accelerator wants to be filled instead.
CPU_ROWS = 1024
ACCELERATOR_ROWS = 2**17
# Examples at once: enough samples of each that the encoder, run again a chunk, costs nothing.
CPU_EXAMPLES = 16
ACCELERATOR_EXAMPLES = 256


def iwae(
    model: torch.nn.Module,
    x: Tensor,
    *,
    num_samples: int,
    chunk: int | None = None,
    generator: torch.Generator | None = None,
    lengths: Tensor | None = None,
) -> Tensor:
    """The importance-weighted bound log 1/K sum_k w_k of each example (Burda et al. 2016, Eq. 8).

    The weights are made in chunks and summed as they come, in float64, so that memory grows neither
    with K nor with the number of examples: at most `chunk` samples of at most
    max(1, CPU_ROWS / chunk) examples are alive at once.

    Args:
        model: has `log_weights(x, num_samples=, generator=) -> (K, B)`.
        x: (B, *event).
        num_samples: K >= 1.
        chunk: samples at once, at least 1; chosen for speed if None.
        generator: source of the samples of z, on the device of x.
        lengths: (B,) steps of padded sequences, handed on to `log_weights`.

    Returns:
        (B,) nats, in float64: a lower bound of log p(x) in expectation that rises with K.

    Raises:
        EvaluationError: if a number is below 1 or the weights have another shape.
    """
    for name, value in (("num_samples", num_samples), ("chunk", 1 if chunk is None else chunk)):
        if value < 1:
            raise EvaluationError(f"{name} is {value}, expected at least 1.")
    on_cpu = x.device.type == "cpu"
    rows = CPU_ROWS if on_cpu else ACCELERATOR_ROWS
    if chunk is None:
        examples = min(len(x), CPU_EXAMPLES if on_cpu else ACCELERATOR_EXAMPLES)
        chunk = max(1, rows // max(1, examples))
    chunk = min(chunk, num_samples)
    size = max(1, rows // chunk)
    parts = x.split(size)
    steps = [None] * len(parts) if lengths is None else lengths.split(size)
    with torch.no_grad():
        found = [
            log_mean_weight(model, part, num_samples, chunk, generator, each)
            for part, each in zip(parts, steps, strict=True)
        ]
    return torch.cat(found)


def log_mean_weight(
    model: torch.nn.Module,
    x: Tensor,
    num_samples: int,
    chunk: int,
    generator: torch.Generator | None,
    lengths: Tensor | None,
) -> Tensor:
    """(B,) float64: log 1/K sum_k w_k, at most `chunk` weights an example at once."""
    more = {} if lengths is None else {"lengths": lengths}
    total = x.new_full((len(x),), -torch.inf, dtype=torch.float64)
    for start in range(0, num_samples, chunk):
        size = min(chunk, num_samples - start)
        weights = model.log_weights(x, num_samples=size, generator=generator, **more)
        if weights.shape != (size, len(x)):
            raise EvaluationError(
                f"{type(model).__name__}.log_weights gave shape {tuple(weights.shape)}; expected "
                f"({size}, {len(x)}), one weight for each sample of each example."
            )
        total = torch.logaddexp(total, weights.double().logsumexp(0))
    return total - math.log(num_samples)


def nll_elbo_nats(context: Context) -> Measurement:
    """The mean negative evidence lower bound, one sample of z an example: an upper bound of nll."""
    generator = context.model_generator("elbo")
    values = context.per_example(
        lambda batch, **lengths: context.model.elbo(batch, generator=generator, **lengths),
        context.x,
        label="elbo",
    )
    protocol = f"1 sample of z an example, seed {context.seed}; {context.noise}"
    return mean_measurement(
        "nll_elbo_nats", -values, unit="nats", split=context.split, protocol=protocol
    )


def nll_iwae_nats(context: Context) -> Measurement:
    """The mean negative importance-weighted bound: an upper bound of nll that K tightens."""
    generator, num_samples = context.model_generator("iwae"), context.num_importance_samples
    on_cpu = context.like.device.type == "cpu"
    values = context.per_example(
        lambda batch, **lengths: iwae(
            context.model, batch, num_samples=num_samples, generator=generator, **lengths
        ),
        context.x,
        label=f"iwae-{num_samples}",
        batch_size=CPU_EXAMPLES if on_cpu else ACCELERATOR_EXAMPLES,
    )
    protocol = f"{num_samples} importance samples, seed {context.seed}; {context.noise}"
    return mean_measurement(
        "nll_iwae_nats", -values, unit="nats", split=context.split, protocol=protocol
    )
