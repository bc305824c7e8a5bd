"""Publishing: what is private never reaches the public tree, wherever in a file it hides."""

import base64
import bz2
import gzip
import hashlib
import io
import json
import lzma
import shutil
import subprocess
import tarfile
import tomllib
import zipfile
import zlib
from datetime import date
from pathlib import Path

import pytest

from common import cli
from common.course.check import check_tree
from common.course.private import Person, Roster
from common.course.problems import failing
from common.course.publishing.disclosure import Known, disclosures, file_disclosures, known_texts
from common.course.publishing.embedded import plain
from common.course.publishing.export import Rules, edited
from common.course.publishing.publish import publish
from common.course.records import Assignments, Frozen
from common.errors import UserError
from tests.course.tiny_project import make_project

DAY = date(2027, 2, 1)
ADDRESS = "zeynep" + "@" + "example.org"
NUMBER = "b" + "219" + "04567"
ROSTER = Roster(
    "roster/1",
    (
        Person("p-01", "Zeynep Çiğdem Işık", "g-01", email=ADDRESS, student_number=NUMBER),
        Person("p-02", "Umut Ağaoğlu", "g-01", consent=True),
        Person("r-07", "Deniz Şölen"),
    ),
)
REVIEW = """\
---
schema: review/1
project: {slug}
reviewer: {reviewer}
commit: {commit}
verdict: ready
environment: {{python: "3.11", device: cpu, ran: [install]}}
conflict: none
---
## Summary
Fine.
"""


