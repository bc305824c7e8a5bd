"""Which places a student may touch, and when: their project's folder, the reviews given to them."""

import fnmatch
from collections.abc import Iterator

from common.course.changes import Change
from common.course.guarding.people import Author, Records
from common.course.problems import Problem
from common.course.reviewing.verifications import SUFFIX

ASK = "open an issue, or ask an instructor to bring the change"
OUTSIDE = (
    # paths, rule, what it is
    ((".github/workflows/*", ".github/actions/*"), "workflow", "a workflow of CI"),
    ((".ci/*", "Makefile", ".pre-commit-config.yaml"), "ci", "what CI runs"),
    ((".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"), "owners", "who owns which files"),
    ((".github/*",), "forms", "the course's forms on GitHub"),
    (
        ("common/course/*", "common/commands/*", "common/cli.py"),
        "checker",
        "the checker itself, which judges this change",
    ),
    (("common/*",), "shared", "shared code, on which every project stands"),
    (("tests/laws/*",), "laws", "the laws that every model is held to"),
    (("tests/*",), "tests", "the tests of the course"),
    (("pyproject.toml", "constraints.txt"), "dependencies", "what everyone has to install"),
    ((".gitmodules",), "submodule", "the list of submodules, which this course has none of"),
    ((".gitattributes", ".gitignore", ".mailmap"), "git", "what git does with everyone's files"),
    (("templates/site/*",), "site", "what the public site is made from"),
    (("templates/*",), "templates", "what every new project begins with"),
    (("reviews/cycle.toml",), "rules", "the rules and dates of the semester"),
    (("reviews/assignments.toml",), "assignment", "the assignment of reviewers"),
    (("reviews/frozen.toml",), "frozen", "the record of what is frozen"),
    (("reviews/*.toml",), "records", "a record of the course"),
)


def place_problems(change: Change, author: Author, records: Records) -> Iterator[Problem]:
    """Why this author may not touch this path now; none if they may."""
    parts = change.path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        message = "the path leads elsewhere than it says"
        yield refusal(change, "name.climbs", message, "name files below your project plainly")
        return
    if parts[0] == "projects" and (len(parts) > 2 or parts[1] in records.slugs):
        yield from project_problems(change, parts[1], author, records)
    elif parts[0] == "reviews" and len(parts) > 2:
        yield from review_problems(change, parts[1], "/".join(parts[2:]), author, records)
    else:
        yield outside_problem(change)


def outside_problem(change: Change) -> Problem:
    """A path that is nobody's but the instructors'."""
    folded = change.path.casefold()  # .GitHub/Workflows is the same folder on some disks
    for forms, rule, what in OUTSIDE:
        if any(fnmatch.fnmatchcase(folded, form.casefold()) for form in forms):
            return refusal(change, f"place.{rule}", f"is {what}; students do not change it", ASK)
    message = "lies outside of your project's folder and of the reviews given to you"
    return refusal(change, "place.outside", message, ASK)


def project_problems(
    change: Change, slug: str, author: Author, records: Records
) -> Iterator[Problem]:
    """A path of a project: its own group's, not after it is frozen; or of a new project."""
    if slug not in records.slugs:
        if slug in records.taken:
            message = f"the name {slug} is taken: {records.taken[slug]}"
            yield refusal(change, "place.taken", message, "choose another slug, or ask")
        return  # a new project: its project.toml is looked at in tables.py
    if author.key not in records.members(slug):
        owner = records.table(slug)
        group = f"the group {owner.group}" if owner and owner.group else "others"
        message = f"the project {slug} is of {group}; {author.account} is no member of it"
        hint = "report what is wrong in your review, or with the erratum form"
        yield refusal(change, "place.other-project", message, hint)
    elif records.is_frozen(slug, "v2") and not records.is_over(slug):
        message = f"version 2 of {slug} is frozen and is being graded"
        hint = "corrections are welcome after publication; before, ask an instructor"
        yield refusal(change, "cycle.project-frozen", message, hint)


