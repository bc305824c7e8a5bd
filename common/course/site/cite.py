"""How to cite: BibTeX of a paper, and of the repository that implements it."""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SPECIAL = str.maketrans({c: f"\\{c}" for c in "&%$#_{}"} | {"\\": r"\textbackslash{}"})
ARXIV = re.compile(r"arxiv\.org/(?:abs|pdf)/(\d{4}\.\d{4,5}|[a-z.-]+/\d{7})")


def bibtex(paper: Mapping[str, Any]) -> str:
    """A paper as BibTeX.

    >>> paper = dict(title="A & B", authors=["Ada B. Çelik"], year=2014, venue="ICLR")
    >>> print(bibtex(paper | {"url": "https://arxiv.org/abs/1312.6114"}))
    @inproceedings{celik2014,
      title = {{A \\& B}},
      author = {Ada B. Çelik},
      booktitle = {ICLR},
      year = {2014},
      eprint = {1312.6114},
      archiveprefix = {arXiv},
      url = {https://arxiv.org/abs/1312.6114}
    }
    """
    is_preprint = paper["venue"].lower() in ("preprint", "arxiv")
    kind = "misc" if is_preprint else "inproceedings"
    fields = {
        "title": f"{{{tex(paper['title'])}}}",
        "author": " and ".join(map(tex, paper["authors"])),
        "booktitle": None if is_preprint else tex(paper["venue"]),
        "year": str(paper["year"]),
    }
    if arxiv := ARXIV.search(paper["url"]):
        fields |= {"eprint": arxiv[1], "archiveprefix": "arXiv"}
    return entry(kind, key(paper), fields | {"url": paper["url"]})


def repository_bibtex(slug: str, title: str, people: str, citation: Mapping[str, Any]) -> str:
    """A project of this repository as BibTeX, from CITATION.cff."""
    fields = {
        "title": f"{{{tex(title)}: an implementation}}",
        "author": f"{{{tex(people)}}}",
        "howpublished": f"In: {tex(str(citation.get('title', 'Deep generative models')))}, projects/{tex(slug)}",
        "year": str(citation.get("date-released", ""))[:4] or None,
        "version": str(citation.get("version", "")) or None,
        "url": citation.get("repository-code") or citation.get("url"),
    }
    return entry("software", f"dgm-{slug}", fields)


def entry(kind: str, name: str, fields: Mapping[str, str | None]) -> str:
    """One BibTeX entry, its empty fields left out."""
    lines = [f"  {field} = {{{value}}}" for field, value in fields.items() if value]
    return f"@{kind}{{{name},\n" + ",\n".join(lines) + "\n}"


def key(paper: Mapping[str, Any]) -> str:
    """The first author's family name and the year, in plain letters."""
    family = paper["authors"][0].split()[-1] if paper["authors"] else "anonymous"
    folded = unicodedata.normalize("NFKD", family.casefold())
    return re.sub(r"[^a-z]", "", folded) + str(paper["year"])


def tex(text: str) -> str:
    """A text with TeX's special signs escaped."""
    return text.translate(SPECIAL)


def citation(root: Path) -> Mapping[str, Any]:
    """The repository's CITATION.cff; empty where there is none that can be read."""
    try:
        found = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}
