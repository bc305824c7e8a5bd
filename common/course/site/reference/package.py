"""The package as griffe reads it, and where each of its names is documented."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from griffe import AliasResolutionError, Class, Function, GriffeLoader, Module, Object

FOLDER = "reference"
WITHOUT_ITEMS = {"returns_multiple_items": False, "returns_named_value": False}


@dataclass(frozen=True)
class Package:
    """A package of the tree and everything below it."""

    root: Module

    @cached_property
    def modules(self) -> Mapping[str, Module]:
        """Every module by its dotted name, a package before what it holds."""
        return {module.path: module for module in walk(self.root)}

    @cached_property
    def places(self) -> Mapping[str, str]:
        """The page of every documented name, with its anchor, by dotted name."""
        found = {}
        for name, module in self.modules.items():
            found.setdefault(name, page_path(name))
            for entry in (*functions(module), *classes(module), *constants(module)):
                found[entry.path] = f"{page_path(name)}#{entry.path}"
                for part in methods(entry) if isinstance(entry, Class) else ():
                    found[part.path] = f"{page_path(name)}#{part.path}"
        return found

    def place(self, name: str) -> str | None:
        """Where a dotted name is documented, through what packages hand on; None if nowhere.

        A function that shares its name with its module, as `common.data.load`, is found where the
        package hands on the function.
        """
        return self.places.get(self.original(name))

    def original(self, name: str) -> str:
        """The dotted name under which something is defined that a package hands on."""
        for _ in range(20):  # nobody hands on further than that
            parent, _, last = name.rpartition(".")
            module = self.modules.get(parent)
            target = module.imports.get(last) if module else None
            if target is None or target == name:
                above = self.original(parent) if parent and parent not in self.modules else parent
                return f"{above}.{last}" if parent else name
            name = target
        return name

    def exports(self, module: Module) -> list[tuple[str, str]]:
        """The names that a package hands on (`__all__`), with where each is defined."""
        names = [str(name) for name in module.exports or () if isinstance(name, str)]
        known = [name for name in names if name in module.imports]
        return [(name, self.original(module.imports[name])) for name in known]

    def find(self, name: str) -> Object | None:
        """What a dotted name stands for; None if it is not of this package."""
        return self.defined(self.original(name))

    def defined(self, name: str) -> Object | None:
        """What is defined under exactly this name, a module's name before that of anything in it."""
        if name in self.modules or "." not in name:
            return self.modules.get(name)
        parent, _, last = name.rpartition(".")
        holder = self.defined(parent)
        found = holder.members.get(last) if holder is not None else None
        return None if found is None or found.is_alias else found


def read_package(root: Path, name: str = "common") -> Package:
    """A package of the tree, read and not run."""
    logging.getLogger("griffe").setLevel(logging.ERROR)  # its hints on style are not for here
    loader = GriffeLoader(
        search_paths=[root],
        allow_inspection=False,
        docstring_parser="google",
        docstring_options={"warnings": False, **WITHOUT_ITEMS},
    )
    return Package(loader.load(name, try_relative_path=False))


def module_files(root: Path, name: str = "common") -> dict[str, Path]:
    """The file of each module of a package of the tree, by dotted name; none where there is none."""
    found = {}
    for path in sorted((root / name).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(part.startswith("_") for part in parts) and not path.is_symlink():
            found[".".join(parts)] = path
    return found if name in found else {}


def page_path(module: str) -> str:
    """The page of a module."""
    return f"{FOLDER}/{module}.html"


def source_path(module: str) -> str:
    """The page of a module's source."""
    return f"{FOLDER}/source/{module}.html"


def walk(module: Module) -> Iterator[Module]:
    """A module and those below it, in the order of their names."""
    yield module
    for name in sorted(module.modules):
        inner = module.modules[name]
        if not inner.is_alias and not name.startswith("_"):
            yield from walk(inner)


def submodules(module: Module) -> list[Module]:
    """The modules right below a package, in the order of their names."""
    inner = (module.modules[name] for name in sorted(module.modules) if not name.startswith("_"))
    return [each for each in inner if not each.is_alias]


def functions(module: Module) -> list[Function]:
    """The public functions that a module defines and documents, in its order."""
    return [each for each in own(module) if each.is_function and each.docstring]


def classes(module: Module) -> list[Class]:
    """The public classes that a module defines and documents, in its order."""
    return [each for each in own(module) if each.is_class and each.docstring]


def constants(module: Module) -> list[Object]:
    """The public constants of a module, in capitals."""
    return [each for each in own(module) if each.is_attribute and each.name.isupper()]


def methods(entry: Class) -> list[Object]:
    """The public methods and properties that a class defines, in its order."""
    found = [each for each in own(entry) if each.is_function or "property" in each.labels]
    return [each for each in found if is_documented(each)]


def is_documented(method: Object) -> bool:
    """Whether a method, or the one that it stands in for, has a docstring."""
    return method.docstring is not None or overridden(method) is not None


def overridden(method: Object) -> Object | None:
    """The documented method of a base class that this one stands in for."""
    for base in ancestors(method.parent):
        found = base.members.get(method.name)
        if found is not None and not found.is_alias and found.docstring:
            return found
    return None


def ancestors(entry: Class) -> list[Class]:
    """The base classes that the package itself defines, nearest first."""
    try:
        return [each for each in entry.mro() if each.path != entry.path]
    except (ValueError, AliasResolutionError):
        return []


def own(holder: Object) -> list[Object]:
    """What a module or class defines itself, under a public name."""
    return [
        each
        for name, each in holder.members.items()
        if not each.is_alias and not each.is_module and not name.startswith("_")
    ]
