"""Several models' samples judged on the same data in the same space, so that numbers compare.

Models of one data set see it through different preprocessing: logits of grey levels, pixels cut at
half, pixels drawn with their grey level as probability. `common_data` is the data in one space for
all, `judge` evaluates a model's samples there, and `judge_training` does the same with training
examples as the model saw them: what a perfect model of those would get.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from common.data import Dataset, DynamicBinarisation, Scale, StaticBinarisation
from common.data.preprocess import Preprocess
from common.evaluation.evaluate import choose, evaluate
from common.evaluation.features.space import intensities
from common.evaluation.measurement import EvaluationError, Measurement

SPACES = {
    "grey": "intensities in [0, 1), rounded to the data's levels",
    "binary": "black or white pixels, grey ones drawn with their intensity as probability",
    "points": "the data's own coordinates",
}


def common_data(raw: Dataset, owns: Iterable[Dataset], space: str | None = None) -> Dataset:
    """The data set in the space in which all models are compared.

    Args:
        raw: the data set without preprocessing.
        owns: the same as each model sees it.
        space: "grey" or "binary" for images; None for grey, or binary if any model is.

    Raises:
        EvaluationError: for a space that the data cannot be brought into.
    """
    if raw.num_levels is None:
        if space is not None:
            raise EvaluationError(f"{raw.name} are no images; leave --space {space} out.")
        return raw
    if raw.is_binary:
        if space == "grey":
            raise EvaluationError(f"{raw.name} has no grey levels; expected --space binary.")
        return raw
    if space is None:
        space = "binary" if any(own.is_binary for own in owns) else "grey"
    return raw.with_preprocess(DynamicBinarisation() if space == "binary" else Scale())


def space_name(common: Dataset) -> str:
    """The name in SPACES of what `common_data` gave."""
    if common.num_levels is None:
        return "points"
    return "binary" if common.is_binary else "grey"


def foreign_step(own: Dataset, common: Dataset) -> Preprocess | None:
    """The binarisation that makes a model's data another data set than the common one, if any.

    Grey data drawn anew are the common binary data; pixels cut at half never are, and in the grey
    space no binary pixels are.
    """
    if own.preprocess is None:
        return None
    for step in getattr(own.preprocess, "steps", (own.preprocess,)):
        if step.is_binary and not (common.is_binary and isinstance(step, DynamicBinarisation)):
            return step
    return None


def in_words(step: Preprocess) -> str:
    """What a binarisation did to the pixels."""
    if isinstance(step, DynamicBinarisation):
        return "black and white pixels drawn with their intensity as probability"
    if isinstance(step, StaticBinarisation):
        return f"black and white pixels, cut at {step.threshold:g} of the range"
    return f"pixels through {step}"


class Seen:
    """A sampler of the common space: what a model draws in its own, brought over.

    Values go back to the raw levels, rounded and clamped as for a picture, and from there through
    the common preprocessing, so that no model is told from data by decimals that data cannot have.
    """

    def __init__(self, model: Any, own: Dataset, common: Dataset):
        self.model, self.own, self.common = model, own, common

    @property
    def replicates(self) -> list["Seen"] | None:
        """The models of an ensemble, each brought over; None for a single model."""
        models = getattr(self.model, "replicates", None)
        return None if models is None else [Seen(m, self.own, self.common) for m in models]

    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """(n, *common.shape) draws; EvaluationError for another shape or values that are no numbers."""
        drawn, expected = self.model.sample(n, generator=generator), (n, *self.own.shape)
        name = type(self.model).__name__
        if len(drawn) != n or drawn.numel() != torch.Size(expected).numel():
            raise EvaluationError(
                f"{name}.sample({n}) gave shape {tuple(drawn.shape)}, expected {expected}."
            )
        bad = (~torch.isfinite(drawn.reshape(n, -1))).any(1).sum().item()
        if bad:
            raise EvaluationError(
                f"{bad} of {n} samples of the {name} hold NaN or infinite values, expected numbers. "
                f"Did the training diverge?"
            )
        return bring(drawn.reshape(expected).cpu(), self.own, self.common, generator)


class TrainingSplit:
    """The training split in a random order, each example once: a sampler that nothing can beat."""

    def __init__(self, own: Dataset, *, seed: int):
        self.own, self.position = own, 0
        generator = torch.Generator().manual_seed(seed)
        self.order = torch.randperm(len(own.train), generator=generator)

    def sample(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """(n, *own.shape): the next n; EvaluationError when there are no more."""
        rows = self.order[self.position : self.position + n]
        self.position += n
        if len(rows) < n:
            raise EvaluationError(
                f"{self.position} training examples wanted, {self.own.name} has {len(self.order)}."
            )
        return self.own.train.batch(rows, generator=generator)


def bring(
    values: Tensor, own: Dataset, common: Dataset, generator: torch.Generator | None
) -> Tensor:
    """Values (n, *own.shape) of a model's space as (n, *common.shape) of the common one.

    Raises EvaluationError for values so far outside of the levels that they are of another space.
    """
    if own.num_levels is not None:
        intensities(values, own)
    raw = own.to_levels(values)  # (n, *info.shape)
    if common.preprocess is None:
        return raw.to(values.dtype)
    return common.preprocess(raw, generator=generator)


def judge(model: Any, own: Dataset, common: Dataset, **options: Any) -> dict[str, Measurement]:
    """The metrics of a model's samples in the common space; `options` are those of `evaluate`."""
    return evaluate(Seen(model, own, common), common, **options)


def judge_training(own: Dataset, common: Dataset, **options: Any) -> dict[str, Measurement]:
    """The same of training examples as a model saw them: what a perfect model of those would get.

    `copying` is left out: training examples are copies, and a perfect model makes none.
    """
    model = TrainingSplit(own, seed=options.get("seed", 0) + 1)
    names = choose(model, common, options.pop("metrics", None), options.get("feature_net"))
    metrics = [name for name in names if name != "copying"]
    return judge(model, own, common, metrics=metrics, **options)
