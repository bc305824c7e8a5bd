"""The space in which samples are compared: features of images, or the coordinates of points."""

from dataclasses import dataclass

import torch
from torch import Tensor

from common.data import Dataset, Split
from common.evaluation.features import inception
from common.evaluation.features.net import FeatureNet
from common.evaluation.features.store import get_feature_net
from common.evaluation.measurement import EvaluationError

NETS = {
    # data set -> feature net
    "digits": "digits",
    "mnist": "mnist",
    "binarized_mnist": "mnist",
    "fashion_mnist": "fashion_mnist",
    "cifar10": "inception",
}
CHANNELS = {"stacked_mnist": "mnist"}  # data set -> feature net of each of its three channels
FAR = 0.25  # of the range, on average: samples further outside are not of the data's space
ROWS = 5000  # of a split at once


class OutOfRange(EvaluationError):
    """Samples that are no images: far outside of the levels that the data have."""


def has_features(data: Dataset) -> bool:
    """Whether there is a feature net for these images, here and now."""
    net = NETS.get(data.name)
    return net is not None and (net != "inception" or inception.is_ready())


def has_space(data: Dataset) -> bool:
    """Whether examples can be compared: images with a feature net, or points in the plane."""
    return has_features(data) or data.info.shape == (2,)


@dataclass(frozen=True)
class Space:
    """A map from the model's space to where distances mean something.

    Attributes:
        data: the data set with the model's preprocessing.
        net: gives the features of images; None for points.
    """

    data: Dataset
    net: FeatureNet | None

    @property
    def mark(self) -> str:
        """The space as the protocol of a number names it."""
        if self.net is None:
            return "the points themselves"
        return f"{self.net.mark}{', of black and white images' if self.data.is_binary else ''}"

    def embed(self, values: Tensor, *, progress: bool = False) -> Tensor:
        """(N, d) of values (N, *data.shape) in the model's space; EvaluationError out of range."""
        if self.net is None:
            return self.data.to_levels(values)
        return self.net.features(intensities(values, self.data), progress=progress)

    def embed_split(self, split: Split, *, seed: int, progress: bool = False) -> Tensor:
        """(N, d) of a whole split, its preprocessing's noise drawn from `seed`, a part at a time."""
        generator = torch.Generator().manual_seed(seed)
        parts = []
        for start in range(0, len(split), ROWS):
            x = split.batch(slice(start, start + ROWS), generator=generator).cpu()
            parts.append(self.embed(x, progress=progress))
        return torch.cat(parts)


def channel_net(data: Dataset) -> FeatureNet:
    """The net that classifies each channel of images that are stacks of three."""
    return get_feature_net(CHANNELS[data.name])


def channel_classes(values: Tensor, data: Dataset, *, progress: bool = False) -> Tensor:
    """(N, 3) the class of each channel of values (N, *data.shape) in the model's space."""
    images = intensities(values, data)
    single = images.reshape(-1, 1, *images.shape[2:])  # (3 N, 1, H, W)
    net = channel_net(data)
    logits = net.classify(net.features(single, progress=progress))
    return logits.argmax(1).view(-1, 3)


def get_space(data: Dataset, net: str | None = None) -> Space:
    """The space of a data set, by the feature net of its own or of another name.

    Raises:
        EvaluationError: for images without a feature net, or points with one.
    """
    name = net or NETS.get(data.name)
    if data.num_levels is None:
        if net is not None:
            raise EvaluationError(f"{data.name} are no images; leave the feature net {net} out.")
        return Space(data, None)
    if name is None:
        raise EvaluationError(
            f"there is no feature net for {data.name}; there are nets for: {', '.join(NETS)}."
        )
    return Space(data, get_feature_net(name))


def intensities(values: Tensor, data: Dataset) -> Tensor:
    """Images (N, C, H, W) in [0, 1] of values (N, *data.shape) in the model's space.

    They are rounded to the data's levels and clamped to them, as for a picture.

    Raises:
        EvaluationError: for NaN.
        OutOfRange: for values so far outside of the levels that they must be of another space,
            such as [-1, 1], or of a model that has not learned the range.
    """
    bad = (~torch.isfinite(values.flatten(1))).any(1).nonzero().flatten()
    if len(bad):
        raise EvaluationError(
            f"samples: {len(bad)} of {len(values)} hold NaN or infinite values, the first is "
            f"number {bad[0].item()}; expected numbers. Did the training diverge?"
        )
    top = data.num_levels - 1
    raw = data.preprocess.inverse(values) if data.preprocess is not None else values
    outside = ((raw - raw.clamp(0, top)).abs().mean() / top).item()
    if outside > FAR:
        raise OutOfRange(
            f"samples with values from {values.min().item():g} to {values.max().item():g} lie "
            f"outside of the levels 0..{top} of {data.name}, on average by {outside:.0%} of their "
            f"range; expected the space of its preprocessing ({data.preprocess or 'none: levels'})."
        )
    return data.to_levels(values).float() / top