def review_problems(
    change: Change, slug: str, name: str, author: Author, records: Records
) -> Iterator[Problem]:
    """A file of reviews/SLUG/: the author's own, while it is their turn."""
    if "/" in name or not name.endswith(".md"):
        message = "is no review, response or verification, by its name"
        hint = f"reviews/{slug}/ holds KEY.md, response.md and KEY{SUFFIX}"
        yield refusal(change, "place.review-name", message, hint)
        return
    is_response, is_verification = name == "response.md", name.endswith(SUFFIX)
    reviewer = name.removesuffix(SUFFIX if is_verification else ".md")
    is_maker = author.key in records.members(slug)
    if is_response and not is_maker:
        message = f"is the answer of those who made {slug}; {author.account} is none of them"
        yield refusal(change, "place.other-response", message, "write it into your review")
    elif is_response:
        yield from response_times(change, slug, records)
    elif reviewer != author.key:
        whose = "of your own project" if is_maker else f"by {reviewer}"
        message = f"is a review {whose}, not by {author.account}"
        hint = f"answer it in reviews/{slug}/response.md" if is_maker else "write your own"
        yield refusal(change, "place.other-review", message, hint)
    elif is_maker or not records.reviews(slug, author.key):
        message = f"{author.account} is not assigned to review {slug}"
        hint = "reviews/assignments.toml says who is; the instructor writes it"
        yield refusal(change, "place.not-assigned", message, hint)
    elif change.is_gone:
        message = "a review that was handed in stays"
        yield refusal(change, "cycle.deleted", message, "withdraw a finding by its verification")
    elif is_verification:
        yield from verification_times(change, slug, records)
    else:
        yield from review_times(change, slug, records)


def review_times(change: Change, slug: str, records: Records) -> Iterator[Problem]:
    """A review: from version 1 to the deadline; one that is late may come until version 2."""
    if not records.is_frozen(slug, "v1"):
        message = f"version 1 of {slug} is not frozen yet, and reviews are of frozen versions"
        yield refusal(change, "cycle.too-early", message, "wait for `dgm freeze v1`")
    elif records.is_frozen(slug, "v2"):
        message = f"version 2 of {slug} is frozen: its reviews are closed"
        hint = f"say what is not fixed in your verification (dgm review verify {slug})"
        yield refusal(change, "cycle.review-frozen", message, hint)
    elif not change.is_new and records.is_past("review"):
        message = "was handed in, its deadline is over, and the developers are answering it"
        yield refusal(change, "cycle.review-frozen", message, "ask an instructor")


def response_times(change: Change, slug: str, records: Records) -> Iterator[Problem]:
    """A response: from version 1 until a reviewer has verified it."""
    folder = f"reviews/{slug}/"
    verified = [p for p in records.entries if p.startswith(folder) and p.endswith(SUFFIX)]
    if not records.is_frozen(slug, "v1"):
        message = f"version 1 of {slug} is not frozen yet, so there is nothing to answer"
        yield refusal(change, "cycle.too-early", message, "wait for the reviews")
    elif change.is_gone or (records.is_frozen(slug, "v2") and verified):
        message = "the answers are in, and the reviewers have verified them"
        yield refusal(change, "cycle.response-frozen", message, "ask an instructor")


def verification_times(change: Change, slug: str, records: Records) -> Iterator[Problem]:
    """A verification: from version 2 to the demos; one that is late may still come."""
    if not records.is_frozen(slug, "v2"):
        message = f"version 2 of {slug} is not frozen yet, so nothing can be verified"
        yield refusal(change, "cycle.too-early", message, "wait for `dgm freeze v2`")
    elif not change.is_new and records.is_past("demos"):
        message = "was handed in, and its deadline is over"
        yield refusal(change, "cycle.verification-frozen", message, "ask an instructor")


def refusal(change: Change, code: str, message: str, hint: str) -> Problem:
    """A change that is refused."""
    return Problem(change.path, 0, code, message, hint)