def git(root: Path, *arguments: str) -> str:
    """Run git as a person whose name and address must not get out."""
    own = [
        "-c",
        "user.name=Zeynep Işık",
        "-c",
        f"user.email={ADDRESS}",
        "-c",
        "commit.gpgsign=false",
    ]
    command = ["git", "-C", str(root), *own, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def commit(root: Path) -> str:
    """Commit everything and return the commit."""
    git(root, "add", "-A", "-f")
    git(root, "commit", "-q", "--allow-empty", "-m", f"work of {ADDRESS}")
    return git(root, "rev-parse", "HEAD").strip()


@pytest.fixture(scope="module")
def semester(tmp_path_factory) -> Path:
    """A finished semester: one project through the cycle, one that never came to version 1."""
    root = tmp_path_factory.mktemp("semester") / "course"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    folder = make_project(root)
    table = (folder / "project.toml").read_text()
    (folder / "project.toml").write_text(
        table.replace('members = ["p-01"]', 'members = ["p-01", "p-02"]\nhours = 41.5 # of both')
    )
    shutil.copytree(folder, root / "projects" / "late")
    first = commit(root)
    tree = git(root, "rev-parse", "HEAD:projects/tiny").strip()
    (root / "reviews" / "frozen.toml").write_text(
        'schema = "frozen/1"\n'
        + "".join(
            f'[[version]]\nslug = "tiny"\nversion = "{version}"\ndate = {day}\n'
            f'commit = "{first}"\ntree = "{tree}"\n'
            for version, day in (
                ("v1", "2026-11-01T23:59:59Z"),
                ("v2", "2026-12-01T23:59:59Z"),
            )
        )
    )
    (root / "reviews" / "assignments.toml").write_text(
        'schema = "assignments/1"\nsemester = "2026-fall"\ndropped = ["r-99"]\n'
        '[[pair]]\nproject = "tiny"\nreviewer = "r-07"\n'
        '[[pair]]\nproject = "tiny"\nreviewer = "r-08"\n'
    )
    reviews = root / "reviews" / "tiny"
    reviews.mkdir()
    for reviewer in ("r-07", "r-08", "r-09"):
        text = REVIEW.format(slug="tiny", reviewer=reviewer, commit=first)
        (reviews / f"{reviewer}.md").write_text(text)
        (reviews / f"{reviewer}.verification.md").write_text(text.replace("review/1", "x"))
    with (reviews / "r-08.md").open("a") as file:
        file.write("FILL-IN\n")
    (reviews / "response.md").write_text("---\nschema: response/1\nproject: tiny\n---\n")
    late = root / "reviews" / "late"
    late.mkdir()
    (late / "r-07.md").write_text(REVIEW.format(slug="late", reviewer="r-07", commit=first))
    commit(root)
    return root


@pytest.fixture
def root(semester, tmp_path) -> Path:
    """A copy of the semester, to plant things in."""
    return Path(shutil.copytree(semester, tmp_path / "course"))


def run(root: Path, **options):
    """Publish beside the repository."""
    return publish(root, root.parent / "public", day=DAY, **{"roster": ROSTER} | options)


def fingerprint(root: Path) -> dict[str, str]:
    """Every file of a folder, .git included, by its content."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_a_clean_semester_is_exported_and_the_source_untouched(root):
    before = fingerprint(root)
    done = run(root)
    assert done.written
    assert done.found == ()
    assert fingerprint(root) == before
    assert sorted(path.name for path in root.parent.iterdir()) == ["course", "public"]
    assert failing(check_tree(root.parent / "public")) == []


def test_what_is_no_part_of_the_course_is_left_out_and_told(root):
    left = {omission.path: omission.reason for omission in run(root).omissions}
    assert left == {
        "projects/late": "version 1 was never frozen",
        "reviews/late": "version 1 was never frozen",
        "reviews/tiny/r-08.md": "a draft: FILL-IN is left in it",
        "reviews/tiny/r-08.verification.md": "it verifies a draft",
        "reviews/tiny/r-09.md": "a draft: not of a reviewer who is assigned",
        "reviews/tiny/r-09.verification.md": "a draft: not of a reviewer who is assigned",
    }
    public = root.parent / "public"
    assert {path.name for path in (public / "projects").iterdir()} == {"tiny"}
    assert {path.name for path in (public / "reviews" / "tiny").iterdir()} == {
        "r-07.md",
        "r-07.verification.md",
        "response.md",
    }


def test_hours_go_and_only_names_with_consent_come(root):
    run(root)
    text = (root.parent / "public/projects/tiny/project.toml").read_text()
    group = tomllib.loads(text)["group"]
    assert group == {"key": "g-01", "members": ["p-01", "p-02"], "names": ["Umut Ağaoğlu"]}
    source = (root / "projects/tiny/project.toml").read_text()
    named = 'names = [\n    "Umut Ağaoğlu",\n]\n'
    assert text.replace(named, "") == source.replace("hours = 41.5 # of both\n", "")
    assert "dropped" not in (root.parent / "public/reviews/assignments.toml").read_text()


def test_without_a_roster_there_are_keys_only(root):
    path = root / "projects/tiny/project.toml"
    path.write_text(path.read_text().replace('key = "g-01"', 'key = "g-01"\nnames = ["Somebody"]'))
    commit(root)
    run(root, roster=None)
    text = (root.parent / "public/projects/tiny/project.toml").read_text()
    assert "names" not in tomllib.loads(text)["group"]


def test_history_is_one_commit_of_nobody_and_always_the_same(root):
    run(root)
    public = root.parent / "public"
    log = git(public, "log", "--all", "--format=%an|%ae|%cn|%ce|%cI|%P").splitlines()
    author = "The contributors of the course||The contributors of the course|"
    assert log == [f"{author}|2027-02-01T12:00:00Z|"] or log == [
        f"{author}|2027-02-01T12:00:00+00:00|"
    ]
    assert git(public, "status", "--porcelain") == ""
    assert git(public, "ls-files", "reviews/published.toml").strip()
    assert tomllib.loads((public / "reviews/published.toml").read_text()) == {
        "schema": "published/1",
        "semester": "2026-fall",
        "date": DAY,
    }
    again = publish(root, root.parent / "again", day=DAY, roster=ROSTER)
    assert again.written
    heads = [git(root.parent / name, "rev-parse", "HEAD") for name in ("public", "again")]
    assert heads[0] == heads[1]


def test_a_persons_own_git_settings_do_not_get_into_the_export(root, tmp_path, monkeypatch):
    home = tmp_path / "home"
    (home / "hooks").mkdir(parents=True)
    (home / "hooks" / "pre-commit").write_text(f"# {ADDRESS}\nexit 1\n")
    (home / "hooks" / "pre-commit").chmod(0o755)
    (home / "ignore").write_text("*.ipynb\n")
    (home / ".gitconfig").write_text(
        f"[user]\nname = Zeynep\nemail = {ADDRESS}\n[init]\ntemplateDir = {home}\n"
        f"[core]\nexcludesFile = {home}/ignore\nhooksPath = {home}/hooks\n"
        "[commit]\ngpgsign = true\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", ADDRESS)
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Zeynep")
    assert run(root).written
    public = root.parent / "public"
    assert (
        git(public, "log", "--format=%an%ae%cn%ce").strip() == 2 * "The contributors of the course"
    )
    assert "projects/tiny/demo.ipynb" in git(public, "ls-files").splitlines()
    assert not (public / ".git" / "hooks").exists()


def test_the_surroundings_of_a_hook_do_not_turn_it_on_the_source(root, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(root / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(root))
    monkeypatch.setenv("GIT_INDEX_FILE", str(root / ".git" / "index"))
    before = fingerprint(root)
    assert run(root).written
    assert fingerprint(root) == before
    assert (root.parent / "public" / ".git").is_dir()


def test_what_only_the_history_holds_is_found(root):
    (root / "old.md").write_text(NAME)
    commit(root)
    (root / "old.md").unlink()
    commit(root)
    found = {
        one.path.split()[1]
        for one in disclosures(root, Known(known_texts(ROSTER)))
        if one.path.startswith("git ")
    }
    assert found == {"commit", "blob"}


def png(*chunks: tuple[bytes, bytes], behind: bytes = b"") -> bytes:
    """A PNG of one pixel with these chunks."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
        )

    parts = [(b"IHDR", bytes([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0])), *chunks]
    parts += [(b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts) + behind


def zipped(name: str, data: bytes) -> bytes:
    """A zip archive of one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def notebook(**changes) -> bytes:
    """A notebook of one cell, as Jupyter writes it or with every letter escaped."""
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "source": ["1\n"]} | changes
    return json.dumps({"cells": [cell], "metadata": {}}, indent=1).encode()


def output(kind: str, text: object) -> list[dict]:
    """An output of a cell."""
    return [{"output_type": "display_data", "metadata": {}, "data": {kind: text}}]


NAME = "Zeynep Çiğdem Işık"
LINES = b"one\ntwo\n"
PLANTED = {
    "address in a text": ("notes.md", LINES + f"see {ADDRESS}".encode(), 3, "e-mail address"),
    "address as an entity": (
        "notes.html",
        LINES + ADDRESS.replace("@", "&#64;").encode(),
        3,
        "e-mail address",
    ),
    "number in code": ("model.py", LINES + f"# {NUMBER}".encode(), 3, "student number"),
    "number of the roster alone": ("a.txt", LINES + NUMBER[1:].encode(), 3, "roster entry"),
    "grade": ("feedback.md", LINES + b"Your gr" + b"ade: 87/100", 3, "grade"),
    "grades as a table": ("g.csv", b"key,developer,reviewer\np-01,80,70\n", 1, "private file"),
    "adjudication": ("a.toml", b'# x\nschema = "adjudication/1"\n', 2, "private file"),
    "hours in a table": ("x.toml", b"# a\n[group]\nhours = 4\n", 3, "private field"),
    "hours in a comment": ("x.toml", b"# a\n# hours: 4\n", 2, "private field"),
    "hours in JSON": ("x.json", b'{"a": 1,\n "hours": 4}\n', 2, "private field"),
    "name": ("README.md", LINES + NAME.encode(), 3, "roster entry"),
    "name without Turkish letters": ("a.py", LINES + b"# ZEYNEP CIGDEM ISIK", 3, "roster entry"),
    "name in Turkish Windows": ("a.txt", LINES + NAME.encode("cp1254"), 3, "roster entry"),
    "name in UTF-16": ("a.txt", NAME.encode("utf-16"), 1, "roster entry"),
    "name in composed letters": (
        "a.txt",
        "Zeynep C\u0327ig\u0306dem Işık".encode(),
        1,
        "roster entry",
    ),
    "name turned": ("a.bib", LINES + "Işık, Zeynep Çiğdem".encode(), 3, "roster entry"),
    "name without the middle": ("a.md", LINES + "Zeynep Işık".encode(), 3, "roster entry"),
    "name in tags": ("a.html", "<b>Zeynep</b> <i>Işık</i>".encode(), 1, "roster entry"),
    "name in entities": ("a.html", LINES + b"Zeynep I&#351;&#x131;k", 3, "roster entry"),
    "name in escapes of code": ("a.py", LINES + rb"'Zeynep I\u015f\u0131k'", 3, "roster entry"),
    "name in a notebook's source": ("a.ipynb", notebook(source=[f"# {NAME}\n"]), 8, "roster entry"),
    "name in a notebook's output": (
        "a.ipynb",
        notebook(outputs=output("text/plain", ["by\n", f"\u001b[31m{NAME}\u001b[0m\n"])),
        13,
        "roster entry",
    ),
    "name over two lines of an output": (
        "a.ipynb",
        notebook(outputs=output("text/html", ["<td>Zeynep</td>\n", "<td>Işık</td>\n"])),
        "cell-0",
        "roster entry",
    ),
    "address in a notebook's metadata": (
        "a.ipynb",
        notebook(metadata={"author": {"mail": ADDRESS}}),
        7,
        "e-mail address",
    ),
    "name in a picture of a notebook": (
        "a.ipynb",
        notebook(
            outputs=output(
                "image/png",
                base64.encodebytes(png((b"tEXt", b"Author\0" + NAME.encode()))).decode(),
            )
        ),
        "cell-0 image/png, PNG chunk tEXt Author",
        "roster entry",
    ),
    "name in a PNG": (
        "figures/a.png",
        png((b"tEXt", b"Author\0" + NAME.encode())),
        "PNG chunk tEXt Author",
        "roster entry",
    ),
    "name in a PNG, Windows": (
        "figures/a.png",
        png((b"tEXt", b"Author\0" + NAME.encode("cp1254"))),
        "PNG chunk tEXt Author",
        "roster entry",
    ),
    "address in a packed chunk": (
        "figures/a.png",
        png((b"zTXt", b"Comment\0\0" + zlib.compress(ADDRESS.encode()))),
        "PNG chunk zTXt Comment",
        "e-mail address",
    ),
    "name in an international chunk": (
        "figures/a.png",
        png((b"iTXt", b"Author\0\1\0tr\0Yazar\0" + zlib.compress(NAME.encode()))),
        "PNG chunk iTXt Author",
        "roster entry",
    ),
    "name in EXIF": (
        "figures/a.png",
        png((b"eXIf", b"II*\0\x08\0\0\0" + NAME.encode() + b"\0")),
        "PNG chunk eXIf",
        "roster entry",
    ),
    "name behind a PNG": (
        "figures/a.png",
        png(behind=b"\0\0" + NAME.encode()),
        "behind the end of the PNG",
        "roster entry",
    ),
    "name in weights": (
        "results/a.safetensors",
        b"\x40\0\0\0\0\0\0\0" + json.dumps({"by": NAME}, ensure_ascii=False).encode() + b"\0\1\2",
        "bytes",
        "roster entry",
    ),
    "address in a binary file": (
        "results/a.bin",
        b"\0\1\2" + f"mail to {ADDRESS} today".encode() + b"\0",
        "bytes",
        "e-mail address",
    ),
    "name in a JPEG, UTF-16": (
        "a.jpg",
        b"\xff\xd8\xff\xe1\0" + NAME.encode("utf-16-le") + b"\0\0\0",
        "bytes",
        "roster entry",
    ),
    "name beside a letter by chance": (
        "a.bin",
        f"\0\1K{NAME}z\2".encode(),
        "bytes",
        "roster entry",
    ),
    "name in an archive": (
        "a.zip",
        zipped("readme.txt", NAME.encode()),
        "readme.txt",
        "roster entry",
    ),
    "name of a file in an archive": (
        "a.zip",
        zipped("Zeynep Işık.txt", b""),
        "zip member",
        "roster entry",
    ),
    "name in gzip": ("a.txt.gz", gzip.compress(NAME.encode()), "unpacked", "roster entry"),
    "name in a PDF": (
        "a.pdf",
        b"%PDF-1.5\n1 0 obj\nstream\n"
        + zlib.compress(f"/Author ({NAME})".encode())
        + b"\nendstream\n",
        "PDF stream",
        "roster entry",
    ),
    "name of a file": ("zeynep_isik.md", b"", "file name", "roster entry"),
}


@pytest.mark.parametrize(("name", "data", "place", "kind"), PLANTED.values(), ids=PLANTED.keys())
def test_what_is_planted_is_found_at_its_place(name, data, place, kind):
    found = file_disclosures(name, data, Known(known_texts(ROSTER)))
    places = {(one.line or one.place, one.kind) for one in found}
    assert (place, kind) in places


KEYS = ("course-staff", "r-01", "r-02", "r-03")
GRADED = {
    "Markdown": ("a.md", "# Course\n\n| key | grade |\n|---|---|\n| r-01 | 78.40 |\n", 5),
    "Markdown, the key in marks": ("a.md", "| `key` | Points |\n|-|-|\n| **r-02** | 7 |\n", 3),
    "csv": ("a.csv", "key,version 1,developer\nr-01,64,78.4\n", 2),
    "json": ("a.json", '{"r-01": {"developer": 78.4, "reviewer": 52.1}}', 1),
    "json over lines": ("a.json", '{\n "r-01": {\n  "developer": 78.4\n }\n}', 3),
    "json under a head": ("a.json", '{"grades": {\n "x": 1,\n "r-03": 12}}', 3),
    "letters alone": ("a.txt", "Hello.\n\nr-01: AA\n", 3),
    "a letter under a head": ("a.md", "## Marks\n\n- r-01: B+\n", 3),
    "words": ("a.txt", "Scores\n\nr-01 78.4\n", 3),
    "a sentence": ("a.md", "r-01 has a grade of 78.4 now.\n", 1),
    "toml": ("a.toml", '[[person]]\nkey = "r-02"\ndeveloper = 78.4\n', 3),
    "toml, the key behind": ("a.toml", 'score = 78.4\nkey = "r-02"\n', 1),
    "the name of the file": ("marks.txt", "r-01 78.4\n", 1),
}


@pytest.mark.parametrize(("name", "text", "line"), GRADED.values(), ids=GRADED.keys())
def test_a_grade_beside_a_public_key_is_found(name, text, line):
    found = file_disclosures(name, text.encode(), Known((), KEYS))
    assert (line, "grade") in {(one.line, one.kind) for one in found}
    packed = file_disclosures("a.zip", zipped(name, text.encode()), Known((), KEYS))
    assert "grade" in {one.kind for one in packed}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("reviews/made/response.md", "## Points\n\n- r-01: 5\n"),
        ("a.md", "The reviewer r-01 had 12 remarks, r-02/F03 among them.\n"),
        ("a.md", "| reviewer | project | days |\n|-|-|-|\n| r-01 | made | 12 |\n"),
        ("a.toml", '{ project = "made", reviewer = "r-01", round = 2 },\n'),
        ("a.md", "The score is 5.\n\nr-01 is a key.\n"),
        ("a.md", "| model | score |\n|-|-|\n| r-011 | 3 |\n"),
        ("a.py", "grade = {'r-01': 78.4}\n"),
    ],
)
def test_a_key_without_a_grade_is_left_alone(name, text):
    assert file_disclosures(name, text.encode(), Known((), KEYS)) == []


def test_this_repository_is_clean_for_a_roster_of_its_keys(tmp_path, monkeypatch, capsys):
    top = Path(__file__).parents[2]
    if not (top / ".git").exists():
        pytest.skip("no clone of the repository")
    clone, private = tmp_path / "clone", tmp_path / "private"
    subprocess.run(["git", "clone", "-q", str(top), str(clone)], check=True)
    private.mkdir()
    people = "".join(
        f'[[person]]\nkey = "{key}"\nname = "Zzyzx {word}"\n'
        for key, word in zip(KEYS, ("Null", "One", "Two", "Three"), strict=True)
    )
    (private / "roster.toml").write_text(f'schema = "roster/1"\n{people}')
    monkeypatch.setenv("DGM_PRIVATE", str(private))
    monkeypatch.chdir(clone)
    (clone / "projects" / "table.md").write_text("| key | grade |\n|---|---|\n| r-01 | 78.40 |\n")
    commit(clone)
    assert cli.main(["publish", str(tmp_path / "out"), "--dry-run"]) == 1
    said = capsys.readouterr().out
    assert "projects/table.md:3: grade" in said
    git(clone, "reset", "-q", "--hard", "HEAD~1")
    code = cli.main(["publish", str(tmp_path / "out")])
    assert code == 0, capsys.readouterr().out


def tarred(name: str, data: bytes) -> bytes:
    """A tar archive of one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("ending", "pack"), [("bz2", bz2.compress), ("xz", lzma.compress), ("gz", gzip.compress)]
)
def test_a_packed_tar_is_opened(ending, pack):
    known = Known(known_texts(ROSTER))
    data = pack(tarred("b/c.txt", NAME.encode()))
    (found,) = file_disclosures(f"a.tar.{ending}", data, known)
    assert (found.place, found.kind) == ("unpacked, b/c.txt", "roster entry")
    assert file_disclosures(f"a.tar.{ending}", pack(tarred("c.txt", b"fine")), known) == []


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.7z", b"?"),
        ("a.rar", b"?"),
        ("a.bin", b"7z\xbc\xaf\x27\x1c\0\4"),
        ("a.bin", b"Rar!\x1a\x07\x01\0"),
        ("a.tar.xz", lzma.compress(b"a" * 100)[:-20]),
        ("a.tar.bz2", bz2.compress(b"a" * 100)[:-5]),
        ("a.xz", lzma.compress(bytes(64 * 2**20 + 1), preset=0)),
        ("a.zip", zipped("b.7z", b"?")),
    ],
)
def test_an_archive_that_cannot_be_opened_is_refused(name, data):
    (found,) = file_disclosures(name, data, Known())
    assert found.kind == "archive that cannot be read"


