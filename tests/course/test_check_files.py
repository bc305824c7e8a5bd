"""The rules about files: every planted violation is found at its line, its neighbour is not.

What must not stand in the tree (keys, addresses, machine paths) is put together at run time.
"""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.course.checks import Context
from common.projects import ROOT

RULES = ("layout", "weights", "personal", "secrets", "code", "licence")
SLUG = "vae"
TABLE = """schema = "project/1"
slug = "vae"
title = "A model"
summary = "A model of digits."
family = "latent-variable models"
version = "1"
builds_on = []
licence = "MIT"
[paper]
title = "A model"
authors = ["A. Author"]
year = 2014
url = "https://arxiv.org/abs/1312.6114"
[group]
key = "g-01"
members = ["p-01"]
[[goal]]
id = "digits"
metric = "nll_nats"
dataset = "digits"
split = "test"
preset = "demo"
direction = "at most"
target = 25.0
paper_source = "not in the paper"
protocol = "as trained"
"""
PYPROJECT = """[project]
name = "models"
dependencies = ["torch>=2", "numpy", "scikit-learn>=1.4", "pyyaml", "ipykernel"]
[project.optional-dependencies]
dev = ["pytest>=8"]
bench = ["pandas"]
"""
NUMBER = "219" + "45678"
ADDRESS = "ada" + "@" + "example.org"
HOME = "/" + "home/ada/data"


def make(root, **changes):
    """A small sound project with files added, replaced, or (None) left out; its context."""
    files = {
        "LICENSE": "MIT License\n\nCopyright (c) 2026 the authors\n",
        "pyproject.toml": PYPROJECT,
        "project.toml": TABLE,
        "README.md": "# A model\n",
        "model.py": "import torch\n\n\nclass VAE(torch.nn.Module):\n    pass\n",
        "train.py": "from projects.vae.model import VAE\n\nPRESETS = {}\n",
        "test_vae.py": "import pytest\n\nfrom projects.vae.model import VAE\n",
        "demo.ipynb": notebook(code("from projects.vae.model import VAE\n")),
    }
    folder = root / "projects" / SLUG
    for name, content in (files | changes).items():
        is_above = name in {"LICENSE", "pyproject.toml", ".gitmodules"} or name.startswith("/")
        path = (root if is_above else folder) / name.removeprefix("/")
        if content is None:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return context(root)


def context(root):
    folder = root / "projects" / SLUG
    paths = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    return Context(root, SLUG, tuple(sorted(path.relative_to(root).as_posix() for path in paths)))


def code(text, outputs=(), **metadata):
    return {
        "cell_type": "code",
        "id": f"cell-{abs(hash(text)) % 10**6}",
        "execution_count": 1,
        "metadata": metadata,
        "outputs": list(outputs),
        "source": text.splitlines(keepends=True),
    }


