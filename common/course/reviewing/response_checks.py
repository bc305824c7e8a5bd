"""What is proved of a response: every finding answered once, with the commits or the reason."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from common.course.git import GitError, Repository
from common.course.problems import Problem
from common.course.reviewing.places import Places
from common.course.reviewing.responses import (
    STATUSES,
    WITH_COMMITS,
    WITH_REASON,
    Answer,
    Response,
    read_response,
    response_path,
)
from common.course.reviewing.reviews import Finding, read_review, review_paths
from common.course.reviewing.text import finding_ids, is_open, open_places, private_places, shown
from common.course.reviewing.versions import (
    Version,
    find_version,
    has_history,
    how_to_fetch,
    project_table,
)


def all_findings(root: Path, slug: str) -> dict[str, Finding]:
    """Every finding of every reviewer of a project, by its full name `r-07/F01`."""
    found: dict[str, Finding] = {}
    for path in review_paths(root, slug):
        for finding in read_review(path).findings:
            found.setdefault(f"{path.stem}/{finding.id}", finding)
    return found


def with_reviewers(response: Response, findings: Mapping[str, Finding]) -> list[Answer]:
    """The answers, each with its reviewer where only one reviewer can be meant."""
    named = []
    for answer in response.answers:
        owners = [key.split("/")[0] for key in findings if key.endswith(f"/{answer.finding}")]
        if not answer.reviewer and len(owners) == 1:
            answer = replace(answer, reviewer=owners[0])
        named.append(answer)
    return named


def answers_by_finding(root: Path, slug: str) -> dict[str, Answer]:
    """The first answer to each finding, by its full name; none without a response."""
    path = response_path(root, slug)
    if not path.exists():
        return {}
    found: dict[str, Answer] = {}
    for answer in with_reviewers(read_response(path), all_findings(root, slug)):
        found.setdefault(answer.key, answer)
    return found


def check_response(root: Path, slug: str) -> list[Problem]:
    """Everything that is wrong with a project's response, against the repository at `root`."""
    path = response_path(root, slug)
    findings = all_findings(root, slug)
    if not path.exists():
        if not findings:
            return []
        message = f"{len(findings)} findings have no answer: there is no response"
        return [
            Problem(shown(path), 0, "response.missing", message, f"`dgm review respond {slug}`")
        ]
    response = read_response(path)
    return [
        *response.problems,
        *ResponseCheck(root, slug, response, findings).problems(),
        *open_places(path),
        *private_places(path),
    ]


