"""Metrics of codes on data whose generative factors are known."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from common.data import Dataset
from common.evaluation import disentanglement
from common.evaluation.context import Context
from common.evaluation.disentanglement import importance, information, labelled, pairs
from common.evaluation.measurement import EvaluationError, Measurement

QUESTIONS = f"{pairs.NUM_EXAMPLES} {{}} behind each of {pairs.NUM_TEST} questions"


def has_factors(data: Dataset) -> bool:
    """Whether each example comes with the factors that it was made from, and is of one size."""
    return not data.is_sequence and all(s.factors is not None for s in data.splits.values())


def encode(model: object, x: Tensor) -> Tensor:
    """(B, d) the codes of x (B, *event): `model.encode(x)`, or the first of the tuple it gives.

    The first of a tuple is the mean of the posterior by the convention of the capability.

    Raises:
        EvaluationError: if there is not one code for each example.
    """
    codes = model.encode(x)
    codes = codes[0] if isinstance(codes, tuple) else codes
    if not isinstance(codes, Tensor) or codes.ndim < 2 or len(codes) != len(x):
        shape = tuple(codes.shape) if isinstance(codes, Tensor) else type(codes).__name__
        raise EvaluationError(
            f"{type(model).__name__}.encode gave {shape} for {len(x)} examples; expected "
            f"({len(x)}, d), or a tuple whose first is."
        )
    return codes.flatten(1)


def codes_and_factors(context: Context) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """(n, d) codes, (n, F) factors and the number of values of each; computed once."""

    def compute() -> tuple[np.ndarray, np.ndarray, list[int]]:
        batches = context.x.split(context.batch_size)
        codes = [encode(context.model, batch.to(context.like)).double().cpu() for batch in batches]
        factors = context.data.splits[context.split].factors[: len(context.x)].cpu()
        num_values = [len(values) for values in context.data.info.factors.values()]
        return torch.cat(codes).numpy(), factors.numpy(), num_values

    return context.once("codes and factors", compute)


def measurement(
    name: str, value: float, error: float | None, protocol: str, context: Context
) -> Measurement:
    """A number from 0 to 1 about the codes of all examples."""
    codes, factors, _ = codes_and_factors(context)
    size = f"codes of {codes.shape[1]} dimensions, {factors.shape[1]} factors"
    protocol = f"{size}; {protocol}; {context.noise}"
    return Measurement(name, value, error, len(codes), "", context.split, protocol=protocol)


def mig(context: Context) -> Measurement:
    """`mutual_information_gap` of the mean codes."""
    value, error = disentanglement.mutual_information_gap(*codes_and_factors(context))
    bins = f"{information.NUM_BINS} bins of equally many examples"
    return measurement("mig", value, error, f"{bins}, jackknife standard error", context)


def beta_vae_score(context: Context) -> Measurement:
    """`beta_vae_score` of the mean codes."""
    generator = context.generator("beta-VAE questions")
    found = disentanglement.beta_vae_score(*codes_and_factors(context), generator=generator)
    return asked("beta_vae_score", found, QUESTIONS.format("pairs"), context)


def factor_vae_score(context: Context) -> Measurement:
    """`factor_vae_score` of the mean codes."""
    generator = context.generator("FactorVAE questions")
    found = disentanglement.factor_vae_score(*codes_and_factors(context), generator=generator)
    return asked("factor_vae_score", found, QUESTIONS.format("examples"), context)


def asked(name: str, found: labelled.Estimate, how: str, context: Context) -> Measurement:
    """The accuracy of answers to questions about the fixed factor."""
    num_factors = len(context.data.info.factors)
    protocol = f"{how}, chance 1/{num_factors}, standard error over questions, seed {context.seed}"
    return measurement(name, *found, protocol, context)


def sap(context: Context) -> Measurement:
    """`separated_attribute_predictability` of the mean codes; factors named by words by thresholds."""
    factors = context.data.info.factors
    is_numeric = [not isinstance(values[0], str) for values in factors.values()]
    value, error = disentanglement.separated_attribute_predictability(
        *codes_and_factors(context), is_numeric=is_numeric
    )
    words = ", ".join(k for k, number in zip(factors, is_numeric, strict=True) if not number)
    protocol = f"R^2 of a line; thresholds for {words}" if words else "R^2 of a line"
    return measurement("sap", value, error, f"{protocol}; jackknife standard error", context)


def forests(context: Context) -> disentanglement.DCI:
    """`dci` of the mean codes, grown once for its three numbers."""

    def compute() -> disentanglement.DCI:
        generator = context.generator("DCI forests")
        return disentanglement.dci(*codes_and_factors(context), generator=generator)

    return context.once("DCI", compute)


def dci_metric(part: str) -> Callable[[Context], Measurement]:
    """One of the three numbers of `dci`."""

    def compute(context: Context) -> Measurement:
        found = forests(context)
        error = found.informativeness_error if part == "informativeness" else None
        protocol = f"{importance.NUM_TREES} trees a factor, two halves crossed, seed {context.seed}"
        return measurement(f"dci_{part}", getattr(found, part), error, protocol, context)

    return compute


dci_disentanglement = dci_metric("disentanglement")
dci_completeness = dci_metric("completeness")
dci_informativeness = dci_metric("informativeness")
