"""dgm guard against pull requests that mean harm: each is refused with its reason, none is run."""

import base64
import json
import os
import pickle
import struct
import subprocess
import sys
import time
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from common.course.git import Repository
from common.course.problems import FORMATS
from common.projects import ROOT
from tests.course.pull_requests import (
    ANSWERING,
    MAIN,
    MODEL,
    RULES,
    VERIFYING,
    Course,
    make_course,
    table,
)
from tests.course.repositories import CYCLE, run_git
from tests.course.test_guard import notebook, picture, safetensors

OWN = "projects/alpha"
FORGED = "::error file=a::forged\n"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The course; commits are added to it, none is checked out."""
    return make_course(tmp_path_factory.mktemp("hostile") / "course")


class Bomb:
    """An object whose pickle would write a file wherever it is loaded."""

    def __reduce__(self):
        return os.system, ("touch /tmp/guard-was-hit",)


def zipped(**files: bytes) -> bytes:
    """A zip archive."""
    data = BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def header(text: bytes, rest: bytes = b"") -> bytes:
    """A .safetensors file with this header."""
    return struct.pack("<Q", len(text)) + text + rest


def huge_png() -> bytes:
    """A PNG that promises 100,000 x 100,000 pixels."""
    data = bytearray(picture())
    data[16:24] = struct.pack(">II", 100_000, 100_000)
    return bytes(data)


def shown(kind: str, text: str) -> bytes:
    """A notebook with one output of a kind."""
    output = {"output_type": "display_data", "metadata": {}, "data": {kind: text}}
    return notebook("x = 1", outputs=[output])


def printed(text: str | list[str]) -> bytes:
    """A notebook whose cell printed a text."""
    return notebook("x = 1", outputs=[{"output_type": "stream", "name": "stdout", "text": text}])


def own(name: str, content: bytes | tuple) -> dict:
    """A change of one file of the author's project."""
    return {f"{OWN}/{name}": content}


def test_file(*lines: str) -> dict:
    """A test of the author's project that does something."""
    text = "\n    ".join(("def test_something():", *lines))
    return own("test_alpha.py", f"import os, signal\n\n\n{text}\n".encode())


test_file.__test__ = False
ALPHA = table("alpha", '"ada", "ben"')
BETA = MAIN["projects/beta/model.py"]
GONE = {path: None for path in MAIN if path.startswith(f"{OWN}/")}

