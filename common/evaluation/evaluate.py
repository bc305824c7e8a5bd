"""Every metric that a model is able to, picked by its methods and by what the data have."""

import difflib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from common.data import Dataset
from common.evaluation import bounds, likelihood, mode_metrics, quality, representation, two_sample
from common.evaluation.capabilities import capabilities
from common.evaluation.context import Context
from common.evaluation.features.space import NETS, OutOfRange, has_features, has_space
from common.evaluation.measurement import EvaluationError, Measurement
from common.evaluation.mode_metrics import GAUSSIANS, MODES, has_gaussians, has_modes
from common.evaluation.representation import has_factors


@dataclass(frozen=True)
class Metric:
    """A metric, the capability that it needs, and which data it makes sense for."""

    compute: Callable[[Context], Measurement]
    capability: str
    fits: Callable[[Dataset], bool] = lambda data: True
    needs: str = ""  # of the data, told where it does not fit
    uses_features: bool = False  # fits all images where the feature net is named

    def suits(self, data: Dataset, feature_net: str | None) -> bool:
        """Whether it can be computed on these data, with their own feature net or the one named."""
        are_images = data.num_levels is not None and not data.is_sequence
        return self.fits(data) or (self.uses_features and feature_net is not None and are_images)


def has_levels(data: Dataset) -> bool:
    """Whether bits per dimension mean something; of binary data the nats are what papers state."""
    return data.num_levels is not None and not data.is_binary


def has_density(data: Dataset) -> bool:
    """Whether the data's log p is known exactly."""
    return data.density is not None and data.density.has_log_prob


def is_sequence(data: Dataset) -> bool:
    """Whether examples are made of steps."""
    return data.is_sequence


def is_comparable(data: Dataset) -> bool:
    """Whether two examples have a distance: sequences of symbols or of several lengths have none."""
    return not data.is_sequence


SEQUENCES = "sequences, whose examples are made of steps"
NO_SEQUENCES = "examples of one size, whose values are no symbols"
FEATURES = f"images with a feature net, which are: {', '.join(NETS)}"
SPACE = f"points in the plane, or {FEATURES}"

METRICS = {
    "nll_nats": Metric(likelihood.nll_nats, "density"),
    "bits_per_dim": Metric(likelihood.nll_bits_per_dim, "density", has_levels),
    "nll_nats_per_step": Metric(likelihood.nll_nats_per_step, "density", is_sequence, SEQUENCES),
    "nll_elbo_nats": Metric(bounds.nll_elbo_nats, "bound"),
    "nll_iwae_nats": Metric(bounds.nll_iwae_nats, "importance"),
    "kl_data_model_nats": Metric(likelihood.kl_data_model_nats, "density", has_density),
    "mmd": Metric(two_sample.mmd_metric, "sampler", is_comparable, NO_SEQUENCES),
    "energy_distance": Metric(
        two_sample.energy_distance_metric, "sampler", is_comparable, NO_SEQUENCES
    ),
    "sliced_wasserstein": Metric(
        two_sample.sliced_wasserstein_metric, "sampler", is_comparable, NO_SEQUENCES
    ),
    "classifier_accuracy": Metric(
        two_sample.classifier_accuracy_metric, "sampler", is_comparable, NO_SEQUENCES
    ),
    "num_modes": Metric(mode_metrics.num_modes, "sampler", has_modes, MODES),
    "high_quality_fraction": Metric(
        mode_metrics.high_quality_fraction, "sampler", has_gaussians, GAUSSIANS
    ),
    "mode_kl_nats": Metric(mode_metrics.mode_kl_nats, "sampler", has_modes, MODES),
    "fid": Metric(quality.fid, "sampler", has_features, FEATURES, True),
    "kid": Metric(quality.kid, "sampler", has_features, FEATURES, True),
    "inception_score": Metric(quality.inception_score, "sampler", has_features, FEATURES, True),
    "precision": Metric(quality.precision, "sampler", has_space, SPACE, True),
    "recall": Metric(quality.recall, "sampler", has_space, SPACE, True),
    "density": Metric(quality.density, "sampler", has_space, SPACE, True),
    "coverage": Metric(quality.coverage, "sampler", has_space, SPACE, True),
    "copying": Metric(quality.copying, "sampler", has_space, SPACE, True),
    "mig": Metric(representation.mig, "representation", has_factors),
    "beta_vae_score": Metric(representation.beta_vae_score, "representation", has_factors),
    "factor_vae_score": Metric(representation.factor_vae_score, "representation", has_factors),
    "sap": Metric(representation.sap, "representation", has_factors),
    "dci_disentanglement": Metric(
        representation.dci_disentanglement, "representation", has_factors
    ),
    "dci_completeness": Metric(representation.dci_completeness, "representation", has_factors),
    "dci_informativeness": Metric(
        representation.dci_informativeness, "representation", has_factors
    ),
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
    feature_net: str | None = None,
    batch_size: int = 500,
    progress: bool = False,
) -> dict[str, Measurement]:
    """Compute metrics of a model on one split.

    Args:
        model: anything with some of the methods of `common.evaluation.capabilities`, on any device.
        data: the data set, with the preprocessing that the model was trained on.
        split: "train", "valid" or "test".
        metrics: names from METRICS; None for all that the model and the data allow.
        seed: of the preprocessing's noise and of every metric's own noise, so that a metric alone
            gives the number that it gives among others.
        num_importance_samples: K of `nll_iwae_nats`.
        num_fresh_samples: draws from the data's exact density for `kl_data_model_nats`.
        max_examples: use the first so many examples of the split.
        max_samples: draws from the model, and as many examples, for what compares samples.
        feature_net: the network of `fid` and its relatives, such as "inception"; None for the one
            that the data set has (common.evaluation.features).
        batch_size: examples at once.
        progress: show a progress bar for each metric.

    Returns:
        Measurements by name, in the order of METRICS. Where all were asked for and the samples are
        no images, those that need images are left out, with a line on standard error.

    Raises:
        EvaluationError: for an unknown split or metric, a metric that the model or the data do not
            allow, a number out of range, or values that are not numbers.

    >>> from common.data import load
    >>> ring = load("ring")
    >>> found = evaluate(ring.density, ring, metrics=["kl_data_model_nats"], num_fresh_samples=1000)
    >>> abs(found["kl_data_model_nats"].value) < 1e-5  # the density of the data itself
    True
    """
    if split not in data.splits:
        raise EvaluationError(
            f"{data.name} has no split {split!r}; it has: {', '.join(data.splits)}."
        )
    check_positive(
        num_importance_samples=num_importance_samples,
        num_fresh_samples=num_fresh_samples,
        max_samples=max_samples,
        batch_size=batch_size,
        max_examples=1 if max_examples is None else max_examples,
    )
    chosen = choose(model, data, metrics, feature_net)
    context = Context(
        model=model,
        data=data,
        split=split,
        x=data.splits[split].tensor(seed=seed)[:max_examples].cpu(),
        seed=seed,
        batch_size=batch_size,
        num_importance_samples=num_importance_samples,
        num_fresh_samples=num_fresh_samples,
        max_samples=max_samples,
        feature_net=feature_net,
        progress=progress,
    )
    found, left_out = {}, {}
    with judging(model):
        for name in chosen:
            try:
                found[name] = METRICS[name].compute(context)
            except OutOfRange as error:
                if metrics is not None:
                    raise
                left_out[name] = error
    if left_out:
        why = next(iter(left_out.values()))
        print(f"left out: {', '.join(left_out)}: {why}", file=sys.stderr)
    return found


