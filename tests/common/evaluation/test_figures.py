"""Figures show what they are given, and leave matplotlib's global state alone."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from common.data import Compose, Dataset, DynamicBinarisation, Flatten, Scale, load
from common.data.registry import get_info
from common.evaluation import EvaluationError, figures
from common.evaluation.figures import plane


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


def test_the_plane_of_latents_has_lines_between_images_and_the_codes_beside_them(digits):
    """Digits that fill their height would melt into chains without a line."""
    figure = figures.manifold(Planar(), digits, side=5, gap=2)
    axes = figure.axes[0]
    canvas = axes.images[0].get_array()
    side = (canvas.shape[0] - 8) // 5
    assert np.ptp(canvas[side : side + 2]) == np.ptp(canvas[:, side : side + 2]) == 0
    quantiles = ["−1.3", "−0.5", "0.0", "0.5", "1.3"]
    assert [label.get_text() for label in axes.get_xticklabels()] == quantiles
    assert [label.get_text() for label in axes.get_yticklabels()] == quantiles[::-1]


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


def test_a_frame_holds_every_validation_and_a_loss_of_zero_is_a_loss(tmp_path):
    lines = [{"step": k, "loss": 0.0, "valid": 7.0} for k in range(60)]
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 60, "lo')
    axes = figures.training_curves(path).axes[0]
    assert len(axes.lines[0].get_ydata()) == 60  # not the line that a killed run left half written
    assert axes.get_ylim()[0] < 0 < 7 < axes.get_ylim()[1]
    path.write_text('{"step": 1, "loss"\n{"step": 2, "loss": 1.0}\n')
    with pytest.raises(EvaluationError, match="line 1, is not JSON"):
        figures.training_curves(path)
    path.write_text('{"step": 1}\n')
    with pytest.raises(EvaluationError, match="neither `loss` nor `valid`"):
        figures.training_curves(path)


def test_probabilities_of_binary_pixels_keep_their_grey_whatever_the_layout():
    grey = torch.full((2, 64), 0.3)
    for preprocess in (DynamicBinarisation(17), Compose([DynamicBinarisation(17), Flatten()])):
        data = load("digits", preprocess=preprocess)
        images = figures.to_images(grey.view(2, *data.shape), data)
        np.testing.assert_allclose(images, np.full((2, 8, 8), 0.3), rtol=1e-6)


def test_pixels_of_a_grid_are_whole_multiples(digits):
    figure = figures.sample_grid(torch.zeros(9, 1, 8, 8), digits, width=4.0)
    canvas = pixels(figure)
    box = figure.axes[0].get_position()
    assert figure.get_figwidth() == 4.0
    on_screen = box.width * figure.get_figwidth() * figure.dpi
    assert on_screen / canvas.shape[1] == pytest.approx(round(on_screen / canvas.shape[1]))


def test_a_traversal_moves_one_latent_and_leaves_the_others(digits):
    codes = []
    model = Planar()
    model.decode = lambda z: codes.append(z) or torch.zeros(len(z), 1, 8, 8)
    figures.traversal(model, torch.tensor([0.5, 0.7]), digits, dims=[1], reach=2.0, steps=3)
    assert codes[0].tolist() == [[0.5, -2.0], [0.5, 0.0], [0.5, 2.0]]


def test_the_density_that_is_drawn_integrates_to_one():
    ring = load("ring")
    grid = plane.on_grid(ring.density.log_prob, torch.zeros(()), 3.0, 200)
    assert grid.sum().item() * (6.0 / 199) ** 2 == pytest.approx(1, abs=0.01)
    top = plane.on_grid(lambda x: x[:, 1].log(), torch.zeros(()), 3.0, 3)
    assert top[2].tolist() == pytest.approx([3.0] * 3)  # rows from below


def test_a_copy_stands_above_the_image_it_was_copied_from(digits):
    train = digits.train.tensor()[:300]
    samples = torch.stack([train[250], digits.test.tensor()[0]])
    figure = figures.nearest_neighbours(samples, train, digits, num_neighbours=2)
    canvas = pixels(figure)
    side = (canvas.shape[1] - 1) // 2
    copy, nearest = canvas[:side, :side], canvas[side + 1 : 2 * side + 1, :side]
    np.testing.assert_array_equal(copy, nearest)
    other, nearest = canvas[:side, side + 1 :], canvas[side + 1 : 2 * side + 1, side + 1 :]
    assert (other != nearest).any()
    heads = [float(label.get_text()) for label in figure.axes[0].get_xticklabels()]
    assert heads[0] == 0
    assert heads[1] > 0.1


def test_neighbours_without_a_feature_net_are_those_of_the_pixels():
    shapes = load("shapes", preprocess=Scale())
    train = shapes.train.tensor()[:50]
    figures.nearest_neighbours(train[:3], train, shapes)
    with pytest.raises(EvaluationError, match="num_neighbours is 6, expected 1 to 5"):
        figures.nearest_neighbours(train[:3], train, shapes, num_neighbours=6)
    ring = load("ring")
    with pytest.raises(EvaluationError, match="are points, expected images"):
        figures.nearest_neighbours(ring.test.x[:3], ring.train.x, ring)


def test_rows_of_different_lengths_are_refused(digits):
    x = digits.test.tensor()
    with pytest.raises(EvaluationError, match=r"lengths \[2, 3\], expected one length"):
        figures.image_rows({"data": x[:2], "model": x[:3]}, digits)


def test_examples_that_are_no_images_are_refused():
    with pytest.raises(EvaluationError, match="expected images"):
        figures.to_images(torch.zeros(3, 2), load("ring"))


def test_piano_rolls_show_the_keys_that_sound():
    roll = torch.zeros(5, 88)
    roll[1:3, 60 - 21] = 1
    figure = figures.piano_rolls({"one": roll, "two": roll, "three": roll})
    one, two, three, empty = figure.axes
    assert [axes.get_title() for axes in (one, two, three)] == ["one", "two", "three"]
    assert not empty.axison
    assert one.get_ylim() == (58, 62)
    assert [label.get_text() for label in one.get_yticklabels()] == ["C4"]
    shown = one.images[0]
    left, right, bottom, top = shown.get_extent()
    row = int((60 - bottom) / (top - bottom) * 88)
    assert shown.get_array().filled(0)[row].tolist() == [0, 1, 1, 0, 0]
    assert (left, right) == (0, 5)
    figures.piano_rolls({"silence": torch.zeros(5, 88)})
    with pytest.raises(EvaluationError, match=r"shapes \[\(2, 5, 88\)\], expected"):
        figures.piano_rolls({"batch": torch.zeros(2, 5, 88)})


def test_samples_of_chorales_are_piano_rolls():
    info = replace(get_info("jsb_chorales"), shape=(5, 88))
    figure = figures.sample_grid(torch.zeros(3, 5, 88), Dataset(info, {}))
    assert [axes.get_title() for axes in figure.axes[:3]] == ["sample 1", "sample 2", "sample 3"]


def test_animation_shows_each_state_and_holds_the_last(digits, tmp_path):
    from PIL import Image

    states = [torch.full((6, 1, 8, 8), level) for level in (0.0, 0.5, 1.0)]
    path = tmp_path / "samples.webp"
    figures.save_animation(states, digits, path, columns=3, milliseconds=40, hold=900)
    with Image.open(path) as image:
        assert image.n_frames == 3
        shades, durations = [], []
        for k in range(3):
            image.seek(k)
            shades.append(image.convert("L").getpixel((4, 4)))
            durations.append(image.info["duration"])
        width, height = image.size
    assert shades[0] == 255  # no ink on white, as in the other figures
    assert 100 < shades[1] < 160
    assert shades[2] == 0
    assert durations == [40, 40, 900]
    assert width > height  # two rows of three


def test_animation_of_one_state_or_of_points_is_refused(digits, tmp_path):
    with pytest.raises(EvaluationError, match="at least two"):
        figures.save_animation([torch.zeros(1, 1, 8, 8)], digits, tmp_path / "a.webp")
    with pytest.raises(EvaluationError, match="expected images"):
        figures.save_animation([torch.zeros(1, 2)] * 2, load("ring"), tmp_path / "a.webp")
