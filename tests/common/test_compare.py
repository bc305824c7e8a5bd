"""`dgm compare`: samples of different spaces are brought into one, nobody is dropped silently."""

import json
import math
from argparse import ArgumentParser
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from common import projects
from common.cli import main
from common.commands import compare as command
from common.commands import entrants, sources
from common.commands.entrants import Entrant
from common.data import (
    Compose,
    DynamicBinarisation,
    Flatten,
    Logit,
    Scale,
    StaticBinarisation,
    UniformDequantisation,
    load,
)
from common.errors import UserError
from common.evaluation import EvaluationError, Measurement
from common.evaluation.columns import columns
from common.evaluation.comparison import Comparison, Row, bullet, with_section
from common.evaluation.spaces import (
    Seen,
    TrainingSplit,
    common_data,
    foreign_step,
    judge,
    judge_training,
    space_name,
)

DIGITS = load("digits")
GREY = DIGITS.with_preprocess(Compose([UniformDequantisation(), Scale(), Logit(0.01)]))
DRAWN = DIGITS.with_preprocess(DynamicBinarisation())
CUT = DIGITS.with_preprocess(Compose([StaticBinarisation(), Flatten()]))
C2ST = {"metrics": ["classifier_accuracy"]}


class Broken(nn.Module):
    """Draws values that are no numbers, or of the wrong shape."""

    def __init__(self, value=math.nan, shape=(1, 8, 8)):
        super().__init__()
        self.value, self.shape = value, shape

    def sample(self, n, *, generator=None):
        return torch.full((n, *self.shape), self.value)


def entrant(label, data, model=None):
    trained = SimpleNamespace(
        preset="fake",
        seed=0,
        commit="0" * 40,
        code_sha256=None,
        folder=SimpleNamespace(name="fake-seed0"),
        project=SimpleNamespace(slug=label, folder=projects.ROOT / "projects" / "made"),
    )
    return Entrant(label, trained, model or TrainingSplit(data, seed=5), data)


