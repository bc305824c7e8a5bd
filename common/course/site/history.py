"""When what was written: dates of files from git, in one call."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from common.course.git import GitError, GitMissing, Repository

FOLDERS = ("projects", "reviews")


@dataclass(frozen=True)
class Span:
    """The first and the last commit of something."""

    first: datetime
    last: datetime


@dataclass(frozen=True)
class History:
    """The commits of every file below the folders of projects and reviews."""

    root: Path

    @cached_property
    def files(self) -> Mapping[str, Span]:
        """First and last commit by path; empty where there is no history."""
        repository = Repository(self.root)
        options = ("--format=%x01%ct", "--name-only", "-z", "--no-renames")
        try:
            text = repository.git("log", *options, "--", *FOLDERS)
        except (GitError, GitMissing):
            return {}
        found: dict[str, Span] = {}
        for commit in text.split("\x01")[1:]:
            stamp, *names = (part.strip("\n") for part in commit.split("\0"))
            moment = datetime.fromtimestamp(int(stamp), UTC)
            for name in filter(None, names):
                known = found.get(name, Span(moment, moment))
                found[name] = Span(min(known.first, moment), max(known.last, moment))
        return found

    @cached_property
    def folders(self) -> Mapping[str, Span]:
        """First and last commit of anything in each folder right below `projects` and `reviews`."""
        found: dict[str, Span] = {}
        for name, span in self.files.items():
            if name.count("/") >= 2:
                folder = "/".join(name.split("/")[:2])
                known = found.get(folder, span)
                found[folder] = Span(min(known.first, span.first), max(known.last, span.last))
        return found

    def of(self, path: str) -> Span:
        """The dates of a file or of a project's folder; of its last change where git has none."""
        known = self.files.get(path) or self.folders.get(path)
        if known is None:
            moment = datetime.fromtimestamp(int((self.root / path).stat().st_mtime), UTC)
            known = Span(moment, moment)
        return known
