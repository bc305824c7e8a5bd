"""Out-of-distribution detection: does a model's own score tell its data from others?

A high likelihood alone does not: a density may give simpler images than its own more (Nalisnick et
al. 2019), because the likelihood of an image is dominated by how complex it is (Serrà et al. 2020).
And a density changes with the coordinates while the example does not (Le Lan, Dinh 2021): here it is
that of the raw data, the preprocessing's log-determinant included.
"""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from common.data import Dataset
from common.evaluation.capabilities import capabilities
from common.evaluation.context import Context
from common.evaluation.detection import NUM_RESAMPLES, detection
from common.evaluation.evaluate import check_positive, judging
from common.evaluation.measurement import EvaluationError, Measurement


@dataclass(frozen=True)
class Score:
    """A number for each example, higher for what is more like the training data.

    `compute` gives (N,) from a context; `capability` is what the model needs; `fits` says whether
    the model's other capabilities and the data leave the score a meaning.
    """

    compute: Callable[[Context], Tensor]
    capability: str
    fits: Callable[[set[str], Dataset], bool] = lambda able, data: True


@dataclass(frozen=True)
class Detected:
    """What one score tells.

    Attributes:
        inside: (n,) of the model's data, float64.
        outside: (m,) of the others.
        measurements: by `common.evaluation.detection.QUANTITIES`.
    """

    inside: Tensor
    outside: Tensor
    measurements: dict[str, Measurement]


def volume(context: Context) -> Tensor:
    """(N,) log |dy/dx| of the preprocessing in nats: log p(x) = log p(y) + volume."""
    preprocess = context.data.preprocess
    x = context.x.double()
    return torch.zeros(len(x), dtype=x.dtype) if preprocess is None else preprocess.log_abs_det(x)


def log_prob(context: Context) -> Tensor:
    """log p(x) of the raw data, dequantised where the preprocessing does that, in nats."""
    return volume(context) - context.nll()


def elbo(context: Context) -> Tensor:
    """The evidence lower bound of the raw data, one sample of z an example, in nats."""
    generator = context.model_generator("elbo")
    bound = context.per_example(
        lambda batch: context.model.elbo(batch, generator=generator), context.x, label="elbo"
    )
    return volume(context) + bound


def energy(context: Context) -> Tensor:
    """-E(x) in the model's space."""
    return -context.per_example(context.model.energy, context.x, label="energy")


def reconstruction(context: Context) -> Tensor:
    """-|x - decode(encode(x))|^2 in the model's space, of the mean code."""

    def error(batch: Tensor) -> Tensor:
        found = context.model.encode(batch)
        codes = found[0] if isinstance(found, tuple) else found
        back = context.model.decode(codes)
        if back.numel() != batch.numel():
            raise EvaluationError(
                f"{type(context.model).__name__}.decode gave shape {tuple(back.shape)} for examples "
                f"{tuple(batch.shape)}; expected the same."
            )
        return (batch - back.reshape(batch.shape)).flatten(1).square().sum(1)

    return -context.per_example(error, context.x, label="reconstruction")


def corrected(context: Context) -> Tensor:
    """log p(x) plus the length of x as a PNG file, in nats (Serrà et al. 2020, Eq. 3, negated).

    A likelihood ratio against a general compressor: what a model finds likely only because anyone
    would scores low. Under a bound where there is no log p.
    """
    base = log_prob if hasattr(context.model, "log_prob") else elbo
    raw = context.data.to_levels(context.x)
    return base(context) + png_nats(raw)


def png_nats(levels: Tensor) -> Tensor:
    """(N,) length of each image (N, 1 or 3, H, W) as a PNG file with 8 bits a channel, in nats."""
    from PIL import Image

    bytes_of = []
    for image in levels.cpu().numpy().astype(np.uint8):
        pixels = image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
        with io.BytesIO() as file:
            Image.fromarray(pixels).save(file, "PNG", optimize=True)
            bytes_of.append(file.tell())
    return 8 * math.log(2) * torch.tensor(bytes_of, dtype=torch.float64)


def is_picture(able: set[str], data: Dataset) -> bool:
    """Whether the model's examples are images whose levels come back from its space."""
    shape = data.info.shape
    return (
        bool(able & {"density", "bound"})
        and data.num_levels is not None
        and not data.is_binary
        and len(shape) == 3
        and shape[0] in (1, 3)
    )


