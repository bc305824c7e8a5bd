"""Small git repositories of a course, with dates one can choose, for the tests of the cycle."""

import os
import subprocess
from datetime import datetime
from pathlib import Path

from common.course.git import Repository

CYCLE = """schema = "cycle/1"
semester = "2027-spring"
reviewers_per_project = {reviewers}

[dates]
proposal = 2027-02-01
v1 = 2027-03-01
review = 2027-03-10
v2 = 2027-03-20
demos = 2027-03-30
"""

PROJECT = """schema = "project/1"
slug = "{slug}"
title = "Project {slug}"
summary = "One sentence."
family = "{family}"
version = "{version}"

[paper]
title = "Paper {slug}"
authors = ["A. Author"]
year = 2020
url = "https://example.org/{slug}"

[group]
key = "{group}"
members = [{members}]

[[goal]]
id = "digits"
metric = "nll_nats"
dataset = "digits"
split = "test"
preset = "demo"
direction = "at most"
target = 25.0
paper_source = "Table 1"
protocol = "None."
"""

REVIEW = """---
schema: review/1
project: {slug}
reviewer: {reviewer}
commit: {commit}
verdict: {verdict}
environment: {{python: "3.11", device: cpu, ran: [demo]}}
conflict: none
---
## Summary
Read and run.

## Checklist
- [x] goals.declared: Goals are declared -- read them

"""

FINDING = """## {id} · {severity} · correctness · Something is wrong
- where: projects/{slug}/model.py:1
- paper: -
- evidence: ran it, expected 1, came out 2
- suggestion: mend it

"""

ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t",
}


def run_git(root: Path, *arguments: str, date: str = "2027-02-15") -> str:
    """A git command by a nobody on a day; returns what it printed."""
    moment = f"{date}T12:00:00+00:00"
    dates = {"GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
    done = subprocess.run(
        ["git", "-C", str(root), *arguments],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | ENVIRONMENT | dates,
    )
    return done.stdout


def commit(root: Path, message: str, date: str = "2027-02-15", *arguments: str) -> str:
    """Commit everything there is on a day; returns the hash."""
    run_git(root, "add", "-A")
    run_git(root, "commit", "-q", "--allow-empty", "-m", message, *arguments, date=date)
    return Repository(root).head()


def make_repository(root: Path, slugs: list[str] | None = None, *, reviewers: int = 1) -> Path:
    """A repository with cycle.toml and these projects (group g-SLUG, member p-SLUG), committed."""
    root.mkdir(parents=True, exist_ok=True)
    run_git(root, "init", "-q", "-b", "main")
    (root / "projects").mkdir()
    write(root / "reviews" / "cycle.toml", CYCLE.format(reviewers=reviewers))
    for slug in slugs if slugs is not None else ["alpha", "beta"]:
        write_project(root, slug)
    commit(root, "version 1 of everything")
    return root


def write_project(
    root: Path, slug: str, *, version: str = "1", group: str = "", family: str = "flows"
) -> Path:
    """The files of a project that a cycle looks at."""
    text = PROJECT.format(
        slug=slug,
        version=version,
        group=group or f"g-{slug}",
        members=f'"p-{slug}"',
        family=family,
    )
    folder = root / "projects" / slug
    write(folder / "project.toml", text)
    write(folder / "model.py", f'"""Model of {slug}, version {version}."""\n')
    write(folder / "README.md", f"# {slug}\n")
    return folder


def write_review(
    root: Path, slug: str, reviewer: str, commit_hash: str, findings: list[tuple[str, str]]
) -> Path:
    """A review with these (id, severity) findings."""
    verdict = "major" if any(s in {"major", "blocker"} for _, s in findings) else "minor"
    text = REVIEW.format(slug=slug, reviewer=reviewer, commit=commit_hash, verdict=verdict)
    text += "".join(FINDING.format(slug=slug, id=i, severity=s) for i, s in findings)
    return write(root / "reviews" / slug / f"{reviewer}.md", text)


def write_response(root: Path, slug: str, answers: dict[str, str]) -> Path:
    """A response with a status for each `reviewer/finding`."""
    text = f"---\nschema: response/1\nproject: {slug}\n---\n"
    for key, status in answers.items():
        text += f"## {key} · Something is wrong\n- status: {status}\n- commits: \n"
        text += "- reason: it was mended\n\n"
    return write(root / "reviews" / slug / "response.md", text)


def write_verification(
    root: Path, slug: str, reviewer: str, commit_hash: str, outcomes: dict[str, str]
) -> Path:
    """A verification with an outcome for each finding."""
    text = (
        f"---\nschema: verification/1\nproject: {slug}\nreviewer: {reviewer}\n"
        f"version: {commit_hash}\n---\n"
    )
    text += "".join(f"- {finding}: {outcome}\n" for finding, outcome in outcomes.items())
    return write(root / "reviews" / slug / f"{reviewer}.verification.md", text)


def write(path: Path, text: str) -> Path:
    """Write a text, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def at(date: str) -> datetime:
    """Noon of a day, UTC."""
    return datetime.fromisoformat(f"{date}T12:00:00+00:00")
