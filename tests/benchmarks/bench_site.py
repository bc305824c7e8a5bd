"""The public site at scale: cold builds of 24 and 300 projects, and a build after one change.

The projects are copies of the repository's own, with their notebooks, figures, results and reviews.
There is no peer to run beside it: "goal" is the time that was asked for; "12.5 x 24" is what 300
projects may take if the time is linear.
"""

import itertools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from common.course.git import Repository
from common.projects import ROOT
from tests.benchmarks.timing import Row, seconds

COLD_GOAL, CHANGE_GOAL = 20.0, 2.0
FEW, MANY = 24, 300
SHARED = (
    "common",
    "templates/site",
    "tests/laws",
    "docs",
    "reviews/cycle.toml",
    "CITATION.cff",
    "CONTRIBUTING.md",
)


def rows() -> list[Row]:
    """One cold build of each size; the median of three changes."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder) / "few", Path(folder) / "many"
        make_tree(few, FEW)
        cold_few, change_few = cold(few), change(few)
        make_tree(many, MANY)
        cold_many, change_many = cold(many), change(many)
    linear = cold_few * MANY / FEW
    return [
        Row(f"site of {FEW} projects, cold", cold_few, "goal", COLD_GOAL),
        Row(f"site of {FEW} projects, one README changed", change_few, "goal", CHANGE_GOAL),
        Row(f"site of {MANY} projects, cold", cold_many, f"{MANY / FEW} x {FEW}", linear),
        Row(f"site of {MANY} projects, one README changed", change_many, "goal", CHANGE_GOAL),
    ]


def make_tree(root: Path, count: int) -> None:
    """A repository with so many projects: copies of ours that have results, under other slugs."""
    tracked = Repository(ROOT).files("HEAD")
    for path in tracked:
        if path.startswith(SHARED):
            copy(ROOT / path, root / path)
    ours = sorted({path.split("/")[1] for path in tracked if is_result(path)})
    for number, slug in zip(range(count), itertools.cycle(ours), strict=False):
        name = f"{slug}_{number:03}"
        for path in tracked:
            if path.startswith((f"projects/{slug}/", f"reviews/{slug}/")):
                copy(ROOT / path, root / path.replace(slug, name, 1))
        table = root / "projects" / name / "project.toml"
        text = table.read_text(encoding="utf-8")
        table.write_text(text.replace(f'slug = "{slug}"', f'slug = "{name}"', 1), encoding="utf-8")
    subprocess.run(["git", "init", "-q", str(root)], check=True)


def is_result(path: str) -> bool:
    """Whether a path is that of a project's measured number."""
    return path.startswith("projects/") and "/results/" in path and path.endswith(".json")


def copy(source: Path, target: Path) -> None:
    """Copy a file into a folder that may not be there yet."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def build(root: Path) -> None:
    """`dgm site build` in a process of its own, as a person would run it."""
    command = [sys.executable, "-m", "common.cli", "site", "build"]
    subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)


def cold(root: Path) -> float:
    """Seconds of a build where nothing was built before."""
    shutil.rmtree(root / "build", ignore_errors=True)
    return seconds(lambda: build(root))


def change(root: Path) -> float:
    """Seconds of a build after one README was changed; the median of three."""
    readme = sorted(root.glob("projects/*/README.md"))[0]
    times = []
    for _ in range(3):
        readme.write_text(
            readme.read_text(encoding="utf-8") + "\nOne more sentence.\n", encoding="utf-8"
        )
        times.append(seconds(lambda: build(root)))
    return sorted(times)[1]
