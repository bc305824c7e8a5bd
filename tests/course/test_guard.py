"""dgm guard: what a student may bring passes, whoever they are is told by the branch alone."""

import io
import json
import struct

import pytest

from common import schema
from common.cli import main
from common.course.changes import read_blobs, read_entries
from common.course.cycle import Cycle
from common.course.git import Repository
from common.course.guarding.names import is_mixed, looks
from common.course.guarding.people import identify
from common.errors import UserError
from common.projects import ROOT
from tests.course.pull_requests import (
    AFTER,
    ANSWERING,
    MAIN,
    MODEL,
    REVIEWING,
    RULES,
    VERIFYING,
    make_course,
    table,
)
from tests.course.repositories import CYCLE, run_git


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The course; commits are added to it, none is checked out."""
    return make_course(tmp_path_factory.mktemp("guard") / "course")


def safetensors() -> bytes:
    """A file of weights that is what it says."""
    header = b'{"w": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}}'
    return struct.pack("<Q", len(header)) + header + b"\0" * 4


def picture() -> bytes:
    """A small PNG, as matplotlib makes it."""
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, [[0.0, 1.0]], format="png", metadata={"Software": None})
    return file.getvalue()


def notebook(*sources: str, outputs: list | None = None) -> bytes:
    """A notebook of code cells, the first with outputs."""
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{index}",
            "metadata": {},
            "source": source,
            "execution_count": None,
            "outputs": (outputs or []) if index == 0 else [],
        }
        for index, source in enumerate(sources)
    ]
    text = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(text).encode()


PRINTED = [{"output_type": "stream", "name": "stdout", "text": ["loss 1.5\n", "\x1b[32mdone\n"]}]
NEW = {
    "projects/delta/project.toml": table("delta", '"fay"'),
    "projects/delta/model.py": MODEL,
}
BENIGN = {
    "own files of every kind": ({
        "projects/alpha/model.py": b"import numpy as np\nx = np.zeros(3)[::-1]\n",
        "projects/alpha/README.md": "# Alpha\n\nÖlçüm: 3 ± 1 nats (x::y).\n".encode(),
        "projects/alpha/demo.ipynb": notebook("print('loss')", "x?", outputs=PRINTED),
        "projects/alpha/results/digits.json": b'{"value": 1.0}\n',
        "projects/alpha/results/digits.safetensors": safetensors(),
        "projects/alpha/figures/görsel.png": picture(),
    }, {}),
    "a file removed": ({"projects/alpha/model.py": None}, {}),
    "a name of before that nobody may choose": (
        {"projects/alpha/con.md": None}, {"base": "untidy"}
    ),
    "own metadata": ({
        "projects/alpha/project.toml": table("alpha", '"ada", "ben"').replace(b"25.0", b"26.0")
    }, {}),
    "by the other member": ({"projects/alpha/model.py": MODEL}, {"author": "BEN"}),
    "an account whose key is another": (
        {"projects/gamma/model.py": MODEL}, {"author": "dia-on-github"}
    ),
    "a review": ({"reviews/beta/ada.md": b"## F01\n"}, {}),
    "a review that is late": ({"reviews/beta/ada.md": b"## F01\n"}, {"moment": ANSWERING}),
    "a response": ({"reviews/alpha/response.md": b"## F01\n"}, {"moment": ANSWERING}),
    "a verification": (
        {"reviews/beta/ada.verification.md": b"- F01: verified\n"},
        {"base": "done", "moment": VERIFYING},
    ),
    "project and review at once": (
        {"projects/alpha/model.py": MODEL, "reviews/beta/ada.md": b"## F01\n"}, {}
    ),
    "a new project": (NEW, {"author": "fay"}),
    "a second project of a group": (
        {"projects/delta/project.toml": table("delta", '"ada"', group="g-alpha")}, {}
    ),
    "a correction after publication": (
        {"projects/alpha/model.py": MODEL},
        {"base": "published", "moment": AFTER},
    ),
    "version 2 while it is open": ({"projects/alpha/model.py": MODEL}, {"moment": ANSWERING}),
    "nothing": ({}, {}),
    "an instructor, anything": (
        {".github/workflows/ci.yml": b"on: pull_request\n", "common/data/load.py": b"",
         "reviews/assignments.toml": b""},
        {"author": "Staff"},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def published(course):
    """A branch whose semester has a date of publication, with version 2 frozen."""
    dates = CYCLE.format(reviewers=1) + "publication = 2027-06-30\n"
    commit = course.commit({"reviews/cycle.toml": (RULES + dates).encode()}, "done")
    run_git(course.root, "update-ref", "refs/heads/published", commit)
    untidy = course.commit({"projects/alpha/con.md": b""})
    run_git(course.root, "update-ref", "refs/heads/untidy", untidy)


@pytest.mark.parametrize("name", BENIGN)
@pytest.mark.usefixtures("published")
def test_what_people_should_bring_passes(course, name):
    changes, options = BENIGN[name]
    base = options.get("base", "main")
    verdict = course.judge(course.commit(changes, base), **options)
    assert [problem for problem in verdict.problems if problem.level == "error"] == []
    assert len(verdict.changes) == len(changes)


@pytest.mark.parametrize("slug", ["made", "real_nvp", "vae"])
def test_a_project_of_ours_would_pass_as_one_of_a_group(course, slug):
    """What real projects look like: the committed files as a new project's."""
    repository = Repository(ROOT)
    entries = read_entries(repository, "HEAD", f"projects/{slug}")
    blobs = read_blobs(repository, [entry.blob for entry in entries])
    files = {entry.path: blobs[entry.blob] for entry in entries}
    name = f"projects/{slug}/project.toml"
    files[name] = files[name].replace(b'"course-staff"', b'"fay"')
    files[name] = files[name].replace(b'"2026-fall"', b'"2027-spring"')
    verdict = course.judge(course.commit(files), "fay")
    assert [p for p in verdict.problems if p.level == "error"] == []
    assert len(verdict.changes) == len(entries) > 8


