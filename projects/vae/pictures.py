"""Draw the README's figures of the latent plane and of the bound: python -m projects.vae.pictures.

They need trained runs: `dgm train vae --preset manifold` and `dgm train vae --preset demo`.
"""

import math

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from torch import Tensor

from common.evaluation import figures
from common.projects import find_project, run_folder
from common.runs import open_run
from projects.vae.model import VAE


def main() -> None:
    """Write figures/manifold.png and figures/bound.png."""
    folder = find_project("vae").folder / "figures"
    folder.mkdir(exist_ok=True)
    model, data = open_run(run_folder("vae", "manifold")).load()
    figures.manifold(model, data, side=16).savefig(folder / "manifold.png")
    model, data = open_run(run_folder("vae", "demo")).load()
    bound(model, data.test.tensor(seed=0)[:200]).savefig(folder / "bound.png", dpi=130)


class Plane:
    """A Bernoulli VAE with two latents on a fine grid: its integrals over z, done by summation.

    Attributes:
        ticks: (T,) the grid's coordinates in each dimension.
        log_joint: (T * T, B) log p(x, z) plus the log area that a grid point stands for.
    """

    def __init__(self, model: VAE, x: Tensor, *, reach: float = 5.5, steps: int = 401):
        self.ticks = torch.linspace(-reach, reach, steps, dtype=x.dtype)
        z = torch.cartesian_prod(self.ticks, self.ticks)  # (S, 2)
        log_prior = -0.5 * z.square().sum(1) - math.log(2 * math.pi)
        with torch.no_grad():
            logits = model.decoder(z)  # (S, D)
        log_normaliser = torch.nn.functional.softplus(logits).sum(1)
        area = 2 * torch.log(self.ticks[1] - self.ticks[0])
        self.log_joint = logits @ x.flatten(1).T + (log_prior - log_normaliser + area)[:, None]

    @property
    def log_evidence(self) -> Tensor:
        """log p(x) in nats, (B,)."""
        return self.log_joint.logsumexp(0)

    def posterior(self, i: int) -> Tensor:
        """p(z|x) of example i on the grid, (T, T): first latent across, second one upwards."""
        size = len(self.ticks)
        return self.log_joint[:, i].softmax(0).view(size, size).T


@torch.no_grad()
def ladder(model: VAE, x: Tensor, *, num_samples: int = 4096) -> dict[int, Tensor]:
    """The importance-weighted bounds for K = 1, 2, 4, ..., from the same draws of z.

    Returns:
        K -> (num_samples / K, B) nats: each row is one independent estimate of the bound.
    """
    generator = torch.Generator().manual_seed(7)
    log_weights = model.log_weights(x, num_samples=num_samples, generator=generator)  # (S, B)
    sizes = [2**n for n in range(num_samples.bit_length())]
    return {k: log_weights.reshape(-1, k, len(x)).logsumexp(1) - math.log(k) for k in sizes}


@torch.no_grad()
def bound(model: VAE, x: Tensor) -> Figure:
    """Four posteriors with the encoder's Gaussians, and the bound's way to log p(x)."""
    plane, bounds = Plane(model, x), ladder(model, x)
    gap = plane.log_evidence - bounds[1].mean(0)
    order = gap.argsort()
    figure = Figure(figsize=(11, 2.9), layout="constrained")
    *panels, last = figure.subplots(1, 5, width_ratios=[1, 1, 1, 1, 1.9])
    mean, std = model.encode(x)
    places = {"5 % point": 0.05, "40 % point": 0.4, "75 % point": 0.75, f"worst of {len(x)}": 1.0}
    for axes, (name, place) in zip(panels, places.items(), strict=True):
        i = int(order[int(place * (len(gap) - 1))])
        draw_posterior(axes, plane, i, mean[i], std[i])
        axes.set_title(f"{name}:\ngap {gap[i]:.2f} nats", fontsize=10)
        inset = axes.inset_axes([0.72, 0.72, 0.27, 0.27])
        inset.imshow(x[i, 0], cmap="gray_r")
        inset.set(xticks=[], yticks=[])
    draw_ladder(last, bounds, plane.log_evidence.mean().item())
    return figure


def draw_posterior(axes: Axes, plane: Plane, i: int, mean: Tensor, std: Tensor) -> None:
    """The true posterior of example i, and the encoder's ellipses at one and two deviations."""
    posterior = plane.posterior(i)
    levels = torch.linspace(0.02, 1, 9).tolist()
    axes.contourf(
        plane.ticks, plane.ticks, posterior / posterior.max(), levels=levels, cmap="Blues"
    )
    for reach in (1, 2):
        width, height = (2 * reach * std).tolist()
        axes.add_patch(
            Ellipse(mean.tolist(), width, height, fill=False, color=figures.ORANGE, linewidth=1.3)
        )
    half = 6 * std.max().item()
    right, up = mean.tolist()
    axes.set(xlim=(right - half, right + half), ylim=(up - half, up + half), aspect="equal")
    axes.set(xticks=[], yticks=[])


def draw_ladder(axes: Axes, bounds: dict[int, Tensor], exact: float) -> None:
    """The bound for K = 1, 2, 4, ..., and the exact value."""
    axes.axhline(exact, color=figures.GREY, linestyle="--", label="exact log p(x)")
    means = [values.mean() for values in bounds.values()]
    axes.semilogx(list(bounds), means, "o-", base=2, ms=4, color=figures.BLUE)
    axes.set(xlabel="importance samples K", ylabel="bound, nats")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")


if __name__ == "__main__":
    main()
