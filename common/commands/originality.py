"""Compare a project's code with all others and with folders: for a person to judge.

dgm originality made
dgm originality --threshold 0.2
dgm originality made --against ../models-2025 --against ~/downloads/MADE
dgm originality --out originality.html     (in $DGM_PRIVATE, with the passages side by side)

Renaming hides nothing: names, comments and layout are set aside before the
comparison, and the template's code does not count. Files that project.toml
declares as borrowed are marked so. The report is private: it is printed, or
written outside of the repository.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("slug", nargs="?", help="the project; all by default")
    parser.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="DIR",
        help="compare with the code in this folder too; may be repeated",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        default=0.3,
        metavar="SHARE",
        help="tell pairs of files that share at least this much (0 to 1; default %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON for a program")
    parser.add_argument(
        "--out", metavar="FILE", help="write the report to FILE (.html, .md or .json)"
    )


def run(args: Namespace) -> int:
    from common.course.git import course_root
    from common.course.originality.compare import compare
    from common.course.originality.report import as_json, as_text, report_path, write_report
    from common.errors import UserError

    if not 0 <= args.threshold <= 1:
        raise UserError(f"--threshold is {args.threshold:g}, expected a share from 0 to 1.")
    root = course_root()
    if args.out:
        report_path(args.out, root)  # refused before the work, not after it
    slugs = [args.slug] if args.slug else None
    matches = compare(root, slugs, [Path(folder) for folder in args.against], args.threshold)
    if args.json:
        print(as_json(matches))
    elif not args.out:
        print(as_text(matches))
    if args.out:
        path = write_report(matches, args.out, root)
        if not args.json:
            print(f"wrote {path}")
    if not args.json:
        print(summary(matches, args.threshold, is_written=bool(args.out)))
    return 0


def summary(matches: list, threshold: float, *, is_written: bool) -> str:
    """How many pairs there are, and what to do next."""
    if not matches:
        return (
            f"no two files share {threshold:.0%} of their code, or a long passage.\n"
            "next: nothing; a lower --threshold tells more."
        )
    undeclared = sum(not match.is_acknowledged for match in matches)
    pairs = "1 pair" if len(matches) == 1 else f"{len(matches)} pairs"
    advice = "open it, read" if is_written else "--out originality.html shows"
    return (
        f"{pairs} of files share code, {undeclared} without a declaration.\n"
        f"next: {advice} the passages; numbers judge nobody."
    )
