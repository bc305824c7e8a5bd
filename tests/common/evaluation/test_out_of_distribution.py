"""Scores of models on data that are not theirs, spoilt data, and the command that prints them."""

import json
import math

import pytest
import torch
from torch import nn

from common.cli import main
from common.data import Compose, DynamicBinarisation, Logit, Scale, UniformDequantisation, load
from common.data.dataset import Dataset
from common.evaluation import EvaluationError, figures
from common.evaluation import out_of_distribution as ood
from common.evaluation.out_of_distribution import SCORES, detect, offered, png_nats
from common.evaluation.shifted import SPOILT, other
from tests.common.evaluation.models import LinearGaussian, seeded

UNIT = Compose([UniformDequantisation(), Scale()])
LOGIT = Compose([UniformDequantisation(), Scale(), Logit(0.01)])


class Grey(nn.Module):
    """Independent Gaussians about the middle grey of the unit interval."""

    def log_prob(self, x):
        return -8 * (x - 0.5).flatten(1).square().sum(1)


class GreyLogits(Grey):
    """The same density in the space of logits: change of variables."""

    def log_prob(self, x):
        step = Logit(0.01)
        return super().log_prob(step.inverse(x)) - step.log_abs_det(x)


class Warm(Grey):
    def energy(self, x):
        return -Grey.log_prob(self, x)


class Blur(nn.Module):
    """Keeps the mean of each image, and only that."""

    def encode(self, x):
        return x.flatten(1).mean(1, keepdim=True), "a standard deviation"

    def decode(self, z):
        return z.expand(-1, 64)


class Bijection(Grey):
    def encode(self, x):
        return x

    def decode(self, z):
        return z

    def forward(self, x):
        return x, x.new_zeros(len(x))

    def inverse(self, z):
        return z, z.new_zeros(len(z))


@pytest.fixture(scope="module")
def digits():
    return load("digits", preprocess=UNIT)


def auroc(model, data, name, score):
    found = detect(model, data, other(data, name).data, scores=[score], max_examples=100)
    return found[score].measurements["auroc"].value


def law_of_coordinates(digits):
    """The score of an example does not depend on the preprocessing of an equal density."""
    logits = digits.with_preprocess(LOGIT)
    found = [
        detect(model, data, other(data, "inverted").data, scores=["log_prob"], max_examples=50)
        for model, data in ((Grey(), digits), (GreyLogits(), logits))
    ]
    first, second = (one["log_prob"] for one in found)
    torch.testing.assert_close(first.inside, second.inside, rtol=1e-4, atol=0)
    torch.testing.assert_close(first.outside, second.outside, rtol=1e-4, atol=0)


def test_densities_are_compared_in_the_space_of_the_raw_data(digits):
    law_of_coordinates(digits)


def test_the_law_catches_a_density_of_the_model_s_space(digits, monkeypatch):
    monkeypatch.setattr(ood, "volume", lambda context: torch.zeros(len(context.x)))
    with pytest.raises(AssertionError):
        law_of_coordinates(digits)


def test_a_flat_image_is_likelier_than_the_data_of_a_grey_model(digits):
    assert auroc(Grey(), digits, "constant", "log_prob") < 0.05
    assert auroc(Grey(), digits, "blank", "log_prob") > 0.95


def test_every_score_is_higher_inside(digits):
    """The sign of each: a model of its data knows them from noise."""
    mean = digits.train.tensor().mean(0)

    class Knows(Warm):
        def energy(self, x):
            return 200 * (x - mean).flatten(1).square().sum(1)

        def log_prob(self, x):
            return -self.energy(x)

        def elbo(self, x, *, num_samples=1, generator=None):
            return -self.energy(x) - torch.rand(len(x), generator=generator)

        def encode(self, x):
            return x.flatten(1)[:, :1]

        def decode(self, z):
            return mean.expand(len(z), 1, 8, 8)

    found = detect(Knows(), digits, other(digits, "noise").data, max_examples=100)
    assert list(found) == list(SCORES)
    for name, one in found.items():
        assert one.measurements["auroc"].value > 0.95, name


