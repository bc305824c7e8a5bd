"""Samples beside what they may have been copied from."""

from matplotlib.figure import Figure
from torch import Tensor, cdist

from common.data import Dataset
from common.evaluation.features.space import Space, get_space, has_features, intensities
from common.evaluation.figures.images import image_rows
from common.evaluation.measurement import EvaluationError

NTH = ("nearest", "2nd", "3rd", "4th", "5th")


def nearest_neighbours(
    samples: Tensor, train: Tensor, data: Dataset, *, num_neighbours: int = 3, width: float = 7.0
) -> Figure:
    """Samples above the training images that are nearest to them: copies stand out at a glance.

    Nearest in the features of the data's net, which see through small shifts, or in the pixels'
    intensities where there is no net. Above each sample stands its distance to the nearest.

    Args:
        samples: (n, *data.shape) in the model's space; a dozen fit.
        train: (N, *data.shape) training images in the same space, all of them or many.
        data: says how to go back to intensities.
        num_neighbours: 1 to 5 rows of training images.
        width: inches.

    Raises:
        EvaluationError: for no images, NaN, or another number of neighbours.
    """
    if not 1 <= num_neighbours <= min(len(NTH), len(train)):
        raise EvaluationError(
            f"num_neighbours is {num_neighbours}, expected 1 to {min(len(NTH), len(train))}."
        )
    if len(data.info.shape) != 3:
        raise EvaluationError(f"examples of {data.name} are points, expected images: see scatter.")
    space = get_space(data) if has_features(data) else None
    distances = cdist(embed(samples, data, space), embed(train, data, space))  # (n, N)
    near, index = distances.topk(num_neighbours, largest=False)  # (n, k)
    rows = {"sample": samples.reshape(-1, *data.shape)}
    rows |= {NTH[k]: train[index[:, k]] for k in range(num_neighbours)}
    return image_rows(rows, data, width=width, heads=[f"{d:.2f}" for d in near[:, 0].tolist()])


def embed(values: Tensor, data: Dataset, space: Space | None) -> Tensor:
    """(N, d) float64 features, or intensities without a space."""
    values = values.detach().cpu().reshape(-1, *data.shape)
    found = intensities(values, data) if space is None else space.embed(values)
    return found.flatten(1).double()
