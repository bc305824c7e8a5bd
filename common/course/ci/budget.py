"""A command that ends: stopped, with all that it started, beyond a time or a memory.

Memory is the resident memory of its processes, added up and looked at a few times a second (a limit
on address space would refuse torch, which reserves far more than it uses).
"""

import ctypes
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

POLL_SECONDS = 0.1
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its status, or why it was stopped ("time", "memory")."""

    status: int
    stopped: str
    seconds: float
    memory_mb: float  # the most that was seen


def run_within(
    command: Sequence[str],
    *,
    seconds: float,
    memory_mb: float,
    cwd: Path,
    environment: Mapping[str, str],
) -> Outcome:
    """Run a command until it ends, or stop it; no process of it is left."""
    adopt_orphans()
    before = {child.pid for child in psutil.Process().children()}
    began = time.monotonic()
    stopped, most = "", 0.0
    process = subprocess.Popen(
        command, cwd=cwd, env=dict(environment), stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while process.poll() is None:
            most = max(most, memory(offspring(before)) / 2**20)
            if time.monotonic() - began > seconds:
                stopped = "time"
            elif most > memory_mb:
                stopped = "memory"
            if stopped:
                break
            time.sleep(POLL_SECONDS)
    finally:
        kill(before)
        process.wait()
    return Outcome(process.returncode, stopped, time.monotonic() - began, most)


def adopt_orphans() -> None:
    """On Linux: a process whose parent ended becomes a child of this one, not of another."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def offspring(before: set[int]) -> list[psutil.Process]:
    """The processes that were started since, and theirs: a notebook's kernel has a group of its own."""
    new = [child for child in psutil.Process().children() if child.pid not in before]
    found = list(new)
    for child in new:
        try:
            found += child.children(recursive=True)
        except psutil.Error:
            continue
    return found


def memory(processes: Sequence[psutil.Process]) -> int:
    """Their resident memory in bytes."""
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total


def kill(before: set[int]) -> None:
    """End what was started since; again, until nothing is left that could start more."""
    for _ in range(20):
        processes = offspring(before)
        if not processes:
            return
        for process in processes:
            try:
                process.kill()
            except psutil.Error:
                continue
        psutil.wait_procs(processes, timeout=1)