def test_scores_are_picked_by_what_a_model_has(digits):
    binary = digits.with_preprocess(DynamicBinarisation())
    assert offered(Grey(), digits) == ["log_prob", "png_corrected"]
    assert offered(Warm(), binary) == ["log_prob", "energy"]
    assert offered(LinearGaussian(), load("ring")) == ["elbo"]
    assert offered(Blur(), digits) == ["reconstruction"]
    assert offered(Bijection(), binary) == ["log_prob"]


def test_reconstruction_is_the_squared_distance_to_the_decoded_mean(digits):
    data = digits.with_preprocess(Scale())
    found = detect(Blur(), data, other(data, "constant").data, max_examples=40)["reconstruction"]
    x = data.test.tensor()[:40].flatten(1).double()
    expected = -x.var(1, correction=0) * 64
    torch.testing.assert_close(found.inside, expected, rtol=1e-4, atol=1e-6)
    assert found.outside.abs().max() < 1e-9
    assert found.measurements["auroc"].value == 0  # flat images are the simplest of all


def test_the_correction_adds_the_length_of_the_file(digits):
    noise = other(digits, "noise").data
    found = detect(Grey(), digits, noise, max_examples=30)
    for data, side in ((digits, "inside"), (noise, "outside")):
        length = png_nats(data.test.x[:30])
        plain, corrected = (getattr(found[k], side) for k in ("log_prob", "png_corrected"))
        torch.testing.assert_close(corrected, plain + length, rtol=1e-6, atol=1e-3)


def test_files_of_simple_images_are_short():
    colour = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    noise = torch.randint(256, colour.shape, generator=seeded()).to(torch.uint8)
    flat, rough = png_nats(colour).item(), png_nats(noise).item()
    assert flat < 0.2 * rough
    assert rough > 0.95 * noise.numel() * math.log(256)  # noise cannot be compressed


def test_protocols_say_what_was_compared(digits):
    found = detect(Grey(), digits, other(digits, "blank").data, max_examples=20)
    measured = found["log_prob"].measurements["fpr95"]
    assert (measured.n, measured.split) == (40, "test")
    for part in ("digits (inside) against digits, blank", "20 and 20", "chance 0.95", "resamples"):
        assert part in measured.protocol


@pytest.mark.parametrize("name", SPOILT)
def test_spoilt_images_have_the_levels_of_their_data(digits, name):
    found = other(digits, name).data
    assert (found.shape, found.preprocess) == (digits.shape, digits.preprocess)
    assert found.num_levels == digits.num_levels
    x = found.test.x
    assert (x.dtype, x.shape) == (torch.uint8, digits.test.x.shape)
    assert x.max() < digits.num_levels
    assert not torch.equal(x, digits.test.x)
    assert torch.equal(other(digits, name).data.test.x, x)


def test_half_the_size_keeps_half_the_middle(digits):
    x = other(digits, "half_size").data.test.x
    assert not x[..., :2].any()
    assert not x[..., 6:].any()
    means = digits.test.x[:, :, 2:4, 4:6].float().mean((1, 2, 3))
    torch.testing.assert_close(x[:, 0, 3, 4].float(), means.round())


def relabelled(data, num_levels, x):
    """`data` with other raw levels."""
    from dataclasses import replace

    splits = {key: replace(split, x=x(split.x)) for key, split in data.splits.items()}
    return Dataset(replace(data.info, name="mock", num_levels=num_levels), splits)


def test_levels_are_spread_and_the_report_says_so(digits, monkeypatch):
    from common.evaluation import shifted

    mock = relabelled(load("digits"), 2, lambda x: (x > 8).to(torch.uint8))
    monkeypatch.setattr(shifted, "load", lambda name: mock)
    found = other(digits, "kmnist")
    assert found.how == "its 2 levels spread over 17"
    assert found.data.test.x.unique().tolist() == [0, 16]
    assert found.data.num_levels == 17
    assert found.data.preprocess == digits.preprocess


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("shapes", r"shapes have shape \(1, 32, 32\).*\(1, 8, 8\)"),
        ("smothed", "Did you mean smoothed?"),
        ("nothing", "expected a data set, digits, .*images spoilt: blank"),
    ],
)
def test_data_that_do_not_fit_are_told(digits, name, message):
    with pytest.raises(EvaluationError, match=message):
        other(digits, name)


