"""The projects, reviews and tests that a change touches, so that nothing else has to be run.

Compares HEAD with where it left REF; what is not committed does not count. A change to one project
selects it and those that build on it; one to a module of common, whoever imports it; one to
dependencies or to CI, everything. Nothing is imported or run.

  dgm affected --base origin/main
  dgm affected --base origin/main --json     for a matrix in CI

Exit status: 0 told (even if it is nothing), 2 bad input.
"""

from argparse import ArgumentParser, Namespace

MAX_SHOWN = 20


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--base", required=True, metavar="REF", help="the branch that is to take the change"
    )
    parser.add_argument("--head", default="HEAD", metavar="REF", help="the change (default: HEAD)")
    parser.add_argument("--json", action="store_true", help="print JSON for a program")


def run(args: Namespace) -> int:
    import dataclasses
    import json

    from common.course.git import course_root
    from common.course.problems import json_text
    from common.course.selecting.affected import affected

    found = affected(course_root(), args.base, args.head)
    if args.json:
        print(json_text(json.dumps(dataclasses.asdict(found), indent=2)))
        return 0
    print("\n".join(lines(found)))
    return 0


def lines(found) -> list[str]:
    """For a person: what is selected, the projects with the reason, and the next step."""
    from common.course.problems import one_line

    shown = [f"{one_line(slug):<20}{one_line(reason)}" for slug, reason in found.why.items()]
    if len(shown) > MAX_SHOWN:
        shown = [*shown[:MAX_SHOWN], f"and {len(shown) - MAX_SHOWN} more (--json lists all)"]
    counts = [("projects", found.projects), ("reviews of", found.reviews), ("tests", found.tests)]
    summary = [
        f"{name + ':':<20}{listed(names)}"
        for name, names in [*counts, ("gone", found.gone)]
        if names
    ]
    if len(found.check) > len(found.projects):
        summary.append(f"{'dgm check:':<20}all {len(found.check)}, the rules changed")
    return [*shown, *([""] if shown and summary else []), *summary, next_step(found)]


def listed(names: list[str]) -> str:
    """Names, or how many there are."""
    from common.course.problems import one_line

    return ", ".join(map(one_line, names)) if len(names) <= 5 else str(len(names))


def next_step(found) -> str:
    """What to run."""
    import shlex

    from common.course.problems import one_line

    folders = [f"projects/{slug}" for slug in found.projects]
    paths = [shlex.quote(path) for path in [*folders, *found.tests]]
    if not paths and not found.check and not found.reviews:
        return "next: nothing has to be run"
    if found.everything or len(paths) > 5:
        return "next: make lint test"
    if not paths:
        slugs = " ".join(found.reviews) if len(found.reviews) <= 5 else ""
        return f"next: {'dgm review check ' + slugs if found.reviews else 'dgm check'}".rstrip()
    return one_line(f"next: python -m pytest {' '.join(paths)}")
