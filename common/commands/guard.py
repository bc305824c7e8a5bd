"""Whether an author may bring a change: told before anything of it is run.

A student touches only the folder of their own project and the review files that are theirs, while it
is their turn; an instructor (`instructors` in reviews/cycle.toml) anything. Groups, assignments and
dates are those of REF, never those of the change, and no file of the change is imported or executed.

  dgm guard --base origin/main --author ada
  dgm guard --base origin/main --author ada --format github

Exit status: 0 may be judged further, 1 refused, 2 bad input.
"""

from argparse import ArgumentParser, Namespace

from common.commands.status import moment

MAX_SHOWN = 100


def add_arguments(parser: ArgumentParser) -> None:
    from common.commands.check import add_format

    parser.add_argument(
        "--base", required=True, metavar="REF", help="the branch that is to take the change"
    )
    parser.add_argument(
        "--author", required=True, metavar="HANDLE", help="the account that opened the pull request"
    )
    parser.add_argument("--head", default="HEAD", metavar="REF", help="the change (default: HEAD)")
    parser.add_argument("--now", type=moment, metavar="DATE", help="pretend that it is this date")
    add_format(parser)


def run(args: Namespace) -> int:
    from common.course.git import course_root
    from common.course.guarding.guard import guard
    from common.course.problems import FORMATS, one_line

    verdict = guard(course_root(), args.base, args.author, head=args.head, moment=args.now)
    if args.format == "json":
        print(as_json(verdict))
        return int(verdict.is_refused)
    if shown := FORMATS[args.format](verdict.problems[:MAX_SHOWN]):
        print(shown)
    if len(verdict.problems) > MAX_SHOWN:
        print(f"and {len(verdict.problems) - MAX_SHOWN} more (--json lists all)")
    print(one_line(summary(verdict)))
    print(one_line(next_step(verdict)))
    return int(verdict.is_refused)


def as_json(verdict) -> str:
    """For a program: who, what and every problem."""
    import dataclasses
    import json

    from common.course.problems import json_text

    table = {
        "author": verdict.author.account,
        "key": verdict.author.key,
        "instructor": verdict.author.is_instructor,
        "refused": verdict.is_refused,
        "base": verdict.span.base,
        "head": verdict.span.head,
        "files": len(verdict.changes),
        "problems": [dataclasses.asdict(problem) for problem in verdict.problems],
    }
    return json_text(json.dumps(table, indent=2))


def summary(verdict) -> str:
    """One line: whose change, how large, and the answer."""
    from common.commands.check import plural

    who = f"{verdict.author.account}{', an instructor' if verdict.author.is_instructor else ''}"
    levels = [problem.level for problem in verdict.problems]
    refused, flagged = levels.count("error"), levels.count("warning")
    answer = f"refused for {plural(refused, 'reason')}" if refused else "nothing to refuse"
    look = f", {plural(flagged, 'place')} for a person to look at" if flagged else ""
    return f"guard: {plural(len(verdict.changes), 'file')} of {who}: {answer}{look}"


def next_step(verdict) -> str:
    """What the author does now."""
    if verdict.is_refused:
        return "next: mend what is refused, each as said below it, and push again"
    if verdict.slugs:
        return f"next: dgm check {' '.join(verdict.slugs[:5])} --strict"
    return "next: dgm review check" if verdict.changes else "next: commit something"