@contextmanager
def judging(model: object) -> Iterator[None]:
    """Evaluation mode without gradients; each module is then put back into the mode it was in."""
    is_module = isinstance(model, torch.nn.Module)
    modes = [(module, module.training) for module in model.modules()] if is_module else []
    try:
        if is_module and model.training:
            model.eval()
        with torch.no_grad():
            yield
    finally:
        if modes and modes[0][1]:
            model.train()
        for module, training in modes:
            module.training = training


def check_positive(**numbers: int) -> None:
    """Raise EvaluationError that names the first number below 1."""
    for name, value in numbers.items():
        if value < 1:
            raise EvaluationError(f"{name} is {value}, expected at least 1.")


def choose(
    model: object, data: Dataset, names: Sequence[str] | None, feature_net: str | None = None
) -> list[str]:
    """The metrics to compute; raises EvaluationError that says why one that was named cannot be."""
    able = capabilities(model)
    fitting = [
        name for name, m in METRICS.items() if m.capability in able and m.suits(data, feature_net)
    ]
    if names is None and not fitting:
        raise EvaluationError(
            f"a {type(model).__name__} has none of the methods that a metric needs on {data.name}; "
            f"expected log_prob, elbo, log_weights or sample, or encode and decode where the factors are "
            f"known (common.evaluation.capabilities)."
        )
    for name in names or []:
        if name not in METRICS:
            near = difflib.get_close_matches(name, METRICS, n=1, cutoff=0.4)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise EvaluationError(
                f"there is no metric {name!r}; there are: {', '.join(METRICS)}.{hint}"
            )
        if METRICS[name].capability not in able:
            raise EvaluationError(
                f"{name} needs the capability {METRICS[name].capability!r}, and a "
                f"{type(model).__name__} has: {', '.join(sorted(able)) or 'none'}. "
                f"It can be judged by: {', '.join(fitting) or 'nothing'}."
            )
        if not METRICS[name].suits(data, feature_net):
            needs = METRICS[name].needs
            raise EvaluationError(
                f"{name} has no meaning on {data.name} as it is preprocessed "
                f"({data.preprocess}){needs and f': it needs {needs}'}; "
                f"there are: {', '.join(fitting) or 'none'}."
            )
    return fitting if names is None else [name for name in METRICS if name in names]
