"""The pages of the reference: an index, a page a module, a page a module's source."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from griffe import Class, Module, Object
from markupsafe import Markup

from common.course.site.pages import Page, Site, relative
from common.course.site.parts import Part
from common.course.site.reference import package as reading
from common.course.site.reference.docstrings import Writer
from common.course.site.reference.package import FOLDER, Package, page_path, source_path
from common.course.site.reference.signatures import expression, signature
from common.course.site.rendering.highlight import render_code

INDEX = f"{FOLDER}/index.html"
GROUPS = (  # of the index, with what each is for
    ("common.data", "Data sets, preprocessing, batches, bits per dimension."),
    ("common.evaluation", "Metrics by capability, with errors; figures."),
    ("common.training", "Budget, progress, checkpoints, resuming, devices."),
    ("common", "What projects, results and commands are made of."),
    ("common.course", "The cycle: checks, reviews, assignment, grades, publishing, this site."),
    ("common.commands", "A module for each `dgm` command."),
)
LONGEST_VALUE = 90


@dataclass(frozen=True)
class Line:
    """A name in a list: where it leads (a path of the site) and its first sentences."""

    name: str
    path: str
    summary: Markup


@dataclass(frozen=True)
class Piece:
    """A function, class, method or property as its page shows it."""

    name: str
    anchor: str
    kind: str
    signature: Markup
    text: Markup
    source: str  # a path of the site
    bases: str = ""
    pieces: tuple["Piece", ...] = ()


def parts(site: Site) -> Iterator[Part]:
    """The documentation, and the source of each module alone, which stays while the file does."""
    files = reading.module_files(site.root)
    yield Part("reference.pages", tuple(files.values()), partial(pages, site))
    for name, path in files.items():
        yield Part(f"reference.{name}", (path,), partial(sources, {name: path}))


def pages(site: Site) -> Iterator[Page]:
    """The index and a page a module; a page that says so where the tree has no such package."""
    if not reading.module_files(site.root):
        text = "<p>This tree has no package that its projects share.</p>"
        yield Page(INDEX, "Reference", text, section=INDEX)
        return
    package = reading.read_package(site.root)
    yield index(package)
    for module in package.modules.values():
        yield ModulePage(package, module).page()


def sources(files: Mapping[str, Path]) -> Iterator[Page]:
    """The text of modules, each line with an anchor."""
    for module, path in files.items():
        yield Page(
            source_path(module),
            f"Source of {module}",
            render_code(path.read_text(encoding="utf-8"), path.name),
            description=f"The text of the module {module}, with a link to each line.",
            section=INDEX,
            template="reference_source.html",
            context={"back": page_path(module), "about": f"Documentation of {module}"},
        )


def index(package: Package) -> Page:
    """Every module, by what it is for."""
    writer = Writer(package, INDEX)
    groups = []
    for name, about in GROUPS:
        if name in package.modules:
            below = [each for each in package.modules.values() if group_of(each.path) == name]
            groups.append((name, writer.inline(about, package.root), lines(writer, below)))
    return Page(
        INDEX,
        "Reference",
        description="Every module, class and function that the projects share, with its source.",
        section=INDEX,
        template="reference_index.html",
        context={"groups": groups},
    )


def group_of(name: str) -> str:
    """The group of the index that a module stands in: the longest that its name begins with."""
    names = [each for each, _ in GROUPS if f"{name}.".startswith(f"{each}.")]
    return max(names, key=len, default="")


def lines(writer: Writer, modules: Iterable[Module]) -> list[Line]:
    """Modules with what their docstrings begin with."""
    return [Line(each.path, page_path(each.path), writer.summary(each)) for each in modules]


class ModulePage:
    """One module: what it says of itself, what it hands on, holds and defines."""

    def __init__(self, package: Package, module: Module):
        self.package, self.module, self.path = package, module, page_path(module.path)
        self.writer = Writer(package, self.path)

    def page(self) -> Page:
        """The page."""
        module, parts = self.module, self.module.path.split(".")
        crumbs = [".".join(parts[:end]) for end in range(1, len(parts))]
        return Page(
            self.path,
            module.path,
            description=self.writer.summary(module).striptags(),
            section=INDEX,
            template="reference_module.html",
            context={
                "crumbs": [(name, page_path(name)) for name in crumbs],
                "text": self.writer.html(module),
                "source": source_path(module.path),
                "exports": self.exports(),
                "modules": lines(self.writer, reading.submodules(module)),
                "constants": [self.constant(each) for each in reading.constants(module)],
                "classes": [self.class_piece(each) for each in reading.classes(module)],
                "functions": [self.piece(each, "function") for each in reading.functions(module)],
            },
        )

    def exports(self) -> list[Line]:
        """What the package hands on, each where it is defined."""
        found = []
        for name, path in self.package.exports(self.module):
            subject, place = self.package.find(path), self.package.place(path)
            if subject is not None and place is not None:
                found.append(Line(name, place, self.writer.summary(subject)))
        return found

    def link(self, name: str) -> str | None:
        """The link from this page to where a dotted name is documented."""
        place = self.package.place(name)
        return None if place is None else relative(self.path, place)

    def piece(self, subject: Object, kind: str) -> Piece:
        """A function, method or property."""
        text = self.writer.html(subject)
        base = None if subject.docstring else reading.overridden(subject)
        if base is not None:
            text = Markup("<p>As {}.</p>").format(
                self.writer.code(f"{base.parent.name}.{base.name}", base.parent)
            )
        return Piece(
            subject.name,
            subject.path,
            kind,
            signature(subject, self.link),
            text,
            f"{source_path(self.module.path)}#L{subject.lineno}",
        )

    def class_piece(self, entry: Class) -> Piece:
        """A class with its methods."""
        inner = []
        for each in reading.methods(entry):
            labels = each.labels & {"property", "cached", "classmethod", "staticmethod"}
            kind = "property" if "property" in labels else " ".join(sorted(labels)) or "method"
            inner.append(self.piece(each, kind))
        bases = Markup(", ").join(expression(base, self.link) for base in entry.bases)
        shown = self.piece(entry, "class")
        return Piece(**vars(shown) | {"bases": bases, "pieces": tuple(inner)})

    def constant(self, subject: Object) -> Piece:
        """A constant, with its value where that is short."""
        value = str(subject.value or "")
        shown = signature(subject, self.link)
        if value and len(value) <= LONGEST_VALUE and "\n" not in value:
            shown += " = " + value
        place = f"{source_path(self.module.path)}#L{subject.lineno}"
        return Piece(
            subject.name, subject.path, "constant", shown, self.writer.html(subject), place
        )
