"""Train a project with one of its presets; any field of its Config may be overridden.

dgm train made --preset demo --data digits --seed 1 --set hidden_sizes=256
dgm train vae --preset mnist --resume
dgm train real_nvp --devices 2 --tensorboard
"""

import json
import re
from argparse import ArgumentParser, Namespace
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("project", help="a folder of projects/, such as made")
    parser.add_argument("--preset", default="demo", help="a named configuration (default: demo)")
    parser.add_argument("--data", help="train on this data set instead of the preset's")
    parser.add_argument(
        "--seed", type=int, default=0, help="of weights, batches, noise (default: 0)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="override a field of the project's Config; may be repeated",
    )
    parser.add_argument("--out", type=Path, help="the run's folder (default: under runs/)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    budget = parser.add_argument_group("budget (the first that is reached stops the run)")
    budget.add_argument("--steps", type=int, help="at most so many steps")
    budget.add_argument("--epochs", type=int, help="at most so many epochs")
    budget.add_argument("--seconds", type=float, help="at most so many seconds")
    machine = parser.add_argument_group("machine")
    machine.add_argument("--devices", type=int, default=1, help="processes or GPUs (default: 1)")
    machine.add_argument(
        "--accelerator", default="auto", choices=["auto", "cpu", "gpu"], help="(default: auto)"
    )
    machine.add_argument(
        "--precision",
        choices=["32-true", "64-true", "bf16-mixed", "16-mixed"],
        help="(default: the preset's, or 32-true)",
    )
    parser.add_argument("--tensorboard", action="store_true", help="write TensorBoard events too")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--json", action="store_true", help="end with one JSON line for a program")


def run(args: Namespace) -> int:
    from common.config import override
    from common.projects import find_project
    from common.results import relative
    from common.runs import in_precision, train_run, trained_seconds
    from common.training import Run

    project = find_project(args.project)
    data = [f"data={args.data}"] if args.data else []
    config = override(project.preset(args.preset), [*args.set, *data])
    config, precision = in_precision(config, args.precision)
    training = Run(
        args.out or default_folder(args),
        seed=args.seed,
        max_steps=args.steps,
        max_epochs=args.epochs,
        max_seconds=args.seconds,
        devices=args.devices,
        accelerator=args.accelerator,
        precision=precision,
        progress=not args.quiet,
        tensorboard=args.tensorboard,
        resume=args.resume,
    )
    train_run(project, args.preset, config, training)
    if not training.is_main:
        return 0
    folder, seconds = relative(training.folder), trained_seconds(training.folder)
    if args.json:
        print(json.dumps({"run": folder, "steps": training.steps_done, "seconds": seconds}))
    else:
        print(f"trained {project.slug} ({args.preset}) for {training.steps_done} steps: {folder}")
        print(f"next: dgm evaluate {project.slug}   or   dgm sample {project.slug}")
    return 0


def default_folder(args: Namespace) -> Path:
    """runs/<project>/<preset>[-overrides]-seed<seed>, so that different settings never collide."""
    from common.projects import run_folder

    variant = "-".join(filter(None, [args.data, *args.set]))
    variant = re.sub(r"[^A-Za-z0-9_.=-]+", "_", variant)
    return run_folder(args.project, args.preset, seed=args.seed, variant=variant)
