"""The README's figures and those of the notebook: python -m projects.gaussian_mixture.pictures.

figures/climb.png needs nothing; figures/completed.png and figures/samples.png are made with the
committed weights of the goal `digits`.
"""

import math

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from torch import Tensor

from common.data import Dataset, load
from common.evaluation import figures
from common.projects import find_project
from common.weights import load_result
from projects.gaussian_mixture.em import fit
from projects.gaussian_mixture.missing import condition
from projects.gaussian_mixture.model import GaussianMixture
from projects.gaussian_mixture.starts import start
from projects.gaussian_mixture.train import PRESETS, load_data


def main() -> None:
    """Write the three figures of the README."""
    folder = find_project("gaussian_mixture").folder / "figures"
    folder.mkdir(exist_ok=True)
    x = load("pinwheel").train.tensor()[:2000].double()
    climb(x, seed=3)[0].savefig(folder / "climb.png", dpi=130)
    model, _ = load_result("gaussian_mixture", "digits")
    data = load_data(PRESETS["digits"])
    completed(model, data, generator=seeded(1)).savefig(folder / "completed.png", dpi=130)
    draws = model.sample(100, generator=seeded(0))
    figures.sample_grid(draws, data).savefig(folder / "samples.png", dpi=130)


def seeded(seed: int) -> torch.Generator:
    """A fresh generator."""
    return torch.Generator().manual_seed(seed)


def draw_components(axes: Axes, model: GaussianMixture, colour: str = figures.ORANGE) -> None:
    """Each component's ellipse of two standard deviations, its line as thick as its weight."""
    values, vectors = torch.linalg.eigh(model.covariances.detach())
    for k, weight in enumerate(model.weights.tolist()):
        across, along = vectors[k, :, 1].tolist()
        axes.add_patch(
            Ellipse(
                model.means[k].tolist(),
                *(4 * values[k].flip(0).sqrt()).tolist(),
                angle=math.degrees(math.atan2(along, across)),
                fill=False,
                color=colour,
                linewidth=min(2.4, 0.6 + 12 * weight),
            )
        )


def climb(
    x: Tensor, *, num_components: int = 10, seed: int = 0, stops: tuple[int, ...] = (0, 1, 5, 100)
) -> tuple[Figure, GaussianMixture, list[float]]:
    """EM on points of the plane (N, 2) from random ones: some iterates, and the likelihood.

    Returns:
        The figure, the mixture after the last stop, the mean log-likelihood before every iteration.
    """
    model = GaussianMixture(num_components, 2)
    start(model, x, method="random", generator=seeded(seed))
    figure = Figure(figsize=(10, 2.3), layout="constrained")
    panels = figure.subplots(1, len(stops) + 1)
    reach, history = 1.05 * x.abs().max().item(), []
    for axes, stop in zip(panels, stops, strict=False):
        history += fit(model, x, iterations=stop - len(history))[:-1]
        axes.scatter(*x[:1000].T, s=1, color=figures.GREY, alpha=0.5, linewidths=0)
        draw_components(axes, model)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
        axes.set_title(f"{stop} iterations" if stop != 1 else "1 iteration", fontsize=9)
    panels[-1].plot(range(len(history)), history, color=figures.BLUE)
    panels[-1].set_title("mean log p(x), nats", fontsize=9)
    panels[-1].set(xscale="symlog", xlabel="iteration")
    panels[-1].spines[["top", "right"]].set_visible(False)
    return figure, model, history


def completed(
    model: GaussianMixture,
    data: Dataset,
    *,
    generator: torch.Generator,
    num_images: int = 8,
    num_draws: int = 5,
) -> Figure:
    """Test images, their upper halves alone, and the lower half drawn from p(lower | upper)."""
    images = data.test.tensor(seed=0)[:num_images].double()
    observed = torch.zeros(model.shape, dtype=torch.bool)
    observed[..., : model.shape[-2] // 2, :] = True
    halves = torch.where(observed, images, images.min())
    rows = {"test image": images, "observed": halves}
    draws = torch.stack([halves] * num_draws)  # (draws, images, 1, H, W)
    for i, image in enumerate(images):
        lower = condition(model, image, observed)
        draws[:, i, ~observed] = lower.sample(num_draws, generator=generator)
    rows |= {"draws" if k == 0 else " " * k: draw for k, draw in enumerate(draws)}
    return figures.image_rows(rows, data)


if __name__ == "__main__":
    main()
