"""The command line answers at once, explains itself and shows no traceback."""

import subprocess
import sys

import pytest

from common.cli import COMMANDS, main


def test_help_lists_every_command(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)


def test_help_imports_nothing_heavy():
    code = "import sys, common.cli; common.cli.main(['--help']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for heavy in ("'torch'", "'numpy'", "'matplotlib'", "'projects'"):
        assert heavy not in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself_without_torch(name):
    code = (
        "import sys, common.cli\n"
        "try: common.cli.main([sys.argv[1], '--help'])\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"usage: dgm {name}" in done.stdout


def test_an_unknown_command_suggests_the_nearest(capsys):
    assert main(["trian"]) == 2
    assert "did you mean `dgm train`?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "maed"], "did you mean 'made'"),
        (["train", "made", "--preset", "larg"], "its presets are: smoke"),
        (["train", "made", "--preset", "smoke", "--set", "hiden=3"], "there is no field 'hiden'"),
        (["train", "made", "--preset", "smoke", "--data", "minst"], "mnist"),
        (["evaluate", "made", "--run", "nowhere"], "holds no training run"),
        (["evaluate", "made", "--goal", "nothing"], "has no goal 'nothing'"),
        (["sample", "made", "-n", "0"], "at least one"),
        (["reproduce", "made", "nothing"], "has no goal 'nothing'"),
        (["verify", "nothing"], "there is no project 'nothing'"),
        (["data", "info", "minst"], "mnist"),
    ],
)
def test_bad_input_is_one_message_and_status_two(arguments, told, capsys, tmp_path):
    if arguments[0] == "train":
        arguments = [*arguments, "--out", str(tmp_path)]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert "Traceback" not in captured.err
