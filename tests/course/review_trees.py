"""A small repository with one frozen project, and reviews of it, for the tests of reviews."""

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from common.course.git import Repository
from common.course.records import Assignments, Frozen, FrozenVersion, Pair, toml_text
from common.course.reviewing.answer_draft import respond, verify
from common.course.reviewing.draft import new_review
from common.projects import FILL

RESPONSE = "reviews/toy/response.md"
VERIFICATION = "reviews/toy/r-01.verification.md"

PROJECT_TOML = """schema = "project/1"
slug = "toy"
title = "Toy"
summary = "A toy."
family = "autoregressive models"
version = "1"
capabilities = ["density", "sampler"]

[paper]
title = "A Toy Paper"
authors = ["Ada Lovelace"]
year = 2020
url = "https://arxiv.org/abs/2001.00001"

[group]
key = "g-01"
members = ["p-01", "p-02"]

[[goal]]
id = "digits"
metric = "nll_nats"
dataset = "digits"
split = "test"
preset = "paper"
direction = "at most"
target = 20.0
paper_value = 19.5
paper_source = "Table 1, row 2"
protocol = "as in the paper"

[[goal]]
id = "mnist"
metric = "nll_nats"
dataset = "binarized_mnist"
split = "test"
preset = "paper"
direction = "at most"
target = 90.0
paper_source = "not in the paper"
protocol = "as in the paper"
weights = "retrain"
"""

README = """# Toy

[The paper](https://arxiv.org/abs/2001.00001)

## Results

## Sampling at the *price* of one pass

```sh
# not a heading
dgm reproduce toy
```

## Ölçüm, ışık
"""


def notebook() -> str:
    """Three cells: a title, code, a section."""
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Toy\n", "by Ada Lovelace"]},
        {
            "cell_type": "code",
            "execution_count": 1,
            "metadata": {},
            "outputs": [],
            "source": "1",
        },
        {"cell_type": "markdown", "metadata": {}, "source": "## Hyper-parameters"},
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


FILES = {
    "projects/toy/project.toml": PROJECT_TOML,
    "projects/toy/README.md": README,
    "projects/toy/model.py": "".join(f"x{i} = {i}\n" for i in range(1, 61)),
    "projects/toy/train.py": 'PRESETS = {"smoke": 1, "demo": 2, "paper": 3}\n',
    "projects/toy/demo.ipynb": notebook(),
    "LICENSE": "MIT License\n",
    "common/tool.py": "y = 1\n",
}


class Tree:
    """A repository under test."""

    def __init__(self, root: Path):
        self.root = root
        self.repository = Repository(root)

    def git(self, *arguments: str) -> str:
        """Run git with an author who is nobody."""
        who = "nobody" + "@" + "example.org"
        names = ("GIT_AUTHOR", "GIT_COMMITTER")
        person = {f"{name}_NAME": "nobody" for name in names} | {f"{n}_EMAIL": who for n in names}
        done = subprocess.run(
            ["git", "-C", str(self.root), "-c", "commit.gpgsign=false", *arguments],
            capture_output=True,
            text=True,
            env=os.environ | person,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, path: str, text: str | bytes) -> Path:
        """Write a file of the work tree."""
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(text if isinstance(text, bytes) else text.encode())
        return full

    def commit(self) -> str:
        """Commit everything; returns the commit."""
        self.git("add", "-A")
        self.git("commit", "-qm", "a change", "--allow-empty")
        return self.git("rev-parse", "HEAD")

    def freeze(self, *versions: tuple[str, str]) -> None:
        """Record versions (name, commit) in reviews/frozen.toml."""
        entries = tuple(
            FrozenVersion(
                "toy",
                name,
                datetime(2026, 1, 1, tzinfo=UTC),
                commit,
                str(self.repository.tree(commit, "projects/toy")),
            )
            for name, commit in versions
        )
        self.write("reviews/frozen.toml", toml_text(Frozen(version=entries), "frozen"))

    def assign(self, *reviewers: str) -> None:
        """Record who reviews toy."""
        pairs = tuple(Pair("toy", key) for key in reviewers)
        self.write("reviews/assignments.toml", toml_text(Assignments(pair=pairs), "assignments"))

    @property
    def v1(self) -> str:
        """The frozen commit of version 1."""
        return self.git("rev-parse", "v1/toy")

    @property
    def fix(self) -> str:
        """The commit that mends model.py, where there is one."""
        return self.git("rev-parse", "fix")

    def replace(self, path: str, old: str, new: str) -> Path:
        """Change a text of the work tree; fails if it is not there."""
        full = self.root / path
        text = full.read_text()
        assert old in text, f"{old!r} is not in {path}"
        return self.write(path, text.replace(old, new, 1))


