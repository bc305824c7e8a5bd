"""The files of reviews/: which ones a name means, and the check of each."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from common.course.problems import Problem
from common.course.reviewing.checks import check_review
from common.course.reviewing.response_checks import check_response
from common.course.reviewing.responses import response_path
from common.course.reviewing.reviews import is_review, review_paths
from common.course.reviewing.similarity import corpus
from common.course.reviewing.verification_checks import check_verification
from common.course.reviewing.verifications import SUFFIX, verification_paths
from common.errors import UserError


def named_files(root: Path, names: Sequence[str]) -> list[Path]:
    """The files that projects and paths name, all by default; raises UserError for other names."""
    if not names:
        folders = sorted(path for path in (root / "reviews").glob("*") if path.is_dir())
        return [path for folder in folders for path in project_files(root, folder.name)]
    found: list[Path] = []
    for name in names:
        found += files_of(root, name)
    return list(dict.fromkeys(found))


def files_of(root: Path, name: str) -> list[Path]:
    """The files that one name means."""
    if name.endswith(".md"):
        path = next((p for p in (Path(name), root / name) if p.is_file()), None)
        if path is None:
            raise UserError(f"{name} does not exist; `dgm review new SLUG` writes a review.")
        path = path.resolve()
        if path.parent.parent != (root / "reviews").resolve():
            raise UserError(
                f"{name} is no file of reviews/SLUG/; reviews are checked in their place."
            )
        return [path]
    slug = name.strip("/").removeprefix("reviews/")
    if not (root / "reviews" / slug).is_dir():
        known = sorted(path.name for path in (root / "reviews").glob("*") if path.is_dir())
        near = difflib.get_close_matches(slug, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known) or 'none'}."
        raise UserError(f"there are no reviews of {slug!r}; {hint}")
    return project_files(root, slug)


def project_files(root: Path, slug: str) -> list[Path]:
    """The reviews, the response and the verifications of a project."""
    response = response_path(root, slug)
    answers = [response] if response.exists() else []
    return [*review_paths(root, slug), *answers, *verification_paths(root, slug)]


def check_files(root: Path, files: Iterable[Path]) -> list[Problem]:
    """What is wrong with each file, by what it is."""
    problems: list[Problem] = []
    others = corpus(root)
    for path in files:
        if path.name == "response.md":
            problems += check_response(root, path.resolve().parent.name)
        elif path.name.endswith(SUFFIX):
            problems += check_verification(root, path)
        elif is_review(path):
            problems += check_review(root, path, others)
        else:
            message = "is no review, response or verification, by its name"
            problems.append(Problem(path.name, 0, "review.file", message))
    return problems