def test_a_merge_of_the_branch_is_not_the_author_s_change(course):
    mine = course.commit({"projects/alpha/model.py": MODEL})
    later = course.commit({"common/data/load.py": b"y = 2\n"})
    merged = course.commit({"common/data/load.py": b"y = 2\n"}, mine, also=later)
    verdict = course.judge(merged, base=later)
    assert [change.path for change in verdict.changes] == ["projects/alpha/model.py"]
    assert not verdict.is_refused
    undone = course.commit({"common/data/load.py": b"x = 1\n"}, mine, also=later)
    assert [p.code for p in course.judge(undone, base=later).problems] == ["place.shared"]


def test_copied_code_partners_and_dangerous_calls_are_flagged_for_a_person(course):
    text = b"import subprocess, os\nsubprocess.run(['ls'])\ngetattr(os, 'ki' + 'll')(1, 9)\n"
    head = course.commit(
        {
            "projects/alpha/copied.py": MAIN["projects/beta/model.py"],
            "projects/alpha/helper.py": text,
            "projects/delta/project.toml": table("delta", '"ada", "cem"'),
        }
    )
    verdict = course.judge(head)
    assert not verdict.is_refused
    assert sorted(problem.code for problem in verdict.problems) == [
        "code.unsafe", "code.unsafe", "originality.copy", "project.partners",
    ]  # fmt: skip


def test_private_texts_in_commit_messages_are_flagged(course):
    address = b"someone" + b"@" + b"uni.edu"
    head = course.commit(
        {}, message=b"asked " + address + b"\n\nSigned-off-by: x <" + address + b">\n"
    )
    assert [(p.code, p.level) for p in course.judge(head).problems] == [
        ("personal.message", "warning")
    ]


# --- who somebody is -----------------------------------------------------------------------------


def cycle(text: str) -> Cycle:
    """The rules of a semester with these lines above the dates."""
    return schema.parse(text + CYCLE.format(reviewers=1), Cycle)


