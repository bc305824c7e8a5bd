"""The look that all figures share: few colours, thin grey frames, small type."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#718096"
INK, FRAME = "#2d3748", "#cbd5e0"
DPI = 150  # crisp on a page, small enough for a notebook
TITLE, LABEL, TICK = 10, 9, 8  # points


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, laid out without overlaps."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def title(axes: Axes, text: str) -> None:
    """A heading in small type."""
    axes.set_title(text, fontsize=TITLE, color=INK)


def plain(axes: Axes) -> None:
    """Two grey spines, small grey ticks, a faint grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FRAME)
    axes.tick_params(color=FRAME, labelcolor=GREY, labelsize=TICK)
    axes.xaxis.label.set(color=INK, fontsize=LABEL)
    axes.yaxis.label.set(color=INK, fontsize=LABEL)
    axes.grid(color=FRAME, alpha=0.4, linewidth=0.6)
    axes.set_axisbelow(True)


def square(axes: Axes, reach: float) -> None:
    """Equal axes over [-reach, reach]^2 in a thin frame, without ticks."""
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(FRAME)
