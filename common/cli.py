"""`dgm`: one command line for students, reviewers and visitors.

A command lives in `common/commands/<name>.py` and has two functions: `add_arguments(parser)`, which
imports nothing heavy, and `run(args) -> int`, which imports what it needs. Only the module of the
command that was asked for is imported, so `dgm --help` answers at once.
"""

import argparse
import difflib
import os
import sys
from importlib import import_module

from common.errors import UserError

GROUPS = {
    "models": {
        "list": "list the projects, their papers and their goals",
        "demo": "train, evaluate and sample one project, run its notebook",
        "train": "train a project with one of its presets",
        "evaluate": "compute every metric that a trained model is able to",
        "sample": "draw samples from a trained model into a picture",
        "compare": "several projects' samples on the same data: one table, one figure",
        "reproduce": "train a goal's preset and record its number and weights",
        "verify": "recompute the committed numbers from the committed weights",
        "data": "list, describe, fetch and verify data sets",
        "features": "list, verify and train the networks that judge samples",
    },
    "the course, for students and reviewers": {
        "new": "make the folder of a new project, green from the start",
        "check": "say everything that CI would say of a project, in seconds",
        "ci": "the steps of the workflows, one command each, as CI runs them",
        "affected": "what a change touches: projects, reviews and tests, and nothing else",
        "review": "write, check, answer and verify reviews",
        "status": "whose turn it is, project by project, longest wait first",
        "originality": "compare a project's code with others, for a person to judge",
        "site": "build the public site from the tree, or show it on this machine",
    },
    "the course, for instructors": {
        "assign": "assign reviewers to projects: preview, commit, repair",
        "freeze": "record version 1 or 2 as it was on main at the deadline",
        "guard": "whether an author may bring a change, before anything of it is run",
        "adjudicate": "judge the findings of a project's reviews (private)",
        "grade": "compute developers' and reviewers' grades (private)",
        "publish": "export the repository for the public, without anything private",
    },
}
COMMANDS = {name: text for group in GROUPS.values() for name, text in group.items()}

USAGE = """usage: dgm COMMAND [arguments]

Deep generative models: genuine implementations, laws, recomputable numbers.

{commands}

Start with `dgm list`, then `dgm demo made`. `dgm COMMAND --help` explains one.
"""


def main(argv: list[str] | None = None) -> int:
    """Run one `dgm` command and return its exit status: 0 done, 1 a check failed, 2 bad input."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(usage(), end="")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name == "--version":
        from importlib.metadata import version

        print(f"dgm {version('deep-generative-models')}")
        return 0
    if name not in COMMANDS:
        print(f"dgm: {unknown_command(name)}", file=sys.stderr)
        return 2
    return run_command(name, rest)


def usage() -> str:
    """The text of `dgm --help`."""
    width = max(map(len, COMMANDS))
    groups = [
        f"{title}:\n" + "\n".join(f"  {name:<{width}}  {text}" for name, text in group.items())
        for title, group in GROUPS.items()
    ]
    return USAGE.format(commands="\n\n".join(groups))


def unknown_command(name: str) -> str:
    """What to tell someone who asked for a command that does not exist."""
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean `dgm {near[0]}`?" if near else "`dgm --help` lists the commands."
    return f"there is no command {name!r}; {hint}"


def run_command(name: str, arguments: list[str]) -> int:
    """Import the command's module, parse its arguments, run it; user errors become one message."""
    command = import_module(f"common.commands.{name}")
    parser = argparse.ArgumentParser(
        prog=f"dgm {name}",
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    args = parser.parse_args(arguments)
    try:
        return command.run(args)
    except UserError as error:
        if is_main_process():
            print(f"dgm {name}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read our output (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        hint = "; the same command with --resume goes on" if name == "train" else ""
        print(f"\ndgm {name}: stopped by you{hint}", file=sys.stderr)
        return 130


def is_main_process() -> bool:
    """Whether this process speaks: the first of those that a run with several devices started."""
    ranks = (os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    return next((rank for rank in ranks if rank is not None), "0") == "0"


if __name__ == "__main__":
    sys.exit(main())
