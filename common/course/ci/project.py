"""One project under its budget: its tests, then its notebook with the smoke preset."""

import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from common.course.ci.budget import Outcome, run_within
from common.course.ci.report import annotate, code, foreign_environment, unheard, write_summary
from common.projects import Budget, Project

PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


@dataclass(frozen=True)
class Step:
    """What was run of a project: how it ended, and what is wrong ("" if nothing)."""

    name: str
    outcome: Outcome
    wrong: str


def run_project(root: Path, project: Project) -> list[Step]:
    """Tests and notebook of a project, stopped where the budget of both together ends."""
    budget, steps = project.budget, []
    left = float(budget.seconds)
    folder = project.folder.relative_to(root).as_posix()
    notebook = f"{folder}/demo.ipynb"
    runs = [("tests", [folder])]
    if (root / notebook).exists():
        runs.append(("notebook", ["--nbmake", f"--nbmake-timeout={budget.seconds}", notebook]))
    for name, arguments in runs:
        steps.append(run_step(root, name, arguments, budget, left))
        left -= steps[-1].outcome.seconds
        if steps[-1].outcome.stopped:
            break
    return steps


def run_step(root: Path, name: str, arguments: list[str], budget: Budget, left: float) -> Step:
    """Tests or notebook by pytest, in the seconds that are left; it hears and says nothing else."""
    ours = {"DGM_PRESET": "smoke", "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        with unheard():
            outcome = run_within(
                [*PYTEST, f"--junitxml={report}", *arguments],
                seconds=left,
                memory_mb=budget.memory_mb,
                cwd=root,
                environment=foreign_environment() | ours,
            )
        return Step(name, outcome, wrong(name, outcome, report, budget))


def wrong(name: str, outcome: Outcome, report: Path, budget: Budget) -> str:
    """What is wrong with a run, and what to do."""
    if outcome.stopped == "time":
        return (
            f"the {name} did not end in time: stopped after {outcome.seconds:.0f} s; tests and "
            f"notebook have {budget.seconds} s together ([budget] seconds of project.toml): make the "
            "smoke preset smaller, or look for a loop that does not end"
        )
    if outcome.stopped == "memory":
        return (
            f"the {name} took {outcome.memory_mb:.0f} MB: stopped; the limit is "
            f"{budget.memory_mb} MB ([budget] memory_mb of project.toml): make the smoke preset smaller"
        )
    if outcome.status:
        return f"the {name} failed with status {outcome.status}; what went wrong stands above"
    if num_tests(report) == 0:
        return (
            f"the {name} ended without a report of any test; is there one, and does it end Python?"
        )
    return ""


def num_tests(report: Path) -> int:
    """How many tests ran to their end, as pytest wrote."""
    try:
        return len(list(ElementTree.parse(report).getroot().iter("testcase")))
    except (OSError, ElementTree.ParseError):
        return 0


def tell(project: Project, steps: list[Step], title: str) -> bool:
    """Summary and annotations of a project; whether all is well."""
    for step in steps:
        state = f"failed: {step.wrong}" if step.wrong else "passed"
        seconds, memory = f"{step.outcome.seconds:.1f} s", f"{step.outcome.memory_mb:.0f} MB"
        print(f"{project.slug}: {step.name} {state} ({seconds}, {memory})", flush=True)
        write_summary(f"- {code(project.slug)} {step.name}: {state} ({seconds}, {memory})")
        if step.wrong:
            annotate(
                title, f"{project.slug}: {step.wrong}", f"projects/{project.slug}/project.toml"
            )
    return not any(step.wrong for step in steps)
