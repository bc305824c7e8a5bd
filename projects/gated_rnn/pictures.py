"""The pictures of the README and the notebook: python -m projects.gated_rnn.pictures.

The curves need the runs of the goals: `dgm reproduce gated_rnn`. The chorales need only the weights.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from common.data.music import NUM_KEYS
from common.evaluation import figures
from common.evaluation.figures import BLUE, GREY, ORANGE
from common.evaluation.figures.curves import read_metrics, series
from common.evaluation.figures.style import DPI, LABEL, new_figure, plain
from common.projects import find_project, run_folder
from common.results import result_path
from common.weights import load_weights
from projects.gated_rnn.model import RecurrentNet
from projects.gated_rnn.train import PRESETS

COLOURS = {"tanh": GREY, "gru": BLUE, "lstm": ORANGE}
CHORALE_STEPS = 64  # of what is shown; the model may go on for ever


def main() -> None:
    """Write figures/samples.png and, where the goals' runs are at hand, figures/curves.png."""
    folder = find_project("gated_rnn").folder / "figures"
    drawn = goal_model("gru").sample(4, generator=torch.Generator().manual_seed(0))
    figures.piano_rolls({f"draw {i + 1}": roll for i, roll in enumerate(drawn)}).savefig(
        folder / "samples.png", dpi=DPI
    )
    runs = {unit: run_folder("gated_rnn", unit) for unit in COLOURS}
    if all((run / "metrics.jsonl").exists() for run in runs.values()):
        learning_curves(runs).savefig(folder / "curves.png", dpi=DPI)


def goal_model(goal: str, num_steps: int = CHORALE_STEPS) -> RecurrentNet:
    """The network of a goal with its committed weights; no data set is needed."""
    config, project = PRESETS[goal], find_project("gated_rnn")
    model = RecurrentNet(NUM_KEYS, num_steps, unit=config.unit, hidden_size=config.hidden_size)
    return load_weights(model, result_path(project, goal).with_suffix(".safetensors"))


def learning_curves(runs: Mapping[str, Path]) -> Figure:
    """Training (thin) and validation of each unit by updates and by seconds: Figures 2 and 3."""
    figure = new_figure(8.0, 3.0)
    for axes, x, label in zip(
        figure.subplots(1, 2, sharey=True), ("step", "seconds"), ("updates", "seconds"), strict=True
    ):
        for unit, run in runs.items():
            lines = read_metrics(run / "metrics.jsonl")
            train, valid = epoch_means(lines, x), series(lines, x, "valid")
            colour = COLOURS[unit]
            axes.plot(*train.T, color=colour, linewidth=0.8, linestyle=":")
            axes.plot(*valid.T, color=colour, linewidth=1.5, label=unit)
        axes.set(xlabel=label)
        plain(axes)
    first = figure.axes[0]
    low, high = first.get_ylim()
    first.set(ylabel="nats a step", ylim=(low, min(high, 11.5)))
    first.legend(frameon=False, fontsize=LABEL, labelcolor=GREY)
    return figure


def epoch_means(lines: list[dict], x: str) -> Tensor:
    """The mean training loss between two validations, at the second: (V, 2)."""
    points, losses = [], []
    for line in lines:
        losses.append(line["loss"])
        if "valid" in line:
            points.append((line[x], sum(losses) / len(losses)))
            losses = []
    return torch.tensor(points).view(-1, 2)


@torch.no_grad()
def update_gates(model: RecurrentNet, x: Tensor) -> Tensor:
    """z_t of a GRU while it reads one sequence (T, D): (T, H)."""
    cell, before = model.cell, F.pad(x[:-1], (0, 0, 1, 0))
    h, _ = cell(before[None])
    Wx, _ = cell.project(before)  # (T, 2 H)
    Uh = F.pad(h[0, :-1], (0, 0, 1, 0)) @ cell.U_zr.T
    return torch.sigmoid(Wx + Uh)[:, : cell.hidden_size]


def reach(model: RecurrentNet, x: Tensor, t: int) -> Tensor:
    """How strongly the chord at step t depends on each step before it: (t,), the nearest first.

    The norm of d logits_t / d x_s, averaged over the sequences; of the sum over notes the estimate
    is by 16 random signs each.

    Args:
        x: (B, T, D) with T >= t.
        t: at least 1.
    """
    before = F.pad(x[:, :t], (0, 0, 1, 0)).requires_grad_()  # (B, t + 1, D)
    logits = model.output(model.cell(before)[0][:, -1])  # (B, D)
    generator, total = torch.Generator().manual_seed(0), 0
    for _ in range(16):
        signs = torch.randint(0, 2, logits.shape, generator=generator) * 2.0 - 1
        (gradient,) = torch.autograd.grad((logits * signs).sum(), before, retain_graph=True)
        total = total + gradient[:, 1:].square().sum(2)
    return (total / 16).sqrt().mean(0).flip(0)


if __name__ == "__main__":
    main()
