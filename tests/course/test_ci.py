"""Budgets end what does not end, the gate is not fooled by what was skipped, jobs cover the tree."""

import json
import os
import sys
import time

import psutil
import pytest

from common import schema
from common.cli import main
from common.course.ci.budget import run_within
from common.course.ci.gate import verdicts
from common.course.ci.plan import outputs, shards
from common.course.ci.project import run_project, run_step, tell
from common.course.selecting.affected import Affected
from common.errors import UserError
from common.projects import Budget, Project
from tests.course.tiny_project import code, write_json

HOG = "import time\nhog = []\nwhile True:\n    hog.append(bytearray(b'x') * 2**23)\n    time.sleep(0.002)"
ESCAPED = """
import subprocess, sys, time
child = "import time; time.sleep(60)"
subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
print("started", flush=True)
{end}
"""


def within(tmp_path, text, *, seconds=5.0, memory_mb=4096.0):
    """What becomes of a program of Python under a budget."""
    command = [sys.executable, "-c", text]
    return run_within(
        command, seconds=seconds, memory_mb=memory_mb, cwd=tmp_path, environment=os.environ
    )


def project(root, source: str, budget: Budget, test: str = "def test_a():\n    assert True\n"):
    """A project whose notebook is one cell."""
    folder = root / "projects" / "tiny"
    folder.mkdir(parents=True)
    (folder / "test_tiny.py").write_text(test)
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    notebook = {"cells": [code(1, source)], "metadata": kernel, "nbformat": 4, "nbformat_minor": 4}
    write_json(folder / "demo.ipynb", notebook)
    about = dict.fromkeys(("title", "summary", "family"), "tiny")
    return Project("tiny", folder, **about, version="1", capabilities=(), builds_on=(), paper={},
                   group={}, goals=(), budget=budget)  # fmt: skip


def test_an_endless_program_is_stopped_and_so_is_what_it_started(tmp_path):
    before = {child.pid for child in psutil.Process().children()}
    outcome = within(tmp_path, ESCAPED.format(end="time.sleep(60)"), seconds=1.0)
    assert outcome.stopped == "time"
    assert 1.0 <= outcome.seconds < 20
    assert {child.pid for child in psutil.Process().children()} <= before


def test_what_a_program_leaves_behind_is_ended(tmp_path):
    before = {child.pid for child in psutil.Process().children()}
    outcome = within(tmp_path, ESCAPED.format(end=""))
    assert (outcome.stopped, outcome.status) == ("", 0)
    assert {child.pid for child in psutil.Process().children()} <= before


def test_a_hog_of_memory_is_stopped(tmp_path):
    outcome = within(tmp_path, HOG, memory_mb=200, seconds=20)
    assert outcome.stopped == "memory"
    assert outcome.memory_mb > 200


def test_an_endless_notebook_is_stopped_and_says_so(tmp_path, capsys):
    tiny = project(tmp_path, "while True:\n    pass", Budget(seconds=6))
    began = time.monotonic()
    notebook = ["--nbmake", "projects/tiny/demo.ipynb"]
    step = run_step(tmp_path, "notebook", notebook, tiny.budget, 6.0)
    assert time.monotonic() - began < 60
    assert not tell(tiny, [step], "project")
    said = capsys.readouterr().out
    assert "the notebook did not end in time: stopped after" in said
    assert "6 s together ([budget] seconds of project.toml)" in said


def test_tests_that_end_python_are_no_pass(tmp_path):
    quits = "import os\n\n\ndef test_a():\n    os._exit(0)\n"
    step, *_ = run_project(tmp_path, project(tmp_path, "1", Budget(seconds=9), quits))
    assert "without a report of any test" in step.wrong


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("seconds = 241", "seconds"),
        ("seconds = 0", "seconds"),
        ("memory_mb = 8193", "memory_mb"),
        ("memory_mb = 1.5", "memory_mb"),
        ("minutes = 3", "unknown field 'minutes'"),
    ],
)
def test_a_budget_has_limits(text, told):
    (fault,) = schema.faults(text, Budget)
    assert told in fault.message


def needs(tests="success", projects="success", said=None, **changes) -> str:
    """The `needs` of the gate, all well but for these."""
    said = said or {"projects": '[{"name":"made"}]', "tests": "true"}
    results = {"guard": "success", "static": "success", "projects": projects, "tests": tests}
    jobs = {name: {"result": result} for name, result in (results | changes).items()}
    select = {"result": changes.get("select", "success"), "outputs": said}
    return json.dumps(jobs | {"select": select})


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        (needs(), True),
        (needs(projects="skipped"), False),  # what had to run did not
        (needs(tests="skipped"), False),
        (needs(tests="skipped", said={"projects": "[1]", "tests": "false"}), True),
        (needs("skipped", "skipped", {"projects": "[]", "tests": "false"}), True),
        (needs("skipped", "skipped", {"projects": "", "tests": ""}), False),
        (needs(projects="failure"), False),
        (needs(tests="cancelled"), False),
        (needs(guard="skipped"), False),
        (needs(guard="failure"), False),
        (needs(static="cancelled"), False),
        (needs(select="failure"), False),
        (needs(another="failure"), False),
    ],
)
def test_the_gate(text, passes, monkeypatch):
    assert all(well for well, _ in verdicts(text).values()) == passes
    monkeypatch.setenv("NEEDS", text)
    assert main(["ci", "gate"]) == (0 if passes else 1)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"select": null}', '{"select": {}}'])
def test_a_gate_that_was_told_nothing_does_not_open(text):
    with pytest.raises(UserError, match="NEEDS"):
        verdicts(text)


@pytest.mark.parametrize("count", [1, 2, 31, 32, 33, 1000])
def test_jobs_cover_every_project_once(count):
    slugs = [f"p{number}" for number in range(count)]
    jobs = shards(slugs)
    assert len(jobs) == min(count, 32)
    assert sorted(s for job in jobs for s in job["projects"].split()) == sorted(slugs)
    assert all(job["minutes"] * 60 > 240 * len(job["projects"].split()) for job in jobs)


def test_folders_that_are_no_slugs_get_no_job():
    found = Affected("", "", projects=["made", "a b", "$(touch x)", "ö"], tests=["tests/a.py"])
    assert json.loads(outputs(found)["projects"]) == shards(["made"])
    assert outputs(Affected("", "")) == {"projects": "[]", "tests": "false"}
