"""Who depends on what, at one commit: modules of common and tests, and projects."""

import os
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from posixpath import dirname, join, normpath

from common.course.changes import LINK, SUBMODULE, Entry, read_blobs, read_entries
from common.course.git import Repository
from common.course.selecting.imports import imported, imported_by_notebook, with_parents

BUILDS_ON = re.compile(rb"^[ \t]*builds_on[ \t]*=[ \t]*(\[[^\]]*\])", re.MULTILINE)


@dataclass(frozen=True)
class Graph:
    """The files of a commit, and what they import; each file is read at most once."""

    repository: Repository
    commit: str

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Every file of the commit by path."""
        return {entry.path: entry for entry in read_entries(self.repository, self.commit)}

    @cached_property
    def projects(self) -> dict[str, list[Entry]]:
        """The files of each project: the folders of projects/ with a project.toml, links included."""
        found: dict[str, list[Entry]] = {}
        for entry in self.entries.values():
            parts = entry.path.split("/")
            if parts[0] == "projects" and (len(parts) > 2 or is_elsewhere(entry)):
                found.setdefault(parts[1], []).append(entry)
        return {
            slug: files
            for slug, files in found.items()
            if f"projects/{slug}/project.toml" in self.entries or is_elsewhere(files[0])
        }

    @cached_property
    def reviews(self) -> list[str]:
        """The projects that have files in reviews/."""
        parts = (path.split("/") for path in self.entries if path.startswith("reviews/"))
        return sorted({names[1] for names in parts if len(names) > 2})

    @cached_property
    def modules(self) -> dict[str, Entry]:
        """The Python files of common and tests by dotted name; a package by that of its folder."""
        return {
            module_name(path): entry
            for path, entry in self.entries.items()
            if path.startswith(("common/", "tests/")) and path.endswith(".py")
        }

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """What each module of common and tests imports."""
        contents = read_blobs(self.repository, [entry.blob for entry in self.modules.values()])
        return {
            name: set(self.expanded(imported(contents.get(entry.blob, b""), entry.path)))
            for name, entry in self.modules.items()
        }

    def expanded(self, names: Iterable[str]) -> Iterator[str]:
        """Names of modules, those of a whole package (`common.commands.*`) one by one."""
        for name in names:
            yield name
            if name.endswith(".*"):
                yield from (m for m in self.modules if m.rpartition(".")[0] == name[:-2])

    def importers(self, changed: Iterable[str]) -> dict[str, str]:
        """The modules that import one of these, by however long a detour, each with what it imports.

        To import a module runs the packages above it, so whoever imports a neighbour of a module
        that the package itself imports is among them.
        """
        needed_by: dict[str, set[str]] = {}
        for name, imports in self.imports.items():
            for other in (*imports, *with_parents(name)[:-1]):
                for part in with_parents(other):
                    if part != name:
                        needed_by.setdefault(part, set()).add(name)
        found = dict.fromkeys(sorted(changed), "")
        waiting = list(found)
        while waiting:
            module = waiting.pop(0)
            for name in sorted(needed_by.get(module, ())):
                if name not in found:
                    found[name] = module
                    waiting.append(name)
        return found

    def importing_projects(self, modules: Collection[str], slugs: Iterable[str]) -> dict[str, str]:
        """Those of the projects that import one of the modules, with the module."""
        found: dict[str, str] = {}
        for is_asked in (is_training, is_other_python, is_notebook):  # from small to large
            files = [
                (slug, entry)
                for slug in slugs
                if slug not in found
                for entry in self.projects[slug]
                if is_asked(entry.path)
            ]
            found |= self.importing(files, modules)
        return found

    def importing_tests(self, modules: Collection[str]) -> dict[str, str]:
        """The modules of tests/ that import one of the modules, with the module."""
        files = [(name, e) for name, e in self.modules.items() if name.startswith("tests.")]
        return self.importing(files, modules)

    def importing(
        self, files: Sequence[tuple[str, Entry]], modules: Collection[str]
    ) -> dict[str, str]:
        """The names among these (name, file) of which a file imports one of the modules.

        A file is looked at only if it has the second word of a module's name in it, as `data`.
        """
        found: dict[str, str] = {}
        if not modules:
            return found
        words = sorted({os.fsencode(module.split(".")[:2][-1]) for module in modules})
        contents = read_blobs(self.repository, [entry.blob for _, entry in files])
        for name, entry in files:
            data = contents.get(entry.blob, b"")
            if name in found or not any(word in data for word in words):
                continue
            read = imported_by_notebook if is_notebook(entry.path) else imported
            parts = (part for m in sorted(read(data, entry.path)) for part in with_parents(m))
            if used := next((part for part in parts if part in modules), None):
                found[name] = used
        return found

    @cached_property
    def builds_on(self) -> dict[str, set[str]]:
        """What each project.toml declares to build on."""
        names = {slug: f"projects/{slug}/project.toml" for slug in self.projects}
        entries = {slug: self.entries[path] for slug, path in names.items() if path in self.entries}
        contents = read_blobs(self.repository, [entry.blob for entry in entries.values()])
        return {slug: declared(contents.get(entry.blob, b"")) for slug, entry in entries.items()}

    @cached_property
    def links(self) -> dict[str, str]:
        """Where each symbolic link of a project leads to in the repository."""
        entries = [
            entry for files in self.projects.values() for entry in files if entry.mode == LINK
        ]
        contents = read_blobs(self.repository, [entry.blob for entry in entries])
        return {
            entry.path: normpath(
                join(dirname(entry.path), contents.get(entry.blob, b"").decode("utf-8", "replace"))
            )
            for entry in entries
        }

    def builders(self, changed: Iterable[str]) -> dict[str, str]:
        """The projects that build on one of these, or import or link to it, and on which.

        Notebooks are not read for it: they are large, and `dgm check` refuses one that imports a
        project which builds_on does not name.
        """
        found: dict[str, str] = {}
        seen = waiting = set(changed)
        while waiting and not seen.issuperset(self.projects):
            new = {
                slug: min(others & waiting)
                for slug, others in self.foundations.items()
                if slug not in seen and others & waiting
            }
            found |= new
            waiting = set(new)
            seen = seen | waiting
        return found

    @cached_property
    def foundations(self) -> dict[str, set[str]]:
        """The other projects that each project builds on, imports from or links to."""
        found = {slug: set(others) for slug, others in self.builds_on.items()}
        for path, target in self.links.items():
            parts = target.split("/")
            if parts[0] == "projects" and len(parts) > 1:
                found.setdefault(path.split("/")[1], set()).add(parts[1])
        files = [
            (slug, entry)
            for slug, entries in self.projects.items()
            for entry in entries
            if entry.path.endswith(".py")
        ]
        contents = read_blobs(self.repository, [entry.blob for _, entry in files])
        for slug, entry in files:
            data = contents.get(entry.blob, b"")
            if data.count(b"projects") > data.count(b"projects." + os.fsencode(slug)):
                names = (name.split(".") for name in imported(data, entry.path))
                others = {parts[1] for parts in names if parts[0] == "projects" and parts[1:]}
                found.setdefault(slug, set()).update(others - {slug})
        return found


def is_elsewhere(entry: Entry) -> bool:
    """Whether a path is a link or a submodule: its content lies elsewhere."""
    return entry.mode in (LINK, SUBMODULE)


def is_training(path: str) -> bool:
    """Whether this file most likely imports what a project needs of common."""
    return path.endswith("/train.py")


def is_other_python(path: str) -> bool:
    """Whether this is another Python file."""
    return path.endswith(".py") and not is_training(path)


def is_notebook(path: str) -> bool:
    """Whether this is a notebook."""
    return path.endswith(".ipynb")


def module_name(path: str) -> str:
    """The dotted name of a Python file.

    >>> module_name("common/data/load.py"), module_name("common/data/__init__.py")
    ('common.data.load', 'common.data')
    """
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def declared(data: bytes) -> set[str]:
    """The slugs in builds_on of a project.toml, wrong as the rest of it may be."""
    found: set[str] = set()
    for text in BUILDS_ON.findall(data.replace(b"\r\n", b"\n")):
        try:
            found |= set(map(str, tomllib.loads(f"slugs = {text.decode()}")["slugs"]))
        except (ValueError, RecursionError):
            continue
    return found
