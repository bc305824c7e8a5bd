"""Everybody's grades: who developed and reviewed what, and the files in the private folder."""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from common import schema
from common.course.cycle import Cycle
from common.course.git import GitError, Repository
from common.course.grading.adjudication import Adjudication
from common.course.grading.adjudication_file import (
    adjudication_path,
    check_adjudication,
    read_evidence,
)
from common.course.grading.grades import (
    NO_REVIEW,
    DeveloperGrade,
    ReviewerGrade,
    grade_developers,
    grade_reviewer,
    mean,
    show,
)
from common.course.private import Person, Roster, refuse_tracked
from common.course.records import read_assignments, read_frozen
from common.errors import UserError
from common.files import write_text
from common.projects import ProjectTable

SHOWN = 3  # open points of one project in the message that refuses to grade
CSV_FIELDS = ("key", "name", "projects", "v1", "v2", "developer", "reviews", "reviewer")


@dataclass(frozen=True)
class PersonGrade:
    """One person's two grades; None where there was nothing to grade."""

    key: str
    name: str
    projects: tuple[str, ...]
    developed: tuple[DeveloperGrade, ...]
    reviews: tuple[str, ...]
    reviewed: tuple[ReviewerGrade, ...]

    @property
    def developer(self) -> float | None:
        """The mean over the projects of the person's group."""
        return mean([grade.score for grade in self.developed]) if self.developed else None

    @property
    def reviewer(self) -> float | None:
        """The mean over the reviews that the person was assigned."""
        return mean([grade.score for grade in self.reviewed]) if self.reviewed else None

    @property
    def steps(self) -> list[str]:
        """The arithmetic, line by line."""
        lines = []
        for project, developed in zip(self.projects, self.developed, strict=True):
            lines += [f"developer of {project}", *indented(developed.steps)]
        for project, reviewed in zip(self.reviews, self.reviewed, strict=True):
            lines += [f"reviewer of {project}", *indented(reviewed.steps)]
        for role, grades in (("developer", self.developed), ("reviewer", self.reviewed)):
            if len(grades) > 1:
                scores = [grade.score for grade in grades]
                sum_text = " + ".join(map(show, scores))
                lines.append(f"{role} = ({sum_text}) / {len(scores)} = {show(mean(scores))}")
        return lines

    def row(self) -> dict[str, str]:
        """The person's line of grades.csv, to two digits."""
        return {
            "key": self.key,
            "name": self.name,
            "projects": " ".join(self.projects),
            "v1": " ".join(two_digits(grade.v1) for grade in self.developed),
            "v2": " ".join(two_digits(grade.v2) for grade in self.developed),
            "developer": two_digits(self.developer),
            "reviews": " ".join(self.reviews),
            "reviewer": two_digits(self.reviewer),
        }


@dataclass(frozen=True)
class Gradebook:
    """Everybody's grades, and what the instructor should know of them."""

    people: tuple[PersonGrade, ...]
    notes: tuple[str, ...] = ()

    def as_csv(self) -> str:
        """One line a person, to two digits."""
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, CSV_FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(person.row() for person in self.people)
        return buffer.getvalue()

    def table(self) -> list[dict[str, object]]:
        """One object a person, with the derivation of each number."""
        return [
            {
                "key": person.key,
                "name": person.name,
                "projects": list(person.projects),
                "reviews": list(person.reviews),
                **{role: round(value, 2) for role, value in scores(person)},
                "steps": person.steps,
            }
            for person in self.people
        ]


def scores(person: PersonGrade) -> list[tuple[str, float]]:
    """A person's grades by role, those that there are."""
    both = (("developer", person.developer), ("reviewer", person.reviewer))
    return [(role, value) for role, value in both if value is not None]


def two_digits(value: float | None) -> str:
    """A grade as the table shows it; empty where there is none."""
    return "" if value is None else f"{value:.2f}"


def indented(lines: Iterable[str]) -> list[str]:
    """Lines below their heading."""
    return [f"  {line}" for line in lines]


def make_gradebook(root: Path, folder: Path, cycle: Cycle, roster: Roster) -> Gradebook:
    """Everybody's grades; raises UserError that names every adjudication that is not complete."""
    assignments = read_assignments(root)
    groups, notes = read_groups(root)
    keys = {person.key for person in roster.person}
    developed = {person.key: projects_of(person, groups) for person in roster.person}
    reviewed: dict[str, list[str]] = {key: [] for key in keys}
    for pair in assignments.pair:
        if pair.reviewer not in keys:
            notes.append(f"{pair.reviewer} reviews {pair.project} and is not in the roster.")
        elif pair.reviewer not in assignments.dropped:
            reviewed[pair.reviewer].append(pair.project)
    slugs = sorted({slug for found in (*developed.values(), *reviewed.values()) for slug in found})
    judged = complete_adjudications(root, folder, slugs)
    developers = {slug: grade_developers(entry, cycle) for slug, entry in judged.items()}
    wrote = {slug: set(read_evidence(root, slug).ids) for slug in judged}
    people = []
    for person in sorted(roster.person, key=lambda person: person.key):
        mine, theirs = developed[person.key], sorted(reviewed[person.key])
        if person.group and not mine:
            notes.append(f"{person.key} is of the group {person.group}, which has no project.")
        people.append(
            PersonGrade(
                key=person.key,
                name=person.name,
                projects=tuple(mine),
                developed=tuple(developers[slug] for slug in mine),
                reviews=tuple(theirs),
                reviewed=tuple(
                    (
                        grade_reviewer(judged[slug], person.key, cycle)
                        if person.key in wrote[slug]
                        else NO_REVIEW
                    )
                    for slug in theirs
                ),
            )
        )
    return Gradebook(tuple(people), tuple(notes))


