"""Export the repository for the public. For the instructor.

A new tree with one commit: no private field, no hours, no draft, no project whose version 1 was never
frozen. Names are written only for people whose consent the roster in $DGM_PRIVATE records. Every file
of the result is searched for e-mail addresses, student numbers, grades and the roster's names,
notebook outputs and pictures too; while anything is found, nothing is written.

  dgm publish ../public --dry-run     what would be exported, left out, or refused
  dgm publish ../public               write it; push it where the public is
  dgm publish ../public --date 2027-02-01
"""

from argparse import ArgumentParser, Namespace
from datetime import date


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("out", help="a folder outside of the repository, new or empty")
    parser.add_argument("--dry-run", action="store_true", help="check everything, write nothing")
    parser.add_argument(
        "--date", type=date.fromisoformat, metavar="D", help="date of the export (default: today)"
    )


def run(args: Namespace) -> int:
    import os
    from pathlib import Path

    from common.course.git import course_root
    from common.course.private import VARIABLE, private_folder, read_roster
    from common.course.publishing.publish import publish

    root = course_root()
    roster = None
    if os.environ.get(VARIABLE):
        roster = read_roster(private_folder(root))
        agreed = sum(person.consent for person in roster.person)
        print(f"names: {agreed} of {len(roster.person)} people agreed to be named.")
    else:
        print(
            f"names: none; ${VARIABLE} is not set, so there is no record of consent (and nobody's"
        )
        print("       name can be searched for). People appear by their keys only.")
    day = args.date or date.today()
    done = publish(root, Path(args.out), day=day, roster=roster, dry_run=args.dry_run)
    for omission in done.omissions:
        print(f"left out: {omission.path}: {omission.reason}")
    if done.found:
        print(f"refused: {len(done.found)} private places; nothing was written.")
        for disclosure in done.found:
            print(f"  {disclosure}")
        print("next: take them out, commit, and run this again with --dry-run")
        return 1
    if args.dry_run:
        print(f"{done.files} files, nothing private in them; nothing was written.")
        print(f"next: dgm publish {args.out}")
        return 0
    print(f"wrote {args.out}: {done.files} files, one commit, nothing private in them.")
    print(f"next: cd {args.out}; dgm check; push it to the public repository")
    return 0