def notebook(*cells, **metadata):
    table = {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(table, indent=1, ensure_ascii=False)


def printed(text):
    return {"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)}


def found(rule, project):
    """What a rule finds: (file inside the project, line, code), in order."""
    problems = import_module(f"common.course.checks.{rule}").check(project)
    return sorted((p.path.removeprefix("projects/vae/"), p.line, p.code) for p in problems)


def codes(rule, project):
    return [code for _, _, code in found(rule, project)]


def line_in_notebook(text, words):
    return next(n for n, line in enumerate(text.split("\n"), 1) if words in line)


@pytest.mark.parametrize("rule", RULES)
def test_a_sound_project_has_no_problems(tmp_path, rule):
    assert found(rule, make(tmp_path)) == []


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("slug", ["made", "real_nvp", "vae"])
def test_our_own_projects_have_no_problems(rule, slug):
    folder = ROOT / "projects" / slug
    skipped = {"__pycache__", ".ipynb_checkpoints"}
    paths = [p.relative_to(ROOT) for p in folder.rglob("*") if p.is_file()]
    files = sorted(p.as_posix() for p in paths if not skipped & set(p.parts))
    problems = import_module(f"common.course.checks.{rule}").check(
        Context(ROOT, slug, tuple(files))
    )
    assert [str(problem) for problem in problems if problem.level == "error"] == []


# --- layout


def test_required_files(tmp_path):
    project = make(tmp_path, **{"model.py": None, "train.py": None, "test_vae.py": None})
    assert found("layout", project) == [
        ("model.py", 0, "layout.missing"),
        ("test_vae.py", 0, "layout.missing"),
        ("train.py", 0, "layout.missing"),
    ]


def test_a_test_file_may_have_another_name_or_folder(tmp_path):
    project = make(tmp_path, **{"test_vae.py": None, "tests/test_model.py": "import pytest\n"})
    assert found("layout", project) == []


@pytest.mark.parametrize("name", ["notes.txt", "figures/a.png", "results/a.safetensors"])
def test_files_over_their_limit(tmp_path, name):
    limit = 16 * 2**20 if name.endswith("safetensors") else 2 * 2**20
    head = b"\x89PNG\r\n\x1a\n" if name.endswith("png") else b"x" * 8
    project = make(tmp_path)
    path = tmp_path / "projects" / SLUG / name
    path.parent.mkdir(exist_ok=True)
    for size, expected in ((limit, []), (limit + 1, [(name, 0, "layout.size")])):
        with path.open("wb") as file:
            file.write(head)
            file.truncate(size)  # sparse: takes no room
        project = context(tmp_path)
        assert [
            entry for entry in found("layout", project) if entry[2] == "layout.size"
        ] == expected


def test_a_project_over_its_limit(tmp_path):
    make(tmp_path)
    for index in range(3):
        path = tmp_path / "projects" / SLUG / "results" / f"{index}.safetensors"
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            file.truncate(11 * 2**20)
    assert ("projects/vae", 0, "layout.size") in found("layout", context(tmp_path))


def test_links_are_refused_and_not_followed(tmp_path):
    make(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.txt").write_text(ADDRESS)
    (tmp_path / "projects" / SLUG / "loop").symlink_to(tmp_path)
    (tmp_path / "projects" / SLUG / "notes.md").symlink_to(tmp_path / "elsewhere" / "secret.txt")
    (tmp_path / "projects" / SLUG / "gone.py").symlink_to(tmp_path / "nowhere")
    project = context(tmp_path)
    assert found("layout", project) == [
        ("gone.py", 0, "layout.link"),
        ("loop", 0, "layout.link"),
        ("notes.md", 0, "layout.link"),
    ]
    assert all(found(rule, project) == [] for rule in RULES if rule != "layout")


def test_a_repository_inside_is_refused(tmp_path):
    project = make(tmp_path, **{"other/.git/config": "[core]\n", "other/a.py": "a = 1\n"})
    assert ("other", 0, "layout.submodule") in found("layout", project)
    assert codes("layout", project) == ["layout.submodule"]


def test_a_gitlink_is_refused(tmp_path):
    """Git lists a submodule as a path that is a folder, a nested repository with a slash."""
    make(tmp_path)
    (tmp_path / "projects/vae/other").mkdir()
    for listed in ("projects/vae/other", "projects/vae/other/"):
        project = Context(tmp_path, SLUG, (*context(tmp_path).files, listed))
        assert found("layout", project) == [("other", 0, "layout.submodule")]


def test_a_submodule_of_the_repository_is_told_at_its_line(tmp_path):
    modules = (
        '[submodule "a"]\n\tpath = projects/vae_2/x\n[submodule "b"]\n\tpath = projects/vae/x\n'
    )
    project = make(tmp_path, **{".gitmodules": modules})
    assert found("layout", project) == [(".gitmodules", 4, "layout.submodule")]


def test_names_that_collide(tmp_path):
    project = make(
        tmp_path, **{"Figures/a.md": "a", "figures/b.md": "b", "NOTES.md": "", "notes.md": ""}
    )
    assert codes("layout", project) == ["layout.collision"] * 2


def test_names_that_collide_after_normalisation(tmp_path):
    project = make(tmp_path, **{"caf\u00e9.md": "a", "cafe\u0301.md": "b"})
    assert sorted(codes("layout", project)) == ["layout.collision", "layout.name"]


def test_a_project_beside_one_that_differs_in_case(tmp_path):
    project = make(tmp_path)
    (tmp_path / "projects" / "VAE").mkdir()
    assert found("layout", project) == [("projects/vae", 0, "layout.collision")]


@pytest.mark.parametrize(
    "name", ["aux.py", "COM1.txt", "a:b.md", "a?.md", "end.", "space .md ", "tab\t.md", "x" * 130]
)
def test_names_that_some_disk_cannot_store(tmp_path, name):
    assert found("layout", make(tmp_path, **{name: "a = 1\n"})) == [(name, 0, "layout.name")]


@pytest.mark.parametrize("name", ["auxiliary.py", "console.md", "figures/çizim.md", ".gitignore"])
def test_names_that_every_disk_can_store(tmp_path, name):
    assert found("layout", make(tmp_path, **{name: "a = 1\n"})) == []


@pytest.mark.parametrize(
    "name",
    [".DS_Store", "__pycache__/model.pyc", ".ipynb_checkpoints/a.ipynb", "model.py~", "wandb/a.txt",
     "figures/Thumbs.db", "train.log", "slurm-123.out", "._model.py"],
)  # fmt: skip
def test_files_that_programs_leave(tmp_path, name):
    assert (name, 0, "layout.stray") in found("layout", make(tmp_path, **{name: "x"}))


def archive(**members):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, content in members.items():
            file.writestr(name.replace("__", "/"), content)
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("all.zip", archive(a="text"), "layout.archive"),
        ("all.tar.gz", b"\x1f\x8b\x08\0\0\0\0\0", "layout.archive"),
        ("run", b"\x7fELF\x02\x01\0\0", "layout.archive"),
        ("setup.exe", b"MZ\x90\0\0\0", "layout.archive"),
        ("blob", b"\0\1\2\3", "layout.binary"),
        ("figures/a.png", b"\xff\xd8\xff\xe0\0\0", "layout.binary"),
        ("x.npz", archive(a="x"), "layout.data"),
        ("train-images-idx3-ubyte", b"\0\0\x08\3", "layout.data"),
        ("data/points.md", "1 2 3\n", "layout.data"),
        ("points.csv", "1,2,3\n" * 50_000, "layout.data"),
    ],
)
def test_content_that_does_not_belong(tmp_path, name, content, code):
    assert found("layout", make(tmp_path, **{name: content})) == [(name, 0, code)]


def test_content_that_belongs(tmp_path):
    png = b"\x89PNG\r\n\x1a\n" + bytes(20)
    project = make(
        tmp_path, **{"figures/a.png": png, "table.csv": "1,2\n" * 100, "BZhao.md": "BZhao\n"}
    )
    assert found("layout", project) == []


def test_a_merge_conflict(tmp_path):
    text = "# A\n\n" + "<" * 7 + " HEAD\na\n=======\nb\n" + ">" * 7 + " other\n"
    assert found("layout", make(tmp_path, **{"README.md": text})) == [
        ("README.md", 3, "layout.conflict")
    ]


def test_too_many_pictures(tmp_path):
    png = b"\x89PNG\r\n\x1a\n" + bytes(20)
    project = make(tmp_path, **{f"figures/{i}.png": png for i in range(61)})
    assert found("layout", project) == [("projects/vae", 0, "layout.data")]


def test_executable_data(tmp_path):
    project = make(tmp_path, **{"run.sh": "#!/bin/sh\n"})
    for name in ("run.sh", "README.md"):
        os.chmod(tmp_path / "projects/vae" / name, 0o755)
    assert found("layout", project) == [("README.md", 0, "layout.executable")]
    for path in (tmp_path / "projects/vae").iterdir():
        path.chmod(0o755)  # a disk that marks every file
    assert found("layout", project) == []


# --- weights


def safetensors(header, body=b"\0" * 8):
    data = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return struct.pack("<Q", len(data)) + data + body


def tensor(begin, end, shape=(1,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    "content",
    [
        safetensors({"a": tensor(0, 4), "b": tensor(4, 8)}),
        safetensors({"a": tensor(0, 8, (2, 2), "F16"), "__metadata__": {"format": "pt"}}),
        safetensors({"a": tensor(0, 8, (), "I64"), "empty": tensor(8, 8, (0, 3))}),
    ],
)
def test_valid_weights(tmp_path, content):
    assert found("weights", make(tmp_path, **{"results/a.safetensors": content})) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 100) + b"{}",
        safetensors(b"not json"),
        safetensors([1, 2]),
        safetensors({}),
        safetensors({"a": 1}),
        safetensors({"a": tensor(0, 4, dtype="FLOAT")}),
        safetensors({"a": tensor(0, 8)}),  # a float has four bytes
        safetensors({"a": tensor(0, 16, (4,))}),  # beyond the file
        safetensors({"a": tensor(0, 8, (2,)), "b": tensor(4, 8)}),  # overlap
        safetensors({"a": tensor(4, 8)}),  # a hole at the beginning
        safetensors({"a": tensor(0, 4)}),  # bytes of nobody at the end
        safetensors({"a": tensor(4, 0)}),
        safetensors({"a": tensor(0, 8, (-2,))}),
        safetensors({"a": tensor(0, 8, (2,)), "__metadata__": {"a": 1}}),
        safetensors(b'{"a": 1, "a": 2}'),
    ],
)
def test_broken_weights(tmp_path, content):
    project = make(tmp_path, **{"results/a.safetensors": content})
    assert found("weights", project) == [("results/a.safetensors", 0, "weights.safetensors")]


