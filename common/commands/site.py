"""Build the public site from the tree, or show it on this machine.

Static pages: they need no network and no server, and open from the folder too. What belongs to a
project is made again only when something of it has changed.

  dgm site build
  dgm site build --only vae
  dgm site build --address https://NAME.github.io/REPOSITORY
  dgm site serve                     every page is as the tree is when it is asked for
  dgm site laws                      runs what says which project passes which law

Exit status: 0 built, or run whatever came out, 2 bad input.
"""

from argparse import ArgumentParser, Namespace

OUT = "build/site"


def add_arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="build|serve|laws")
    build = actions.add_parser("build", help="write the site into a folder")
    serve = actions.add_parser("serve", help="show it on this machine, made anew as files change")
    for action in (build, serve):
        action.add_argument(
            "--out", default=OUT, metavar="DIR", help=f"the folder (default: {OUT})"
        )
        action.add_argument(
            "--repository", default="", metavar="URL", help="where its files stand on the web"
        )
    build.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="SLUG",
        help="this project and what is shared",
    )
    build.add_argument(
        "--address", default="", metavar="URL", help="where it will stand, for feeds and previews"
    )
    laws = actions.add_parser(
        "laws", help="run the projects' laws, so that the site can say who passes"
    )
    laws.add_argument("slugs", nargs="*", metavar="SLUG", help="only these (default: all)")
    laws.add_argument("--again", action="store_true", help="also what was run on just these files")
    serve.add_argument("--port", type=int, default=8000, help="of this machine (default: 8000)")


def run(args: Namespace) -> int:
    from pathlib import Path

    from common.course.git import course_root
    from common.errors import UserError

    root = course_root()
    if args.action == "laws":
        return laws(args, root)
    out = root / Path(args.out)
    try:
        return serve(args, root, out) if args.action == "serve" else build(args, root, out)
    except ModuleNotFoundError as error:
        raise UserError(
            f"{error.name} is not installed; the site needs it: pip install -e '.[site]'"
        ) from None


def build(args: Namespace, root, out) -> int:
    """Write the site and say what was done."""
    import time

    from common.course.site.build import build as build_site

    start = time.perf_counter()
    done = build_site(
        root, out, address=web(args.address), repository=web(args.repository), only=args.only
    )
    seconds = time.perf_counter() - start
    others = sum(not part.slug for part in done.made)
    print(wrapped(f"made: {', '.join(done.projects) or 'no project'}; {others} shared parts"))
    print(f"unchanged: {len(done.kept)} parts")
    print(f"{done.num_pages} pages in {done.num_files} files, {seconds:.1f} s")
    print(f"next: open {args.out}/index.html in a browser, or run dgm site serve")
    return 0


def wrapped(text: str) -> str:
    """A text in lines of 79 columns."""
    import textwrap

    return textwrap.fill(text, 79, subsequent_indent="  ", break_on_hyphens=False)


def serve(args: Namespace, root, out) -> int:
    """Build, and answer the browsers of this machine until interrupted."""
    from common.course.site.serve import serve as serve_site

    if not 0 <= args.port < 65536:
        from common.errors import UserError

        raise UserError(f"--port is {args.port}, expected 0 to 65535 (0: any that is free).")
    return serve_site(root, out, args.port, repository=web(args.repository))


def laws(args: Namespace, root) -> int:
    """Run the laws of projects and record how each ended."""
    from common.course.site.laws.record import RECORD, run_projects
    from common.projects import find_project, find_projects

    projects = [find_project(slug, root) for slug in args.slugs] or find_projects(root)
    for slug, text in run_projects(root, projects, again=args.again):
        print(f"{slug}: {text}", flush=True)
    print(f"next: dgm site build shows what {RECORD} says")
    return 0


def web(address: str) -> str:
    """An address of the web; raises UserError for anything else."""
    from common.errors import UserError

    if address and not address.startswith(("https://", "http://")):
        raise UserError(f"{address!r} is no web address, expected https://...")
    return address