@pytest.mark.parametrize(
    "form", ["{} {} {}", "{}-{}-{}", "{}.{}.{}", "b{} {} {}", "x 7 {} {}-{} 9"]
)
def test_a_number_of_the_roster_is_found_in_groups(form):
    digits = NUMBER[1:]
    text = f"one\n{form.format(digits[:3], digits[3:6], digits[6:])}\n"
    for written in (NUMBER, f"{digits[:4]} {digits[4:]}"):
        roster = Roster("roster/1", (Person("p-01", "A B", student_number=written),))
        found = file_disclosures("a.txt", text.encode(), Known(known_texts(roster)))
        assert {(one.line, one.kind) for one in found} == {(2, "roster entry")}
    assert file_disclosures("a.txt", b"12 34 56 78", Known(known_texts(ROSTER))) == []


def test_clean_files_are_clean():
    known = Known(known_texts(ROSTER))
    noise = hashlib.shake_256(b"seed").digest(2**20)
    clean = {
        "a.png": png((b"tEXt", b"Software\0Matplotlib 3.9, https://matplotlib.org/")),
        "a.bin": noise,
        "a.png.gz": gzip.compress(noise),
        "a.zip": zipped("a.npy", noise[:1000]),
        "broken.png": b"\x89PNG\r\n\x1a\n\xff\xff\xff\xfftEXt",
        "broken.zip": b"PK\x03\x04 nothing",
        "broken.gz": b"\x1f\x8b nothing",
        "broken.pdf": b"%PDF stream\nnothing endstream",
        "broken.ipynb": b'{"cells": [',
        "a.py": b"out = x@w.T + b  # Umut Agaoglu agreed\n",
        "README.md": b"It trains for hours: 3 on one GPU. Deniz is the sea.\n",
    }
    for name, data in clean.items():
        assert file_disclosures(name, data, known) == [], name


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("projects/tiny/README.md", f"\n{ADDRESS}\n".encode()),
        ("projects/tiny/figures/samples.png", png((b"tEXt", b"Author\0" + NAME.encode()))),
        ("projects/tiny/demo.ipynb", notebook(outputs=output("text/plain", [NAME]))),
        ("reviews/tiny/r-07.md", b"---\n---\nhours: 12\n"),
        ("grades.csv", b"key,developer,reviewer\n"),
    ],
)
def test_nothing_is_written_while_anything_is_found(root, path, data):
    (root / path).write_bytes(data)
    commit(root)
    before = fingerprint(root)
    done = run(root)
    assert not done.written
    assert {one.path for one in done.found} == {path}
    assert [path.name for path in root.parent.iterdir()] == ["course"]
    assert fingerprint(root) == before