def object_array():
    data = io.BytesIO()
    np.save(data, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return data.getvalue()


class Thing:
    """Something to pickle by its class."""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pt", archive(**{"model__data.pkl": "x"})),
        ("weights.safetensor", archive(**{"data.pkl": "x"})),
        ("a.pkl", pickle.dumps({"a": Thing()})),
        ("a.pkl", pickle.dumps({"a": [1, 2, 3]}, protocol=0)),
        ("hidden.txt", pickle.dumps({"a": Thing(), "b": list(range(20))}, protocol=4)),
        ("old.pth", pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2) + b"more"),
        ("a.npy", object_array()),
        ("a.npz", archive(**{"a.npy": object_array()})),
        ("a.joblib", pickle.dumps({"a": [Thing()] * 9}, protocol=4)[:-5] + bytes(range(256))),
    ],
)
def test_pickles_are_known_by_their_content(tmp_path, name, content):
    assert found("weights", make(tmp_path, **{name: content})) == [(name, 0, "weights.pickle")]


@pytest.mark.parametrize("name", ["a.pt", "a.ckpt", "a.onnx", "a.bin"])
def test_other_formats_of_weights(tmp_path, name):
    assert found("weights", make(tmp_path, **{name: b"\0\1\2"})) == [(name, 0, "weights.format")]


