"""Figures show what they are given, and leave matplotlib's global state alone."""

import json
import sys

import numpy as np
import pytest
import torch
from torch import nn

from common.data import DynamicBinarisation, load
from common.evaluation import EvaluationError, figures


class Planar(nn.Module):
    """Two latents that shade the 64 pixels of a digit, and a density in the plane."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 128).view(2, 64))

    def decode(self, z):
        return torch.sigmoid(z @ self.weight).view(-1, 1, 8, 8)

    def log_prob(self, x):
        return -x.square().sum(1)


@pytest.fixture(scope="module")
def digits():
    return load("digits", preprocess=DynamicBinarisation(17))


def pixels(figure):
    return figure.axes[0].images[0].get_array()


def test_a_grid_shows_each_sample_in_its_place(digits):
    samples = torch.zeros(4, 1, 8, 8)
    samples[2] = 1.0
    canvas = pixels(figures.sample_grid(samples, digits))
    side = (canvas.shape[0] - 1) // 2
    assert canvas[side + 1 :, :side].min() == 1.0
    assert canvas[:side].max() < 1.0


def test_levels_are_shown_as_intensities():
    data = load("digits")
    images = figures.to_images(data.test.x[:5].float(), data)
    np.testing.assert_allclose(images, data.test.x[:5, 0].numpy() / 16)


def test_every_figure_draws(digits, tmp_path):
    model, ring = Planar(), load("ring")
    x = digits.test.tensor()[:6]
    made = [
        figures.sample_grid(ring.test.x[:50], ring),
        figures.reconstructions(x, x, digits),
        figures.interpolation(model, torch.zeros(2, 2), torch.ones(2, 2), digits, steps=3),
        figures.manifold(model, digits, side=3),
        figures.traversal(model, torch.zeros(2), digits, dims=[0, 1]),
        figures.density_contours(model, ring, resolution=20),
        figures.density_contours(model, load("moons"), resolution=20),
    ]
    for k, figure in enumerate(made):
        figure.savefig(tmp_path / f"{k}.png")
        assert (tmp_path / f"{k}.png").stat().st_size > 1000
    if "matplotlib.pyplot" in sys.modules:
        assert not sys.modules["matplotlib.pyplot"].get_fignums()


def test_a_spherical_path_keeps_its_length():
    start, end = torch.eye(4)[:2], torch.eye(4)[2:]
    middle = figures.slerp(start, end, torch.tensor(0.5))
    torch.testing.assert_close(middle.norm(dim=1), torch.ones(2))


def test_training_curves_are_read_from_the_metrics(tmp_path):
    lines = [{"step": k, "epoch": k, "seconds": k, "loss": 9.0 - k} for k in range(5)]
    lines[4]["valid"] = 4.5
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    axes = figures.training_curves(tmp_path).axes[0]
    assert list(axes.lines[0].get_ydata()) == [9.0, 8.0, 7.0, 6.0, 5.0]
    assert list(axes.lines[2].get_ydata()) == [4.5]
    with pytest.raises(EvaluationError, match="does not exist"):
        figures.training_curves(tmp_path / "nowhere")


def test_examples_that_are_no_images_are_refused():
    with pytest.raises(EvaluationError, match="expected images"):
        figures.to_images(torch.zeros(3, 2), load("ring"))
