"""Say everything that CI would say of a project, in seconds and without running it.

Metadata and goals, the notebook and its sections, README and its table, results against code and
weights, sizes, privacy, licences, formatting. What is yours to write is marked FILL-IN: a place to
fill, which is an error with --strict (as for version 1).

  dgm check
  dgm check made --strict
  dgm check made --fix
  dgm check --format github

Exit status: 0 as it should be, 1 there are errors, 2 bad input.
"""

from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("slugs", nargs="*", metavar="SLUG", help="projects (default: all)")
    parser.add_argument("--strict", action="store_true", help="places to fill are errors")
    parser.add_argument(
        "--fix", action="store_true", help="mend formatting, notebook metadata and tables first"
    )
    add_format(parser)


def add_format(parser: ArgumentParser) -> None:
    """The options of every command that answers with problems: for whom to write them."""
    parser.add_argument(
        "--format",
        default="text",
        choices=["text", "json", "github"],
        help="for people, for programs, as annotations of a pull request (default: text)",
    )
    parser.add_argument(
        "--json", action="store_const", const="json", dest="format", help="as --format json"
    )


def run(args: Namespace) -> int:
    from dataclasses import replace

    from common.course.check import check_tree, tree_files
    from common.course.git import course_root
    from common.course.problems import FORMATS, failing

    root = course_root()
    slugs = chosen(args.slugs, tree_files(root, "projects"))
    if args.fix:
        mend(root, slugs, show=args.format == "text")
    found = check_tree(root, slugs, style=True)
    if args.strict and args.format == "github":
        found = [replace(p, level="error") if p.level == "fill" else p for p in found]
    if shown := FORMATS[args.format](found):
        print(shown)
    failed = failing(found, strict=args.strict)
    if args.format != "json":
        print(("\n" if shown else "") + summary(found, len(slugs), strict=args.strict))
    if args.format == "text":
        print(next_step(found, slugs, strict=args.strict, fixed=args.fix))
    return 1 if failed else 0


def chosen(asked: list[str], files: list[str]) -> list[str]:
    """The projects to check; raises UserError that names the nearest one there is."""
    import difflib

    from common.course.check import project_slugs
    from common.errors import UserError

    known = project_slugs(files)
    for slug in asked:
        if slug not in known:
            near = difflib.get_close_matches(slug, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}."
            raise UserError(f"there is no project {slug!r}; {hint}")
    return list(dict.fromkeys(asked)) or known


def mend(root, slugs: list[str], *, show: bool) -> None:
    """Mend each project and print what was changed."""
    from common.course.checks.fix import fix_project

    done = [change for slug in slugs for change in fix_project(root, slug)]
    if show:
        print("\n".join(f"fixed: {change}" for change in done) or "nothing to fix")


def summary(found, num_projects: int, *, strict: bool) -> str:
    """One line: how many projects, and how many problems of each level."""
    levels = [problem.level for problem in found]
    parts = [plural(levels.count("error"), "error"), plural(levels.count("warning"), "warning")]
    if num_fills := levels.count("fill"):
        parts.append(f"{plural(num_fills, 'place')} to fill" + (" (strict)" if strict else ""))
    return f"{plural(num_projects, 'project')}: {', '.join(parts)}"


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    >>> plural(1, "error"), plural(0, "error")
    ('1 error', '0 errors')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def next_step(found, slugs: list[str], *, strict: bool, fixed: bool) -> str:
    """What to do after a check."""
    names = " ".join(slugs) if len(slugs) <= 3 else "SLUG"
    if any(problem.fixable for problem in found) and not fixed:
        return f"next: dgm check {names} --fix mends what is mechanical"
    if any(problem.level == "error" for problem in found):
        return "next: mend the errors, each at its line, and check again"
    if any(problem.level == "fill" for problem in found):
        again = "and check again" if strict else f"dgm check {names} --strict as for version 1"
        return f"next: fill in what is marked; {again}"
    if not slugs:
        return "next: dgm new starts a project"
    return "next: make test, then open the pull request"
