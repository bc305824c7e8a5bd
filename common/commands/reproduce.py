"""Train a goal's preset and record its number: results/<goal>.json and half-precision weights.

The number is computed from the weights as they are stored, on the goal's split, once. A run that
was interrupted goes on where it stopped; `--seed` makes another.

  dgm reproduce made
  dgm reproduce vae dynamic-mnist
"""

import sys
from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("project", help="a folder of projects/, such as made")
    parser.add_argument("goals", nargs="*", metavar="goal", help="only these goals (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the training (default: 0)")
    parser.add_argument("--accelerator", default="auto", choices=["auto", "cpu", "gpu"])
    parser.add_argument(
        "--precision", help="training precision (default: the preset's, or 32-true)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(args: Namespace) -> int:
    from common.projects import find_project
    from common.results import relative, write_table

    project = find_project(args.project)
    goals = [project.goal(goal) for goal in args.goals] or [
        goal for goal in project.goals if not goal.withdrawn
    ]
    missed = 0
    for goal in goals:
        result = reproduce(project, goal, args)
        met = goal.is_met(result.value)
        missed += not met
        error = f" ± {result.standard_error:.4f}" if result.standard_error is not None else ""
        print(
            f"{goal.id}: {result.value:.4f}{error} {result.unit}, {goal.direction} "
            f"{goal.target:g} wanted: {'met' if met else 'missed'}"
        )
    write_table(project)
    print(f"written: {relative(project.folder / 'results')} and the README's table")
    print(f"next: dgm verify {project.slug}, then commit the results folder")
    return 1 if missed else 0


def reproduce(project, goal, args: Namespace):
    """Train, store, reload, evaluate and write one goal's result."""
    from common import config as configs
    from common.evaluation import METRICS, evaluate
    from common.projects import run_folder
    from common.results import Result, code_sha256, result_path, write_result
    from common.runs import Stopwatch, in_precision, open_run, train_run
    from common.training import Run
    from common.weights import MAX_WEIGHT_BYTES, half_precision, rebuild, save_weights

    config, precision = in_precision(project.preset(goal.preset), args.precision)
    folder = run_folder(project.slug, goal.preset, seed=args.seed)
    training = Run(
        folder,
        seed=args.seed,
        accelerator=args.accelerator,
        precision=precision,
        progress=not args.quiet,
        resume=True,
    )
    model = train_run(project, goal.preset, config, training)
    run, present = open_run(folder), code_sha256(project.folder)
    if doubt := provenance_doubt(run, present):
        print(f"warning: {goal.id}: {doubt}", file=sys.stderr)
    path = result_path(project, goal.id).with_suffix(".safetensors")
    sha256 = save_weights(half_precision(model), folder / "half.safetensors")
    stored, data = rebuild(project, config, folder / "half.safetensors")
    watch = Stopwatch()
    value = evaluate(
        stored,
        data,
        split=goal.split,
        metrics=[goal.metric],
        max_samples=goal.num_samples or 2000,
        progress=not args.quiet,
    )[goal.metric]
    is_weighted = METRICS[goal.metric].capability == "importance"
    fits = (folder / "half.safetensors").stat().st_size <= MAX_WEIGHT_BYTES
    if fits and goal.weights == "committed":
        save_weights(half_precision(model), path)
    result = Result(
        project=project.slug,
        goal=goal.id,
        metric=goal.metric,
        value=value.value,
        standard_error=value.standard_error,
        n=value.n,
        unit=value.unit,
        split=value.split,
        protocol=value.protocol,
        dataset=data.name,
        dataset_sha256=data.checksum,
        preset=goal.preset,
        config=configs.to_dict(config),
        seed=args.seed,
        evaluation_seed=0,
        num_importance_samples=5000 if is_weighted else None,
        commit=run.commit,
        code_sha256=run.code_sha256 or present,
        hardware=run.hardware,
        train_seconds=round(run.train_seconds, 1),
        evaluation_seconds=round(watch.seconds, 1),
        weights=path.name if fits and goal.weights == "committed" else None,
        weights_sha256=sha256,
    )
    write_result(project, result)
    return result


def provenance_doubt(run, present: str) -> str:
    """Why the recorded commit may not be the code that trained the run ("" if it is)."""
    if run.commit.endswith("+changes"):
        return (
            f"trained from uncommitted changes to {run.commit[:12]}; commit, then train in a clone"
        )
    if run.code_sha256 not in (None, present):
        return f"the code changed since this run began at {run.commit[:12]}; train it again"
    return ""
