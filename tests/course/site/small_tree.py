"""A small tree with everything that the site shows, for the tests of the builder."""

import json
import zlib
from pathlib import Path

SHA = "0" * 64
PROJECT = """\
schema = "project/1"
slug = "{slug}"
title = "{title}"
summary = "A model of {slug}, in one sentence."
family = "{family}"
version = "2"
capabilities = ["density", "sampler"]
builds_on = [{builds_on}]

[paper]
title = "The Paper of {title}"
authors = ["Ada Lovelace", "Charles Babbage", "Ömer Çelik"]
year = {year}
venue = "ICLR"
url = "https://arxiv.org/abs/1312.61{number:02}"

[group]
key = "g-{number:02}"
members = ["p-{number:02}"]
hours = 1234

[[goal]]
id = "digits"
metric = "nll_nats"
dataset = "digits"
split = "test"
preset = "demo"
direction = "at most"
target = 90.0
paper_value = 88.5
paper_source = "Table 1, row 2"
protocol = "Binarised once."

[[goal]]
id = "faces"
metric = "nll_nats"
dataset = "faces"
split = "test"
preset = "demo"
direction = "at most"
target = 3.0
paper_source = "Table 2"
protocol = "As the paper."
withdrawn = "no faces here"
"""
README = """\
# {title}

*The Paper of {title}*, 2014. See [the model](model.py#L2), [its neighbour](../alpha), the
[weights](results/digits.safetensors) and [the course](../../CONTRIBUTING.md).

![Draws of {slug}](figures/samples.png)

## Results

<!-- results:begin -->
| goal | generated |
|---|---|
<!-- results:end -->

The quokka distance is small.

## Run it

```sh
dgm train {slug}
```

## Deviations from the paper

None: $p(x) = \\prod_i p(x_i)$.
"""
MODEL = 'class Model:\n    """A model."""\n\n    def log_prob(self, x):\n        return x < 3 & 1\n'
RESULT = {
    "goal": "digits",
    "metric": "nll_nats",
    "standard_error": 0.25,
    "n": 299,
    "unit": "nats",
    "split": "test",
    "protocol": "seed 0",
    "dataset": "digits",
    "dataset_sha256": SHA,
    "preset": "demo",
    "config": {},
    "seed": 0,
    "evaluation_seed": 0,
    "num_importance_samples": None,
    "commit": "a" * 40,
    "code_sha256": SHA,
    "hardware": "2 CPU cores",
    "train_seconds": 3600.0,
    "evaluation_seconds": 2.0,
    "weights": "digits.safetensors",
    "weights_sha256": SHA,
    "verified_code_sha256": None,
    "schema": "result/1",
}
REVIEW = """\
---
schema: review/1
project: {slug}
reviewer: {reviewer}
commit: {commit}
verdict: minor
environment: {{python: "3.11", device: cpu, ran: [demo]}}
conflict: none
---
## Summary

It does what it says, **mostly**.

## Checklist

- [x] goals.declared: Does every goal name its metric?
  -- two goals

## F01 · major · correctness · The sign is wrong
- where: projects/{slug}/model.py:2-3
- paper: Eq. (7)
- evidence: the loss rises

  ```
  step 10 loss 84.1
  ```
- suggestion: subtract it

## F02 · nit · documentation · A word is missing
- where: README.md
- paper: -
- evidence: read it
- suggestion: add it
"""
RESPONSE = """\
---
schema: response/1
project: {slug}
---

## r-01/F01 · The sign is wrong

- status: fixed
- commits: 39230cc5004b
- reason: We subtracted it.
"""
VERIFICATION = """\
---
schema: verification/1
project: {slug}
reviewer: r-01
version: {commit}
---

- F01: verified: the loss falls now
"""
ASSIGNMENTS = """\
schema = "assignments/1"
semester = "2026-fall"
pair = [{{ project = "{slug}", reviewer = "r-01" }}]
"""


def png(width: int = 8, height: int = 6) -> bytes:
    """A grey picture."""
    rows = b"".join(b"\0" + b"\x80" * width for _ in range(height))
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\0\0\0\0"
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        for kind, data in chunks
    )


def notebook(title: str) -> str:
    """A title, code with an output, a section."""
    output = {"output_type": "stream", "name": "stdout", "text": "trained for 3 s\n"}
    cells = [
        {"cell_type": "markdown", "source": f"# {title}\n\nAn aardvark of a model."},
        {"cell_type": "code", "execution_count": 1, "outputs": [output], "source": "print(1)"},
        {"cell_type": "markdown", "source": "## Limits\n\nThe numbat remains."},
    ]
    for number, cell in enumerate(cells):
        cell |= {"id": f"cell-{number}", "metadata": {}}
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def write(root: Path, path: str, content: str | bytes) -> Path:
    """Write a file of the tree."""
    full = root / path
    full.parent.mkdir(parents=True, exist_ok=True)
    full.write_bytes(content if isinstance(content, bytes) else content.encode())
    return full


def write_project(root: Path, slug: str, number: int, *, value: float | None = 89.0) -> None:
    """A project with a README, code, a notebook, a figure, and a result if there is a value."""
    families = ("flows", "diffusion models")
    fields = {
        "slug": slug,
        "title": slug.title(),
        "family": families[number % 2],
        "number": number,
        "year": 2014 + number % 3,
        "builds_on": '"alpha"' if slug == "beta" else "",
    }
    folder = f"projects/{slug}"
    write(root, f"{folder}/project.toml", PROJECT.format(**fields))
    write(root, f"{folder}/README.md", README.format(**fields))
    write(root, f"{folder}/model.py", MODEL)
    write(root, f"{folder}/__init__.py", "")
    write(root, f"{folder}/test_{slug}.py", "def test_it():\n    assert True\n")
    write(root, f"{folder}/demo.ipynb", notebook(slug.title()))
    write(root, f"{folder}/figures/samples.png", png())
    if value is not None:
        result = json.dumps({"project": slug, "value": value, **RESULT})
        write(root, f"{folder}/results/digits.json", result)


def write_reviews(root: Path, slug: str) -> None:
    """An assigned review with a response and a verification, and one that nobody asked for."""
    commit = "b" * 40
    for reviewer in ("r-01", "r-99"):
        text = REVIEW.format(slug=slug, reviewer=reviewer, commit=commit)
        write(root, f"reviews/{slug}/{reviewer}.md", text)
    write(root, f"reviews/{slug}/response.md", RESPONSE.format(slug=slug))
    text = VERIFICATION.format(slug=slug, commit=commit)
    write(root, f"reviews/{slug}/r-01.verification.md", text)
    write(root, "reviews/assignments.toml", ASSIGNMENTS.format(slug=slug))


def write_tree(root: Path) -> Path:
    """Two projects, the first with reviews."""
    write_project(root, "alpha", 0, value=89.0)
    write_project(root, "beta", 1, value=91.0)
    write_reviews(root, "alpha")
    return root