SCORES = {
    "log_prob": Score(log_prob, "density"),
    "elbo": Score(elbo, "bound"),
    "energy": Score(energy, "energy"),
    # a bijection reconstructs everything
    "reconstruction": Score(
        reconstruction, "representation", lambda able, data: "flow" not in able
    ),
    "png_corrected": Score(corrected, "", is_picture),
}


def offered(model: object, data: Dataset) -> list[str]:
    """The names of SCORES that a model can give on its data."""
    able = capabilities(model)
    return [
        name
        for name, score in SCORES.items()
        if (not score.capability or score.capability in able) and score.fits(able, data)
    ]


def detect(
    model: torch.nn.Module,
    data: Dataset,
    other: Dataset,
    *,
    split: str = "test",
    scores: Sequence[str] | None = None,
    seed: int = 0,
    max_examples: int | None = None,
    batch_size: int = 500,
    progress: bool = False,
) -> dict[str, Detected]:
    """How well each score of a model tells its own data from others.

    Args:
        model: with one of log_prob, elbo, energy, or encode and decode.
        data: its data, with its preprocessing.
        other: the others, with the same preprocessing: see `common.evaluation.shifted`.
        split: of both.
        scores: names from SCORES; None for all that the model offers.
        seed: of the preprocessing's noise, of the model's, and of the bootstrap.
        max_examples: the first so many of each.
        batch_size: examples at once.
        progress: show a progress bar for each score.

    Raises:
        EvaluationError: an unknown split or score, none that the model offers, shapes that differ,
            or scores that are NaN.

    >>> from common.data import load
    >>> ring = load("ring")
    >>> found = detect(ring.density, ring, load("moons"), max_examples=200)
    >>> found["log_prob"].measurements["auroc"].value > 0.9
    True
    """
    for one in (data, other):
        if split not in one.splits:
            raise EvaluationError(
                f"{one.name} has no split {split!r}; it has: {', '.join(one.splits)}."
            )
        if one.splits[split].lengths is not None:
            raise EvaluationError(
                f"{one.name} has sequences of several lengths; expected examples of one size: of two "
                "sequences the longer one is the less likely, whatever it is."
            )
    if data.shape != other.shape:
        raise EvaluationError(
            f"examples of {other.name} have shape {tuple(other.shape)} and those of {data.name} "
            f"{tuple(data.shape)}; expected the same."
        )
    check_positive(batch_size=batch_size, max_examples=1 if max_examples is None else max_examples)
    chosen = choose(model, data, scores)
    contexts = [
        Context(
            model=model,
            data=one,
            split=split,
            x=one.splits[split].tensor(seed=noise)[:max_examples].cpu(),
            seed=noise,
            batch_size=batch_size,
            num_importance_samples=1,
            num_fresh_samples=1,
            max_samples=1,
            progress=progress,
        )
        for one, noise in ((data, seed), (other, seed + 1))
    ]
    with judging(model):
        return {name: detected(name, *contexts) for name in chosen}


def choose(model: object, data: Dataset, names: Sequence[str] | None) -> list[str]:
    """The scores to compute; raises EvaluationError that says what there is."""
    able = offered(model, data)
    missing = [name for name in names or [] if name not in able]
    if missing or not able:
        raise EvaluationError(
            f"a {type(model).__name__} offers {', '.join(able) or 'no score'} on {data.name}"
            + (f", not {missing[0]!r}" if missing else "")
            + f"; there are: {', '.join(SCORES)} (log_prob, elbo, energy, or encode and decode)."
        )
    return able if names is None else [name for name in able if name in names]


def detected(name: str, inside: Context, outside: Context) -> Detected:
    """One score on both sets."""
    ours, theirs = (SCORES[name].compute(context) for context in (inside, outside))
    found = detection(ours, theirs, generator=inside.generator("bootstrap"))
    share = len(ours) / (len(ours) + len(theirs))
    chance = {"auroc": 0.5, "aupr_in": share, "aupr_out": 1 - share, "fpr95": 0.95}
    protocol = (
        f"score {name}, {inside.data.name} (inside) against {outside.data.name}, "
        f"{len(ours)} and {len(theirs)} examples, chance {{:.3g}}, standard error {{}}; {inside.noise}"
    )
    measurements = {}
    for key, (value, error) in found.items():
        by = "by DeLong" if key == "auroc" else f"by {NUM_RESAMPLES} resamples, seed {inside.seed}"
        measurements[key] = Measurement(
            key,
            value,
            error,
            len(ours) + len(theirs),
            "",
            inside.split,
            protocol=protocol.format(chance[key], by),
        )
    return Detected(ours, theirs, measurements)