# name -> (changes, what guard says, options of `judge`)
CASES: dict[str, tuple[dict, list[str], dict]] = {
    # --- places that are not theirs
    "edits a workflow": ({".github/workflows/ci.yml": b"on: push\n#"}, ["place.workflow"], {}),
    "adds a workflow": ({".github/workflows/x.yml": b"on: push"}, ["place.workflow"], {}),
    "a workflow in capitals": ({".GitHub/Workflows/x.yml": b"on: push"}, ["place.workflow"], {}),
    "adds an action": ({".github/actions/x/action.yml": b"runs:"}, ["place.workflow"], {}),
    "owns everything": ({".github/CODEOWNERS": b"* @ada"}, ["place.owners"], {}),
    "edits what CI runs": ({".ci/run": b"true\n"}, ["place.ci"], {}),
    "edits the Makefile": ({"Makefile": b"all: ; true\n"}, ["place.ci"], {}),
    "edits the checker": ({"common/course/guarding/guard.py": b""}, ["place.checker"], {}),
    "adds to the checker": ({"common/commands/mine.py": b""}, ["place.checker"], {}),
    "edits shared code": ({"common/data/load.py": b""}, ["place.shared"], {}),
    "weakens a law": ({"tests/laws/flow.py": b""}, ["place.laws"], {}),
    "adds a dependency": ({"pyproject.toml": b"[project]\n#"}, ["place.dependencies"], {}),
    "a conftest at the top": ({"conftest.py": b""}, ["place.outside"], {}),
    "a module at the top": ({"torch/__init__.py": b""}, ["place.outside"], {}),
    "attributes at the top": ({".gitattributes": b"* filter=x"}, ["place.git"], {}),
    "another group's folder": ({"projects/beta/model.py": b""}, ["place.other-project"], {}),
    "deletes another group's file": ({"projects/beta/model.py": None}, ["place.other-project"], {}),
    "a file beside the projects": ({"projects/README.md": b""}, ["place.outside"], {}),
    "moves a file across projects": (
        {"projects/beta/model.py": None, f"{OWN}/taken.py": BETA},
        ["place.moved", "place.other-project"], {},
    ),
    "moves own project over another's name": (
        GONE | {"projects/beta/project.toml": ALPHA}, ["place.other-project", "project.gone"], {}
    ),
    # --- the course's records
    "edits the dates": ({"reviews/cycle.toml": b""}, ["place.rules"], {}),
    "makes themselves an instructor": (
        {"reviews/cycle.toml": CYCLE.format(reviewers=1).encode() + b'instructors = ["ada"]\n',
         "common/data/load.py": b""},
        ["place.rules", "place.shared"], {},
    ),
    "edits the assignment": (
        {"reviews/assignments.toml": b'schema = "assignments/1"\n'}, ["place.assignment"], {}
    ),
    "assigns themselves and reviews": (
        {"reviews/assignments.toml": b'schema = "assignments/1"\n'
         b'pair = [{ project = "gamma", reviewer = "ada" }]\n', "reviews/gamma/ada.md": b""},
        ["place.assignment", "place.not-assigned"], {},
    ),
    "edits what is frozen": ({"reviews/frozen.toml": b""}, ["place.frozen"], {}),
    "marks the tree as published": ({"reviews/published.toml": b""}, ["place.records"], {}),
    # --- membership
    "adds a member": (
        own("project.toml", table("alpha", '"ada", "ben", "eve"')), ["project.membership"], {}
    ),
    "throws a member out": (
        own("project.toml", table("alpha", '"ada"')), ["project.membership"], {}
    ),
    "adds themselves to another group": (
        {"projects/beta/project.toml": table("beta", '"cem", "ada"')}, ["place.other-project"], {}
    ),
    "leaves for another semester": (
        own("project.toml", b'semester = "2020-fall"\n' + ALPHA), ["project.membership"], {}
    ),
    "deletes project.toml": (own("project.toml", None), ["project.gone"], {}),
    "deletes their project": (GONE, ["project.gone"], {}),
    "a new project of somebody else": (
        {"projects/delta/project.toml": table("delta", '"zoe"')}, ["project.not-member"], {}
    ),
    "a new project in a foreign group": (
        {"projects/delta/project.toml": table("delta", '"ada"', group="g-beta")},
        ["project.group-taken"], {},
    ),
    "a new project with an instructor": (
        {"projects/delta/project.toml": table("delta", '"ada", "staff"')},
        ["project.membership"], {},
    ),
    "a new project of a crowd": (
        {"projects/delta/project.toml": table("delta", '"ada", "b", "c"')},
        ["project.group-size"], {},
    ),
    "a new folder without an owner": ({"projects/delta/x.py": b""}, ["project.missing"], {}),
    "a stranger's project over old reviews": (
        {"projects/delta/project.toml": table("delta", '"eve"')}, ["place.taken"],
        {"author": "eve", "base": "reviewed"},
    ),
    "an account named like a key": (
        {"projects/gamma/model.py": MODEL}, ["place.other-project"], {"author": "p-04"}
    ),
    # --- reviews
    "a review without assignment": ({"reviews/gamma/ada.md": b""}, ["place.not-assigned"], {}),
    "a review of the own project": (
        {"reviews/alpha/ada.md": b""}, ["place.not-assigned"], {}
    ),
    "edits the review of the own project": (
        {"reviews/alpha/cem.md": b"all fine"}, ["place.other-review"], {}
    ),
    "edits another's review": (
        {"reviews/beta/cem.md": b"all fine"}, ["place.other-review"], {}
    ),
    "a review by somebody who left": (
        {"reviews/alpha/ege.md": b""}, ["place.not-assigned"], {"author": "ege"}
    ),
    "answers for the developers": (
        {"reviews/beta/response.md": b""}, ["place.other-response"], {}
    ),
    "a review before version 1": (
        {"reviews/beta/ada.md": b""}, ["cycle.too-early"], {"base": "open"}
    ),
    "edits a review after its deadline": (
        {"reviews/beta/ada.md": b"softer"}, ["cycle.review-frozen"],
        {"base": "reviewed", "moment": ANSWERING},
    ),
    "a review after version 2 is frozen": (
        {"reviews/beta/ada.md": b""}, ["cycle.review-frozen"],
        {"base": "done", "moment": VERIFYING},
    ),
    "deletes a review": (
        {"reviews/beta/ada.md": None}, ["cycle.deleted"], {"base": "reviewed"}
    ),
    "verifies before version 2": (
        {"reviews/beta/ada.verification.md": b""}, ["cycle.too-early"], {"moment": ANSWERING}
    ),
    "a response after it was verified": (
        {"reviews/alpha/response.md": b"other answers"}, ["cycle.response-frozen"],
        {"base": "verified", "moment": VERIFYING},
    ),
    "changes version 2 after its freeze": (
        own("model.py", b""), ["cycle.project-frozen"], {"base": "done", "moment": VERIFYING}
    ),
    "a picture among the reviews": (
        {"reviews/beta/ada.png": picture()}, ["place.review-name"], {}
    ),
    "a folder among the reviews": (
        {"reviews/beta/ada/x.md": b""}, ["place.review-name"], {}
    ),
    # --- links, submodules, names
    "a link out of the tree": (
        own("data.json", ("120000", b"../../../../etc/passwd")), ["kind.link"], {}
    ),
    "a link to a neighbour": (own("model.py", ("120000", b"../beta/model.py")), ["kind.link"], {}),
    "the project becomes a link": (
        GONE | {OWN: ("120000", b"beta")}, ["kind.link", "project.gone"], {}
    ),
    "a submodule": (own("vendor", ("160000", "1" * 40)), ["kind.submodule"], {}),
    "a submodule that git is told to ignore": (
        {f"{OWN}/vendor": ("160000", "1" * 40),
         ".gitmodules": b'[submodule "v"]\npath = projects/alpha/vendor\nurl = ./x\nignore = all\n'},
        ["kind.submodule", "place.submodule"], {},
    ),
    "a name in other case": (own("Model.py", MODEL), ["name.collides"], {}),
    "a project in other case": (
        {"projects/Alpha/project.toml": table("Alpha", '"eve"', group="g-eve")},
        ["name.collides", "name.collides", "name.slug"], {"author": "eve"},
    ),
    "a project that differs by _": (
        {"projects/al_pha/project.toml": table("al_pha", '"eve"')}, ["name.collides"],
        {"author": "eve"},
    ),
    "a name with a Cyrillic letter": (
        own("m\u043edel.py", MODEL), ["name.collides", "name.deceives"], {}
    ),
    "a project with a Cyrillic letter": (
        {"projects/\u0430lpha/project.toml": table("\u0430lpha", '"eve"', group="g-eve")},
        ["name.collides", "name.deceives", "name.slug"], {"author": "eve"},
    ),
    "a name with separate accents": (own("go\u0308rsel.md", b""), ["name.unstorable"], {}),
    "a name with wide letters": (own("\uff4dodel.py", b""), ["name.collides", "name.deceives"], {}),
    "a name with unseen letters": (own("model\u200b.py", b""), ["name.collides", "name.invisible"], {}),
    "a name that reads backwards": (own("a\u202eyp.md", b""), ["name.invisible"], {}),
    "a name with a line end": (own(f"a\n{FORGED}.md", b""), ["name.unstorable"], {}),
    "a name with a colour": (own("a\x1b[31m.md", b""), ["name.unstorable"], {}),
    "a name with a backslash": (own("..\\..\\x.md", b""), ["name.unstorable"], {}),
    "a name of Windows": (own("aux.md", b""), ["name.unstorable"], {}),
    "a stream of Windows": (own("model.py:x", b""), ["kind.unknown", "name.unstorable"], {}),
    "a short name of Windows": (own("GIT~1/x.md", b""), ["name.unstorable"], {}),
    "a name that is not UTF-8": ({b"projects/alpha/\xff.md": b""}, ["name.unstorable"], {}),
    "a very deep path": (own("a/" * 40 + "x.md", b""), ["name.deep"], {}),
    "a hidden file": (own(".env.md", b""), ["name.hidden", "secrets.file"], {}),
    "a program": (own("run.py", ("100755", b"")), ["kind.executable"], {}),
    # --- what programs obey
    **{
        f"a {name} in the project": (own(name, b""), codes, {})
        for name, codes in {
            "conftest.py": ["name.obeyed"],
            "sub/Conftest.PY": ["name.obeyed"],
            "pytest.ini": ["kind.unknown", "name.obeyed"],
            "pyproject.toml": ["name.obeyed"],
            "setup.py": ["name.obeyed"],
            "sitecustomize.py": ["name.obeyed"],
            "x.pth": ["kind.pickle", "name.obeyed"],
            ".gitattributes": ["kind.unknown", "name.obeyed"],
            ".gitignore": ["kind.unknown", "name.obeyed"],
            ".gitmodules": ["kind.unknown", "name.obeyed"],
            ".git/config.md": ["name.hidden"],
            "random.py": ["name.shadows"],
            "page.html": ["kind.active"],
            "figure.svg": ["kind.active"],
            "code.js": ["kind.active"],
            "run.sh": ["kind.program"],
            "fast.so": ["kind.program"],
            "data.npz": ["kind.unknown"],
            "LICENSE": ["kind.unknown"],
            "__pycache__/model.pyc": ["kind.program", "name.stray"],
        }.items()
    },
    # --- weights and pictures
    "a pickled checkpoint": (own("w.pt", pickle.dumps(Bomb())), ["kind.pickle"], {}),
    "a checkpoint of torch": (
        own("w.ckpt", zipped(**{"archive/data.pkl": b"", "x": b""})), ["kind.pickle"], {}
    ),
    "a pickle under another name": (
        own("results/w.json", pickle.dumps(Bomb(), protocol=4)), ["kind.pickle"], {}
    ),
    "an array of objects": (
        own("w.txt", b"\x93NUMPY\x01\x00v\x00{'descr': '|O', }"), ["kind.pickle"], {}
    ),
    "an old pickle": (own("w.joblib", pickle.dumps(Bomb(), protocol=0)), ["kind.pickle"], {}),
    "a zip bomb as weights": (
        own("results/w.safetensors", zipped(zeros=b"\0" * 10_000_000)), ["kind.weights"], {}
    ),
    "a header that claims terabytes": (
        own("results/w.safetensors", struct.pack("<Q", 2**60) + b"{}"), ["kind.weights"], {}
    ),
    "tensors that claim terabytes": (
        own("results/w.safetensors", header(
            b'{"w": {"dtype": "F64", "shape": [1000000, 1000000], "data_offsets": [0, 8]}}', b"\0" * 8
        )),
        ["kind.weights"], {},
    ),
    "a header as large as the file": (
        own("results/w.safetensors", header(b'{"w": "' + b"x" * 2_000_000 + b'"}')),
        ["kind.weights"], {},
    ),
    "a header a thousand deep": (
        own("results/w.safetensors", header(b"[" * 100_000)), ["kind.weights"], {}
    ),
    "bytes hidden behind the weights": (
        own("results/w.safetensors", safetensors() + b"payload"), ["kind.weights"], {}
    ),
    "a pointer of LFS": (
        own("w.md", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        ["kind.lfs"], {},
    ),
    "an archive as a picture": (own("a.png", zipped(x=b"x")), ["kind.archive"], {}),
    "a picture with an archive behind it": (
        own("a.png", picture() + zipped(x=b"x")), ["kind.archive"], {}
    ),
    "a page as a picture": (own("a.png", b"<script>x</script>"), ["kind.picture"], {}),
    "a picture that unfolds": (own("a.png", huge_png()), ["size.picture"], {}),
    "a PDF that acts": (own("a.pdf", b"%PDF-1.4 /OpenAction /JS (x)"), ["kind.active"], {}),
    "a program as a text": (own("a.md", b"\x7fELF\0\0\0"), ["kind.archive"], {}),
    # --- texts and notebooks
    "an output that forges an annotation": (
        own("demo.ipynb", printed(FORGED)), ["text.forged"], {}
    ),
    "a forged annotation in pieces": (
        own("demo.ipynb", printed(["ok\n", "::err", "or::forged"])), ["text.forged"], {}
    ),
    "a cell that forges a mask": (
        own("demo.ipynb", notebook("print('\\n::add-mask::a')")), ["text.forged"], {}
    ),
    "an escaped command": (
        own("demo.ipynb", printed("x").replace(b'"x"', rb'"\u003a\u003aerror::x"')),
        ["text.forged"], {},
    ),
    "a test that forges an output": (
        test_file("print('::set-output name=ok::true')"), ["text.forged"], {}
    ),
    "an old command": (own("README.md", b"x ##[error]forged\n"), ["text.forged"], {}),
    "a command with a bell": (own("README.md", b"\x07\x1b]8;;http://x\x07"), ["text.control"], {}),
    "a review that forges": (
        {"reviews/beta/ada.md": b"::stop-commands::x\n"}, ["text.forged"], {}
    ),
    "code that reads backwards": (
        own("model.py", "x = '\u202e'  # \u2066\n".encode()), ["text.direction"], {}
    ),
    "a text in UTF-16": (own("README.md", "hidden".encode("utf-16")), ["text.encoding"], {}),
    "a script in an output": (
        own("demo.ipynb", shown("text/html", "<b onclick=x>hi</b><script>1</script>")),
        ["notebook.active"], {},
    ),
    "JavaScript as an output": (
        own("demo.ipynb", shown("application/javascript", "1")), ["notebook.active"], {}
    ),
    "SVG as an output": (
        own("demo.ipynb", shown("image/svg+xml", "<svg onload=x()/>")), ["notebook.active"], {}
    ),
    "a notebook that may run for ever": (
        own("demo.ipynb", notebook("x = 1").replace(
            b'"metadata": {}, "nbformat"', b'"metadata": {"execution": {"timeout": -1}}, "nbformat"'
        )),
        ["notebook.settings"], {},
    ),
    "a notebook that is not run": (
        own("demo.ipynb", notebook("1/0").replace(
            b'"metadata": {}, "source"', b'"metadata": {"tags": ["skip-execution"]}, "source"'
        )),
        ["notebook.settings"], {},
    ),
    "a notebook that is none": (own("demo.ipynb", b"[" * 200_000), ["notebook.invalid"], {}),
    "a notebook of two megabytes": (
        own("demo.ipynb", printed("x" * 1_500_000)), ["size.file"], {}
    ),
    "an address": (own("README.md", b"ask someone" + b"@" + b"uni.edu"), ["personal.email"], {}),
    "a student number": (
        {"reviews/beta/ada.md": b"student number " + b"2150" + b"1234\n"},
        ["personal.student-number"], {},
    ),
    "a key": (
        own("train.py", b'api_key = "hf_' + b"abcdefghijKLMNOPQRSTuvwxyzabcd" + b'"\n'),
        ["secrets.found"], {},
    ),
    # --- code that reaches for what runs it
    "a test that kills its parent": (test_file("os.kill(os.getppid(), 9)"), ["code.kills"], {}),
    "a test that kills the group": (
        test_file("from os import killpg as k", "k(0, signal.SIGKILL)"), ["code.kills"], {}
    ),
    "a test that leaves with success": (test_file("os._exit(0)"), ["code.kills"], {}),
    "a test that kills by another name": (
        test_file("import posix", "f = posix.kill", "f(1, 9)"), ["code.kills"], {}
    ),
    "a test that kills by a detour": (
        test_file("os.kill.__call__(1, 9)"), ["code.kills"], {}
    ),
    "a cell that kills": (own("demo.ipynb", notebook("import os\nos.abort()")), ["code.kills"], {}),
    # --- project.toml
    "a slug that climbs": (
        own("project.toml", ALPHA.replace(b'slug = "alpha"', b'slug = "../../common"')),
        ["project.path", "project.slug"], {},
    ),
    "a goal that climbs": (
        own("project.toml", ALPHA.replace(b'"demo"', b'"../../etc"')), ["project.path"], {}
    ),
    "a foundation that climbs": (
        own("project.toml", b'builds_on = ["../../../x"]\n' + ALPHA), ["project.path"], {}
    ),
    "a borrowed file that climbs": (
        own("project.toml", ALPHA + b'\n[[borrowed]]\nfile = "/etc/passwd"\nsource = "x"\n'
            b'licence = "MIT"\nreason = "x"\n'),
        ["project.path"], {},
    ),
    "a project.toml that is none": (own("project.toml", b"\0"), ["project.invalid", "text.control"], {}),
    "a project.toml a thousand deep": (
        own("project.toml", b"x = " + b"[" * 30_000), ["project.invalid"], {}
    ),
    "a project.toml with real names": (
        own("project.toml", ALPHA.replace(b"[group]", b'[group]\nnames = ["Ada L"]')),
        ["personal.names"], {},
    ),
    "a project.toml of a megabyte": (
        own("project.toml", ALPHA + b"#" * 1_000_000), ["size.file"], {}
    ),
    # --- size
    "too many files": (
        {f"{OWN}/figures/{i}.md": b"" for i in range(301)}, ["size.files"], {}
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def heads(course):
    """The commit of every case, and branches with reviews in and with answers verified."""
    reviewed = course.commit({"reviews/beta/ada.md": b"## F01\n", "reviews/delta/x.md": b""})
    run_git(course.root, "update-ref", "refs/heads/reviewed", reviewed)
    answers = {"reviews/alpha/response.md": b"", "reviews/alpha/cem.verification.md": b""}
    run_git(course.root, "update-ref", "refs/heads/verified", course.commit(answers, "done"))
    wanted = [(changes, base_of(options)) for changes, _, options in CASES.values()]
    return dict(zip(CASES, course.commits(wanted), strict=True))


def base_of(options: dict) -> str:
    """The branch that is to take a case's change."""
    return options.get("base", "main")


def codes_of(course: Course, head: str, **options) -> list[str]:
    """The rules by which a commit is refused; every refusal says what to do."""
    verdict = course.judge(head, **options)
    refused = [problem for problem in verdict.problems if problem.level == "error"]
    assert all(problem.message and problem.hint for problem in refused)
    assert verdict.is_refused == bool(refused)
    for form in ("text", "github"):
        for line in FORMATS[form](verdict.problems).split("\n"):
            is_ours = form == "github" and line.startswith(("::error file=", "::warning file="))
            assert is_ours or not line.lstrip().startswith("::")
            assert line.isprintable()  # and so it can be encoded
            assert "##[" not in line or form == "github"
    return sorted(problem.code for problem in refused)


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_pull_request_is_refused_with_its_reason(course, heads, name):
    _, codes, options = CASES[name]
    assert codes_of(course, heads[name], **{"base": base_of(options)} | options) == codes


# --- what fast-import would not make -------------------------------------------------------------


def with_file(course: Course, tree: str, path: list[bytes], blob: str) -> str:
    """A tree that has this one file more, whatever its path."""
    listed = course.git("ls-tree", "-z", tree).split(b"\0")[:-1] if tree else []
    entries = {}
    for line in listed:
        about, name = line.split(b"\t")
        mode, _, object_name = about.decode().split(" ")
        entries[name] = (mode.lstrip("0"), name, object_name)
    if len(path) == 1:
        entries[path[0]] = ("100644", path[0], blob)
    else:
        below = entries.get(path[0], ("", b"", ""))[2]
        entries[path[0]] = ("40000", path[0], with_file(course, below, path[1:], blob))
    order = sorted(entries.values(), key=lambda e: e[1] + (b"/" if e[0] == "40000" else b""))
    return course.raw_tree(order)


@pytest.mark.parametrize(
    ("path", "codes"),
    [
        ([b"projects", b"alpha", b"..", b"x.md"], ["name.climbs"]),
        ([b"projects", b"alpha", b".git", b"config"], ["kind.unknown", "name.hidden"]),
        ([b"projects", b"alpha", b".", b"x.md"], ["name.climbs"]),
    ],
)
def test_a_tree_that_no_git_command_makes_is_refused(course, path, codes):
    blob = course.git("hash-object", "-w", "--stdin", data=b"x").decode().strip()
    head = course.raw_commit(with_file(course, "main^{tree}", path, blob))
    assert codes_of(course, head) == codes


def test_a_file_of_200_megabytes_is_refused_by_its_size_alone(course):
    blob = course.promised(200 * 2**20)  # reading it would fail: it has no content
    for name in ("big.safetensors", "big.md"):
        head = course.commit(own(name, ("100644", blob)))
        assert codes_of(course, head) == ["size.file", "size.project"]


def test_a_tree_of_more_paths_than_there_are_atoms_is_refused_in_time(course):
    tree = course.git("hash-object", "-w", "--stdin", data=b"x").decode().strip()
    mode = "100644"
    for _ in range(12):
        tree = course.raw_tree([(mode, b"%d" % i, tree) for i in range(10)])
        mode = "40000"
    start = time.process_time()
    listed = course.git("ls-tree", "-z", "main").split(b"\0")[:-1]
    top = [
        (about.split(" ")[0].lstrip("0"), name.encode(), about.split(" ")[2])
        for about, name in (line.decode().split("\t") for line in listed)
    ]
    head = course.raw_commit(course.raw_tree(sorted([*top, ("40000", b"bomb", tree)])))
    assert codes_of(course, head) == ["size.files"]
    assert time.process_time() - start < 5


def test_a_large_file_that_a_later_commit_removes_is_refused(course):
    blob = course.promised(201 * 2**20)
    first = course.commit(own("big.md", ("100644", blob)))
    head = course.commit(own("big.md", None) | own("model.py", MODEL), first)
    assert codes_of(course, head) == ["history.size"]


def test_a_project_that_grows_file_by_file_is_refused(course):
    blob = course.promised(15 * 2**20)
    changes = {f"{OWN}/results/{i}.safetensors": ("100644", blob) for i in range(3)}
    base = course.commit(changes)
    assert codes_of(course, course.commit(own("model.py", b""), base), base=base) == [
        "size.project"
    ]


def test_more_text_than_can_be_read_in_time_is_refused(course):
    changes = {f"{OWN}/{i}.md": b"x" * 1_900_000 for i in range(5)}
    assert codes_of(course, course.commit(changes)) == ["size.text"]


def test_a_history_of_its_own_merged_in_is_refused(course):
    stranger = course.commit({"x.md": b""}, None)
    head = course.commit(own("model.py", MODEL), also=stranger)
    assert codes_of(course, head) == ["history.unrelated"]


def test_too_many_commits_are_refused(course):
    stream = b"".join(
        b"commit refs/heads/long\ncommitter n <n> 1800000000 +0000\ndata 1\nx\n"
        + (b"from main^0\n" if i == 0 else b"")
        for i in range(301)
    )
    course.git("fast-import", "--quiet", data=stream)
    assert codes_of(course, "long") == ["history.commits"]


def test_a_forged_author_of_commits_changes_nothing(course):
    head = course.commit({"common/data/load.py": b""})
    tree = run_git(course.root, "rev-parse", f"{head}^{{tree}}").strip()
    names = {"GIT_AUTHOR_NAME": "staff", "GIT_COMMITTER_NAME": "staff"}
    forged = subprocess.run(
        ["git", "-C", course.root, "commit-tree", tree, "-p", "main", "-m", "by staff"],
        env=os.environ | {"GIT_AUTHOR_EMAIL": "s", "GIT_COMMITTER_EMAIL": "s"} | names,
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    assert codes_of(course, forged) == ["place.shared"]


def test_replaced_objects_do_not_show_another_history(course):
    head = course.commit({"common/data/load.py": b""})
    innocent = course.commit({})
    run_git(course.root, "replace", head, innocent)
    try:
        assert codes_of(course, head) == ["place.shared"]
    finally:
        run_git(course.root, "replace", "-d", head)


def test_a_broken_project_toml_of_the_branch_is_nobody_s(course):
    broken = course.commit({"projects/alpha/project.toml": b"members = ada\n"})
    head = course.commit(own("model.py", b""), broken)
    assert codes_of(course, head, base=broken) == ["place.other-project"]


def test_texts_made_to_be_slow_are_read_in_time(course):
    texts = ["a" * 100_000, "1 " * 50_000, "a.b-" * 25_000, "<" * 100_000, ":: " * 30_000,
             "no: " * 25_000, "x at y " * 15_000, "::error " * 10_000, "\n" * 100_000]  # fmt: skip
    chains = ("x = a" + ".b" * 900 + "\n") * 100  # fmt: skip
    changes = {f"{OWN}/{i}.md": text.encode() for i, text in enumerate(texts)}
    changes[f"{OWN}/model.py"] = chains.encode()
    head = course.commit(changes)
    start = time.process_time()
    course.judge(head)
    assert time.process_time() - start < 6


# --- nothing of it runs --------------------------------------------------------------------------

AUDIT = """
import os, sys
seen = []
def hook(event, arguments):
    if event in ("open", "exec", "import", "subprocess.Popen", "os.system", "os.exec", "os.fork"):
        seen.append((event, arguments))
sys.addaudithook(hook)
from common.cli import main
status = main(sys.argv[2:])
root = os.path.realpath(sys.argv[1])
commands = [a[1] for e, a in seen if e == "subprocess.Popen"]
opened = [str(a[0]) for e, a in seen if e == "open" and str(a[0]).startswith(root)]
ran = [a[0].co_filename for e, a in seen if e == "exec" and root in a[0].co_filename]
other = [e for e, a in seen if e in ("os.system", "os.exec")]
import json
print(json.dumps([status, commands, opened, ran, other]))
"""


def test_no_code_of_a_change_is_run_imported_or_even_checked_out(course, tmp_path):
    marker = tmp_path / "hit"
    plant = f"open({str(marker)!r}, 'w').close()\n".encode()
    names = ("conftest.py", "__init__.py", "setup.py", "sitecustomize.py", "model.py", "train.py",
             "test_alpha.py", "common.py", "usercustomize.py")  # fmt: skip
    changes = {f"{place}{name}": plant for name in names for place in (f"{OWN}/", "", "common/")}
    changes[f"{OWN}/demo.ipynb"] = notebook(plant.decode())
    changes[f"{OWN}/x.pth"] = b"import os; " + plant
    changes[f"{OWN}/w.pt"] = pickle.dumps(Bomb())
    driver = f"touch {marker}"
    changes[".gitattributes"] = b"* filter=hit diff=hit merge=hit textconv=hit\n"
    changes[f"{OWN}/.gitattributes"] = changes[".gitattributes"]
    course.commit(changes)
    work = (
        tmp_path / "work"
    )  # a work tree in which the change is checked out, as a careless CI does
    run_git(course.root, "worktree", "add", "-q", "--detach", str(work), "made")
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        path = course.root / ".git/hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{driver}\n")
        path.chmod(0o755)
    for name in ("filter.hit.smudge", "filter.hit.clean", "diff.hit.textconv", "diff.hit.command"):
        run_git(course.root, "config", name, driver)
    marker.unlink(missing_ok=True)
    script = tmp_path / "audited.py"
    script.write_text(AUDIT)
    done = subprocess.run(
        [sys.executable, "-P", str(script), str(work), "guard", "--base", "main",
         "--author", "ada", "--json"],
        cwd=work, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *answer, audit = done.stdout.strip().split("\n")
    status, commands, opened, ran, other = json.loads(audit)
    assert status == 1
    assert json.loads("\n".join(answer))["refused"]
    assert not marker.exists()
    assert (opened, ran, other) == ([], [], [])
    verbs = {command[command.index("core.quotePath=false") + 1] for command in commands}
    assert verbs <= {
        "rev-parse",
        "merge-base",
        "diff-tree",
        "ls-tree",
        "cat-file",
        "rev-list",
        "log",
    }
    assert len(commands) < 20
    assert not Path("/tmp/guard-was-hit").exists()
    hooks = course.root / ".git/hooks"
    for path in hooks.iterdir():
        path.unlink()


def test_the_plant_of_the_test_above_would_be_seen(tmp_path):
    """The proof can fail: the same plants do run where somebody imports or loads them."""
    marker = tmp_path / "hit"
    (tmp_path / "model.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    code = "import model"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert marker.exists()


def test_pictures_and_repositories_of_these_tests_are_what_they_say(course):
    assert base64.b64encode(picture()[:8]) == b"iVBORw0KGgo="
    assert Repository(course.root).resolve("main")
    assert RULES.startswith("instructors")