def test_what_was_found_is_not_repeated_in_clear(root):
    (root / "notes.md").write_text(f"{ADDRESS} {NAME}\n")
    commit(root)
    shown = "\n".join(map(str, run(root).found))
    assert "notes.md:1: e-mail address ze" in shown
    assert ADDRESS not in shown
    assert NAME not in shown


def test_an_empty_folder_stays_as_it_is_when_something_is_found(root):
    public = root.parent / "public"
    public.mkdir()
    (root / "notes.md").write_text(ADDRESS)
    commit(root)
    assert not run(root).written
    assert list(public.iterdir()) == []
    (root / "notes.md").unlink()
    commit(root)
    assert run(root).written
    assert (public / "projects/tiny/model.py").exists()


def test_a_dry_run_writes_nothing(root):
    done = run(root, dry_run=True)
    assert (done.found, done.written) == ((), False)
    assert [path.name for path in root.parent.iterdir()] == ["course"]


def test_a_link_is_no_file_to_publish(root):
    (root / "projects/tiny/data").symlink_to(root.parent)
    commit(root)
    (found,) = run(root).found
    assert (found.path, found.kind) == ("projects/tiny/data", "link")


def test_a_file_that_git_ignores_but_tracks_is_published(root):
    (root / ".gitignore").write_text("*.log\n")
    (root / "kept.log").write_text("tracked\n")
    commit(root)
    run(root)
    assert git(root.parent / "public", "ls-files", "kept.log").strip() == "kept.log"


