"""A course with groups, assignments and dates, and pull requests to it, made of git objects alone.

Nothing is checked out: a pull request is a commit that git fast-import makes of paths and bytes.
"""

import os
import subprocess
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from common.course.guarding.guard import Verdict, guard
from tests.course.repositories import CYCLE, ENVIRONMENT, PROJECT, at, run_git

REVIEWING = at("2027-03-05")  # version 1 is frozen, reviews are due on the 10th
ANSWERING = at("2027-03-15")  # version 2 is due on the 20th
VERIFYING = at("2027-03-25")  # version 2 is frozen, demos are on the 30th
AFTER = at("2027-07-01")

Content = bytes | tuple[str, bytes | str] | None  # a file, (mode, bytes or object), or gone


def table(slug: str, members: str, *, group: str = "", extra: str = "") -> bytes:
    """A project.toml of these members."""
    text = PROJECT.format(
        slug=slug, version="1", group=group or f"g-{slug}", members=members, family="flows"
    )
    return (extra + text).encode()


def frozen(*versions: str) -> bytes:
    """reviews/frozen.toml with these versions of alpha and beta."""
    entry = '[[version]]\nslug = "{}"\nversion = "{}"\ndate = 2027-03-01 12:00:00Z\n'
    entry += f'commit = "{"1" * 40}"\ntree = "{"2" * 40}"\n'
    names = [entry.format(slug, v) for v in versions for slug in ("alpha", "beta")]
    return ('schema = "frozen/1"\n' + "".join(names)).encode()


RULES = 'instructors = ["staff"]\nhandles = { "Dia-On-GitHub" = "p-04" }\n'
PAIRS = b"""schema = "assignments/1"
dropped = ["ege"]
pair = [
    { project = "beta", reviewer = "ada" },
    { project = "alpha", reviewer = "cem" },
    { project = "alpha", reviewer = "ege" },
]
"""
MODEL = b'"""A model."""\n\nimport torch\n'
MAIN: dict[str, Content] = {
    "reviews/cycle.toml": (RULES + CYCLE.format(reviewers=1)).encode(),
    "reviews/assignments.toml": PAIRS,
    "reviews/frozen.toml": frozen("v1"),
    "projects/alpha/project.toml": table("alpha", '"ada", "ben"'),
    "projects/alpha/model.py": MODEL + b"alpha = 1\n",
    "projects/beta/project.toml": table("beta", '"cem"'),
    "projects/beta/model.py": MODEL + b"beta = 1\n" * 20,
    "projects/gamma/project.toml": table("gamma", '"p-04"'),
    ".github/workflows/ci.yml": b"on: push\n",
    ".ci/run": ("100755", b"#!/bin/sh\n"),
    "common/data/load.py": b"x = 1\n",
    "common/course/guarding/guard.py": b"x = 1\n",
    "tests/laws/flow.py": b"x = 1\n",
    "pyproject.toml": b"[project]\n",
    "Makefile": b"all:\n",
    "README.md": b"# A course\n",
}


@dataclass(frozen=True)
class Course:
    """A repository with a main branch."""

    root: Path

    def commit(
        self,
        changes: dict[str | bytes, Content],
        onto: str | None = "main",
        *,
        message: bytes = b"a change\n",
        also: str = "",
    ) -> str:
        """A commit with these changes onto another (None: a history of its own)."""
        if onto is None:
            run_git(self.root, "update-ref", "-d", "refs/heads/made")
        return self.commits([(changes, onto)], message=message, also=also)[0]

    def commits(
        self,
        wanted: Sequence[tuple[dict, str | None]],
        *,
        message: bytes = b"a change\n",
        also: str = "",
    ) -> list[str]:
        """Many commits, each with its changes onto another, made at once."""
        parts = []
        for number, (changes, onto) in enumerate(wanted, 1):
            about = f"commit refs/heads/made\nmark :{number}\ncommitter n <n> 1800000000 +0000\n"
            parts.append(about.encode() + b"data %d\n%s\n" % (len(message), message))
            parts += [f"from {onto}^0\n".encode()] if onto is not None else []
            parts += [f"merge {also}\n".encode()] if also else []
            parts += [self.line(path, content) for path, content in changes.items()]
        marks = self.root / ".git/marks"
        options = ("--quiet", "--force", f"--export-marks={marks}")
        self.git("fast-import", *options, data=b"".join(parts))
        found = dict(line.split(" ") for line in marks.read_text().splitlines())
        return [found[f":{number}"] for number in range(1, len(wanted) + 1)]

    def line(self, path: str | bytes, content: Content) -> bytes:
        """One path as fast-import wants it."""
        raw = path if isinstance(path, bytes) else os.fsencode(path)
        name = b'"' + b"".join(b"\\%03o" % byte for byte in raw) + b'"'
        if content is None:
            return b"D %s\n" % name
        mode, data = content if isinstance(content, tuple) else ("100644", content)
        if isinstance(data, str):
            return f"M {mode} {data} ".encode() + name + b"\n"
        return b"M %s inline %s\ndata %d\n%s\n" % (mode.encode(), name, len(data), data)

    def git(self, *arguments: str, data: bytes = b"") -> bytes:
        """A git command with input."""
        command = ["git", "-C", str(self.root), *arguments]
        environment = os.environ | ENVIRONMENT
        return subprocess.run(
            command, input=data, check=True, capture_output=True, env=environment
        ).stdout

    def raw_tree(self, entries: list[tuple[str, bytes, str]]) -> str:
        """A tree as no git command would make it: (mode, name, object) as given."""
        data = b"".join(
            mode.encode() + b" " + name + b"\0" + bytes.fromhex(name_of)
            for mode, name, name_of in entries
        )
        options = ("hash-object", "-t", "tree", "-w", "--stdin", "--literally")
        return self.git(*options, data=data).decode().strip()

    def raw_commit(self, tree: str) -> str:
        """A commit of a tree onto main."""
        return run_git(self.root, "commit-tree", tree, "-p", "main", "-m", "raw").strip()

    def promised(self, size: int) -> str:
        """A blob that says to be so large, and has no content: reading it would fail."""
        name = f"{size:040x}"
        path = self.root / ".git/objects" / name[:2] / name[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zlib.compress(b"blob %d\0" % size))
        return name

    def judge(
        self, head: str, author: str = "ada", *, base: str = "main", moment: datetime = REVIEWING
    ) -> Verdict:
        """What guard says of a commit."""
        return guard(self.root, base, author, head=head, moment=moment)


def make_course(root: Path) -> Course:
    """The repository: main with version 1 frozen, `open` with nothing, `done` with version 2."""
    root.mkdir(parents=True, exist_ok=True)
    run_git(root, "init", "-q", "-b", "main")
    course = Course(root)
    for branch, versions in (("open", ()), ("main", ("v1",)), ("done", ("v1", "v2"))):
        files = MAIN | {"reviews/frozen.toml": frozen(*versions)}
        commit = course.commit(files, None if branch == "open" else "open")
        run_git(root, "update-ref", f"refs/heads/{branch}", commit)
    return course
