"""Write, check, answer and verify reviews.

  dgm review new made                     a review of version 1, with what programs know filled in
  dgm review new made --reviewer r-07     the same, where several reviewers are assigned
  dgm review check made                   what is not yet as it should be, with the line
  dgm review check reviews/made/r-07.md   of one file; without a name, of everything in reviews/
  dgm review respond made                 all findings of all reviewers, ready to be answered
  dgm review verify made                  one line a finding, once version 2 is frozen
  dgm review show made                    findings, answers and outcomes, to read

Nothing that a person wrote is ever written over.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("new", help="write a review of version 1 from the template")
    new.add_argument("slug", metavar="SLUG", help="the project")
    new.add_argument("--reviewer", default="", metavar="KEY", help="your public key")
    new.add_argument("--ci", type=Path, metavar="FILE", help="record of CI (default build/ci.json)")
    new.add_argument("--print", action="store_true", help="print it, write nothing")
    check = actions.add_parser("check", help="say what is wrong with reviews and answers")
    check.add_argument(
        "names", nargs="*", metavar="SLUG|FILE", help="projects or files (default: all)"
    )
    check.add_argument("--json", action="store_true", help="the same as --format json")
    check.add_argument("--format", choices=("text", "json", "github"), default="text")
    respond = actions.add_parser("respond", help="write the response, or add what it lacks")
    respond.add_argument("slug", metavar="SLUG", help="the project")
    verify = actions.add_parser("verify", help="write a verification of version 2")
    verify.add_argument("slug", metavar="SLUG", help="the project")
    verify.add_argument("--reviewer", default="", metavar="KEY", help="your public key")
    show = actions.add_parser("show", help="a digest of findings, answers and outcomes")
    show.add_argument("slug", metavar="SLUG", help="the project")


def run(args: Namespace) -> int:
    from common.course.git import course_root

    actions = {"new": new, "check": check, "respond": respond, "verify": verify, "show": show}
    return actions[args.action](course_root(), args)


def new(root: Path, args: Namespace) -> int:
    """`dgm review new`."""
    from common.course.reviewing.draft import assigned_reviewer, draft, new_review
    from common.course.reviewing.text import shown

    if args.print:
        print(draft(root, args.slug, args.reviewer or assigned_reviewer(root, args.slug), args.ci))
        return 0
    path = new_review(root, args.slug, args.reviewer, args.ci)
    print(f"wrote {shown(path)}: the frozen commit, the goals and what programs found are in it.")
    print(f"next: fill in what is marked FILL-IN, then dgm review check {args.slug}")
    return 0


def check(root: Path, args: Namespace) -> int:
    """`dgm review check`."""
    from common.course.problems import FORMATS, failing
    from common.course.reviewing.files import check_files, named_files

    files = named_files(root, args.names)
    problems = check_files(root, files)
    style = "json" if args.json else args.format
    if problems or style == "json":
        print(FORMATS[style](problems))
    wrong = failing(problems, strict=True)
    if style == "text":
        print(conclusion(len(files), len(wrong), len(problems) - len(wrong), args.names))
    return 1 if wrong else 0


def conclusion(files: int, wrong: int, warnings: int, names: list[str]) -> str:
    """How it stands, and the next step."""
    what = f"{files} file{'s' * (files != 1)}"
    if not files:
        return "there is nothing in reviews/ yet.\nnext: dgm status says whose turn it is"
    told = f", {warnings} warning{'s' * (warnings != 1)}" if warnings else ""
    if wrong:
        again = " ".join(["dgm review check", *names])
        return f"{what}: {wrong} to mend{told}.\nnext: mend them, then {again}"
    return f"{what}: nothing to mend{told}.\nnext: commit, and open a pull request; dgm status"


def respond(root: Path, args: Namespace) -> int:
    """`dgm review respond`."""
    from common.course.reviewing.answer_draft import respond
    from common.course.reviewing.text import shown

    path, added = respond(root, args.slug)
    if added:
        print(f"{shown(path)}: {len(added)} findings to answer: {', '.join(added)}")
    else:
        print(f"{shown(path)} has every finding already; nothing was changed.")
    print(f"next: answer each, then dgm review check {args.slug}")
    return 0


def verify(root: Path, args: Namespace) -> int:
    """`dgm review verify`."""
    from common.course.reviewing.answer_draft import verify
    from common.course.reviewing.text import shown

    path = verify(root, args.slug, args.reviewer)
    print(f"wrote {shown(path)}: each of your findings below what was answered.")
    print(f"next: look at version 2, fill in each line, then dgm review check {args.slug}")
    return 0


def show(root: Path, args: Namespace) -> int:
    """`dgm review show`."""
    from common.course.reviewing.digest import digest
    from common.projects import find_project

    text = digest(root, args.slug)
    if not text:
        find_project(args.slug, root)
        print(f"there is no review of {args.slug} yet.", file=sys.stderr)
    else:
        print(text, end="\n\n")
    print(f"next: dgm review check {args.slug}; dgm status {args.slug} says whose turn it is")
    return 0