def test_what_is_no_pickle(tmp_path):
    numbers = io.BytesIO()
    np.save(numbers, np.zeros(3))
    project = make(
        tmp_path, **{"a.npy": numbers.getvalue(), "b.zip": archive(a="x"), "c": b"\x80\x04xyz"}
    )
    assert found("weights", project) == []


def test_pickles_in_code(tmp_path):
    text = """import pickle as p
import numpy as np
import torch as t
from torch import load

a = t.load("a")
b = load("a")
c = p.loads(b"a")
d = np.load("a", allow_pickle=True)
e = np.load("a")
f = np.load("a", allow_pickle=False)
t.save({}, "a")
g = json.load(open("a"))
"""
    project = make(tmp_path, **{"train.py": text, "test_vae.py": "import torch\ntorch.load('a')\n"})
    assert found("weights", project) == [
        ("test_vae.py", 2, "weights.load"),
        *[("train.py", line, "weights.load") for line in (6, 7, 8, 9)],
        ("train.py", 12, "weights.save"),
    ]


# --- code


@pytest.mark.parametrize(
    "text",
    [
        "import torch.nn as nn",
        "from sklearn.datasets import load_digits",
        "import yaml",
        "from dataclasses import dataclass",
        "from projects.vae.train import PRESETS",
        "from .train import PRESETS",
        "from . import train",
        "import IPython.display",
        "x = model.eval()",
        "g = torch.Generator().manual_seed(0)",
        "x = 'see https://example.org/home/page'",
    ],
)
def test_code_that_is_sound(tmp_path, text):
    assert found("code", make(tmp_path, **{"other.py": f"{text}\n"})) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("def f(:", "code.syntax"),
        ("import pandas", "code.undeclared"),
        ("from PIL import Image", "code.undeclared"),
        ("import pytest", "code.undeclared"),
        ("try:\n    import jax\nexcept ImportError:\n    pass", "code.undeclared"),
        ("from projects.made.model import MADE", "code.builds-on"),
        ("import projects.made.masks", "code.builds-on"),
        ("from ..made import masks", "code.builds-on"),
        ("import importlib\nimportlib.import_module('projects.made.masks')", "code.builds-on"),
        ("from train import PRESETS", "code.import"),
        ("from tests import laws", "code.import"),
        ("from common.course import privacy", "code.import"),
        ("from ...... import x", "code.import"),
        ("from torch.nn import *", "code.wildcard"),
        ("import sys\nsys.path.append('..')", "code.sys-path"),
        ("import sys\nsys.path = ['..'] + sys.path", "code.sys-path"),
        ("import os\nos.chdir('..')", "code.sys-path"),
        (f"x = '{HOME}'", "code.machine-path"),
        ("x = 'C:" + "\\\\Users" + "\\\\ada'", "code.machine-path"),
        ("x = '~" + "/data'", "code.machine-path"),
        ("import torch\ntorch.manual_seed(0)", "code.seed"),
        ("import numpy as np\nnp.random.seed(0)", "code.seed"),
        ("exec('a = 1')", "code.unsafe"),
        ("import os\nos.system('ls')", "code.unsafe"),
        ("from subprocess import run\nrun(['ls'])", "code.unsafe"),
        ("import urllib.request\nurllib.request.urlopen('x')", "code.unsafe"),
        ("import torch\ntorch.hub.load('a', 'b')", "code.unsafe"),
    ],
)
def test_code_that_is_not(tmp_path, text, code):
    last = [n for n, line in enumerate(text.split("\n"), 1) if line.strip()][-1]
    line = 2 if text.startswith("try") else last
    assert found("code", make(tmp_path, **{"other.py": f"{text}\n"})) == [("other.py", line, code)]