def test_accounts_are_keys_unless_the_branch_says_otherwise():
    rules = cycle(
        'instructors = ["staff", "p-09"]\nhandles = { Grace = "p-09", "bot[bot]" = "staff" }\n'
    )
    assert identify(rules, "ADA").key == "ada"
    assert not identify(rules, "ada").is_instructor
    assert identify(rules, "grace").key == "p-09"
    assert all(identify(rules, name).is_instructor for name in ("Grace", "bot[bot]"))
    # an account that calls itself like somebody's key is nobody
    assert identify(rules, "p-09").key == ""
    assert not identify(rules, "staff").is_instructor


@pytest.mark.parametrize("name", ["", "@ada", "ada lovelace", "аda", "a\n", "-x", "a" * 41, "a/b"])
def test_what_is_no_account_is_bad_input(name):
    with pytest.raises(UserError, match="expected the account"):
        identify(cycle(""), name)


@pytest.mark.parametrize(
    "line", ['instructors = ["A B"]', 'handles = { "a b" = "x" }', 'handles = { a = "X Y" }']
)
def test_instructors_and_handles_are_checked(line):
    assert schema.faults(f"{line}\n{CYCLE.format(reviewers=1)}", Cycle)


def test_our_own_course_names_its_instructors():
    rules = schema.read(ROOT / "reviews/cycle.toml", Cycle)
    assert rules.instructors == ("course-staff",)


# --- the command ---------------------------------------------------------------------------------


def test_the_command_answers_people_programs_and_pull_requests(course, capsys, monkeypatch):
    monkeypatch.chdir(course.root)
    run_git(course.root, "update-ref", "refs/heads/good", course.commit(NEW))
    (course.root / "projects").mkdir(exist_ok=True)
    common = ["guard", "--base", "main", "--head", "good", "--now", "2027-03-05"]
    assert main([*common, "--author", "fay"]) == 0
    assert capsys.readouterr().out == (
        "guard: 2 files of fay: nothing to refuse\nnext: dgm check delta --strict\n"
    )
    assert main([*common, "--author", "gus"]) == 1
    told = capsys.readouterr().out
    assert "error: projects/delta/project.toml: gus is not among group.members" in told
    assert '[project.not-member]\n       members = ["gus", ...]' in told
    assert told.endswith("next: mend what is refused, each as said below it, and push again\n")
    assert main([*common, "--author", "gus", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["refused"], found["files"], found["instructor"]) == (True, 2, False)
    assert found["problems"][0]["code"] == "project.not-member"
    assert main([*common, "--author", "gus", "--format", "github"]) == 1
    assert capsys.readouterr().out.startswith("::error file=projects/delta/project.toml")


def test_bad_input_says_what_to_do(course, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(course.root)
    (course.root / "projects").mkdir(exist_ok=True)
    for arguments, told in [
        (["--base", "nothing", "--author", "ada"], "there is no commit 'nothing' here"),
        (["--base", "main", "--head", "main", "--author", "a b"], "expected the account"),
    ]:
        assert main(["guard", *arguments]) == 2
        assert told in capsys.readouterr().err
    bare = course.commit({"reviews/cycle.toml": None})
    with pytest.raises(UserError, match=r"there is no reviews/cycle\.toml at"):
        course.judge(bare, base=bare)
    broken = course.commit({"reviews/cycle.toml": b"schema = 1\n"})
    with pytest.raises(UserError, match=r"reviews/cycle\.toml at .*: schema is 1"):
        course.judge(broken, base=broken)
    shallow = tmp_path / "shallow"
    run_git(tmp_path, "clone", "-q", "--depth", "1", course.root.as_uri(), str(shallow))
    with pytest.raises(UserError, match="fetch --unshallow"):
        type(course)(shallow).judge("HEAD", base="HEAD")


def test_names_that_look_alike():
    assert looks("projects/Alpha") == looks("projects/аlpha") == looks("projects/ａlpha")
    assert looks("straße") == looks("STRASSE")
    assert looks("alpha") != looks("beta")
    assert is_mixed("mоdel.py")
    assert not is_mixed("модель.py")
    assert REVIEWING < ANSWERING < VERIFYING < AFTER
