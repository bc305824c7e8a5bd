"""What a project may import: the distributions of pyproject.toml, by the names they import as."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from common.projects import ROOT

IMPORT_NAMES = {
    # Where the name of the distribution, in lower case, is not the name to import.
    "attrs": ("attr", "attrs"),
    "beautifulsoup4": ("bs4",),
    "ipykernel": ("ipykernel", "IPython"),
    "matplotlib": ("matplotlib", "mpl_toolkits", "pylab"),
    "opencv-python": ("cv2",),
    "pillow": ("PIL",),
    "protobuf": ("google",),
    "pytest": ("pytest", "_pytest"),
    "python-dateutil": ("dateutil",),
    "pytorch-lightning": ("pytorch_lightning",),
    "pyyaml": ("yaml",),
    "scikit-image": ("skimage",),
    "scikit-learn": ("sklearn",),
    "setuptools": ("setuptools", "pkg_resources"),
    "torch": ("torch", "functorch"),
}
DISTRIBUTIONS = {name: dist for dist, names in IMPORT_NAMES.items() for name in names}
TEST_EXTRA = "dev"


@dataclass(frozen=True)
class Dependencies:
    """The names that may be imported by any file, and those that tests may import besides."""

    names: frozenset[str]
    test_names: frozenset[str]

    def allow(self, name: str, *, is_test: bool) -> bool:
        """Whether this top-level name may be imported."""
        return name in self.names or (is_test and name in self.test_names)


def read_dependencies(root: Path) -> Dependencies | None:
    """The dependencies of the tree's pyproject.toml, or of ours; None if it cannot be read."""
    for folder in (root, ROOT):
        try:
            table = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError):
            continue
        project = table.get("project")
        if isinstance(project, dict):
            extras = project.get("optional-dependencies")
            tests = extras.get(TEST_EXTRA, []) if isinstance(extras, dict) else []
            return Dependencies(names_of(project.get("dependencies")), names_of(tests))
    return None


def names_of(requirements: object) -> frozenset[str]:
    """The names to import of a list of requirements such as "scikit-learn>=1.4"."""
    listed = requirements if isinstance(requirements, list) else []
    found = [re.match(r"[\w.-]+", text) for text in listed if isinstance(text, str)]
    names: set[str] = set()
    for match in found:
        if match:
            distribution = normal(match.group())
            names.update(IMPORT_NAMES.get(distribution, (distribution.replace("-", "_"),)))
    return frozenset(names)


def normal(distribution: str) -> str:
    """A distribution's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def distribution_of(name: str) -> str:
    """The distribution that a top-level name most likely comes from."""
    return DISTRIBUTIONS.get(name, name)