@dataclass(frozen=True)
class ResponseCheck:
    """A response beside the findings that it answers."""

    root: Path
    slug: str
    response: Response
    findings: Mapping[str, Finding]

    @property
    def path(self) -> str:
        """The response's path as messages name it."""
        return shown(self.response.path)

    def problem(self, line: int, code: str, message: str, hint: str = "", level="error") -> Problem:
        """A problem of the response."""
        return Problem(self.path, line, f"response.{code}", message, hint, level)

    def problems(self) -> Iterator[Problem]:
        """Everything but the form."""
        if self.response.project and self.response.project != self.slug:
            message = f"project is {self.response.project!r}, expected {self.slug!r}"
            yield self.problem(1, "project", message)
        answers = with_reviewers(self.response, self.findings)
        yield from self.coverage(answers)
        for answer in answers:
            if answer.status in STATUSES:
                yield from self.answer_problems(answer)
        yield from self.commit_problems(answers)
        yield from self.goal_problems()

    def coverage(self, answers: list[Answer]) -> Iterator[Problem]:
        """Each finding is answered exactly once."""
        seen: dict[str, Answer] = {}
        for answer in answers:
            if answer.key in seen:
                message = f"{answer.key} is answered twice, first in line {seen[answer.key].line}"
                yield self.problem(answer.line, "twice", message, "keep one answer")
            elif answer.key not in self.findings:
                near = difflib.get_close_matches(answer.key, list(self.findings), n=1)
                hint = f"did you mean {near[0]}?" if near else "the reviews name no such finding"
                message = f"{answer.key} is no finding of this project"
                yield self.problem(answer.line, "unknown", message, hint)
            seen.setdefault(answer.key, answer)
        for key, finding in self.findings.items():
            if key not in seen:
                message = f"{key} ({finding.severity}) is not answered: {finding.title}"
                hint = f"`dgm review respond {self.slug}` adds it at the end"
                yield self.problem(0, "missing", message, hint)

    def answer_problems(self, answer: Answer) -> Iterator[Problem]:
        """What an answer needs by its status."""
        reason = answer.reason.strip(" -–—.")
        needs_commits = answer.status in WITH_COMMITS and not answer.commits
        if needs_commits and not self.is_open(answer, "commits"):
            message = f"{answer.key} is {answer.status} and names no commit"
            yield self.problem(answer.line_of("commits"), "commits", message, "- commits: 1a2b3c4")
        if answer.status in WITH_REASON and not reason:
            message = f"{answer.key} is {answer.status} and has no reason"
            hint = "what is left" if answer.status == "partly" else "what you ran, or why not now"
            yield self.problem(answer.line_of("reason"), "reason", message, f"- reason: {hint}")
        if answer.status == "duplicate" and not is_open(reason):
            yield from self.duplicate_problems(answer)

    def is_open(self, answer: Answer, field: str) -> bool:
        """Whether a field is marked as yet to be filled, which is told elsewhere."""
        line = answer.lines.get(field)
        return any(p.line == line for p in open_places(self.response.path)) if line else False

    def duplicate_problems(self, answer: Answer) -> Iterator[Problem]:
        """A duplicate names the other finding."""
        others = []
        for key in self.findings:
            reviewer, _, identity = key.partition("/")
            is_named = key.lower() in answer.reason.lower()
            is_short = reviewer == answer.reviewer and identity in finding_ids(answer.reason)
            if key != answer.key and (is_named or is_short):
                others.append(key)
        if not others:
            message = f"{answer.key} is a duplicate and names no other finding"
            hint = "- reason: the same as r-07/F02"
            yield self.problem(answer.line_of("reason"), "duplicate", message, hint)

    def commit_problems(self, answers: list[Answer]) -> Iterator[Problem]:
        """The commits of what is fixed are part of version 2, and touch what was cited."""
        named = [answer for answer in answers if answer.commits]
        if not named:
            return
        if not has_history(self.root, self.slug):
            message = "commits were not looked up: this tree has no history"
            yield self.problem(0, "history", message, level="warning")
            return
        first = find_version(self.root, self.slug, "v1")
        second = find_version(self.root, self.slug, "v2")
        if second is not None and second.commit is None:
            message = f"version 2 as frozen ({second.record.commit[:12]}) is not in this clone"
            yield self.problem(0, "history", message, how_to_fetch(self.root))
            return
        commits = Commits(self.root, self.slug, first, second)
        for answer in named:
            line = answer.line_of("commits")
            full = []
            for name in answer.commits:
                commit, fault, hint = commits.look_up(name)
                if fault:
                    yield self.problem(line, "commits", f"{answer.key}: {fault}", hint)
                if commit:
                    full.append(commit)
            finding = self.findings.get(answer.key)
            if finding and len(full) == len(answer.commits):
                yield from self.touch_problems(answer, finding, full, commits)

    def touch_problems(
        self, answer: Answer, finding: Finding, full: list[str], commits: "Commits"
    ) -> Iterator[Problem]:
        """A warning if the commits leave the cited files as they were, or precede the review."""
        line = answer.line_of("commits")
        if commits.are_old(full):
            message = f"{answer.key}: these commits are part of version 1 already"
            yield self.problem(
                line, "commits", message, "name the commits that fixed it", "warning"
            )
            return
        cited = commits.cited_files(finding)
        changed = {path for commit in full for path in commits.changed(commit)}
        if cited and not any(is_within(path, cited) for path in changed):
            message = f"{answer.key}: the commits leave {', '.join(sorted(cited))} as it was"
            hint = "name the commit that fixes it, or say in the reason where it was fixed"
            yield self.problem(line, "untouched", message, hint, "warning")

    def goal_problems(self) -> Iterator[Problem]:
        """No goal of version 1 has vanished by version 2."""
        if not has_history(self.root, self.slug):
            return
        first = find_version(self.root, self.slug, "v1")
        if first is None or first.commit is None:
            return
        second = find_version(self.root, self.slug, "v2")
        before = project_table(self.root, self.slug, first)
        after = project_table(self.root, self.slug, second)
        if before is None or after is None:
            return
        path = f"projects/{self.slug}/project.toml"
        kept = {goal.id for goal in after.goal}
        for goal in before.goal:
            if goal.id not in kept:
                message = f"the goal {goal.id!r} of version 1 has vanished"
                hint = 'put it back; a goal that is given up says so: withdrawn = "the reason"'
                yield Problem(path, 0, "response.goal", message, hint)


def is_within(path: str, cited: set[str]) -> bool:
    """Whether a path is one of the cited files, or lies in a cited folder."""
    return any(path == other or path.startswith(f"{other}/") for other in cited)


class Commits:
    """The commits that a response names, looked up in this clone."""

    def __init__(self, root: Path, slug: str, first: Version | None, second: Version | None):
        self.root, self.slug = root, slug
        self.repository = Repository(root)
        self.first = first.commit if first else None
        self.end = second.commit if second and second.commit else self.repository.head()
        self.where = "version 2 as frozen" if second else "HEAD"
        self.places = Places(self.repository, self.first, slug) if self.first else None

    def look_up(self, name: str) -> tuple[str | None, str, str]:
        """The full commit, or what is wrong and what to do."""
        commit = self.repository.resolve(name)
        if commit is None:
            return None, f"there is no commit {name} here", how_to_fetch(self.root)
        if not self.repository.is_ancestor(commit, self.end):
            hint = "merge it before the deadline, or name the commit that was merged"
            return None, f"the commit {name} is not part of {self.where}", hint
        return commit, "", ""

    def are_old(self, commits: list[str]) -> bool:
        """Whether version 1 had all of these commits."""
        return self.first is not None and all(
            self.repository.is_ancestor(commit, self.first) for commit in commits
        )

    def changed(self, commit: str) -> list[str]:
        """The files that a commit changed."""
        try:
            return self.repository.changed_files(commit)
        except GitError:
            return []

    def cited_files(self, finding: Finding) -> set[str]:
        """The files that a finding names, as they were called in version 1."""
        return self.places.cited(finding.where) if self.places else set()
