"""Where and on what a number was made."""

import os
import platform
import subprocess
from pathlib import Path

from common.projects import ROOT

WRITTEN = ("projects/*/results/*", "projects/*/README.md")  # by `dgm reproduce`


def commit(root: Path = ROOT) -> str:
    """The commit that is checked out, with `+changes` if tracked files differ, else `unknown`."""
    return _commit(root, ())


def commit_to_train(root: Path = ROOT) -> str:
    """The same for a training, which what `dgm reproduce` writes between two of them cannot change."""
    return _commit(root, WRITTEN)


def _commit(root: Path, but: tuple[str, ...]) -> str:
    head = git(root, "rev-parse", "HEAD")
    if head is None:
        return "unknown"
    paths = [".", *(f":(exclude,glob){pattern}" for pattern in but)]
    changes = git(root, "status", "--porcelain", "--untracked-files=no", "--", *paths)
    return f"{head}+changes" if changes else head


def git(root: Path, *arguments: str) -> str | None:
    """The output of a git command, or None where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def hardware() -> str:
    """The processor, or the accelerator if there is one, in a few words."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    cores = os.cpu_count() or 1
    return f"{cores} CPU core{'s' if cores > 1 else ''} ({processor_name()})"


def processor_name() -> str:
    """The processor's name as the operating system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()
