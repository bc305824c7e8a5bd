"""The course at scale: assignment, `dgm affected` and `dgm guard` of 1,000 projects, `dgm status` of 300.

There is no peer to run beside these: "goal" is the time that was asked for; "all candidates" is the
same programme without thinning, which must find no better assignment.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

from common.course.assigning import candidates
from common.course.assigning.candidates import Instance
from common.course.assigning.matching import match
from common.course.changes import read_blobs, read_entries
from common.course.freezing import freeze
from common.course.git import Repository
from common.course.records import ASSIGNMENTS_FILE, Assignments, Pair, read_frozen, toml_text
from common.projects import ROOT
from tests.benchmarks.timing import Row, seconds
from tests.course.pull_requests import Content, Course
from tests.course.repositories import (
    at,
    make_repository,
    run_git,
    write,
    write_response,
    write_review,
    write_verification,
)
from tests.course.test_matching import semester

ASSIGN_GOAL, STATUS_GOAL, AFFECTED_GOAL = 10.0, 1.0, 1.0
COPIED = "vae"  # the project whose files every generated one has, with its own slug in them
FINDINGS = [(f"F{i:02}", s) for i, s in enumerate(("major", "minor", "minor", "nit", "nit"), 1)]
CHECKED = "".join(
    f"- [x] area.item-{i}: What is asked of the project -- read it, ran it, and it is so\n"
    for i in range(20)
)
OUTPUT = "\n".join(f"  line {i} of what a command printed in a terminal" for i in range(10))


def rows() -> list[Row]:
    """Medians of a few runs each; the files of the status are as long as real ones."""
    thousand = semester(1000, 3)
    return [
        Row("assign 1,000 projects, 3 reviewers", median_of(thousand), "goal", ASSIGN_GOAL),
        all_candidates(),
        *with_files(),
        *of_a_change(),
    ]


def median_of(instance: Instance, repeats: int = 3) -> float:
    """Seconds of a matching that is proven optimal."""
    times = []
    for seed in range(repeats):
        found = []
        times.append(
            seconds(lambda seed=seed, found=found: found.append(match(instance, seed=seed)))
        )
        assert found[0].optimal
        assert not found[0].reciprocal
    return statistics.median(times)


def all_candidates() -> Row:
    """300 projects with and without thinning, which must be worth the same."""
    instance = semester(300, 3)
    ours = median_of(instance)
    with mock.patch.object(candidates, "DENSE", 10**9):
        found = []
        theirs = seconds(lambda: found.append(match(instance)))
    assert found[0].utility == match(instance).utility
    return Row("assign 300 projects, 3 reviewers", ours, "all candidates", theirs)


def with_files() -> list[Row]:
    """`dgm status` as a process, every project fully reviewed and answered."""
    slugs = [f"paper_{i:03}" for i in range(300)]
    with tempfile.TemporaryDirectory() as folder:
        root = make_repository(Path(folder) / "course", slugs, reviewers=2)
        freeze(root, "v1", moment=at("2027-03-02"), tags=False)
        version = read_frozen(root).version[0].commit
        pairs = tuple(
            Pair(slug, f"p-{slugs[(i + step) % 300]}")
            for i, slug in enumerate(slugs)
            for step in (1, 7)
        )
        write(
            root / ASSIGNMENTS_FILE, toml_text(Assignments(pair=pairs), "Written by a benchmark.")
        )
        for pair in pairs:
            write_long_review(root, pair, version)
        for slug in slugs:
            keys = [pair.reviewer for pair in pairs if pair.project == slug]
            answers = {f"{key}/{finding}": "fixed" for key in keys for finding, _ in FINDINGS}
            write_response(root, slug, answers)
        command = [sys.executable, "-m", "common.cli", "status", "--now", "2027-03-12"]
        times = [seconds(lambda: run_in(root, command)) for _ in range(7)]
    work = "dgm status, 300 projects, 600 reviews"
    return [Row(work, statistics.median(times), "goal", STATUS_GOAL)]


def of_a_change() -> list[Row]:
    """`dgm affected` and `dgm guard` as processes: our tree with 1,000 copies of a real project."""
    changes = {
        "one project changed": ("projects/paper_0006/model.py", "affected"),
        "common.data changed": ("common/data/registry.py", "affected"),
        "one figure changed": ("common/evaluation/figures/plane.py", "affected"),
        "one project judged": ("projects/paper_0006/model.py", "guard"),
    }
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        course = thousand_projects(Path(folder) / "course")
        for name, (path, command) in changes.items():
            before = course.git("show", f"main:{path}")
            head = course.commit({path: before + b"# changed\n"})
            author = ["--author", "course-member"] if command == "guard" else []
            arguments = [command, "--base", "main", "--head", head, "--json", *author]
            run = [sys.executable, "-m", "common.cli", *arguments]
            times = [seconds(lambda run=run: run_in(course.root, run)) for _ in range(5)]
            work = f"dgm {command}, 1,000 projects, {name}"
            rows.append(Row(work, statistics.median(times), "goal", AFFECTED_GOAL))
    return rows


def thousand_projects(root: Path) -> Course:
    """A repository with our common, tests and records, and 1,000 projects with code and notebook."""
    (root / "projects").mkdir(parents=True)
    run_git(root, "init", "-q", "-b", "main")
    repository = Repository(ROOT)
    shared = read_entries(repository, "HEAD", "common", "tests", "reviews/cycle.toml")
    copied = read_entries(repository, "HEAD", f"projects/{COPIED}")
    contents = read_blobs(repository, [entry.blob for entry in (*shared, *copied)])
    files: dict[str, Content] = {entry.path: contents[entry.blob] for entry in shared}
    own = {
        entry.path.split("/", 2)[2]: contents[entry.blob]
        for entry in copied
        if entry.path.endswith((".py", ".toml", ".md"))
    }
    own["demo.ipynb"] = (ROOT / "templates/project/demo.ipynb").read_bytes()
    for number in range(1000):
        slug = f"paper_{number:04}"
        for name, data in own.items():
            data = data.replace(COPIED.encode(), slug.encode())  # each its own, as real ones are
            data = data.replace(b'["course-staff"]', b'["course-member"]')
            files[f"projects/{slug}/{name.replace(COPIED, slug)}"] = data
    run_git(root, "update-ref", "refs/heads/main", Course(root).commit(files, None))
    return Course(root)


def write_long_review(root: Path, pair: Pair, version: str) -> None:
    """A review of the length that people write, with its verification."""
    path = write_review(root, pair.project, pair.reviewer, version, FINDINGS)
    text = path.read_text(encoding="utf-8")
    text = text.replace("## Checklist\n", f"## Checklist\n{CHECKED}")
    text = text.replace("ran it,", f"ran it\n{OUTPUT}\n ")
    write(path, text)
    outcomes = {finding: "verified" for finding, _ in FINDINGS}
    write_verification(root, pair.project, pair.reviewer, version, outcomes)


def run_in(root: Path, command: list[str]) -> None:
    """A command in a repository, which must succeed."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True)