def test_points_cannot_be_spoilt_and_have_no_levels(monkeypatch):
    from common.evaluation import shifted

    ring = load("ring")
    with pytest.raises(EvaluationError, match=r"\(2,\) and no levels; 'smoothed' is for images"):
        other(ring, "smoothed")
    levels = relabelled(ring, 4, lambda x: torch.zeros(len(x), 2, dtype=torch.uint8))
    monkeypatch.setattr(shifted, "load", lambda name: levels)
    with pytest.raises(EvaluationError, match="mock has 4 levels and ring none"):
        other(ring, "moons")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "all"}, "digits has no split 'all'"),
        ({"scores": ["elbo"]}, "a Grey offers log_prob, png_corrected on digits, not 'elbo'"),
        ({"model": nn.Linear(2, 2)}, "a Linear offers no score on digits"),
        ({"other": load("ring")}, r"examples of ring have shape \(2,\)"),
        ({"max_examples": 0}, "max_examples is 0"),
    ],
)
def test_what_cannot_be_detected_is_told(digits, change, message):
    options = {"model": Grey(), "data": digits, "other": digits} | change
    with pytest.raises(EvaluationError, match=message):
        detect(**options)


def test_a_decoder_of_other_shapes_is_told(digits, monkeypatch):
    monkeypatch.setattr(Blur, "decode", lambda self, z: z)
    with pytest.raises(EvaluationError, match=r"Blur.decode gave shape \(20, 1\)"):
        detect(Blur(), digits, digits, max_examples=20)


def test_infinite_log_densities_are_scores():
    board = load("checkerboard")
    found = detect(board.density, board, load("ring"), max_examples=200)["log_prob"]
    assert found.outside.isneginf().any()
    assert found.measurements["auroc"].value > 0.6


def test_the_command_prints_a_table_and_writes_json(tmp_path, capsys):
    out = tmp_path / "detection.json"
    command = ["evaluate", "real_nvp", "--goal", "ring", "--against", "moons", "--quiet"]
    options = ["--max-examples", "300", "--out", str(out)]
    assert main([*command, *options]) == 0
    printed = capsys.readouterr().out
    assert "ring test against moons test" in printed
    assert "log_prob" in printed
    report = json.loads(out.read_text())
    assert (report["schema"], report["against"]) == ("detection/1", "moons")
    values = {m["name"]: m["value"] for m in report["scores"]["log_prob"]}
    assert values["auroc"] > 0.9
    assert f"{values['auroc']:.3f} ± " in printed


def test_the_command_takes_no_metric_beside(capsys):
    command = ["evaluate", "real_nvp", "--goal", "ring", "--against", "moons"]
    assert main([*command, "--metric", "mmd"]) == 2
    assert "leave out --metric mmd" in capsys.readouterr().err


def test_histograms_show_shares_of_each_set():
    sets = {"data": torch.randn(500, generator=seeded()), "others": torch.full((20,), 9.0)}
    figure = figures.score_histograms(sets, unit="nats", lines={"mean": 0.0}, heading="a title")
    axes = figure.axes[0]
    heights = [patch.get_path().vertices[:, 1].max() for patch in axes.patches]
    assert heights[1] == pytest.approx(1)  # all of the others in one bar
    assert 0.02 < heights[0] < 0.4
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert sorted(labels) == ["data", "mean", "others"]


def test_histograms_of_what_is_no_number_are_refused():
    with pytest.raises(EvaluationError, match="2 scores of 'a' hold 1"):
        figures.score_histograms({"a": torch.tensor([1.0, math.inf])})
    with pytest.raises(EvaluationError, match="no scores"):
        figures.score_histograms({})