def read_groups(root: Path) -> tuple[dict[str, tuple[str, frozenset[str]]], list[str]]:
    """The group key and member keys of every project, by slug; and what could not be read."""
    groups, notes = {}, []
    for path in sorted(root.glob("projects/*/project.toml")):
        try:
            group = schema.read(path, ProjectTable).group
        except schema.SchemaError:
            notes.append(f"projects/{path.parent.name}/project.toml has mistakes; not graded.")
            continue
        groups[path.parent.name] = (group.key, frozenset(group.members))
    return groups, notes


def projects_of(person: Person, groups: Mapping[str, tuple[str, frozenset[str]]]) -> list[str]:
    """The projects of a person's group, or that name the person as a member."""
    return sorted(
        slug
        for slug, (key, members) in groups.items()
        if person.key in members or (person.group is not None and person.group == key)
    )


def complete_adjudications(
    root: Path, folder: Path, slugs: Iterable[str]
) -> dict[str, Adjudication]:
    """The adjudications of these projects; raises UserError with everything that is missing."""
    frozen = read_frozen(root)
    judged, missing = {}, []
    for slug in slugs:
        path = adjudication_path(folder, slug, root)
        if not path.exists():
            missing.append(f"{slug}: not adjudicated; dgm adjudicate {slug}")
            continue
        try:
            entry, points = check_adjudication(path, root)
        except schema.SchemaError as error:
            missing += [f"{slug}: {fault}" for fault in error.faults]
            continue
        missing += [f"{slug}: {point}" for point in points[:SHOWN]]
        if len(points) > SHOWN:
            left = len(points) - SHOWN
            missing.append(f"{slug}: and {left} more; dgm adjudicate {slug} --check")
        for version, base in (("v1", entry.v1_base), ("v2", entry.v2_base)):
            if frozen.find(slug, version) is None and base > 0:
                missing.append(
                    f"{slug}: {version} is not frozen; dgm freeze {version}, or write "
                    f"{version}_base = 0.0 if it never came"
                )
        judged[slug] = entry
    if missing:
        listed = "\n  ".join(missing)
        raise UserError(f"not everything is adjudicated; nothing was written:\n  {listed}")
    return judged


def refuse_visible(path: Path, root: Path) -> Path:
    """The path, links resolved; raises UserError if it lies in the work tree or git could see it."""
    path = path.expanduser().resolve()
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file, such as {path}/grades.csv.")
    standing = next(parent for parent in path.parents if parent.is_dir())
    refuse_tracked(standing, root)
    try:
        top = Path(Repository(standing).git("rev-parse", "--show-toplevel").strip())
    except GitError:
        return path
    if not Repository(top).is_ignored(path):
        raise UserError(f"{path} lies in the git work tree {top} and is not ignored there.")
    return path


def write_grades(folder: Path, root: Path, book: Gradebook, semester: str) -> tuple[Path, Path]:
    """Write grades.csv and grades.toml (with the derivations) into the private folder.

    Raises UserError, and writes nothing, where grades.csv was edited by hand.
    """
    csv_path = refuse_visible(folder / "grades.csv", root)
    toml_path = refuse_visible(folder / "grades.toml", root)
    refuse_edited(csv_path, toml_path)
    text = book.as_csv()
    table = {
        "schema": "grades/1",
        "semester": semester,
        "csv_sha256": sha256(text),
        "notes": list(book.notes),
        "person": book.table(),
    }
    write_text(csv_path, text)
    write_text(toml_path, f"# Written by `dgm grade`. Private.\n{tomli_w.dumps(table)}")
    return csv_path, toml_path


def refuse_edited(csv_path: Path, toml_path: Path) -> None:
    """Raise UserError if grades.csv is not as `dgm grade` left it."""
    if not csv_path.exists():
        return
    known = f'"{sha256(csv_path.read_bytes().decode("utf-8", "replace"))}"'
    if not toml_path.exists() or known not in toml_path.read_text("utf-8", "replace"):
        raise UserError(
            f"{csv_path} was edited by hand (or not written by `dgm grade`); move it away first."
        )


def sha256(text: str) -> str:
    """The fingerprint of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
