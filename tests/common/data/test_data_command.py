"""`dgm data`: what there is, what it is, bring it, prove it; and always what to do next."""

import json

import pytest

from common.cli import main
from common.data.catalogue import CATALOGUE


def test_list_names_every_set_and_its_state(toy, tmp_path, capsys):
    toy.write(tmp_path / "data")
    assert main(["data", "list"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in CATALOGUE)
    assert "next: " in text
    assert main(["data", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["toy"]["state"] == "here"
    assert rows["digits"]["state"] == "embedded"
    assert rows["kmnist"]["state"] == "absent"
    assert rows["shapes"]["factors"]["shape"] == ["square", "ellipse", "triangle"]


def test_the_list_fits_a_terminal_and_tells_sequences_and_text(capsys):
    assert main(["data", "list"]) == 0
    lines = capsys.readouterr().out.partition("\nsets live in")[0].split("\n")
    assert max(map(len, lines)) < 80
    rows = {line.split()[0]: line.split() for line in lines if line[:1].strip()}
    assert rows["jsb_chorales"][1:4] == ["<=160x88", "2", "levels"]
    assert rows["tiny_shakespeare"][1:4] == ["text", "65", "symbols"]
    assert rows["wine"][1:3] == ["12", "continuous"]


def test_list_works_when_the_mirror_is_gone(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DGM_MIRROR", str(tmp_path / "gone"))
    assert main(["data", "list"]) == 0
    assert "cannot be reached" in capsys.readouterr().out


@pytest.mark.parametrize("name", CATALOGUE)
def test_info_says_what_a_set_is(name, capsys):
    info = CATALOGUE[name]
    assert main(["data", "info", name]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for expected in (info.title, info.licence, info.citation, "next: "):
        assert expected in text
    assert main(["data", "info", name, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert [f["path"] for f in row["files"]] == [f.path for f in info.files]


def test_fetch_then_verify(toy, tmp_path, capsys):
    assert main(["data", "fetch", "toy"]) == 0
    text = capsys.readouterr().out
    assert "its checksums hold. Licence: MIT" in text
    assert "next: " in text
    assert main(["data", "verify", "toy"]) == 0
    assert main(["data", "fetch", "toy", "--json"]) == 0
    out = capsys.readouterr().out
    rows = json.loads(out[out.index("[") :])
    assert {row["origin"] for row in rows} == {"kept"}


def test_verify_finds_a_damaged_file_and_says_how_to_mend_it(toy, tmp_path, capsys):
    root = toy.write(tmp_path / "data")
    (root / toy.first).write_bytes(b"half")
    assert main(["data", "verify"]) == 1
    text = capsys.readouterr().out
    assert "is truncated" in text
    assert "next: dgm data fetch toy" in text
    assert main(["data", "fetch", "toy"]) == 0
    assert main(["data", "verify", "toy", "--json"]) == 0


def test_verify_of_a_named_set_that_is_absent_fails(capsys):
    assert main(["data", "verify", "kmnist"]) == 1
    assert "dgm data fetch kmnist" in capsys.readouterr().out


def test_verify_sees_wrong_tensors_behind_right_files(toy, tmp_path, monkeypatch, capsys):
    from dataclasses import replace

    toy.write(tmp_path / "data")
    monkeypatch.setitem(CATALOGUE, "toy", replace(toy.info, checksum="0" * 64))
    assert main(["data", "verify", "toy"]) == 1
    assert "the tensors have checksum" in capsys.readouterr().out


def test_an_unknown_name_is_told_and_nothing_is_fetched(toy, server, capsys):
    assert main(["data", "fetch", "toy", "mnsit"]) == 2
    assert "did you mean 'mnist'" in capsys.readouterr().err
    assert server.requests == []


def test_fetching_an_embedded_set_is_no_error(capsys):
    assert main(["data", "fetch", "digits"]) == 0
    assert "nothing to fetch" in capsys.readouterr().out
