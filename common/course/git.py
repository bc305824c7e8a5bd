"""What the course asks of git: commits, folders at a commit, history. Reads only, but for tags."""

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from common.errors import UserError
from common.files import ROOT

MANY = 500  # names from which two processes read faster than one
OF_A_HOOK = frozenset(
    # What git tells its hooks of *their* repository; ours is the one we were given.
    [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_PREFIX",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    ]
)


class GitError(UserError):
    """Git is missing, the folder is no repository, or a git command failed."""


class TooMuch(GitError):
    """A git command had more to say than anyone can have meant."""


class GitMissing(UserError):
    """Git is not installed: no question about a repository has an answer."""


class Repository:
    """A git repository; paths are relative to its root, with slashes."""

    def __init__(self, root: Path):
        self.root = root

    def git(self, *arguments: str, text: str | None = None) -> str:
        """The output of a git command; raises GitError with what git said."""
        return self.run(*arguments, data=text.encode() if text is not None else None).decode(
            "utf-8", "replace"
        )

    def run(self, *arguments: str, data: bytes | None = None) -> bytes:
        """The raw output of a git command."""
        command, environment = self.command(arguments)
        try:
            done = subprocess.run(command, input=data, capture_output=True, env=environment)
        except FileNotFoundError:
            raise GitMissing("git is not installed; the course cycle needs it.") from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip() or "no reason given"
            raise GitError(f"git {arguments[0]} failed in {self.root.name}: {said}")
        return done.stdout

    def run_up_to(self, limit: int, *arguments: str) -> bytes:
        """The raw output of a git command that is stopped, with TooMuch, after `limit` bytes."""
        command, environment = self.command(arguments)
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            output = process.stdout.read(limit + 1)
            if len(output) > limit:
                process.kill()
                raise TooMuch(f"git {arguments[0]} says more than {limit:,} bytes; it was stopped.")
        if process.returncode:
            raise GitError(f"git {arguments[0]} failed in {self.root.name}.")
        return output

    def command(self, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """A git command in this repository, and its environment."""
        quiet = {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
        quiet["GIT_NO_REPLACE_OBJECTS"] = "1"  # refs/replace would show another history
        command = ["git", "-C", str(self.root), "-c", "core.quotePath=false", *arguments]
        outside = {name: value for name, value in os.environ.items() if name not in OF_A_HOOK}
        return command, outside | quiet

    def resolve(self, name: str) -> str | None:
        """The full commit of a branch, tag or abbreviated hash; None if there is none."""
        try:
            return self.git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").strip()
        except GitError:
            return None

    def head(self) -> str:
        """The commit checked out; raises GitError in a repository without one."""
        commit = self.resolve("HEAD")
        if commit is None:
            raise GitError(f"{self.root} is no git repository with a commit in it.")
        return commit

    def main_branch(self) -> str:
        """The name of the branch that counts: origin/main, main, origin/master, master, or HEAD."""
        for name in ("origin/main", "main", "origin/master", "master"):
            if self.resolve(name):
                return name
        return "HEAD"

    def is_shallow(self) -> bool:
        """Whether history was cut off by `git clone --depth`."""
        return self.git("rev-parse", "--is-shallow-repository").strip() == "true"

    def is_dirty(self, *paths: str) -> bool:
        """Whether these paths (all by default) have changes that are not committed."""
        return bool(self.git("status", "--porcelain", "--", *paths).strip())

    def commit_at(self, moment: datetime, branch: str) -> str | None:
        """The last first-parent commit of `branch` whose committer date is not after `moment`."""
        stamp = int(moment.timestamp())
        found = self.git("rev-list", "-1", "--first-parent", f"--before={stamp}", branch).strip()
        return found or None

    def tree(self, commit: str, path: str) -> str | None:
        """The hash of a folder or file at a commit; None if it is not there."""
        try:
            return self.git("rev-parse", "--verify", "--quiet", f"{commit}:{path}").strip()
        except GitError:
            return None

    def trees(self, commit: str, folder: str) -> dict[str, str]:
        """The hash of every subfolder of `folder` at a commit, by name, in one call."""
        if self.tree(commit, folder) is None:
            return {}
        found = {}
        for entry in self.git("ls-tree", "-d", "-z", f"{commit}:{folder}").split("\0"):
            if entry:
                about, name = entry.split("\t", 1)
                found[name] = about.split()[2]
        return found

    def commit_of_tree(self, path: str, tree: str) -> str | None:
        """A reachable commit at which folder `path` is exactly `tree`: survives a rebase."""
        for commit in self.git("log", "--all", "--format=%H", "--", path).split():
            if self.tree(commit, path) == tree:
                return commit
        return None

    def files(self, commit: str, folder: str = "") -> list[str]:
        """The paths of the files below a folder at a commit."""
        arguments = ["ls-tree", "-r", "-z", "--name-only", commit]
        listed = self.git(*arguments, "--", folder) if folder else self.git(*arguments)
        return [path for path in listed.split("\0") if path]

    def blobs(self, tree: str) -> set[str]:
        """The hashes of all files below a tree; none if this clone does not have it."""
        try:
            listed = self.git("ls-tree", "-r", "-z", tree)
        except GitError:
            return set()
        return {entry.split()[2] for entry in listed.split("\0") if entry}

    def read(self, commit: str, path: str) -> bytes | None:
        """A file's content at a commit; None if it is not there."""
        try:
            return self.run("cat-file", "blob", f"{commit}:{path}")
        except GitError:
            return None

    def read_all(self, names: Sequence[str]) -> list[bytes | None]:
        """Many files' contents, each named `commit:path`, `tree:path` or by its blob; None if missing.

        Git unpacks on one core, so many names are shared out among two processes.
        """
        if len(names) < MANY:
            return self.read_batch(names)
        half = len(names) // 2
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(self.read_batch, (names[:half], names[half:]))
        return first + second

    def read_batch(self, names: Sequence[str]) -> list[bytes | None]:
        """The same, all in one call of git."""
        asked = "".join(f"{name}\n" for name in names).encode()
        data = self.run("cat-file", "--batch", "--buffer", data=asked)
        found, start = [], 0
        for _ in names:
            end = data.index(b"\n", start)
            about = data[start:end].rsplit(b" ", 2)
            start = end + 1
            if about[-1] == b"missing" or not about[-1].isdigit():
                found.append(None)
                continue
            size = int(about[-1])
            found.append(data[start : start + size] if about[-2] == b"blob" else None)
            start += size + 1
        return found

    def is_ancestor(self, commit: str, later: str) -> bool:
        """Whether `commit` is in the history of `later` (or is it)."""
        try:
            self.run("merge-base", "--is-ancestor", commit, later)
        except GitError:
            return False
        return True

    def changed_files(self, commit: str) -> list[str]:
        """The paths that a commit changed against its first parent."""
        arguments = ("diff-tree", "--root", "--no-commit-id", "--name-only", "-r", "-m", "-z")
        listed = self.git(*arguments, "--first-parent", commit)
        return [path for path in listed.split("\0") if path]

    def is_ignored(self, path: Path) -> bool:
        """Whether git would ignore this path of the work tree."""
        try:
            self.run("check-ignore", "--quiet", "--", str(path))
        except GitError:
            return False
        return True

    def work_files(self, folder: str = ".") -> list[str]:
        """Files of the work tree below a folder that are tracked or could be (not ignored).

        A name that is not UTF-8 keeps its bytes as Python's file functions do (os.fsdecode).
        """
        listed = os.fsdecode(self.run("ls-files", "-z", "-co", "--exclude-standard", "--", folder))
        return sorted({path for path in listed.split("\0") if path})

    def export(self, commit: str, folder: str, destination: Path) -> list[str]:
        """Write a folder as it was at a commit below `destination`.

        Returns the paths that were left out because they could reach outside of it, such as links.
        """
        left_out = []

        def harmless(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
            try:
                return tarfile.data_filter(member, path)
            except tarfile.FilterError:
                left_out.append(member.name)
                return None

        archive = self.run("archive", "--format=tar", commit, "--", folder)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(destination, filter=harmless)
        return left_out

    def tag(self, name: str, commit: str) -> bool:
        """Make a lightweight tag; False if a tag of that name stands elsewhere (it stays)."""
        standing = self.resolve(f"refs/tags/{name}")
        if standing is None:
            self.run("tag", name, commit)
            return True
        return standing == commit


def course_root() -> Path:
    """The repository to work on: the git work tree around the current folder if it is one of ours
    (it has a projects/ folder), else the one this code belongs to."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".git").exists() and (folder / "projects").is_dir():
            return folder
    if not here.is_relative_to(ROOT):
        print(f"dgm: not in a course repository; working on {ROOT}", file=sys.stderr)
    return ROOT