def test_a_test_may_import_what_a_model_may_not(tmp_path):
    text = "import pytest\nimport torch\nfrom tests import laws\ntorch.manual_seed(0)\n"
    assert found("code", make(tmp_path, **{"test_vae.py": text})) == []


def test_a_project_that_is_built_upon_is_declared_and_used(tmp_path):
    table = TABLE.replace("builds_on = []", 'builds_on = ["made"]')
    used = {"project.toml": table, "train.py": "from projects.made.model import MADE\n"}
    assert found("code", make(tmp_path / "a", **used)) == []
    unused = make(tmp_path / "b", **{"project.toml": table})
    assert found("code", unused) == [("project.toml", 7, "code.builds-on")]


def test_a_part_of_common_that_does_not_exist(tmp_path):
    project = make(
        tmp_path,
        **{
            "/common/data/__init__.py": "",
            "other.py": "import common.data\nimport common.trainng\n",
        },
    )
    assert found("code", project) == [("other.py", 2, "code.import")]


def test_code_in_a_notebook_has_the_lines_of_its_file(tmp_path):
    text = notebook(
        code("%matplotlib inline\nimport torch\n%timeit torch.zeros(1)\nx = (7\n % 3)\n"),
        code("%%time\nimport pandas\n"),
        code("!pip install pandas\n"),
        code("files = !ls\nhelp?\n"),
        code("%%bash\nls | wc\n"),
        code("def f(:\n"),
        code("from torch import *\n"),
    )
    at = lambda words: line_in_notebook(text, words)  # noqa: E731
    assert found("code", make(tmp_path, **{"demo.ipynb": text})) == sorted(
        [
            ("demo.ipynb", at("import pandas"), "code.undeclared"),
            ("demo.ipynb", at("!pip"), "code.install"),
            ("demo.ipynb", at("files = !ls"), "code.shell"),
            ("demo.ipynb", at("%%bash"), "code.shell"),
            ("demo.ipynb", at("def f("), "code.syntax"),
            ("demo.ipynb", at("import *"), "code.wildcard"),
        ]
    )


def test_dependencies_fall_back_to_our_own(tmp_path):
    project = make(
        tmp_path, **{"pyproject.toml": None, "other.py": "import scipy\nimport pandas\n"}
    )
    assert found("code", project) == [("other.py", 2, "code.undeclared")]


# --- licence