@pytest.mark.parametrize("change", ["edited", "staged", "untracked"])
def test_a_dirty_tree_is_refused(root, change):
    path = root / ("new.md" if change == "untracked" else "projects/tiny/README.md")
    with path.open("a") as file:
        file.write("more\n")
    if change == "staged":
        git(root, "add", "-A")
    with pytest.raises(UserError, match="not committed"):
        run(root)
    assert [path.name for path in root.parent.iterdir()] == ["course"]


def test_a_place_that_is_taken_or_inside_is_refused(root):
    taken = root.parent / "taken"
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    (root.parent / "link").symlink_to(root.parent / "nowhere")
    for out, message in (
        (taken, "exists already"),
        (taken / "mine.txt", "exists already"),
        (root / "public", "in the repository"),
        (root.parent, "around it"),
        (root.parent / "link", "is a link"),
        (root.parent / "no" / "where", "no folder"),
    ):
        with pytest.raises(UserError, match=message):
            publish(root, out, day=DAY)
    assert (taken / "mine.txt").read_text() == "mine"


def test_the_command_says_what_it_did_and_fails_where_something_is_private(
    root, monkeypatch, capsys
):
    monkeypatch.chdir(root)
    monkeypatch.delenv("DGM_PRIVATE", raising=False)
    assert cli.main(["publish", "../public", "--dry-run", "--date", "2027-02-01"]) == 0
    said = capsys.readouterr().out
    assert "keys only" in said
    assert "left out: projects/late: version 1 was never frozen" in said
    assert "next: dgm publish ../public" in said
    (root / "notes.md").write_text(f"\n\n{ADDRESS}\n")
    commit(root)
    assert cli.main(["publish", "../public"]) == 1
    assert "notes.md:3: e-mail address" in capsys.readouterr().out
    assert not (root.parent / "public").exists()


