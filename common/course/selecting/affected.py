"""`dgm affected`: what has to be looked at again after a change, and why.

| what changes | what is selected |
|---|---|
| `projects/SLUG/` | that project, and those that build on it, import it or link to it |
| a module of `common` or `tests` | the projects and tests that import it, by however long a detour |
| another file beside modules of `common` or `tests` | as if the modules of its folder had changed |
| what `dgm check` or `dgm review check` import | besides, these checks of all projects or reviews |
| `reviews/SLUG/` | the reviews of that project |
| a file of `reviews/` itself | the reviews of all projects, and `dgm check` of all |
| dependencies, Makefile, .ci, workflows, git's own files, anything not named here | everything |
| guides, forms and other texts, `templates/` | the tests of the course, and `dgm check` of all |
"""

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from common.course.changes import Change, find_span, read_changes
from common.course.git import Repository
from common.course.selecting.graph import Graph, module_name

COURSE_TESTS = "tests/course"
TEXTS = (
    *("*.md", "LICENSE", "CITATION.cff", "docs/*", "templates/*", ".pre-commit-config.yaml"),
    *(".github/ISSUE_TEMPLATE/*", ".github/PULL_REQUEST_TEMPLATE/*", ".github/CODEOWNERS"),
    ".github/dependabot.yml",
)
CHECKER, REVIEW_CHECKER = "common.course.check", "common.course.reviewing.files"


@dataclass
class Affected:
    """What a change touches; `why` tells the reason for each project.

    `projects`: tests and notebook are to be run. `check`: `dgm check` is (these and more). `tests`:
    files of tests/. `reviews`: `dgm review check`. `gone`: projects that are no more.
    """

    base: str
    head: str
    everything: str = ""  # the path because of which all is selected
    projects: list[str] = field(default_factory=list)
    check: list[str] = field(default_factory=list)
    reviews: list[str] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)


def affected(root: Path, base: str, head: str = "HEAD") -> Affected:
    """What the change base...head touches; raises UserError where git cannot tell."""
    repository = Repository(root)
    span = find_span(repository, base, head)
    return select(Graph(repository, span.head), read_changes(repository, span), span.base)


def select(graph: Graph, changes: Sequence[Change], base: str) -> Affected:
    """What these changes touch at the graph's commit."""
    result = Affected(base, graph.commit)
    sorted_out = Sorted()
    for change in changes:
        sorted_out.add(change.path, graph)
    result.everything = sorted_out.everything
    result.shared = sorted(sorted_out.shared)
    result.gone = sorted(slug for slug in sorted_out.slugs if slug not in graph.projects)
    if result.everything:
        reason = f"{result.everything} concerns all"
        select_all(graph, result, reason)
        return result
    slugs = {slug: f"{path} changed" for slug, path in sorted_out.slugs.items()}
    changed = sorted_out.modules | set(
        graph.importing_tests({f"projects.{slug}" for slug in slugs}) if slugs else ()
    )
    modules = graph.importers(changed) if changed else {}
    rest = [slug for slug in graph.projects if slug not in slugs]
    for slug, module in graph.importing_projects(modules, rest).items():
        slugs[slug] = f"imports {' -> '.join(way(module, modules))}"
    for slug, other in graph.builders(slugs).items():
        slugs[slug] = f"builds on {other}"
    result.why = {slug: slugs[slug] for slug in sorted(slugs) if slug in graph.projects}
    result.projects = list(result.why)
    result.tests = tests_of(graph, modules, sorted_out)
    is_checker = sorted_out.texts or sorted_out.records or CHECKER in modules
    result.check = sorted(graph.projects) if is_checker else result.projects
    is_reviews = sorted_out.records or REVIEW_CHECKER in modules
    touched = set(graph.reviews) if is_reviews else sorted_out.reviews | tables(changes)
    result.reviews = sorted(touched.intersection(graph.reviews))
    return result


class Sorted:
    """The paths of a change, by what they are."""

    def __init__(self):
        self.slugs: dict[str, str] = {}  # with the first path of each that changed
        self.modules: set[str] = set()
        self.reviews: set[str] = set()
        self.shared: set[str] = set()
        self.everything = ""
        self.texts = self.records = False

    def add(self, path: str, graph: Graph) -> None:
        """One path that changed."""
        top, _, rest = path.partition("/")
        parts = path.split("/")
        if top == "projects" and rest:
            if len(parts) > 2 or parts[1] in graph.projects:
                self.slugs.setdefault(parts[1], path)
        elif top == "reviews" and rest:
            if len(parts) > 2:
                self.reviews.add(parts[1])
            else:
                self.records = True
        elif top in ("common", "tests") and rest:
            new = set(modules_at(path, graph))
            self.modules |= new
            self.shared |= new
        elif any(fnmatch.fnmatchcase(path, form) for form in TEXTS):
            self.texts = True
            self.shared.add(path)
        else:
            self.everything = self.everything or path
            self.shared.add(path)


def modules_at(path: str, graph: Graph) -> Iterable[str]:
    """The modules that a path of common or tests is, or that lie beside it (data they read)."""
    if path.endswith(".py"):
        return [module_name(path)]
    folder = path.rpartition("/")[0]
    while folder:
        beside = [
            name for name, entry in graph.modules.items() if entry.path.rpartition("/")[0] == folder
        ]
        if beside:
            return beside
        folder = folder.rpartition("/")[0]
    return []


def tables(changes: Iterable[Change]) -> set[str]:
    """The projects whose project.toml changed, which reviews are compared with."""
    paths = (change.path.split("/") for change in changes)
    return {parts[1] for parts in paths if parts[0] == "projects" and parts[2:] == ["project.toml"]}


def way(module: str, importers: dict[str, str]) -> list[str]:
    """From a module to the one that changed, by what imports what."""
    names = [module]
    while importers[names[-1]]:
        names.append(importers[names[-1]])
    return names


def tests_of(graph: Graph, modules: Iterable[str], sorted_out: Sorted) -> list[str]:
    """The files of tests/ that are to be run: those among the modules, and the course's for texts."""
    names = {name for name in modules if name.startswith("tests.")}
    if any(name.rpartition(".")[2] == "conftest" for name in names & sorted_out.modules):
        names |= {name for name in graph.modules if name.startswith("tests.")}
    paths = {graph.modules[name].path for name in names if name in graph.modules}
    if sorted_out.texts or sorted_out.records:
        paths |= {
            entry.path
            for entry in graph.modules.values()
            if entry.path.startswith(f"{COURSE_TESTS}/")
        }
    return sorted(path for path in paths if path.rpartition("/")[2].startswith("test_"))


def select_all(graph: Graph, result: Affected, reason: str) -> None:
    """Everything there is."""
    result.why = dict.fromkeys(sorted(graph.projects), reason)
    result.projects = result.check = list(result.why)
    result.reviews = graph.reviews
    paths = (entry.path for entry in graph.modules.values())
    result.tests = sorted(path for path in paths if path.rpartition("/")[2].startswith("test_"))
