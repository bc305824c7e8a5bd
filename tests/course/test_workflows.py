"""The workflows are as they should be, and their steps do what they say, without GitHub.

A small runner executes the `run:` lines of the trusted jobs of pull-request.yml in a clone of a
fixture repository, with the expressions of their `env:` filled in.
"""

import json
import os
import re
import subprocess
import sys

import pytest
import yaml

from common.course.cycle import Cycle
from common.projects import ROOT
from common.schema import read
from tests.course.pull_requests import Course
from tests.course.repositories import commit, run_git
from tests.course.tiny_project import make_project

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
PIN = re.compile(r"^actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
PULL = yaml.safe_load((FOLDER / "pull-request.yml").read_text())
SITE = yaml.safe_load((FOLDER / "site.yml").read_text())
READ = {"contents": "read"}
RIGHTS = {("site.yml", "deploy"): {"pages": "write", "id-token": "write"}}  # where they are others


def jobs_of(path):
    """(name, job) of a workflow."""
    return yaml.safe_load(path.read_text())["jobs"].items()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
class TestEachWorkflow:
    def test_rights_times_and_triggers(self, path):
        table = yaml.safe_load(path.read_text())
        assert table["permissions"] == {}
        assert "concurrency" in table
        assert "pull_request_target" not in path.read_text()
        assert "secrets" not in path.read_text()
        for name, job in table["jobs"].items():
            assert job["timeout-minutes"], name
            assert job["permissions"] == RIGHTS.get((path.name, name), READ), name

    def test_actions_are_pinned_and_leave_no_credentials(self, path):
        used = re.findall(r"uses: (.*)", path.read_text())
        assert used
        assert [line for line in used if not PIN.match(line)] == []
        for name, job in jobs_of(path):
            for step in job["steps"]:
                if step.get("uses", "").startswith("actions/checkout@"):
                    assert step["with"]["persist-credentials"] is False, name

    def test_run_lines_are_one_command_without_an_expression(self, path):
        for name, job in jobs_of(path):
            for line in (step["run"] for step in job["steps"] if "run" in step):
                assert "${{" not in line, name
                assert not re.search(r"[;&|\n`]|\$\(", line.strip()), name


def test_nothing_of_a_change_runs_or_is_cached_where_it_is_judged():
    for name in ("select", "guard", "static", "gate"):
        job = PULL["jobs"][name]
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
            assert "cache" not in step.get("with", {})
    for name in ("projects", "tests"):
        assert "guard" in PULL["jobs"][name]["needs"]


def test_the_gate_needs_every_other_job_and_always_answers():
    gate = PULL["jobs"]["gate"]
    assert set(gate["needs"]) == set(PULL["jobs"]) - {"gate"}
    assert gate["if"] == "always()"


def test_who_may_write_pages_runs_nothing_of_the_tree():
    (step,) = SITE["jobs"]["deploy"]["steps"]
    assert step["uses"].startswith("actions/deploy-pages@")
    assert "run" not in step
    condition = SITE["jobs"]["deploy"]["if"]
    assert condition == "github.ref == 'refs/heads/main' && !github.event.repository.private"
    assert set(SITE[True]) == {"push", "workflow_dispatch"}  # `on`, which YAML reads as yes
    assert SITE[True]["push"] == {"branches": ["main"]}
    for step in SITE["jobs"]["build"]["steps"]:
        assert "cache" not in step.get("with", {})  # which a pull request could have filled


def test_owners_are_the_instructors():
    text = (ROOT / ".github" / "CODEOWNERS").read_text()
    cycle = read(ROOT / "reviews" / "cycle.toml", Cycle)
    accounts = {key: name for name, key in cycle.handles.items()}
    named = set(re.findall(r" @(\S+)", re.sub(r"#.*", "", text)))
    assert named == {accounts.get(key, key) for key in cycle.instructors}


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A repository of one project, as its server has it."""
    root = tmp_path_factory.mktemp("origin") / "course"
    root.mkdir()
    run_git(root, "init", "-q", "-b", "main")
    make_project(root)
    (root / ".gitignore").write_text(".venv\n")
    commit(root, "main")
    return Course(root)


INSTALLED = {"make checker", "make install"}  # .venv stands for what they install


class Runner:
    """A clone at main in which steps are run as the server would run them."""

    def __init__(self, origin, head: str, author: str, folder, workflow=PULL):
        self.folder, self.results, self.said = folder, {}, ""
        self.workflow = workflow
        run_git(origin.root, "update-ref", "refs/pull/7/head", head)
        run_git(folder.parent, "clone", "-q", str(origin.root), str(folder))
        dgm = folder / ".venv" / "bin" / "dgm"
        dgm.parent.mkdir(parents=True)
        dgm.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m common.cli "$@"\n')
        dgm.chmod(0o755)
        python = dgm.with_name("python")
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "$@"\n')
        python.chmod(0o755)
        pull = "github.event.pull_request."
        self.known = {
            f"{pull}base.sha": run_git(folder, "rev-parse", "main").strip(),
            f"{pull}head.sha": head,
            f"{pull}number": "7",
            f"{pull}user.login": author,
            "github.token": "",
            "github.server_url": "https://github.example",
            "github.repository": "ada/course",
            "github.sha": head,
        }
        default = "https://{0}.github.io/{1}"
        names = "github.repository_owner, github.event.repository.name"
        self.known[f"vars.SITE_ADDRESS || format({default!r}, {names})"] = default.format(
            "ada", "course"
        )

    def job(self, name: str) -> str:
        """Run a job; its result, and what it gave to others."""
        told = self.folder.parent / f"{name}.out"
        summary = self.folder.parent / f"{name}.md"
        result = "success"
        for step in self.workflow["jobs"][name]["steps"]:
            line = step.get("run", "")
            if not line or line in INSTALLED:
                continue
            table = self.workflow["env"] | step.get("env", {})
            env = {key: self.filled(value) for key, value in table.items()}
            env |= {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(told)}
            env |= {"GITHUB_STEP_SUMMARY": str(summary), "PYTHONPATH": str(ROOT)}
            command = ["bash", "-e", "-c", line.replace("python3", sys.executable)]
            done = subprocess.run(
                command, cwd=self.folder, env=os.environ | env, capture_output=True, text=True
            )
            self.said += done.stdout + done.stderr
            if done.returncode:
                result = "failure"
                break
        lines = told.read_text().splitlines() if told.exists() else []
        outputs = dict(line.split("=", 1) for line in lines)
        self.results[name] = {"result": result, "outputs": outputs}
        self.said += summary.read_text() if summary.exists() else ""
        return result

    def filled(self, value: str) -> str:
        """A value of `env:` with its expressions replaced."""
        known = self.known | {"toJSON(needs)": json.dumps(self.results)}
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: known[found.group(1)], value)

    def rest(self, **results: str) -> None:
        """How the jobs that are not run here ended."""
        self.results |= {name: {"result": result} for name, result in results.items()}


def test_a_benign_change_passes(origin, tmp_path):
    readme = (origin.root / "projects/tiny/README.md").read_bytes() + b"\nThat is all.\n"
    head = origin.commit({"projects/tiny/README.md": readme})
    runner = Runner(origin, head, "p-01", tmp_path / "clone")
    assert [runner.job(name) for name in ("select", "guard", "static")] == [
        "success"
    ] * 3, runner.said
    (job,) = json.loads(runner.results["select"]["outputs"]["projects"])
    assert job["projects"] == "tiny"
    assert runner.results["select"]["outputs"]["tests"] == "false"
    runner.rest(projects="success", tests="skipped")
    assert runner.job("gate") == "success", runner.said
    runner.rest(projects="cancelled")
    assert runner.job("gate") == "failure"


def test_a_hostile_change_is_refused_and_runs_nothing(origin, tmp_path):
    trace = tmp_path / "pwned"
    code = f"open({str(trace)!r}, 'w')\n".encode()
    head = origin.commit({
        "projects/tiny/conftest.py": code,
        "sitecustomize.py": code,
        "black.py": code,
        "common/cli.py": code,
        ".github/workflows/pull-request.yml": b"on: pull_request\n",
        f"projects/$(touch {trace.name})/project.toml": b"::error::forged\n",
        "projects/x\n::error::forged/project.toml": b"",
    })  # fmt: skip
    runner = Runner(origin, head, "p-01", tmp_path / "clone")
    assert runner.job("select") == "success", runner.said
    (job,) = json.loads(runner.results["select"]["outputs"]["projects"])
    assert job["projects"] == "tiny"
    assert runner.job("guard") == "failure"
    runner.rest(static="skipped", projects="skipped", tests="skipped")
    assert runner.job("gate") == "failure"
    assert list(tmp_path.rglob("pwned")) == []
    assert not re.search(r"^::error::forged", runner.said, flags=re.MULTILINE)
    assert not (runner.folder / "sitecustomize.py").exists()


@pytest.mark.parametrize("author", ["$(touch pwned)", "p-01; touch pwned", "--help"])
def test_a_hostile_author_is_only_a_text(origin, tmp_path, author):
    head = origin.commit({"projects/tiny/README.md": b"# Tiny\n"})
    runner = Runner(origin, head, author, tmp_path / "clone")
    assert runner.job("guard") == "failure"
    assert list(tmp_path.rglob("pwned")) == []


def test_the_site_of_a_merge_is_built_and_looked_at(origin, tmp_path):
    readme = (origin.root / "projects/tiny/README.md").read_bytes() + b"\nOnce more.\n"
    test = b"def test_of_the_site():\n    assert open('build/site/index.html').read()\n"
    head = origin.commit({"projects/tiny/README.md": readme, "tests/course/site/test_x.py": test})
    runner = Runner(origin, head, "p-01", tmp_path / "clone", SITE)
    run_git(runner.folder, "fetch", "-q", "origin", head)
    run_git(runner.folder, "checkout", "-q", "--detach", head)
    assert runner.job("build") == "success", runner.said
    assert "1 passed" in runner.said
    site = runner.folder / "build" / "site"
    assert 'href="https://ada.github.io/course/feed.xml"' in (site / "feed.xml").read_text()
    assert "Once more." in (site / "projects/tiny/index.html").read_text()
    picture = "https://ada.github.io/course/cards/site.png"
    assert f'<meta property="og:image" content="{picture}">' in (site / "laws.html").read_text()
    assert (site / "cards/site.png").is_file()
