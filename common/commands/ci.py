"""The steps of the workflows in .github/workflows, each one command that runs on a laptop too.

  dgm ci fetch 0123abc --number 7                     a pull request's commits, as objects alone
  dgm ci select --base origin/main                    the jobs that a change needs
  dgm ci guard --base origin/main --author ada        whether its author may bring it
  dgm ci static --base origin/main                    formatting, lint, dgm check: nothing is run
  dgm ci projects made vae                            tests and notebook of each, under its budget
  dgm ci tests --base origin/main                     the tests of tests/ that the change touches
  dgm ci gate                                         one answer, from the jobs in $NEEDS

In a workflow it writes outputs, a summary and annotations. Exit status: 0 well, 1 not, 2 bad input.
"""

import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

MAX_SHOWN = 100


def add_arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    fetch = actions.add_parser("fetch", help="fetch a pull request's commits, nothing checked out")
    fetch.add_argument("commit", metavar="SHA", help="its newest commit")
    fetch.add_argument("--number", type=int, required=True, help="the pull request's number")
    chosen = actions.add_parser("select", help="say which jobs a change needs")
    guarded = actions.add_parser("guard", help="dgm guard, with a summary")
    static = actions.add_parser("static", help="everything that can be said without running it")
    tests = actions.add_parser("tests", help="run the tests of tests/ that a change touches")
    for each in (chosen, guarded, static, tests):
        each.add_argument(
            "--base", required=each is not chosen, default="", metavar="REF", help="what takes it"
        )
        each.add_argument("--head", default="HEAD", metavar="REF", help="the change")
    chosen.add_argument("--jobs", type=int, default=0, metavar="N", help="at most so many (32)")
    guarded.add_argument("--author", required=True, metavar="HANDLE", help="who brings it")
    projects = actions.add_parser("projects", help="run tests and notebook of projects")
    projects.add_argument("slugs", nargs="+", metavar="SLUG", help="projects, or several in one")
    projects.add_argument("--title", default="project", help="of the annotations")
    actions.add_parser("gate", help="say whether all jobs in $NEEDS (JSON) went well")


def run(args: Namespace) -> int:
    actions = {
        "fetch": fetch,
        "select": select,
        "guard": guard,
        "static": static,
        "projects": projects,
        "tests": tests,
        "gate": gate,
    }
    if args.action == "gate":
        return gate(Path.cwd(), args)
    from common.course.git import course_root

    return actions[args.action](course_root(), args)


def fetch(root: Path, args: Namespace) -> int:
    """`dgm ci fetch`; $FETCH_TOKEN is for a private repository, and not on the command line."""
    import base64

    from common.course.git import Repository

    if token := os.environ.get("FETCH_TOKEN"):
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        os.environ |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.https://github.com/.extraheader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
        }
    name = f"refs/pull/{args.number}/head"
    options = ("--quiet", "--no-tags", "--no-recurse-submodules")
    Repository(root).run("fetch", *options, "origin", f"+{name}:{name}")
    if Repository(root).resolve(args.commit) is None:
        print(f"commit {args.commit} is not in {name}: pushed over; the newer run judges it")
        return 1
    return 0


def select(root: Path, args: Namespace) -> int:
    """`dgm ci select`."""
    from common.course.ci.plan import MAX_JOBS, outputs, selection
    from common.course.ci.report import code, write_outputs, write_summary

    found = selection(root, args.base, args.head)
    write_outputs(outputs(found, args.jobs or MAX_JOBS))
    reasons = [f"- {code(slug)}: {code(why)}" for slug, why in list(found.why.items())[:MAX_SHOWN]]
    counts = f"{len(found.projects)} projects, {len(found.tests)} test files"
    write_summary("### Selected", f"{counts}; {len(found.check)} to check.", "", *reasons)
    return 0


def guard(root: Path, args: Namespace) -> int:
    """`dgm ci guard`."""
    from common.commands import guard as command
    from common.course.ci.report import code, write_summary
    from common.course.guarding.guard import guard as judge
    from common.course.problems import one_line

    verdict = judge(root, args.base, args.author, head=args.head)
    show(verdict.problems)
    print(one_line(command.summary(verdict)))
    print(one_line(command.next_step(verdict)))
    lines = [f"- {p.level}: {code(p.path)}: {code(p.message)}" for p in verdict.problems]
    write_summary("### Guard", code(command.summary(verdict)), "", *lines[:MAX_SHOWN])
    return int(verdict.is_refused)


def static(root: Path, args: Namespace) -> int:
    """`dgm ci static`."""
    from common.commands.check import summary
    from common.course.ci.report import code, write_summary
    from common.course.ci.static import static_problems
    from common.course.problems import failing

    found, problems = static_problems(root, args.base, args.head)
    show(problems)
    text = summary(problems, len(found.check), strict=False)
    print(text)
    lines = [f"- {p.level}: {code(p.path)}: {code(p.message)}" for p in problems]
    write_summary("### Static checks", text, "", *lines[:MAX_SHOWN])
    return int(bool(failing(problems)))


def show(problems) -> None:
    """Problems as annotations in CI, as text elsewhere."""
    from common.course.problems import FORMATS

    style = "github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text"
    if shown := FORMATS[style](problems[:MAX_SHOWN]):
        print(shown)


def projects(root: Path, args: Namespace) -> int:
    """`dgm ci projects`; one argument may name several, as a job of the matrix does."""
    from common.course.ci.project import run_project, tell
    from common.course.ci.report import annotate
    from common.projects import ProjectError, find_project

    slugs = [slug for argument in args.slugs for slug in argument.split()]
    broken = []
    for slug in slugs:
        try:
            project = find_project(slug, root)
        except ProjectError as error:
            annotate(args.title, str(error))
            broken.append(slug)
            continue
        if not tell(project, run_project(root, project), args.title):
            broken.append(slug)
    print(f"{len(slugs) - len(broken)} of {len(slugs)} projects are well", flush=True)
    return int(bool(broken) or not slugs)


def tests(root: Path, args: Namespace) -> int:
    """`dgm ci tests`."""
    import subprocess

    from common.course.ci.plan import selection
    from common.course.ci.report import annotate, foreign_environment, unheard, write_summary

    found = selection(root, args.base, args.head)
    paths = ["tests"] if found.everything else found.tests
    if not paths:
        print("no test of tests/ is touched")
        return 0
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", *paths]
    with unheard():
        environment = foreign_environment() | {"OMP_NUM_THREADS": "1"}
        status = subprocess.run(command, cwd=root, env=environment).returncode
    write_summary(f"- shared tests: {'passed' if status == 0 else 'failed'}")
    if status:
        annotate("shared tests", f"pytest ended with status {status}; what failed stands above")
    return int(status != 0)


def gate(root: Path, args: Namespace) -> int:
    """`dgm ci gate`."""
    from common.course.ci.gate import verdicts
    from common.course.ci.report import annotate, write_summary

    found = verdicts(os.environ.get("NEEDS", ""))
    for name, (passes, how) in found.items():
        print(f"{'well' if passes else 'NOT WELL'}: {name}: {how}")
        if not passes:
            annotate("gate", f"{name}: {how}")
    lines = [f"- {name}: {how}" for name, (_, how) in found.items()]
    write_summary("### Gate", *lines)
    return int(not all(passes for passes, _ in found.values()))
