"""Make the folder of a new project, green from the start.

It trains, its notebook runs, its tests and `dgm check` pass; what is yours to write is marked
FILL-IN, and `dgm check --strict` (as for version 1) refuses until every mark is gone.

  dgm new iwae --title "Importance Weighted Autoencoders" --paper https://arxiv.org/abs/1509.00519
  dgm new iwae --title ... --paper ... --group g-07 --member ada --member p-12
"""

from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("slug", help="short name of the paper: a-z, 0-9 and _ (projects/SLUG)")
    parser.add_argument("--title", required=True, help="title of the paper")
    parser.add_argument("--paper", required=True, metavar="URL", help="web address of the paper")
    parser.add_argument(
        "--author", action="append", default=[], metavar="NAME", help="author of the paper (repeat)"
    )
    parser.add_argument("--year", type=int, help="year of the paper (arXiv addresses tell it)")
    parser.add_argument("--group", default="", metavar="KEY", help="public key of your group")
    parser.add_argument(
        "--member", action="append", default=[], metavar="KEY", help="public key of each of you"
    )


def run(args: Namespace) -> int:
    from common.course.git import course_root
    from common.course.scaffold import NewProject, create

    root = course_root()
    project = NewProject(
        slug=args.slug,
        title=args.title,
        paper=args.paper,
        authors=tuple(args.author),
        year=args.year,
        group=args.group,
        members=tuple(args.member),
    )
    folder = create(root, project)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            print(f"  {path.relative_to(root).as_posix()}")
    print(f"made projects/{args.slug}: a model that trains, for you to replace by the paper's.")
    print(f"next: dgm demo {args.slug}; dgm check {args.slug} lists what is yours to fill in")
    return 0
