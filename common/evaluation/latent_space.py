"""Can one walk in a space of codes? Lengths of decoded paths, neighbourhoods, what lies halfway."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from common.evaluation.copying import nearest_neighbours
from common.evaluation.measurement import EvaluationError
from common.evaluation.points import as_points

Map = Callable[[Tensor], Tensor]
Estimate = tuple[float, float]
ROWS = 1024  # decoded at once


@dataclass(frozen=True)
class Paths:
    """What decoded straight walks between codes look like; (B,) float64 each.

    Attributes:
        length: of the curve through the decoded points.
        straightness: the distance of its ends over its length, in [0, 1]: 1 if it is straight.
        largest_step: over the mean step: 1 at constant speed, `steps` if all happens at once.
    """

    length: Tensor
    straightness: Tensor
    largest_step: Tensor


@dataclass(frozen=True)
class Realism:
    """How far what lies halfway is from the data, in the unit of the features.

    Attributes:
        distance: mean distance of the decoded midpoints to their nearest training examples.
        standard_error: over midpoints.
        floor: the same of held-out examples: what perfect midpoints would have.
        blend: the same of the means of the two decoded ends: what no code at all would have.
    """

    distance: float
    standard_error: float
    floor: float
    blend: float


@torch.no_grad()
def paths(
    decode: Map,
    start: Tensor,
    end: Tensor,
    *,
    steps: int = 16,
    features: Map | None = None,
    spherical: bool = False,
) -> Paths:
    """Follow the decoded walk from start[i] to end[i].

    The length sum_k |f(g(z_k)) - f(g(z_{k-1}))| is a lower bound of the curve's under the metric
    that decoder and features pull back (Chen et al. 2018, "Metrics for deep generative models";
    Shao et al. 2018), which rises with the number of steps.

    Args:
        decode: g, codes (n, ...) -> (n, *event).
        start: (B, ...) codes.
        end: (B, ...) codes.
        steps: at least 1.
        features: f, (n, *event) -> (n, ...); the decoded values themselves if None.
        spherical: along great circles.

    Raises:
        EvaluationError: unlike shapes, steps below 1, or values that are not numbers.

    >>> double = lambda z: 2 * z
    >>> paths(double, torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])).length
    tensor([10.], dtype=torch.float64)
    """
    check_ends(start, end)
    if steps < 1:
        raise EvaluationError(f"steps is {steps}, expected at least 1.")
    weights = torch.linspace(0, 1, steps + 1, dtype=start.dtype, device=start.device)
    codes = torch.stack([between(start, end, w, spherical) for w in weights], 1)
    points = seen(decode, codes.flatten(0, 1), features).view(len(start), steps + 1, -1)
    moves = points.diff(dim=1).norm(dim=2)  # (B, steps)
    length = moves.sum(1)
    still = length == 0
    chord = (points[:, -1] - points[:, 0]).norm(dim=1)
    safe = length.masked_fill(still, 1)
    return Paths(
        length=length,
        straightness=(chord / safe).masked_fill(still, 1).clamp(max=1),
        largest_step=(moves.amax(1) * steps / safe).masked_fill(still, 1),
    )


@torch.no_grad()
def perceptual_path_length(
    decode: Map,
    start: Tensor,
    end: Tensor,
    *,
    generator: torch.Generator,
    eps: float = 1e-3,
    features: Map | None = None,
    spherical: bool = False,
) -> Estimate:
    """E |f(g(z_{t + eps})) - f(g(z_t))|^2 / eps^2 at a random place of each walk (Karras et al. 2019).

    The paper's f is a VGG net's distance and its eps 1e-4; here f is the caller's, with squared
    Euclidean distance, and eps is larger because decoders compute in float32.

    Args:
        decode: g, codes (n, ...) -> (n, *event).
        start: (B, ...) codes, B >= 2.
        end: (B, ...) codes.
        generator: source of t, uniform on [0, 1 - eps].
        eps: in (0, 1).
        features: f; the decoded values themselves if None.
        spherical: along great circles, as the paper does in the space of the prior.

    Returns:
        The mean over walks, and its standard error.

    Raises:
        EvaluationError: unlike shapes, fewer than two walks, eps out of range, or no numbers.
    """
    check_ends(start, end)
    if not 0 < eps < 1:
        raise EvaluationError(f"eps is {eps}, expected a step between 0 and 1.")
    if len(start) < 2:
        raise EvaluationError(f"{len(start)} walk, expected two or more for a standard error.")
    shape = (len(start), *[1] * (start.dim() - 1))
    t = (1 - eps) * torch.rand(shape, generator=generator, dtype=torch.float64).to(start)
    here, there = (seen(decode, between(start, end, w, spherical), features) for w in (t, t + eps))
    values = (there - here).square().sum(1) / eps**2
    return mean_and_error(values)


@torch.no_grad()
def local_lipschitz(
    decode: Map,
    codes: Tensor,
    *,
    generator: torch.Generator,
    radius: float = 1e-2,
    num_directions: int = 16,
    features: Map | None = None,
) -> Tensor:
    """How fast the decoded value changes about each code: the most of a few random directions.

    max_u |f(g(z + r u)) - f(g(z))| / r over unit vectors u: a lower bound of the Lipschitz constant
    about z; of a smooth decoder, and for small r, of the largest singular value of its Jacobian.

    Args:
        decode: g, codes (n, d) -> (n, *event).
        codes: (B, ...).
        generator: source of the directions.
        radius: r > 0, in the unit of the codes.
        num_directions: at least 1.
        features: f; the decoded values themselves if None.

    Returns:
        (B,) float64.

    Raises:
        EvaluationError: a number out of range, or values that are not numbers.
    """
    if radius <= 0 or num_directions < 1:
        raise EvaluationError(
            f"radius is {radius} and num_directions {num_directions}, expected a positive distance "
            f"and at least 1."
        )
    here, found = seen(decode, codes, features), []
    for _ in range(num_directions):
        step = torch.randn(codes.shape, generator=generator, dtype=torch.float64).to(codes)
        step = radius * torch.nn.functional.normalize(step.flatten(1), dim=1).view_as(codes)
        found.append((seen(decode, codes + step, features) - here).norm(dim=1) / radius)
    return torch.stack(found).amax(0)


def neighbourhoods(x: Tensor, codes: Tensor, *, k: int = 10) -> tuple[float, float]:
    """Trustworthiness and continuity of codes (Venna, Kaski 2001), each 1 at best.

    Trustworthiness falls when points that are far apart in the data have near codes (a fold),
    continuity when near points have far codes (a tear):
    1 - 2 / (n k (2 n - 3 k - 1)) sum_i sum_j (r(i, j) - k), over the j among the k nearest of i in
    the one space but not in the other, where r is the rank of their distance. Random codes have
    about 1/2.

    Args:
        x: (n, *event) examples, n > 2 k.
        codes: (n, ...) of the same examples in the same order.
        k: neighbours, at least 1.

    Raises:
        EvaluationError: unlike lengths, too few examples, or values that are not numbers.
    """
    from sklearn.manifold import trustworthiness

    if k < 1:
        raise EvaluationError(f"k is {k}, expected at least 1.")
    why = f"neighbourhoods of {k}"
    data, code = (
        as_points(values, name, least=2 * k + 1, why=why).numpy()
        for values, name in ((x, "examples"), (codes, "codes"))
    )
    if len(data) != len(code):
        raise EvaluationError(f"{len(data)} examples and {len(code)} codes, expected as many.")
    return (
        float(trustworthiness(data, code, n_neighbors=k)),
        float(trustworthiness(code, data, n_neighbors=k)),
    )


@torch.no_grad()
def midpoint_realism(
    decode: Map,
    start: Tensor,
    end: Tensor,
    held_out: Tensor,
    train: Tensor,
    *,
    features: Map | None = None,
    spherical: bool = False,
) -> Realism:
    """Is what a decoder puts halfway between two codes as near to the data as data are?

    Distances to the nearest training example, beside those of held-out examples and of the plain
    mean of the two decoded ends. A small distance says realistic, not new: copies have 0.

    Args:
        decode: codes (n, ...) -> (n, *event).
        start: (B, ...) codes, B >= 2.
        end: (B, ...) codes.
        held_out: (m, *event).
        train: (N, *event).
        features: the space of the distances; that of the examples if None.
        spherical: halfway along great circles.

    Raises:
        EvaluationError: unlike shapes, fewer than two walks, or values that are not numbers.
    """
    check_ends(start, end)
    if len(start) < 2:
        raise EvaluationError(f"{len(start)} walk, expected two or more for a standard error.")
    ends = (decode(start) + decode(end)) / 2
    halfway = between(start, end, torch.tensor(0.5).to(start), spherical)
    known = seen(lambda x: x, train, features)
    distance, floor, blend = (
        nearest_neighbours(points, known)[0]
        for points in (
            seen(decode, halfway, features),
            *(seen(lambda x: x, values, features) for values in (held_out, ends)),
        )
    )
    return Realism(*mean_and_error(distance), floor.mean().item(), blend.mean().item())


def slerp(start: Tensor, end: Tensor, weight: Tensor) -> Tensor:
    """Spherical interpolation of each row (Shoemake 1985); weight is a number or one for each row."""
    a, b, weight = start.flatten(1), end.flatten(1), weight.reshape(-1, 1)
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=1).clamp(-1 + 1e-6, 1 - 1e-6)
    angle = cosine.arccos()[:, None]
    mixed = ((1 - weight) * angle).sin() * a + (weight * angle).sin() * b
    return (mixed / angle.sin()).view_as(start)


def between(start: Tensor, end: Tensor, weight: Tensor, spherical: bool) -> Tensor:
    """The codes a part `weight` of the way along."""
    return slerp(start, end, weight) if spherical else torch.lerp(start, end, weight)


def seen(decode: Map, codes: Tensor, features: Map | None) -> Tensor:
    """(n, D) float64 features of what codes decode to, a block of rows at a time."""
    parts = []
    for block in codes.split(ROWS):
        decoded = decode(block)
        parts.append((decoded if features is None else features(decoded)).flatten(1).double().cpu())
    return as_points(torch.cat(parts), "decoded values", least=1, why="a distance")


def check_ends(start: Tensor, end: Tensor) -> None:
    """EvaluationError unless start and end are as many codes of one shape."""
    if start.shape != end.shape or start.dim() < 2:
        raise EvaluationError(
            f"start has shape {tuple(start.shape)} and end {tuple(end.shape)}, expected the same, "
            f"(B, ...): a code for either end of each walk."
        )


def mean_and_error(values: Tensor) -> Estimate:
    """The mean of (n,) values and its standard error."""
    return values.mean().item(), (values.std() / math.sqrt(len(values))).item()
