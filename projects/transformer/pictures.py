"""Pictures of a transformer on text: where it looks, what surprises it, what context and cache buy.

python -m projects.transformer.pictures    # writes figures/ from the goal's weights
"""

import io
import time
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from common.data import encode
from common.evaluation.figures import BLUE, GREY, ORANGE
from common.files import write_bytes
from common.projects import find_project
from common.weights import rebuild
from projects.transformer.model import Transformer
from projects.transformer.ngram import NGram

FIGURES = Path(__file__).parent / "figures"
COLOURS = (BLUE, ORANGE, GREY, "#2f855a", "#805ad5")


def seen(character: str) -> str:
    """A character as it is shown on an axis: the end of a line and the space get a sign."""
    return {"\n": "↵", " ": "␣"}.get(character, character)


def heads_figure(model: Transformer, text: str, vocabulary: tuple[str, ...]) -> Figure:
    """Every head's attention weights over a text, layers from top to bottom."""
    weights = model.attention_weights(encode(text, vocabulary)[None])[:, 0]  # (layers, h, T, T)
    rows, columns = weights.shape[:2]
    figure = Figure(figsize=(2.1 * columns, 2.1 * rows + 0.3), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for layer in range(rows):
        for head in range(columns):
            axes = grid[layer, head]
            axes.imshow(weights[layer, head].sqrt().cpu().numpy(), cmap="Blues", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_color("#cbd5e0")
            if layer == 0:
                axes.set_title(f"head {head + 1}", fontsize=9)
        grid[layer, 0].set_ylabel(f"layer {layer + 1}\nlooks from", fontsize=9)
    grid[-1, 0].set_xlabel("to", fontsize=9)
    return figure


def head_figure(weights: Tensor, text: str, *, title: str = "") -> Figure:
    """One head's weights (T, T) with the characters on both axes."""
    figure = Figure(figsize=(6.2, 6.2), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(weights.sqrt().cpu().numpy(), cmap="Blues", vmin=0, vmax=1)
    places = range(len(text))
    axes.set_xticks(places, [seen(c) for c in text], fontsize=7, family="monospace")
    axes.set_yticks(places, [seen(c) for c in text], fontsize=7, family="monospace")
    axes.tick_params(length=0)
    axes.set(xlabel="looks at", ylabel="character", title=title)
    axes.title.set_fontsize(10)
    return figure


def surprise_figure(text: str, nats: dict[str, Tensor], *, columns: int = 64) -> Figure:
    """The text in coloured cells, one panel a model: the more nats a character cost, the darker.

    Args:
        text: T characters.
        nats: (T,) of each model, by name.
        columns: characters in a line of the picture.
    """
    lines = -(-len(text) // columns)
    height = 0.2 * lines * len(nats) + 0.35 * len(nats) + 0.4
    figure = Figure(figsize=(9.0, height), layout="constrained")
    grid = figure.subplots(len(nats), 1, squeeze=False)
    for axes, (name, values) in zip(grid[:, 0], nats.items(), strict=True):
        cells = torch.full((lines * columns,), float("nan"))
        cells[: len(text)] = values.float()
        shown = axes.imshow(
            cells.view(lines, columns).numpy(), cmap="Oranges", vmin=0, vmax=6, aspect="auto"
        )
        for place, character in enumerate(text):
            dark = values[place] > 3.5
            axes.text(
                place % columns, place // columns, seen(character), ha="center", va="center",
                fontsize=8, family="monospace", color="white" if dark else "#1a202c",
            )  # fmt: skip
        axes.set_title(f"{name}: {values.mean():.2f} nats a character", fontsize=9, loc="left")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    figure.colorbar(shown, ax=grid[:, 0].tolist(), label="nats", fraction=0.02, pad=0.01)
    return figure


def context_figure(curves: dict[str, Tensor]) -> Figure:
    """Mean nats of the t-th character of a window, of each model: what t characters of context buy."""
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for (name, values), colour in zip(curves.items(), COLOURS, strict=False):
        axes.plot(
            range(1, len(values) + 1), values.cpu().numpy(), color=colour, linewidth=1.8, label=name
        )
    axes.set_xscale("log", base=2)
    ticks = [2**k for k in range(20) if 2**k <= max(map(len, curves.values()))]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set(xlabel="characters that are seen", ylabel="nats of the next one")
    return tidy(figure)


def positions_figure(model: Transformer) -> Figure:
    """Cosines between the learned positions, (context, context)."""
    unit = torch.nn.functional.normalize(model.position.weight.detach(), dim=1)
    figure = Figure(figsize=(3.6, 3.2), layout="constrained")
    axes = figure.add_subplot()
    shown = axes.imshow((unit @ unit.T).cpu().numpy(), cmap="RdBu", vmin=-1, vmax=1)
    axes.set(xlabel="position", ylabel="position")
    figure.colorbar(shown, label="cosine")
    return figure


def times(model: Transformer, lengths: list[int], *, cached: bool, repeats: int = 3) -> list[float]:
    """Seconds to draw so many tokens after a start, the best of some tries of each."""
    prompt, found = torch.full((1, 1), model.start), []
    for length in lengths:
        tries = []
        for _ in range(repeats):
            start = time.perf_counter()
            model.generate(prompt, length, temperature=0.0, cached=cached)
            tries.append(time.perf_counter() - start)
        found.append(min(tries))
    return found


def times_figure(lengths: list[int], seconds: dict[str, list[float]]) -> Figure:
    """How long so many characters take, on logarithmic axes, with the slopes' meaning plain."""
    figure = Figure(figsize=(5.4, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for (name, values), colour in zip(seconds.items(), COLOURS, strict=False):
        axes.loglog(lengths, values, "o-", color=colour, markersize=4, label=name)
    axes.set_xticks(lengths, [str(length) for length in lengths])
    axes.minorticks_off()
    axes.set(xlabel="characters drawn", ylabel="seconds")
    return tidy(figure)


def tidy(figure: Figure) -> Figure:
    """The look of every line plot here."""
    (axes,) = figure.axes
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    return figure


def save(figure: Figure, name: str) -> None:
    """Write a figure into figures/ as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    FIGURES.mkdir(exist_ok=True)
    write_bytes(FIGURES / name, buffer.getvalue())


def main() -> None:
    """Draw the README's pictures from the weights of the goal on the CPU."""
    project = find_project("transformer")
    config = project.preset("cpu")
    model, data = rebuild(
        project, config, project.folder / "results" / "shakespeare-cpu.safetensors"
    )
    counts = NGram(data.origin.train.x, len(data.vocabulary), order=6)
    windows = data.valid.x[40:44]
    text = "".join(data.vocabulary[symbol] for symbol in windows[:, 1:].flatten())
    with torch.no_grad():
        nats = {"transformer": -model.step_log_prob(windows).flatten()}
        curves = {"transformer": -model.step_log_prob(data.valid.x).mean(0)}
    nats["6-grams"] = -counts.step_log_prob(windows).flatten()
    curves["6-grams"] = -counts.step_log_prob(data.valid.x).mean(0)
    save(surprise_figure(text, nats), "surprise.png")
    save(context_figure(curves), "context.png")
    save(heads_figure(model, text[:64], data.vocabulary), "attention.png")


if __name__ == "__main__":
    main()
