"""The job script for a cluster, with stand-ins for the cluster's commands."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "templates" / "slurm" / "train.sh"


def submit(folder: Path, *arguments: str, status: int = 0, **environment: str) -> tuple:
    """Run the script; its exit status, its stderr, and what was called."""
    commands = folder / "commands"
    commands.mkdir()
    for name, result in (("srun", status), ("scontrol", 0)):
        stand_in = commands / name
        stand_in.write_text(f'#!/bin/bash\necho "{name} $*" >> "{folder}/called"\nexit {result}\n')
        stand_in.chmod(0o755)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "activate").touch()
    environment |= {
        "PATH": f"{commands}:/usr/bin:/bin",
        "SLURM_JOB_ID": "77",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_CPUS_PER_TASK": "4",
    }
    done = subprocess.run(
        [shutil.which("bash"), str(SCRIPT), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    called = folder / "called"
    return done.returncode, done.stderr, called.read_text().splitlines() if called.exists() else []


def test_every_attempt_is_the_same_command(tmp_path):
    status, _, called = submit(tmp_path, "vae", "mnist", "--seed", "1", SLURM_GPUS_ON_NODE="2")
    assert status == 0
    assert called == [
        "srun --kill-on-bad-exit=1 dgm train vae --preset mnist --resume --devices 2 "
        "--accelerator gpu --seed 1"
    ]


def test_a_run_that_was_told_to_stop_is_requeued(tmp_path):
    status, _, called = submit(tmp_path, "made", "paper", status=143)
    assert status == 0
    assert called[1:] == ["scontrol requeue 77"]
    assert "--accelerator cpu" in called[0]


@pytest.mark.parametrize("error", [1, 2, 137])
def test_an_error_ends_the_job(tmp_path, error):
    status, _, called = submit(tmp_path, "made", "paper", status=error)
    assert status == error
    assert len(called) == 1


def test_too_few_arguments_are_told(tmp_path):
    status, said, called = submit(tmp_path, "made")
    assert status == 2
    assert "usage: sbatch" in said
    assert called == []
