"""From training to a verified number, on a real project's smoke preset."""

import dataclasses
import json
import shutil
import subprocess
import sys
from argparse import Namespace

import pytest

from common.cli import main
from common.commands.reproduce import reproduce
from common.commands.verify import record_code, verify_goal
from common.projects import ROOT, Goal, find_project, find_projects
from common.results import (
    ResultError,
    code_sha256,
    read_result,
    result_path,
    results_table,
    with_table,
)
from common.weights import half_precision, load_weights

GOAL = Goal(
    id="smoke",
    metric="nll_nats",
    dataset="digits",
    split="test",
    preset="smoke",
    direction="at most",
    target=40.0,
    paper_source="none: a test",
    protocol="Binarised digits.",
)


FID = dataclasses.replace(GOAL, id="fid", metric="fid", num_samples=120)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "made"
    arguments = ["train", "made", "--preset", "smoke", "--seed", "1", "--quiet", "--out"]
    assert main([*arguments, str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """A copy of the project `made` with one goal that the smoke preset reaches, reproduced."""
    from common import projects

    root = tmp_path_factory.mktemp("repository")
    made = find_project("made")
    folder = root / "projects" / "made"
    shutil.copytree(made.folder, folder, ignore=shutil.ignore_patterns("results", "figures"))
    project = dataclasses.replace(made, folder=folder, goals=(GOAL,))
    patch = pytest.MonkeyPatch()
    patch.setattr(projects, "ROOT", root)
    arguments = Namespace(seed=0, accelerator="cpu", precision=None, quiet=True)
    reproduce(project, GOAL, arguments)
    reproduce(project, FID, arguments)  # the same run: nothing is trained again
    patch.undo()
    return project


def test_a_run_keeps_its_record_and_its_weights(trained):
    record = json.loads((trained / "run.json").read_text())
    assert (record["project"], record["preset"], record["seed"]) == ("made", "smoke", 1)
    assert (trained / "weights.safetensors").exists()


def test_training_twice_with_one_seed_gives_the_same_weights(trained, tmp_path):
    arguments = ["train", "made", "--preset", "smoke", "--quiet", "--json", "--out"]
    assert main([*arguments, str(tmp_path / "same"), "--seed", "1"]) == 0
    assert main([*arguments, str(tmp_path / "other"), "--seed", "2"]) == 0
    weights = (trained / "weights.safetensors").read_bytes()
    assert (tmp_path / "same" / "weights.safetensors").read_bytes() == weights
    assert (tmp_path / "other" / "weights.safetensors").read_bytes() != weights


def test_two_processes_have_the_loss_curve_of_one(trained, tmp_path):
    command = [sys.executable, "-m", "common.cli", "train", "made", "--preset", "smoke", "--quiet"]
    options = ["--seed", "1", "--devices", "2", "--accelerator", "cpu", "--out", str(tmp_path)]
    subprocess.run([*command, *options], cwd=ROOT, check=True, capture_output=True, timeout=300)
    one, two = losses(trained), losses(tmp_path)
    assert two == pytest.approx(one, rel=1e-5)


def losses(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_evaluating_writes_one_json_with_everything(trained, capsys):
    assert main(["evaluate", "made", "--run", str(trained), "--quiet", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((trained / "evaluation-test.json").read_text())
    keys = {"preset", "seed", "commit", "hardware", "split", "metrics"}
    assert keys <= set(report)
    names = {metric["name"]: metric for metric in report["metrics"]}
    assert {"value", "standard_error", "n", "unit", "split"} <= set(names["nll_nats"])
    assert 0 < names["nll_nats"]["value"] < 64 * 0.6931472


def test_sampling_writes_a_picture(trained, tmp_path):
    out = tmp_path / "samples.png"
    assert main(["sample", "made", "--run", str(trained), "-n", "9", "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")


def test_samples_of_text_are_written_as_text(tmp_path):
    import torch

    from common.commands.sample import save_samples
    from common.data import encode, load

    data = load("shakespeare_excerpt")
    samples = torch.stack(
        [encode("\nTo be.\n", data.vocabulary), encode("\nNay,no\n", data.vocabulary)]
    )
    assert save_samples(samples, data, tmp_path) == tmp_path / "samples.txt"
    assert (tmp_path / "samples.txt").read_text() == "To be.\n\nNay,no\n"


def test_a_reproduced_number_is_verified(reproduced):
    outcome = verify_goal(reproduced, GOAL)
    assert outcome["state"] == "verified", outcome
    assert outcome["recomputed"] == pytest.approx(outcome["recorded"], abs=1e-4)
    assert read_result(result_path(reproduced, GOAL.id)).num_importance_samples is None


def test_a_number_of_samples_is_verified_with_as_many_of_them(reproduced):
    result = read_result(result_path(reproduced, FID.id))
    assert result.n == FID.num_samples
    assert result.protocol.startswith("120 samples against 120 examples, features digits sha256")
    outcome = verify_goal(reproduced, FID)
    assert outcome["state"] == "verified", outcome
    assert outcome["recomputed"] == pytest.approx(outcome["recorded"], rel=1e-4)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("digits sha256 ", "digits sha256 0000", "was made with the feature net digits of sha256"),
        ("features digits", "features digit", "there is no feature net 'digit'"),
    ],
)
def test_a_number_made_with_another_feature_net_fails(reproduced, tmp_path, old, new, told):
    folder = tmp_path / "made"
    shutil.copytree(reproduced.folder, folder)
    project = dataclasses.replace(reproduced, folder=folder)
    path = result_path(project, FID.id)
    table = json.loads(path.read_text())
    path.write_text(json.dumps(table | {"protocol": table["protocol"].replace(old, new)}))
    outcome = verify_goal(project, FID)
    assert outcome["state"] == "FAILED"
    assert told in outcome["message"]


def change_the_value(path):
    table = json.loads(path.read_text())
    table["value"] -= 3 * table["standard_error"]
    path.write_text(json.dumps(table))


def change_the_weights(path):
    weights = path.with_suffix(".safetensors")
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)


def change_the_data(path):
    table = json.loads(path.read_text())
    table["dataset_sha256"] = "0" * 64
    path.write_text(json.dumps(table))


def lose_the_weights(path):
    path.with_suffix(".safetensors").unlink()


def damage_the_record(path):
    path.write_text("{")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (change_the_value, "distance"),
        (change_the_weights, "not the file that the number was computed from"),
        (change_the_data, "is not the one that the number was computed on"),
        (lose_the_weights, "is missing"),
        (damage_the_record, "not valid JSON"),
    ],
)
def test_a_number_that_does_not_follow_from_its_weights_fails(reproduced, tmp_path, damage, told):
    folder = tmp_path / "made"
    shutil.copytree(reproduced.folder, folder)
    project = dataclasses.replace(reproduced, folder=folder)
    damage(result_path(project, GOAL.id))
    outcome = verify_goal(project, GOAL)
    assert outcome["state"] == "FAILED"
    assert told in outcome["message"]


def test_a_verified_number_notes_the_code_that_verified_it(reproduced, tmp_path):
    folder = tmp_path / "made"
    shutil.copytree(reproduced.folder, folder)
    project = dataclasses.replace(reproduced, folder=folder)
    with (folder / "model.py").open("a") as file:
        file.write("# a remark\n")
    before = read_result(result_path(project, "smoke"))
    assert before.verified_code_sha256 is None
    record_code(project, GOAL)
    after = read_result(result_path(project, "smoke"))
    assert after.verified_code_sha256 == code_sha256(folder) != before.code_sha256
    assert dataclasses.replace(after, verified_code_sha256=None) == before


def test_the_table_shows_the_number_beside_the_target(reproduced):
    row = next(line for line in results_table(reproduced).splitlines() if "| smoke |" in line)
    value = read_result(result_path(reproduced, GOAL.id)).value
    assert f"{value:.3f}" in row
    assert "| ≤ 40 |" in row


def test_weights_that_half_precision_cannot_hold_are_refused():
    import torch

    layer = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(layer.weight, 1e6)
    with pytest.raises(ResultError, match="weight"):
        half_precision(layer)


def test_double_precision_keeps_its_digits():
    import torch

    layer = torch.nn.Linear(1, 1)
    assert half_precision(layer)["weight"].dtype == torch.float16
    stored = half_precision(layer.double())
    assert torch.equal(stored["weight"], layer.weight)


def test_weights_of_another_architecture_or_a_damaged_file_are_refused(trained, tmp_path):
    import torch

    with pytest.raises(ResultError, match="does not fit"):
        load_weights(torch.nn.Linear(2, 2), trained / "weights.safetensors")
    (tmp_path / "half.safetensors").write_bytes(
        (trained / "weights.safetensors").read_bytes()[:-100]
    )
    with pytest.raises(ResultError, match="not a whole safetensors file"):
        load_weights(torch.nn.Linear(2, 2), tmp_path / "half.safetensors")


@pytest.mark.parametrize("project", find_projects(), ids=lambda project: project.slug)
def test_the_readme_table_is_what_the_results_say(project):
    path = project.folder / "README.md"
    text = path.read_text(encoding="utf-8")
    assert text == with_table(text, results_table(project), path), "run: dgm verify --write-table"
