"""Public release: an export with fresh history, and nothing at its place until it is proved clean."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from common.course.cycle import read_cycle
from common.course.git import GitError, Repository
from common.course.private import Roster
from common.course.publishing.disclosure import Disclosure, Known, disclosures, known_texts
from common.course.publishing.export import Omission, Rules, write_tree
from common.course.records import PUBLISHED_FILE, read_assignments, read_frozen
from common.errors import UserError
from common.files import write_text
from common.projects import takes_part

AUTHOR = "The contributors of the course"
MESSAGE = "Deep generative models, {semester}"
PUBLISHED = """\
# Written by `dgm publish`: this tree is an export, and the history of the work is not in it.
schema = "published/1"
semester = "{semester}"
date = {date}
"""


@dataclass(frozen=True)
class Publication:
    """What came of an export; `found` is empty if it is clean, `written` tells if it is at OUT."""

    files: int
    omissions: tuple[Omission, ...]
    found: tuple[Disclosure, ...]
    written: bool


def publish(
    root: Path, out: Path, *, day: date, roster: Roster | None = None, dry_run: bool = False
) -> Publication:
    """Export HEAD for the public to a new folder `out`.

    The tree is built beside `out`, read file by file for anything private, and only then moved into
    its place. Raises UserError where `out` is taken or inside the repository, or the work tree has
    changes that are not committed. The source is only read.
    """
    repository = Repository(root)
    commit = repository.head()
    out = free_place(out, root)
    refuse_dirty(repository)
    semester = read_cycle(root).semester
    slugs = {path.parent.name for path in root.glob("projects/*/project.toml")}
    earlier = frozenset(slug for slug in slugs if not takes_part(root, slug, semester))
    rules = Rules(read_frozen(root), read_assignments(root), roster, earlier)
    people = roster.person if roster else ()
    known = Known(known_texts(roster) if roster else (), (person.key for person in people))
    building = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        omissions, links = write_tree(repository, commit, rules, building)
        text = PUBLISHED.format(semester=toml_safe(semester), date=day.isoformat())
        write_text(building / PUBLISHED_FILE, text)
        commit_everything(building, semester, day)
        found = [Disclosure(link, 0, "", "link", "(write a file)") for link in links]
        found += disclosures(building, known)
        files = sum(
            1 for path in building.rglob("*") if path.is_file() and ".git" not in path.parts
        )
        is_written = not found and not dry_run
        if is_written:
            move(building, out)
        return Publication(files, tuple(omissions), tuple(sorted(found)), is_written)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def free_place(out: Path, root: Path) -> Path:
    """The absolute path of the export; raises UserError where nothing may be written."""
    if out.is_symlink():
        raise UserError(f"{out} is a link; name a folder that does not exist yet.")
    out = out.expanduser().resolve()
    top = root.resolve()
    if out.is_relative_to(top) or top.is_relative_to(out):
        raise UserError(f"{out} lies in the repository (or around it); name a place outside of it.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(
            f"{out} exists already; name a folder that does not exist yet, or is empty."
        )
    if not out.parent.is_dir():
        raise UserError(f"there is no folder {out.parent} to write {out.name} into; make it first.")
    return out


def refuse_dirty(repository: Repository) -> None:
    """Raise UserError if the work tree differs from the last commit, which is what is exported."""
    changed = repository.git("status", "--porcelain").splitlines()
    if changed:
        listed = "\n  ".join(changed[:10]) + ("\n  ..." if len(changed) > 10 else "")
        raise UserError(
            f"the work tree has changes that are not committed:\n  {listed}\n"
            "Commit them or take them away; what is published is the last commit."
        )


def toml_safe(text: str) -> str:
    """A text that can stand between quotes."""
    return "".join(c for c in text if c.isprintable() and c not in '"\\')


def commit_everything(folder: Path, semester: str, day: date) -> None:
    """Make the folder a repository with one commit, whoever and wherever runs this."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    moment = f"{day.isoformat()}T12:00:00+0000"
    environment |= {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {
            f"GIT_{role}_NAME": AUTHOR,
            f"GIT_{role}_EMAIL": "",
            f"GIT_{role}_DATE": moment,
        }
    options = ["core.autocrlf=false", "core.logAllRefUpdates=false", "gc.auto=0"]
    settings = [word for option in options for word in ("-c", option)]
    message = MESSAGE.format(semester=semester)
    for arguments in (
        ["init", "-q", "--template=", "-b", "main"],
        [*settings, "add", "-A", "-f", "."],
        [*settings, "commit", "-q", "--no-verify", "--no-gpg-sign", "-m", message],
    ):
        command = ["git", "-C", str(folder), *arguments]
        done = subprocess.run(command, capture_output=True, env=environment)
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise GitError(f"git could not make the history of the export: {said}")


def move(building: Path, out: Path) -> None:
    """Put the finished tree at its place, in one step; raises UserError if it was taken meanwhile."""
    building.chmod(0o755)
    try:
        if out.exists():
            out.rmdir()
        building.rename(out)
    except OSError as error:
        raise UserError(f"{out} could not be written: {error.strerror}.") from None
