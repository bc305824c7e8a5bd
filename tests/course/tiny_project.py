"""A small project that passes every rule of `dgm check`, to be damaged one line at a time."""

import hashlib
import json
from pathlib import Path

from common.projects import find_projects
from common.results import BEGIN, END, code_sha256, goals_table, project_results

PROJECT = """\
schema = "project/1"
slug = "tiny"
title = "Tiny"
summary = "A coin for every pixel."
family = "test models"
version = "1"
capabilities = ["density", "sampler"]
builds_on = []

[paper]
title = "Coins"
authors = ["Ada Lovelace", "Charles Babbage"]
year = 2020
url = "https://arxiv.org/abs/2001.00001"

[group]
key = "g-01"
members = ["p-01"]

[[goal]]
id = "coins"
metric = "nll_nats"
dataset = "binarized_mnist"
split = "test"
preset = "demo"
direction = "at most"
target = 91.0
paper_value = 88.4
paper_source = "Table 1, first row"
protocol = "Static binarization."
"""

CYCLE = """\
schema = "cycle/1"
semester = "2026-fall"
[dates]
proposal = 2026-10-01
v1 = 2026-11-01
review = 2026-11-15
v2 = 2026-12-01
demos = 2026-12-10
[group]
min = 1
max = 2
"""

README = f"""\
# Tiny

*Coins*, Lovelace and Babbage, 2020 ([arXiv](https://arxiv.org/abs/2001.00001)).

![Samples of the model](figures/samples.png)

## Results

{BEGIN}
{END}

On `coins` we reach 90.44 nats, 2.04 above the paper.

## Run it

See [the model](model.py) and `dgm demo tiny`.

## Deviations from the paper

None.
"""

MODEL = '''"""The model."""\n\nNUM_COINS = 784\n'''
TRAIN = '''"""Training."""\n\nPRESETS = {"smoke": 1, "demo": 2}\n'''
TEST = '''"""Laws of the coins."""\n\n\ndef test_coins():\n    assert 1 / 2 == 0.5\n'''
PICTURE = b"\x89PNG\r\n\x1a\n\0\0"
HEADER = b'{"coins":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}'
WEIGHTS = len(HEADER).to_bytes(8, "little") + HEADER + bytes(2)  # safetensors of one number


def result(**changes) -> dict:
    """The fields of the result of the goal `coins`."""
    table = {
        "project": "tiny",
        "goal": "coins",
        "metric": "nll_nats",
        "value": 90.4424,
        "standard_error": 0.229,
        "n": 10000,
        "unit": "nats",
        "split": "test",
        "protocol": "no preprocessing",
        "dataset": "binarized_mnist",
        "dataset_sha256": "0" * 64,
        "preset": "demo",
        "config": {"epochs": 40},
        "seed": 0,
        "evaluation_seed": 0,
        "num_importance_samples": 5000,
        "commit": "0" * 40,
        "code_sha256": "0" * 64,
        "hardware": "2 CPU cores",
        "train_seconds": 60.0,
        "evaluation_seconds": 1.0,
        "weights": "coins.safetensors",
        "weights_sha256": hashlib.sha256(WEIGHTS).hexdigest(),
        "schema": "result/1",
    }
    return table | changes


def markdown(*lines: str) -> dict:
    """A Markdown cell."""
    return {"cell_type": "markdown", "metadata": {}, "source": split("\n".join(lines))}


def code(count: int, text: str, *outputs: dict) -> dict:
    """An executed code cell."""
    return {
        "cell_type": "code",
        "execution_count": count,
        "metadata": {},
        "outputs": list(outputs),
        "source": split(text),
    }


def split(text: str) -> list[str]:
    """A text as notebooks store it, a line an item."""
    return text.splitlines(keepends=True)


def notebook(table: str) -> dict:
    """The notebook, with the results table among its outputs."""
    shown = {"output_type": "display_data", "metadata": {}, "data": {"text/markdown": split(table)}}
    picture = {"output_type": "display_data", "metadata": {}, "data": {"image/png": "iVBOR"}}
    return {
        "cells": [
            markdown(
                "# Coins",
                "",
                "Ada Lovelace, Charles Babbage. Group: g-01.",
                "",
                "Goal `coins`: at most 91.0 nats; the paper has 88.40.",
            ),
            markdown("## The idea", "", "$p(x) = 1/2$"),
            code(1, "from projects.tiny.model import NUM_COINS"),
            markdown("## Hyper-parameters", "", "None."),
            markdown("## Training and saving", "", "Nothing to learn."),
            markdown("## Loading and sampling"),
            code(2, "NUM_COINS", picture),
            markdown("## Results beside the paper"),
            code(3, "NUM_COINS * 2", shown),
            markdown("## Difficulties", "", "None."),
            markdown("## Limits", "", "Many."),
            markdown("## References", "", "1. Coins."),
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 4,
    }


def write_json(path: Path, table: object) -> None:
    """JSON as Jupyter and `dgm reproduce` write it, a field a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def make_project(root: Path) -> Path:
    """Write the project below `root` and return its folder."""
    folder = root / "projects" / "tiny"
    for name, data in {
        "project.toml": PROJECT.encode(),
        "model.py": MODEL.encode(),
        "train.py": TRAIN.encode(),
        "test_tiny.py": TEST.encode(),
        "figures/samples.png": PICTURE,
        "results/coins.safetensors": WEIGHTS,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (root / "LICENSE").write_text("MIT\n")
    (root / "reviews").mkdir(exist_ok=True)
    (root / "reviews" / "cycle.toml").write_text(CYCLE)
    write_json(folder / "results" / "coins.json", result(code_sha256=code_sha256(folder)))
    (project,) = find_projects(root)
    table = goals_table("tiny", project.goals, project_results(project))
    (folder / "README.md").write_text(README.replace(BEGIN, f"{BEGIN}\n{table}"), encoding="utf-8")
    write_json(folder / "demo.ipynb", notebook(table))
    return folder
