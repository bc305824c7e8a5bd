"""Every metric that a model is able to, picked by its methods and by what the data have."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from common.data import Dataset
from common.evaluation import likelihood, two_sample
from common.evaluation.capabilities import capabilities
from common.evaluation.measurement import EvaluationError, Measurement


@dataclass(frozen=True)
class Context:
    """What all metrics of one evaluation share; each draws from generators of its own."""

    split: str
    seed: int
    batch_size: int
    num_importance_samples: int
    num_fresh_samples: int
    max_samples: int
    progress: bool
    drawn: dict[int, Tensor] = field(default_factory=dict)

    def generator(self, purpose: str) -> torch.Generator:
        """A fresh generator for one purpose, so that a metric alone gives the same number."""
        # Mixed by a hash: the CPU generator reads no more than the low 32 bits of its seed.
        digest = hashlib.sha256(f"{self.seed} {purpose}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:4]))

    def samples(self, model, n: int) -> Tensor:
        """`n` draws of the model, drawn once and shared by the metrics that compare samples."""
        if n not in self.drawn:
            with torch.no_grad():
                self.drawn[n] = model.sample(n, generator=self.generator("samples"))
        return self.drawn[n]


@dataclass(frozen=True)
class Metric:
    """A metric, the capability that it needs, and which data it makes sense for."""

    compute: Callable[[torch.nn.Module, Dataset, Tensor, Context], Measurement]
    capability: str
    fits: Callable[[Dataset], bool] = lambda data: True


METRICS = {
    "nll_nats": Metric(likelihood.nll_nats, "density"),
    "bits_per_dim": Metric(
        likelihood.nll_bits_per_dim,
        "density",
        lambda data: data.num_levels is not None and not data.is_binary,
    ),
    "nll_elbo_nats": Metric(likelihood.nll_elbo_nats, "bound"),
    "nll_iwae_nats": Metric(likelihood.nll_iwae_nats, "importance"),
    "kl_data_model_nats": Metric(
        likelihood.kl_data_model_nats,
        "density",
        lambda data: data.density is not None and data.density.has_log_prob,
    ),
    "mmd": Metric(two_sample.mmd_metric, "sampler"),
    "energy_distance": Metric(two_sample.energy_distance_metric, "sampler"),
    "sliced_wasserstein": Metric(two_sample.sliced_wasserstein_metric, "sampler"),
    "classifier_accuracy": Metric(two_sample.classifier_accuracy_metric, "sampler"),
}


def evaluate(
    model: torch.nn.Module,
    data: Dataset,
    *,
    split: str = "test",
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    num_importance_samples: int = 5000,
    num_fresh_samples: int = 100_000,
    max_examples: int | None = None,
    max_samples: int = 2000,
    batch_size: int = 500,
    progress: bool = False,
) -> dict[str, Measurement]:
    """Compute metrics of a model on one split.

    Args:
        model: anything with some of the methods of `common.evaluation.capabilities`.
        data: the data set, with the preprocessing that the model was trained on.
        split: "train", "valid" or "test".
        metrics: names from METRICS; None for all that the model and the data allow.
        seed: of the preprocessing's noise and of every metric's own noise.
        num_importance_samples: K of `nll_iwae_nats`.
        num_fresh_samples: draws from the data's exact density for `kl_data_model_nats`.
        max_examples: use the first so many examples of the split.
        max_samples: draws from the model for the two-sample tests.
        batch_size: examples at once.
        progress: show a progress bar for each metric.

    Returns:
        Measurements by name, in the order of METRICS.

    Raises:
        EvaluationError: for an unknown split or metric, a metric that the model or the data do not
            allow, or values that are not numbers.
    """
    if split not in data.splits:
        raise EvaluationError(
            f"{data.name} has no split {split!r}; it has: {', '.join(data.splits)}."
        )
    chosen = choose(model, data, metrics)
    context = Context(
        split, seed, batch_size, num_importance_samples, num_fresh_samples, max_samples, progress
    )
    x = data.splits[split].tensor(seed=seed)[:max_examples]
    parameter = next(iter(model.parameters()), None) if hasattr(model, "parameters") else None
    if parameter is not None:
        x = x.to(parameter)
    was_training = getattr(model, "training", False)
    if was_training:
        model.eval()
    try:
        return {name: METRICS[name].compute(model, data, x, context) for name in chosen}
    finally:
        if was_training:
            model.train()


def choose(model, data: Dataset, names: Sequence[str] | None) -> list[str]:
    """The metrics to compute; raises EvaluationError that says why one that was named cannot be."""
    able = capabilities(model)
    if names is None:
        return [
            name
            for name, metric in METRICS.items()
            if metric.capability in able and metric.fits(data)
        ]
    for name in names:
        if name not in METRICS:
            raise EvaluationError(f"there is no metric {name!r}; there are: {', '.join(METRICS)}.")
        if METRICS[name].capability not in able:
            raise EvaluationError(
                f"{name} needs the capability {METRICS[name].capability!r}, and a "
                f"{type(model).__name__} has: {', '.join(sorted(able)) or 'none'}."
            )
        if not METRICS[name].fits(data):
            raise EvaluationError(f"{name} has no meaning on {data.name} as it is preprocessed.")
    return list(names)
