"""A run's record says what was trained, in which precision, by which code."""

import json

import pytest

from common import provenance
from common.cli import main
from common.commands.reproduce import provenance_doubt
from common.projects import find_project
from common.results import code_sha256
from common.runs import RunError, in_precision, open_run, train_run
from common.training import Run


def trained(folder, *options):
    """A few steps of a project that names a precision: its record and the bytes of its weights."""
    arguments = ["train", "made", "--preset", "smoke", "--steps", "3", "--quiet"]
    assert main([*arguments, "--out", str(folder), *options]) == 0
    record = json.loads((folder / "run.json").read_text())
    return record, (folder / "weights.safetensors").read_bytes()


def test_a_run_is_trained_in_the_precision_that_its_record_names(tmp_path):
    plain, weights = trained(tmp_path / "plain")
    by_config, from_config = trained(tmp_path / "set", "--set", "precision=bf16-mixed")
    by_option, from_option = trained(tmp_path / "option", "--precision", "bf16-mixed")
    assert plain["precision"] == plain["config"]["precision"] == "32-true"
    for record in (by_config, by_option):
        assert record["precision"] == record["config"]["precision"] == "bf16-mixed"
    assert from_config == from_option != weights


def test_a_precision_that_does_not_exist_is_an_error(tmp_path, capsys):
    options = ["--set", "precision=int8", "--out", str(tmp_path / "run")]
    assert main(["train", "made", "--preset", "smoke", "--quiet", *options]) != 0
    assert "int8" in capsys.readouterr().err


def test_a_run_of_another_precision_than_the_config_is_refused(tmp_path):
    made = find_project("made")
    config, precision = in_precision(made.preset("smoke"), "bf16-mixed")
    assert (config.precision, precision) == ("bf16-mixed", "bf16-mixed")
    with pytest.raises(RunError, match=r"says precision 'bf16-mixed'.*computes in '32-true'"):
        train_run(made, "smoke", config, Run(tmp_path / "run", progress=False))


def test_a_resumed_run_names_the_code_that_it_began_with(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "commit_to_train", lambda: "0" * 40)
    trained(tmp_path / "run")
    monkeypatch.setattr(provenance, "commit_to_train", lambda: "1" * 40)
    monkeypatch.setattr("common.runs.code_sha256", lambda folder: "2" * 64)
    record, _ = trained(tmp_path / "run", "--resume")
    assert record["commit"] == "0" * 40
    assert record["code_sha256"] == code_sha256(find_project("made").folder)
    assert open_run(tmp_path / "run").code_sha256 == record["code_sha256"]
    assert provenance_doubt(open_run(tmp_path / "run"), record["code_sha256"]) == ""
    assert "changed since" in provenance_doubt(open_run(tmp_path / "run"), "2" * 64)
    monkeypatch.setattr(provenance, "commit_to_train", lambda: "3" * 40 + "+changes")
    trained(tmp_path / "other")
    assert "uncommitted" in provenance_doubt(open_run(tmp_path / "other"), "2" * 64)