def borrowed(**fields):
    entry = {
        "file": "utility.py",
        "source": "https://github.com/a/b/blob/main/c.py",
        "licence": "MIT",
        "reason": "reads a format and knows no model",
    }
    lines = [f'{name} = "{value}"' for name, value in (entry | fields).items()]
    return TABLE + "[[borrowed]]\n" + "\n".join(lines) + "\n"


BORROWED_LINE = TABLE.count("\n") + 2  # of `file`; source, licence and reason follow
UTILITY = "# Copyright (c) 2019 Somebody Else, MIT\nx = 1\n"


def test_a_declared_file_is_fine(tmp_path):
    project = make(tmp_path, **{"project.toml": borrowed(), "utility.py": UTILITY})
    assert found("licence", project) == []


@pytest.mark.parametrize(
    ("fields", "offset"),
    [
        ({"file": "gone.py"}, 0),
        ({"file": "model.py"}, 0),
        ({"source": "a friend"}, 1),
        ({"licence": "mit license"}, 2),
        ({"licence": "GPL-3.0-only"}, 2),
        ({"reason": "none"}, 3),
        ({"reason": "utility"}, 3),
    ],
)
def test_a_declaration_that_is_not_complete(tmp_path, fields, offset):
    project = make(tmp_path, **{"project.toml": borrowed(**fields), "utility.py": UTILITY})
    lines = [entry for entry in found("licence", project) if entry[2] == "licence.borrowed"]
    assert ("project.toml", BORROWED_LINE + offset, "licence.borrowed") in lines


@pytest.mark.parametrize("licence", ["MIT", "Apache-2.0", "MIT OR Apache-2.0", "GPL-3.0-or-later"])
def test_licences_that_are_known(tmp_path, licence):
    table = TABLE.replace('licence = "MIT"', f'licence = "{licence}"')
    assert found("licence", make(tmp_path, **{"project.toml": table})) == []


@pytest.mark.parametrize("licence", ["Apache 2", "mit", "free", "CC-BY-NC-4.0", "MIT OR Mine"])
def test_licences_that_are_not(tmp_path, licence):
    table = TABLE.replace('licence = "MIT"', f'licence = "{licence}"')
    project = make(tmp_path, **{"project.toml": table})
    assert found("licence", project) == [("project.toml", 8, "licence.spdx")]


def test_the_repository_has_a_licence(tmp_path):
    assert found("licence", make(tmp_path, LICENSE=None)) == [("LICENSE", 0, "licence.repository")]


@pytest.mark.parametrize(
    "line",
    [
        "# Copyright (c) 2019 Somebody Else",
        "# (C) Copyright 2020 A Company. All rights reserved.",
        "# © 2018 Somebody",
        "# Licensed under the Apache License, Version 2.0",
        "# SPDX-License-Identifier: BSD-3-Clause",
        "# Permission is hereby granted, free of charge",
        "# code adapted from https://github.com/a/b/blob/main/model.py",
        "# Taken from: https://stackoverflow.com/a/123",
    ],
)
def test_foreign_headers(tmp_path, line):
    text = f'"""A file."""\n\n{line}\nx = 1\n'
    assert found("licence", make(tmp_path / "a", **{"model.py": text})) == [
        ("model.py", 3, "licence.header")
    ]
    cell = notebook(code(f"x = 1\n{line}\n"))
    assert found("licence", make(tmp_path / "b", **{"demo.ipynb": cell})) == [
        ("demo.ipynb", line_in_notebook(cell, line[2:12]), "licence.header")
    ]


@pytest.mark.parametrize(
    "line",
    [
        "# Copyright (c) 2026 g-01",
        "# SPDX-License-Identifier: MIT",
        "# the architecture is taken from Section 3, https://arxiv.org/abs/1312.6114",
        "# weights are copied from the encoder",
    ],
)
def test_headers_of_ones_own(tmp_path, line):
    assert found("licence", make(tmp_path, **{"model.py": f"{line}\n"})) == []


def test_a_foreign_licence_file(tmp_path):
    text = "Apache License\n\nCopyright (c) 2019 Somebody\n"
    assert found("licence", make(tmp_path, **{"LICENSE.other": text})) == [
        ("LICENSE.other", 0, "licence.header")
    ]


# --- personal


