"""Record version 1 or 2 of every project as it was on main at the deadline.

Writes reviews/frozen.toml (commit and tree of each project) and tags v1/SLUG or v2/SLUG. What is
frozen never moves: running it again only adds what is missing, and says what is not as recorded.

  dgm freeze v1 --dry-run
  dgm freeze v1
  dgm freeze v2 made --early     before the deadline, because the group is ready
"""

from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("version", choices=["v1", "v2"])
    parser.add_argument("slugs", nargs="*", metavar="SLUG", help="only these (default: all)")
    parser.add_argument("--early", action="store_true", help="now, before the deadline")
    parser.add_argument("--branch", help="the branch that counts (default: origin/main or main)")
    parser.add_argument("--no-tags", action="store_true", help="record only")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")


def run(args: Namespace) -> int:
    from common.course.freezing import freeze
    from common.course.git import course_root

    outcomes = freeze(
        course_root(),
        args.version,
        args.slugs,
        early=args.early,
        branch=args.branch,
        dry_run=args.dry_run,
        tags=not args.no_tags,
    )
    for outcome in outcomes:
        print(f"{outcome.kind:<8}{outcome.slug:<20}{outcome.message}")
        if outcome.warning:
            print(f"{'':<8}warning: {outcome.warning}")
    print(next_step(args.version, outcomes, args.dry_run))
    return 0


def next_step(version: str, outcomes: list, dry_run: bool) -> str:
    """What an instructor does after freezing."""
    count = sum(outcome.kind == "frozen" for outcome in outcomes)
    if dry_run:
        return f"next: dgm freeze {version} records {count} of {len(outcomes)}; nothing was written"
    if not count:
        return "next: dgm status; nothing new was frozen"
    then = "dgm assign" if version == "v1" else "reviewers: dgm review verify SLUG"
    return f"next: commit reviews/frozen.toml, push it and the tags (git push --tags); {then}"