def build(root: Path) -> None:
    """The repository: version 1 frozen, r-01 and r-02 assigned."""
    tree = Tree(root)
    subprocess.run(["git", "init", "-q", "-b", "main", str(root)], check=True)
    for path, text in FILES.items():
        tree.write(path, text)
    first = tree.commit()
    tree.git("tag", "v1/toy", first)
    tree.freeze(("v1", first))
    tree.assign("r-01", "r-02")
    tree.commit()


FINDINGS = """## F01 · major · correctness · The sum has the wrong sign
- where: projects/toy/model.py:41-47
- paper: Eq. (7)
- evidence: `dgm train toy --preset smoke`, expected a loss that falls, and it rises:
  ```
  step 10 loss 84.1
  ```
- suggestion: subtract it

## F02 · minor · notebook · Half of what was asked for is missing
- where: demo.ipynb#cell-2; README.md#results
- paper: -
- evidence: `dgm check toy`
- suggestion: write the sections
"""


def good_review(
    tree: Tree, reviewer: str = "r-01", words: str = "I looked at it with care"
) -> Path:
    """A finished review of toy, written as a reviewer would: the draft, filled in."""
    path = new_review(tree.root, "toy", reviewer)
    text = path.read_text()
    start = text.index("<!--\nNow the findings")
    end = text.index("## Further comments")
    text = text[:start] + FINDINGS + "\n" + text[end:]
    text = text.replace("verdict: FILL-IN", "verdict: major")
    text = text.replace('python: "FILL-IN", device: FILL-IN, ran: [FILL-IN]', PYTHON)
    text = text.replace("conflict: FILL-IN", "conflict: none")
    text = text.replace("FILL-IN: the summary", f"{words}. It does what the paper says, mostly.")
    lines = []
    for line in text.split("\n"):
        if "FILL-IN: your finding's id;" in line:
            line = line.replace("FILL-IN: your finding's id;", "F02;")
        elif line.startswith("  -- FILL-IN"):
            lines[-1] = lines[-1].replace("- [ ]", "- [x]")
            line = f"  -- {words}, equation by equation"
        lines.append(line)
    text = "\n".join(lines)
    assert FILL not in text
    path.write_text(text)
    return path


PYTHON = 'python: "3.11", device: cpu, ran: [install, demo]'


def answered(tree: Tree) -> None:
    """A finished response: the draft, filled in."""
    path, _ = respond(tree.root, "toy")
    text = without_guidance(path.read_text())
    good = [
        f"- status: fixed\n- commits: {tree.fix[:10]}\n- reason: -\n",
        "- status: declined\n- commits: -\n- reason: it is there, in the README\n",
        "- status: duplicate\n- commits: -\n- reason: the same as r-01/F01\n",
        "- status: cannot-reproduce\n- commits: -\n- reason: `dgm check toy` finds nothing here\n",
    ]
    for answer in good:
        text = text.replace("- status: FILL-IN\n- commits: FILL-IN\n- reason: FILL-IN\n", answer, 1)
    path.write_text(text)


def without_guidance(text: str) -> str:
    """A draft without the template's comment."""
    return text[: text.index("<!--")] + text[text.index("-->") + 4 :]


def verified(tree: Tree) -> None:
    """A finished verification by r-01 of a frozen version 2."""
    answered(tree)
    tree.freeze(("v1", tree.v1), ("v2", tree.fix))
    path = verify(tree.root, "toy", "r-01")
    text = without_guidance(path.read_text()).replace("- F01: FILL-IN", "- F01: verified")
    path.write_text(text.replace("- F02: FILL-IN", "- F02: accepts-reason"))