def test_personal_texts_are_found_with_their_lines(tmp_path):
    cells = (
        {
            "cell_type": "markdown",
            "id": "a",
            "metadata": {},
            "source": ["# A\n", f"by {ADDRESS}\n"],
        },
        code("print(1)\n", [printed(f"one\ntwo\nstudent no: {NUMBER}\n")]),
    )
    text = notebook(*cells)
    project = make(
        tmp_path,
        **{
            "demo.ipynb": text,
            "model.py": f"# mail:\n# {ADDRESS}\n",
            "README.md": f"# A\n\ngrade: {'87/100'}\n",
            "/reviews/vae/r-07.md": f"---\n---\nby b{NUMBER}\n",
            "/reviews/made/r-07.md": f"by b{NUMBER}\n",
            f"homework_b{NUMBER}.md": "",
        },
    )
    assert found("personal", project) == sorted(
        [
            ("README.md", 3, "personal.grade"),
            ("demo.ipynb", line_in_notebook(text, ADDRESS), "personal.email"),
            ("demo.ipynb", line_in_notebook(text, NUMBER), "personal.student-number"),
            ("model.py", 2, "personal.email"),
            ("reviews/vae/r-07.md", 3, "personal.student-number"),
            (f"homework_b{NUMBER}.md", 0, "personal.student-number"),
        ]
    )


def test_a_message_does_not_repeat_what_is_private(tmp_path):
    project = make(tmp_path, **{"README.md": ADDRESS})
    (problem,) = import_module("common.course.checks.personal").check(project)
    assert "example" not in problem.message + problem.hint


def test_authors_in_the_metadata_of_a_notebook(tmp_path):
    user = {"executionInfo": {"user": {"displayName": "Ada"}}}
    text = notebook(code("x = 1\n", **user), code("y = 1\n", **user), authors=[{"name": "Ada"}])
    project = make(tmp_path, **{"demo.ipynb": text})
    assert found("personal", project) == [
        ("demo.ipynb", line_in_notebook(text, '"user"'), "personal.author"),
        ("demo.ipynb", line_in_notebook(text, '"authors"'), "personal.author"),
    ]


def png(*chunks):
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        data += (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )
    return data


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.png", png((b"tEXt", b"Author\0Ada Lovelace")), "personal.author"),
        ("a.png", png((b"tEXt", b"Comment\0" + ADDRESS.encode())), "personal.email"),
        (
            "a.png",
            png((b"zTXt", b"Comment\0\0" + zlib.compress(ADDRESS.encode()))),
            "personal.email",
        ),
        ("a.png", png((b"iTXt", b"Artist\0\0\0en\0\0Ada")), "personal.author"),
        ("a.png", png((b"eXIf", b"II*\0")), "personal.exif"),
        ("a.jpg", b"\xff\xd8\xff\xe1\0\x10Exif\0\0", "personal.exif"),
        ("a.pdf", b"%PDF-1.5\0\n/Author (Ada Lovelace)", "personal.author"),
        (
            "a.safetensors",
            safetensors({"__metadata__": {"by": ADDRESS}, "a": tensor(0, 8, (2,))}),
            "personal.email",
        ),
    ],
)
def test_metadata_of_binary_files(tmp_path, name, content, code):
    assert found("personal", make(tmp_path, **{name: content})) == [(name, 0, code)]


def test_metadata_that_says_nothing_of_people(tmp_path):
    picture = png((b"tEXt", b"Software\0Matplotlib version3.11.2, https://matplotlib.org/"))
    assert found("personal", make(tmp_path, **{"a.png": picture})) == []


def test_real_names_wait_for_publication(tmp_path):
    table = TABLE.replace('members = ["p-01"]', 'members = ["p-01"]\nnames = ["Ada Lovelace"]')
    project = make(tmp_path, **{"project.toml": table})
    assert found("personal", project) == [("project.toml", 17, "personal.names")]
    published = make(tmp_path, **{"project.toml": table, "/reviews/published.toml": ""})
    assert found("personal", published) == []


# --- secrets

