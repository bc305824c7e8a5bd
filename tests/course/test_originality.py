"""Copies are found with their lines whatever was renamed; unrelated code is left in peace."""

import json
import re
import stat
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import cli
from common.course.originality import compare as originality
from common.course.originality.compare import compare
from common.course.originality.fingerprints import MIN_PASSAGE, CodeFile, fingerprint, passages
from common.course.originality.report import as_html, as_json, as_markdown, as_text
from common.errors import UserError
from common.projects import ROOT

TABLE = """schema = "project/1"
slug = "{slug}"
title = "A model"
summary = "A model of digits."
family = "flows"
version = "1"
builds_on = [{builds_on}]
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
BORROWED = """[[borrowed]]
file = "utility.py"
source = "https://github.com/a/b/blob/main/c.py"
licence = "MIT"
reason = "reads a format and knows no model"
"""

FLOW = '''"""A coupling layer, with its inverse and determinant."""

import torch
from torch import nn


class Coupling(nn.Module):
    """Half of the dimensions move the other half."""

    def __init__(self, size, hidden):
        super().__init__()
        self.size = size
        self.first = nn.Linear(size // 2, hidden)
        self.second = nn.Linear(hidden, 2 * (size - size // 2))
        nn.init.zeros_(self.second.weight)

    def forward(self, x):
        """z and the log-determinant."""
        a, b = x[:, : self.size // 2], x[:, self.size // 2 :]
        scale, shift = self.second(torch.relu(self.first(a))).chunk(2, dim=1)
        scale = torch.tanh(scale) * 2.0
        z = torch.cat([a, b * scale.exp() + shift], dim=1)
        return z, scale.sum(dim=1)

    def inverse(self, z):
        """x and the log-determinant."""
        a, b = z[:, : self.size // 2], z[:, self.size // 2 :]
        scale, shift = self.second(torch.relu(self.first(a))).chunk(2, dim=1)
        scale = torch.tanh(scale) * 2.0
        x = torch.cat([a, (b - shift) * (-scale).exp()], dim=1)
        return x, -scale.sum(dim=1)
'''
TREE = '''"""Files of a folder, by their kind."""

import json
from collections import defaultdict
from pathlib import Path


def by_kind(folder):
    """Group the files."""
    groups = defaultdict(list)
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            groups[path.suffix or "none"].append(path.relative_to(folder).as_posix())
    return dict(groups)


def write(folder, name):
    """Write them down."""
    try:
        text = json.dumps(by_kind(folder), indent=2, sort_keys=True)
    except OSError as error:
        raise ValueError(f"{folder}: {error}") from None
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)
    return len(text)
'''
RENAMED = {
    "Coupling": "AffineBlock", "size": "n", "hidden": "width", "first": "net_in", "scale": "s",
    "second": "net_out", "shift": "t", "forward": "encode", "inverse": "decode", "a": "left",
    "b": "right", "x": "inputs", "z": "latent",
}  # fmt: skip


def renamed(text):
    """The code with other names, other comments, and empty lines."""
    for old, new in RENAMED.items():
        text = re.sub(rf"(?<![\w.\"]){old}(?!\w)|(?<=self\.){old}(?!\w)", new, text)
    text = re.sub(r'"""[^"]*"""', '"""Our own idea."""', text)
    return text.replace("\n        return", "\n\n        # done\n        return")


def make(root, slug, table="", builds_on="", **files):
    folder = root / "projects" / slug
    folder.mkdir(parents=True)
    (folder / "project.toml").write_text(TABLE.format(slug=slug, builds_on=builds_on) + table)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def notebook(*cells):
    made = [{"cell_type": "markdown", "metadata": {}, "source": "# A"}]
    made += [{"cell_type": "code", "metadata": {}, "outputs": [], "source": cell} for cell in cells]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def line_of(text, words):
    return next(n for n, line in enumerate(text.split("\n"), 1) if words in line)


def test_a_renamed_copy_is_found_with_its_lines(tmp_path):
    copy = "\n\n" + TREE.replace("folder", "place") + "\n\n" + renamed(FLOW).split("nn\n", 1)[1]
    make(tmp_path, "flow", model__py=FLOW)
    make(tmp_path, "thief", model__py=copy)
    (match,) = compare(tmp_path)
    assert (match.left.path, match.right.path) == (
        "projects/flow/model.py",
        "projects/thief/model.py",
    )
    assert match.left_share > 0.85
    assert 0.3 < match.right_share < 0.75
    assert (match.declared, match.is_acknowledged) == ("", False)
    longest = match.passages[0]
    first, last = line_of(copy, "class AffineBlock"), copy.rstrip().count("\n") + 1
    assert abs(longest.left_first - line_of(FLOW, "class Coupling")) <= 1
    assert abs(longest.right_first - first) <= 1
    assert (longest.left_last, longest.right_last) == (FLOW.count("\n"), last)


def test_a_copied_method_in_another_file_is_found_at_its_lines(tmp_path):
    method = FLOW[FLOW.index("    def inverse") :]
    copy = TREE + "\n\nclass Other:\n" + method
    make(tmp_path, "flow", model__py=FLOW)
    make(tmp_path, "thief", tools__py=copy)
    (match,) = compare(tmp_path, threshold=0.1)
    passage = match.passages[0]
    assert abs(passage.left_first - line_of(FLOW, "def inverse")) <= 1
    assert abs(passage.right_first - line_of(copy, "def inverse")) <= 1
    assert passage.right_last == copy.count("\n")


def test_unrelated_projects_share_nothing(tmp_path):
    make(tmp_path, "flow", model__py=FLOW)
    make(tmp_path, "tree", model__py=TREE)
    assert compare(tmp_path, threshold=0.0) == []


def test_our_own_projects_share_nothing():
    assert [as_text([match]) for match in compare(ROOT, threshold=0.2)] == []


def test_a_copy_into_a_notebook_is_found_with_its_cell(tmp_path):
    make(tmp_path, "flow", model__py=FLOW)
    make(tmp_path, "thief", demo__ipynb=notebook("import torch\n%matplotlib inline", renamed(FLOW)))
    (match,) = compare(tmp_path)
    text = as_text([match])
    assert re.search(r"demo\.ipynb#cell-2:\d+-35\b", text)


def test_a_declared_file_is_marked_and_comes_last(tmp_path):
    make(tmp_path, "one", BORROWED, utility__py=TREE, model__py=FLOW)
    make(tmp_path, "two", utility__py=TREE, model__py=renamed(FLOW))
    model, utility = compare(tmp_path)
    assert (model.is_acknowledged, utility.is_acknowledged) == (False, True)
    assert "borrowed from https://github.com/a/b" in utility.declared
    assert "not declared" in as_text([model])


def test_a_copy_from_a_project_that_is_built_upon_is_told(tmp_path):
    make(tmp_path, "flow", model__py=FLOW)
    make(tmp_path, "glow", builds_on='"flow"', model__py=FLOW)
    (match,) = compare(tmp_path)
    assert match.declared == "glow builds on flow: it should import, not copy"
    assert not match.is_acknowledged


def test_the_template_does_not_count(tmp_path):
    template = tmp_path / "templates" / "project"
    template.mkdir(parents=True)
    (template / "train.py").write_text(TREE)
    make(tmp_path, "one", train__py=TREE, model__py=FLOW)
    make(tmp_path, "two", train__py=TREE, model__py=renamed(FLOW))
    assert [match.left.path for match in compare(tmp_path)] == ["projects/one/model.py"]


def test_what_most_projects_have_does_not_count(tmp_path):
    for number in range(10):
        make(tmp_path, f"p{number}", train__py=TREE, **({"model__py": FLOW} if number < 2 else {}))
    assert [match.left.path for match in compare(tmp_path)] == ["projects/p0/model.py"]


def test_other_folders_are_compared_too(tmp_path):
    make(tmp_path / "tree", "thief", model__py=renamed(FLOW))
    other = tmp_path / "downloads"
    (other / "src").mkdir(parents=True)
    (other / "src" / "coupling.py").write_text(FLOW)
    (other / "link.py").symlink_to(other / "src" / "coupling.py")
    (match,) = compare(tmp_path / "tree", against=[other])
    assert (match.left.owner, match.right.path) == ("thief", "downloads/src/coupling.py")


def test_one_project_is_compared_with_all(tmp_path):
    for slug in ("a", "b", "c"):
        make(tmp_path, slug, model__py=FLOW)
    pairs = [(match.left.owner, match.right.owner) for match in compare(tmp_path, ["b"])]
    assert sorted(pairs) == [("b", "a"), ("b", "c")]


def test_what_does_not_exist_is_told(tmp_path):
    make(tmp_path, "flow", model__py=FLOW)
    with pytest.raises(UserError, match=r"'flaw'.*there are: flow"):
        compare(tmp_path, ["flaw"])
    with pytest.raises(UserError, match="no folder"):
        compare(tmp_path, against=[tmp_path / "gone"])


def test_files_that_are_broken_are_passed_over(tmp_path):
    folder = make(tmp_path, "flow", model__py=FLOW, a__ipynb="{", b__ipynb='{"cells": [1]}')
    (folder / "binary.py").write_bytes(b"\0\1\2")
    (folder / "empty.py").write_text("\n\n")
    (folder / "broken.py").write_text("def f(:\n  '''\n")
    make(tmp_path, "thief", model__py=FLOW)
    (tmp_path / "projects" / "thief" / "project.toml").write_text("nonsense")
    assert len(compare(tmp_path)) == 1


def test_lines_are_right_after_comments_strings_and_classes():
    """copydetect's own places are off by lines around the names of classes."""
    head = '\n\n# a comment\n"""A docstring\n\nof three lines."""\n\n'
    file = fingerprint(CodeFile("a", "a.py", head + FLOW + "\n\n" + FLOW.replace("Coupling", "B")))
    (made,) = [
        p for p in passages(file, fingerprint(CodeFile("b", "b.py", FLOW))) if p.left_first < 20
    ]
    assert file.text.split("\n")[made.left_last - 1].strip().startswith("return x, -scale")
    assert FLOW.split("\n")[made.right_last - 1].strip().startswith("return x, -scale")


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_can_be_compared(left, right):
    files = [fingerprint(CodeFile("a", "a.py", left)), fingerprint(CodeFile("b", "b.py", right))]
    for file in files:
        assert all(1 <= line <= file.text.count("\n") + 1 for line in file.lines)
    passages(*files)


def test_an_inserted_statement_does_not_hide_a_copy(tmp_path):
    lines = FLOW.split("\n")
    lines[20:20] = ["        assert x.ndim == 2"]
    make(tmp_path, "flow", model__py=FLOW)
    make(tmp_path, "thief", model__py="\n".join(lines))
    (match,) = compare(tmp_path)
    assert match.left_share > 0.8


def synthetic(number, num_functions=40):
    """Code that no other number has: the shape of each function is drawn from its number."""
    import random

    draw = random.Random(number)
    words = ["max(a, b)", "a[b]", "sorted(a)", "a ** 2", "not a", "-b", "len(a)", "a @ b", "{a: b}"]
    lines = ["import math"]
    for index in range(num_functions):
        lines.append(f"\n\ndef function_{index}(a, b):")
        for _ in range(draw.randrange(3, 9)):
            kind = draw.choice(
                ["a = {}", "if {}:\n        b = {}", "for a in {}:\n        print({})"]
            )
            parts = [f"{draw.choice(words)} {draw.choice('+*/|&')} {draw.choice(words)}"] * 2
            lines.append("    " + kind.format(*parts))
        lines.append("    return a")
    return "\n".join(lines)


def test_each_file_is_read_once_and_a_copy_among_many_is_found(tmp_path, monkeypatch):
    for number in range(12):
        make(tmp_path, f"p{number}", model__py=synthetic(number), train__py=synthetic(100 + number))
    make(tmp_path, "thief", model__py=synthetic(3))
    read = []
    monkeypatch.setattr(
        originality, "fingerprint", lambda file: (read.append(file.path), fingerprint(file))[1]
    )
    start = time.process_time()
    (match,) = compare(tmp_path)
    assert time.process_time() - start < 10  # about a second
    assert (match.left.owner, match.right.owner) == ("p3", "thief")
    assert len(read) == len(set(read)) == 25


# --- the command


@pytest.fixture
def tree(tmp_path, monkeypatch):
    root = tmp_path / "repository"
    make(root, "flow", model__py=FLOW)
    make(root, "thief", model__py=renamed(FLOW))
    (root / ".git").mkdir()
    monkeypatch.chdir(root)
    monkeypatch.delenv("DGM_PRIVATE", raising=False)
    return root


def test_the_report_is_printed(tree, capsys):
    assert cli.main(["originality", "thief"]) == 0
    out = capsys.readouterr().out
    assert "projects/thief/model.py" in out
    assert "next:" in out
    assert max(map(len, out.splitlines())) <= 80


def test_the_report_for_a_program(tree, capsys):
    assert cli.main(["originality", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    (match,) = report["matches"]
    assert report["schema"] == "originality/1"
    assert match["passages"][0]["left"].startswith("projects/flow/model.py:")
    assert match["acknowledged"] is False


def test_nothing_found_says_so(tree, capsys):
    (tree / "projects/thief/model.py").write_text(TREE)
    assert cli.main(["originality"]) == 0
    assert "no two files" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["report.html", "projects/r.md", "../repository/build/r.json"])
def test_a_report_in_the_repository_is_refused(tree, capsys, name):
    assert cli.main(["originality", "--out", name]) == 2
    assert "repository" in capsys.readouterr().err
    assert not list(tree.rglob("r*.html")) + list(tree.rglob("r.*"))


def test_a_bare_name_goes_to_the_private_folder(tree, tmp_path, monkeypatch, capsys):
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setenv("DGM_PRIVATE", str(private))
    for name in ("report.html", "report.md", "report.json"):
        for _ in range(2):  # a report of its own is replaced
            assert cli.main(["originality", "--out", name]) == 0
        assert stat.S_IMODE((private / name).stat().st_mode) == 0o600
    page = (private / "report.html").read_text()
    assert "class AffineBlock" in page
    assert "projects/thief/model.py" in (private / "report.md").read_text()


def test_what_a_person_wrote_is_not_overwritten(tree, tmp_path, capsys):
    notes = tmp_path / "notes.md"
    notes.write_text("# mine\n")
    assert cli.main(["originality", "--out", str(notes)]) == 2
    assert notes.read_text() == "# mine\n"
    assert "no report of this command" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--threshold", "3"], ["--out", "report.pdf"], ["--out", "gone/r.html"], ["x"]]
)
def test_bad_input_is_told(tree, tmp_path, capsys, arguments):
    arguments = [a if a != "gone/r.html" else str(tmp_path / a) for a in arguments]
    assert cli.main(["originality", *arguments]) == 2
    assert "expected" in (err := capsys.readouterr().err) or "no " in err


def test_code_cannot_break_the_page(tmp_path):
    evil = FLOW.replace('"""z and the log-determinant."""', "# </pre><script>alert(1)</script>")
    make(tmp_path, "a", model__py=evil)
    make(tmp_path, "b", model__py=evil)
    matches = compare(tmp_path)
    assert "<script>" not in as_html(matches)
    assert json.loads(as_json(matches))["matches"]
    assert "model.py" in as_markdown(matches)


def test_the_shortest_passage_is_some_statements():
    assert MIN_PASSAGE > 60
