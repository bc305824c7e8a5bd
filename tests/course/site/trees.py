"""Small trees whose site is built for the browser: one that attacks, one that is good."""

import json
import shutil
from pathlib import Path

from common.projects import ROOT
from tests.course.site import hostile
from tests.course.site.small_tree import write_reviews
from tests.course.tiny_project import PROJECT, make_project

FORGED = "<script>" + hostile.SHOUT.format(999) + '</script>"onload="x'


def hostile_tree(root: Path) -> Path:
    """A tree with the tiny project, which is honest, and one whose every text attacks."""
    make_project(root)
    folder = root / "projects" / "hostile"
    shutil.copytree(root / "projects" / "tiny", folder)
    table = PROJECT.replace('"tiny"', '"hostile"', 1).replace('"g-01"', '"g-02"')
    for old in (
        '"Tiny"',
        '"A coin for every pixel."',
        '"Coins"',
        '"Table 1, first row"',
        '"test models"',
    ):
        table = table.replace(old, json.dumps(f"{old[1:-1]} {FORGED}"))
    (folder / "project.toml").write_text(table, encoding="utf-8")
    (folder / "README.md").write_text(hostile.readme(), encoding="utf-8")
    (folder / "demo.ipynb").write_text(hostile.notebook(), encoding="utf-8")
    (folder / "model.py").write_text(f'"""</pre>{FORGED}"""\n# \u202e {FORGED}\n', encoding="utf-8")
    write_reviews(root, "hostile")
    pieces = [piece for piece in hostile.pieces() if "\n" not in piece]
    for name, replaced in {
        "r-01.md": {
            "It does what it says, **mostly**.": "\n\n".join([*hostile.markdown(), *pieces]),
            "the loss rises": " ".join(pieces[:30]),
            "subtract it": " ".join(pieces[30:60]),
            "read it": " ".join(pieces[60:]),
            "two goals": " ".join(pieces[:5]),
            "The sign is wrong": f"The sign is wrong {FORGED}",
        },
        "response.md": {"We subtracted it.": " ".join(pieces[5:50])},
        "r-01.verification.md": {"the loss falls now": " ".join(pieces[20:70])},
    }.items():
        path = root / "reviews" / "hostile" / name
        text = path.read_text(encoding="utf-8")
        for old, new in replaced.items():
            assert old in text, old
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
    return root


def sample_tree(root: Path) -> Path:
    """A small tree of this repository's own files: one project with its reviews, the course, the laws."""
    names = [
        "README.md",
        "CONTRIBUTING.md",
        "CITATION.cff",
        "LICENSE",
        "docs",
        "reviews",
        "tests/laws",
    ]
    names += ["projects/made", "common/__init__.py", "common/errors.py", "common/files.py"]
    for name in names:
        source, target = ROOT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(
                source, target, ignore=shutil.ignore_patterns("*.safetensors", "__pycache__")
            )
        elif source.is_file():
            shutil.copyfile(source, target)
    return root