RANDOM = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYzA1b"
SECRETS = [
    "AKIA" + RANDOM[:16].upper(),
    "ghp_" + RANDOM,
    "github_pat_" + RANDOM + RANDOM,
    "glpat-" + RANDOM[:20],
    "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH",
    "sk-proj-" + RANDOM,
    "xoxb-" + "123456789012-" + RANDOM[:24],
    "-----BEGIN RSA " + "PRIVATE KEY-----",
    "https://ada:" + "pa55word" + "@" + "host/path",
    'password = "' + "s3cr3t-Horse" + '"',
    'os.environ["WANDB_API_KEY"] = "' + RANDOM + '"',
    'wandb.login(key="' + RANDOM + '")',
]


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_found_in_files_cells_and_outputs(tmp_path, secret):
    text = notebook(code(f"a = 1\n# {secret}\n"), code("b = 1\n", [printed(f"{secret}\n")]))
    project = make(tmp_path, **{"other.py": f"a = 1\n# {secret}\n", "demo.ipynb": text})
    lines = [line for path, line, _ in found("secrets", project) if path == "other.py"]
    assert lines == [2]
    assert codes("secrets", project) == ["secrets.found"] * 3
    messages = str(list(import_module("common.course.checks.secrets").check(project)))
    assert RANDOM not in messages


@pytest.mark.parametrize(
    "line",
    [
        'password = os.environ["PASSWORD"]',
        'password = "<your password>"',
        'api_key: "xxxxxxxxxxxx"',
        'token = "<eos>"',
        '"pwd": "IPython.core.magics.osm:OSMagics"',
        'sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
        "secret santa: the hidden units",
        "key, value = query",
        "git clone https://github.com/a/b",
        "seed = 12345678901234567890",
        "https://user:password" + "@" + "example.org",
        "AC" + "a1" * 4,
    ],
)
def test_what_only_looks_secret(tmp_path, line):
    assert found("secrets", make(tmp_path, **{"other.py": f"{line}\n"})) == []


@pytest.mark.parametrize("name", [".env", "kaggle.json", "id_rsa", "server.pem"])
def test_files_for_credentials(tmp_path, name):
    assert found("secrets", make(tmp_path, **{name: "x"})) == [(name, 0, "secrets.file")]


def test_pictures_in_a_notebook_are_no_secrets(tmp_path):
    picture = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"image/png": SECRETS[0] * 99},
    }
    project = make(tmp_path, **{"demo.ipynb": notebook(code("x = 1\n", [picture]))})
    assert found("secrets", project) == []


# --- whatever is in a file, no rule breaks

NAMES = st.sampled_from(
    [
        "model.py",
        "demo.ipynb",
        "project.toml",
        "a.safetensors",
        "a.pt",
        "a.png",
        "a.npy",
        "b",
        "c.md",
    ]
)
HEADS = st.sampled_from(
    [b"", b"\x80\x04", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"\x93NUMPY", b"\xff\xfe", b'{"cells": [',
     b"\x10\0\0\0\0\0\0\0{", b"(", b"%PDF", b"\xff\xd8\xff"]
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(NAMES, HEADS, st.binary(max_size=300))
def test_random_bytes_break_no_rule(tmp_path_factory, name, head, body):
    root = tmp_path_factory.mktemp("random")
    project = make(root, **{name: head + body})
    for rule in RULES:
        found(rule, project)


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=200), st.text(max_size=60))
def test_random_code_breaks_no_rule(tmp_path_factory, source, output):
    root = tmp_path_factory.mktemp("random")
    text = notebook(code(source, [printed(output)]))
    project = make(root, **{"model.py": source.encode("utf-8", "replace"), "demo.ipynb": text})
    for rule in RULES:
        found(rule, project)


def test_a_project_with_nothing_in_it_breaks_no_rule(tmp_path):
    (tmp_path / "projects" / SLUG).mkdir(parents=True)
    for rule in RULES:
        found(rule, Context(tmp_path, SLUG, ()))
        found(rule, Context(tmp_path, SLUG, ("projects/vae/gone.py", "projects/vae/gone.ipynb")))
    assert Path(tmp_path, "projects", SLUG).is_dir()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_named_like_code_is_not_read(tmp_path):
    make(tmp_path)
    folder = tmp_path / "projects" / SLUG
    script = f"from pathlib import Path; from common.results import code_sha256 as f; print(f(Path({str(folder)!r})))"
    command = [sys.executable, "-c", script]
    before = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=20, check=True)
    os.mkfifo(folder / "y.py")
    after = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=20, check=True)
    assert after.stdout == before.stdout
    assert ("y.py", 0, "layout.link") in found("layout", context(tmp_path))