def arguments(*words):
    parser = ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args([*words, "--quiet"])


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A repository with the real projects and no runs."""
    for module in (projects, sources, entrants):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path


# --- one space ---


def test_the_space_is_grey_unless_a_model_is_binary():
    assert space_name(common_data(DIGITS, [GREY])) == "grey"
    assert space_name(common_data(DIGITS, [GREY, CUT])) == "binary"
    assert space_name(common_data(DIGITS, [GREY, CUT], "grey")) == "grey"
    assert space_name(common_data(DIGITS, [GREY], "binary")) == "binary"
    assert space_name(common_data(load("ring"), [load("ring")])) == "points"


def test_a_space_that_the_data_do_not_have_is_refused():
    with pytest.raises(EvaluationError, match="ring are no images"):
        common_data(load("ring"), [], "binary")
    with pytest.raises(EvaluationError, match="expected --space binary"):
        common_data(DRAWN, [], "grey")


@pytest.mark.parametrize("own", [GREY, DRAWN], ids=["grey", "drawn"])
def test_training_examples_cannot_be_told_from_data_in_the_binary_space(own):
    found = judge_training(own, common_data(DIGITS, [], "binary"), **C2ST)["classifier_accuracy"]
    assert abs(found.value - 0.5) < 4 * found.standard_error


def test_samples_that_are_not_brought_over_are_told_at_once():
    """The law above can fail: grey samples among binary data, as they are, are found out."""
    common = common_data(DIGITS, [], "binary")
    model = TrainingSplit(DIGITS.with_preprocess(Scale()), seed=5)
    found = judge(model, common, common, **C2ST)["classifier_accuracy"]
    assert found.value < 0.5 + 4 * found.standard_error  # rounded back to black and white
    same = SimpleNamespace(sample=lambda n, generator: model.own.train.batch(slice(0, n)))
    from common.evaluation import evaluate

    assert evaluate(same, common, **C2ST)["classifier_accuracy"].value > 0.95


def test_binary_pixels_are_found_out_in_the_grey_space():
    common = common_data(DIGITS, [], "grey")
    assert judge_training(DRAWN, common, **C2ST)["classifier_accuracy"].value > 0.95
    grey = judge_training(GREY, common, **C2ST)["classifier_accuracy"]
    assert abs(grey.value - 0.5) < 4 * grey.standard_error


def test_which_data_are_foreign():
    binary, grey = (common_data(DIGITS, [], space) for space in ("binary", "grey"))
    assert [foreign_step(own, binary) is None for own in (GREY, DRAWN, CUT)] == [True, True, False]
    assert [foreign_step(own, grey) is None for own in (GREY, DRAWN, CUT)] == [True, False, False]


def test_what_is_brought_over_are_levels_of_the_data():
    generator = torch.Generator().manual_seed(0)
    grey = Seen(TrainingSplit(GREY, seed=0), GREY, common_data(DIGITS, [], "grey"))
    levels = grey.sample(50, generator=generator) * 17
    assert torch.equal(levels, levels.round())
    binary = Seen(TrainingSplit(GREY, seed=0), GREY, common_data(DIGITS, [], "binary"))
    assert set(binary.sample(50, generator=generator).unique().tolist()) == {0.0, 1.0}


def test_a_training_example_is_drawn_once():
    split = TrainingSplit(DIGITS, seed=0)
    rows = torch.cat([split.sample(599), split.sample(600)]).flatten(1)
    assert torch.equal(rows.sum(0), DIGITS.train.x.flatten(1).float().sum(0))
    with pytest.raises(EvaluationError, match="1200 training examples wanted, digits has 1199"):
        split.sample(1)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Broken(99.0), "lie outside of the levels"),
        (Broken(), "300 of 300 samples of the Broken hold NaN"),
        (Broken(0.5, (2,)), r"gave shape \(300, 2\), expected \(300, 1, 8, 8\)"),
    ],
)
def test_samples_that_are_none_are_refused(model, words):
    with pytest.raises(EvaluationError, match=words):
        Seen(model, DRAWN, DIGITS).sample(300)


# --- the table ---


def test_binary_and_grey_models_in_one_table():
    given = [entrant("grey", GREY), entrant("drawn", DRAWN), entrant("cut", CUT)]
    args = arguments("--metric", "mmd", "--max-samples", "100")
    found, drawn = command.compare(given, [], DIGITS, args)
    lines = found.table().splitlines()
    assert [line.split("|")[0].strip() for line in lines[2:]] == [
        "grey",
        "drawn",
        "cut¹",
        "floor¹",
        "floor",
    ]
    assert "¹ trained on black and white pixels, cut at 0.5 of the range" in found.notes()
    assert found.space == "binary"
    assert set(found.floor) == {"mmd"}
    assert drawn["grey"].unique().numel() == 17
    assert drawn["cut"].unique().tolist() == [0, 16]
    assert max(map(len, [*lines, *found.notes().splitlines()])) < 80


def test_a_table_without_foreign_data_has_one_floor():
    args = arguments("--metric", "mmd", "--max-samples", "50")
    found, _ = command.compare([entrant("grey", GREY)], [], DIGITS, args)
    assert found.space == "grey"
    assert found.table().count("floor") == 1


def test_the_feature_net_is_named():
    words = ["--metric", "fid", "--metric", "copying", "--max-samples", "100"]
    found, _ = command.compare([entrant("cut", CUT)], [], DIGITS, arguments(*words))
    assert "Feature net digits sha256" in found.notes()
    assert set(found.foreign_floors[0].metrics) == {"fid"}  # training examples are copies


def test_the_table_leaves_to_the_json_what_a_page_has_no_room_for():
    images = ["mmd", "classifier_accuracy", "fid", "kid", "precision"]
    assert columns(images, []) == ["fid", "kid", "precision", "classifier_accuracy"]
    assert columns(["mmd", "precision", "num_modes"], []) == ["num_modes", "precision"]
    assert columns(["mmd", "sliced_wasserstein"], []) == ["mmd", "sliced_wasserstein"]
    assert columns(["mmd", "fid", "precision"], ["mmd"]) == ["mmd", "fid", "precision"]


def test_the_models_of_an_ensemble_are_brought_over_one_by_one():
    ring = load("ring")
    model = SimpleNamespace(replicates=[ring.density, ring.density], sample=ring.density.sample)
    found = judge(model, ring, ring, metrics=["num_modes"], max_samples=200)["num_modes"]
    assert (found.value, found.standard_error) == (8, 0)
    assert "mean of 2 replicates" in found.protocol


def test_a_model_that_diverged_is_left_out_unless_it_was_named():
    given = [entrant("grey", GREY), entrant("nan", DRAWN, Broken())]
    words = ["--metric", "mmd", "--max-samples", "20"]
    found, _ = command.compare(given, [], DIGITS, arguments(*words))
    assert [row.label for row in found.rows] == ["grey"]
    assert "left out: nan, 20 of 20 samples of the Broken hold NaN" in found.notes()
    with pytest.raises(UserError, match="nan: 20 of 20 samples"):
        command.compare(given, [], DIGITS, arguments("grey", "nan", *words))


def test_a_section_is_replaced_and_what_stands_around_it_stays():
    page = with_section("title\n", "a", "one") + "a person's words\n"
    page = with_section(with_section(page, "b", "other"), "a", "two")
    assert "one" not in page
    assert page.count("a:begin") == 1
    assert page.index("title") < page.index("two") < page.index("a person") < page.index("other")
    with pytest.raises(UserError, match="add that line"):
        with_section("<!-- a:begin -->", "a", "one")


def test_a_command_is_never_broken_over_two_lines():
    text = bullet("word " * 13 + "`dgm train made --preset demo`")
    assert "`dgm train made --preset demo`" in text
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize(
    "path", sorted((projects.ROOT / "docs").glob("comparison-*.json")), ids=lambda path: path.stem
)
def test_the_published_tables_are_those_of_their_json(path):
    table = json.loads(path.read_text(encoding="utf-8"))
    assert table.pop("schema") == "comparison/1"
    for name in ("rows", "foreign_floors"):
        table[name] = [
            Row(**{**row, "metrics": {k: Measurement(**m) for k, m in row["metrics"].items()}})
            for row in table[name]
        ]
    page = path.with_name("comparison.md").read_text(encoding="utf-8")
    assert Comparison(**table).table() in page
    assert f"({path.stem}.png)" in page
    assert path.with_suffix(".png").exists()


# --- the command ---

WORDS = ["--metric", "mmd", "--metric", "energy_distance", "--max-samples", "60", "--quiet"]


def test_projects_enter_by_goal_run_or_training_and_the_rest_is_told(nowhere, capsys):
    out = nowhere / "a"
    command_line = ["compare", "made", "real_nvp", "--train", "smoke", *WORDS]
    assert main([*command_line, "--json", "--out", str(out)]) == 0
    spoken = capsys.readouterr()
    report = json.loads(spoken.out)
    assert "made: no model of digits yet, training smoke" in spoken.err
    assert report == json.loads((out / "comparison-digits.json").read_text())
    assert (out / "comparison-digits.png").read_bytes().startswith(b"\x89PNG")
    assert report["schema"] == "comparison/1"
    assert set(report) == {
        *("schema", "dataset", "split", "space", "seed", "asked", "rows", "floor"),
        *("foreign_floors", "left_out", "command", "commit", "hardware"),
    }
    made, real_nvp = report["rows"]
    assert (made["source"], real_nvp["source"]) == ("run smoke-seed0", "goal digits")
    assert made["foreign"]
    assert not real_nvp["foreign"]
    assert len(report["foreign_floors"]) == 1
    assert set(made) == {
        *("label", "source", "preset", "seed", "commit", "code_changed", "preprocess"),
        *("foreign", "metrics"),
    }
    keys = {"name", "value", "standard_error", "n", "unit", "split", "floor", "protocol"}
    assert keys <= set(made["metrics"]["mmd"])

    again = nowhere / "b"
    assert main([*command_line, "--json", "--out", str(again)]) == 0
    assert "training" not in capsys.readouterr().err  # the run is there
    for path in sorted(out.iterdir()):
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name

    assert main([*command_line, "--seed", "1", "--out", str(again)]) == 0
    printed = capsys.readouterr().out
    assert "floor" in printed
    assert "\nnext: look at" in printed
    other = json.loads((again / "comparison-digits.json").read_text())
    assert other["rows"][0]["metrics"]["mmd"]["value"] != made["metrics"]["mmd"]["value"]

    assert main(["compare", "made:smoke-seed0", "vae", *WORDS, "--out", str(out)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "left out: vae, no model of digits yet; `dgm train vae --preset demo`" in printed


def test_points_are_compared_as_points_and_image_models_are_told(nowhere, capsys):
    assert main(["compare", "--data", "ring", *WORDS]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "real_nvp: goal ring" in printed
    assert "Space: points" in printed
    assert "left out: made, ring is continuous, but MADE needs zeros and ones" in printed
    names = sorted(path.name for path in (nowhere / "runs" / "compare").iterdir())
    assert names == ["comparison-ring.json", "comparison-ring.png", "comparison.md"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mad"], "did you mean 'made'"),
        (["made", "--data", "digit"], "digit"),
        (["made", "vae", "made"], "made is named twice"),
        (["made", "--data", "ring"], "MADE needs zeros and ones"),
        (["made"], "dgm train made --preset demo"),
        (["real_nvp", "--data", "moons"], "dgm train real_nvp --preset ring --data moons"),
        (["made", "--data", "shapes"], "dgm train made --preset demo --data shapes"),
        (["real_nvp:nothing"], "neither a goal nor a run 'nothing'; its goals are: ring, digits"),
        (["real_nvp:ring"], "real_nvp:ring was trained on ring, expected digits"),
        (["--metric", "nll_nats"], "nll_nats needs the capability 'density'"),
        (["--metric", "mdm"], "Did you mean mmd"),
        (["--split", "testing"], "digits has no split 'testing'"),
        (["--data", "shakespeare_excerpt"], "told apart by distances, and sequences have none"),
        (["--space", "grey", "--data", "ring"], "are no images"),
        (["-n", "0"], "expected at least one"),
    ],
)
def test_mistakes_are_told(nowhere, capsys, words, message):
    assert main(["compare", *words, "--quiet"]) == 2
    assert message in capsys.readouterr().err
