"""Build the public site from the tree, or show it on this machine.

Static pages: they need no network and no server, and open from the folder too.

  dgm site build
  dgm site build --only vae
  dgm site serve
"""

from argparse import ArgumentParser, Namespace

OUT = "build/site"


def add_arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="build|serve")
    build = actions.add_parser("build", help="write the site into a folder")
    build.add_argument("--out", default=OUT, metavar="DIR", help=f"the folder (default: {OUT})")
    build.add_argument(
        "--address", default="", metavar="URL", help="where it will stand, for feeds and previews"
    )


def run(args: Namespace) -> int:
    from pathlib import Path

    from common.course.git import course_root
    from common.course.site.build import build

    root = course_root()
    build(root, root / Path(args.out), address=args.address)
    print(f"next: open {args.out}/index.html in a browser")
    return 0
