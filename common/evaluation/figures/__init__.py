"""Pictures that look alike in every notebook and on every page.

Each function returns a `matplotlib.figure.Figure` and touches no global state; show it by ending a
notebook cell with it (after `%matplotlib inline`), or save it with `figure.savefig`.
"""

from common.evaluation.figures.animation import save_animation
from common.evaluation.figures.curves import training_curves
from common.evaluation.figures.images import (
    image_grid,
    image_rows,
    reconstructions,
    sample_grid,
    to_images,
)
from common.evaluation.figures.latents import interpolation, manifold, traversal
from common.evaluation.figures.neighbours import nearest_neighbours
from common.evaluation.figures.plane import density_contours, scatter
from common.evaluation.figures.rolls import piano_rolls
from common.evaluation.figures.scores import score_histograms
from common.evaluation.figures.style import BLUE, GREY, ORANGE
from common.evaluation.latent_space import slerp

__all__ = [
    "BLUE",
    "GREY",
    "ORANGE",
    "density_contours",
    "image_grid",
    "image_rows",
    "interpolation",
    "manifold",
    "nearest_neighbours",
    "piano_rolls",
    "reconstructions",
    "sample_grid",
    "save_animation",
    "scatter",
    "score_histograms",
    "slerp",
    "to_images",
    "training_curves",
    "traversal",
]