def test_the_command_knows_the_roster(root, monkeypatch, capsys):
    private = root.parent / "private"
    private.mkdir()
    (private / "roster.toml").write_text(
        'schema = "roster/1"\n[[person]]\nkey = "p-01"\nname = "Zeynep Çiğdem Işık"\n', "utf-8"
    )
    monkeypatch.setenv("DGM_PRIVATE", str(private))
    monkeypatch.chdir(root)
    (root / "notes.md").write_text("thanks to ZEYNEP ÇİĞDEM IŞIK\n", "utf-8")
    commit(root)
    assert cli.main(["publish", "../public"]) == 1
    said = capsys.readouterr().out
    assert "0 of 1 people agreed" in said
    assert "notes.md:1: roster entry" in said


@pytest.mark.parametrize(
    "text",
    [
        '[group]\nkey = "a" # ours\nhours = 3\n',
        '[group]\nhours = 3\nkey = "a"\nmembers = [\n  "p",\n]\n\n[x]\ny = 1',
        'group = {key = "a", hours = 3}\n',
        'group.key = "a"\ngroup.hours = 3\n',
        '[group]\nkey = "a"\n[group.hours]\nann = 3\n',
    ],
)
def test_fields_are_taken_out_of_any_form_of_table(text):
    before = tomllib.loads(text)
    after = tomllib.loads(text)
    del after["group"]["hours"]
    after["group"]["names"] = ["Işık"]
    result = edited(text, before, after)
    assert tomllib.loads(result) == after
    assert ("# ours" in result) == ("# ours" in text)


def test_escapes_keep_their_lines():
    assert plain('"a\\nb\\u00e7",\n"x\\\\n"', is_json=True) == '"a bç",\n"x\\n"'


def test_reviews_of_earlier_semesters_stay_public():
    """Their assignment is no longer in the tree; what was public once is no draft."""
    rules = Rules(Frozen(), Assignments(), earlier=frozenset({"old"}))
    assert rules.omission("reviews/old/r-01.md") is None
    assert rules.omission("projects/old/model.py") is None
    assert rules.omission("reviews/new/r-01.md") is not None
