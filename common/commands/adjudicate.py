"""Judge the findings of a project's reviews. For the instructor; private.

Writes $DGM_PRIVATE/adjudication/SLUG.toml: every finding of every reviewer, with what the response
and the verification say of it, and the scores of each review; what is yours to say is marked
FILL-IN. Run again after a new review: it only adds what is missing, and changes nothing.

  dgm adjudicate made            write the file, or add what is missing
  dgm adjudicate made --check    say what is still to be filled in, by name and line
"""

from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("slug", help="project, the name of its folder")
    parser.add_argument("--check", action="store_true", help="write nothing, say what is missing")


def run(args: Namespace) -> int:
    from common.course.git import course_root
    from common.course.grading.adjudication_file import (
        adjudication_path,
        check_adjudication,
        extend,
        read_evidence,
    )
    from common.course.private import private_folder
    from common.errors import UserError

    root = course_root()
    slugs = sorted(path.parent.name for path in root.glob("projects/*/project.toml"))
    if args.slug not in slugs:
        raise UserError(f"there is no project {args.slug!r}; there are: {', '.join(slugs)}.")
    path = adjudication_path(private_folder(root), args.slug, root)
    evidence = read_evidence(root, args.slug)
    for note in evidence.notes:
        print(f"note: {note}")
    if args.check and not path.exists():
        print(f"{args.slug} is not adjudicated yet.\nnext: dgm adjudicate {args.slug}")
        return 1
    if not args.check:
        is_new = not path.exists()
        added = extend(path, evidence)
        print(f"{'wrote' if is_new else 'read'} {path}")
        print("".join(f"  added {name}\n" for name in added) or "  nothing to add\n", end="")
    points = check_adjudication(path, root)[1]
    if args.check:
        for point in points:
            print(f"{path.name}:{point.line or 1}: {point.message}")
    if points:
        print(f"{args.slug}: {len(points)} places are yours to fill in.")
        print(f"next: edit {path}, then dgm adjudicate {args.slug} --check")
        return 1 if args.check else 0
    print(f"{args.slug}: everything is adjudicated.\nnext: dgm grade")
    return 0
