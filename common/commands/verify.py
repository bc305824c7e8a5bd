"""Recompute the committed numbers from the committed weights and the test split.

A number is verified if the weights and the data have the recorded checksums and the recomputed
value lies within its standard error (1e-4 relative where it has none). Exit status 1 if one is not.

  dgm verify
  dgm verify made --json
  dgm verify vae dynamic-mnist
  dgm verify vae --record        after a change of the code that leaves the number as it is
"""

import json
from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("project", nargs="?", help="only this project (default: all)")
    parser.add_argument("goals", nargs="*", metavar="goal", help="only these goals of it")
    parser.add_argument(
        "--record", action="store_true", help="note in a verified result the code that verified it"
    )
    parser.add_argument("--write-table", action="store_true", help="refresh the README's table too")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.add_argument("--json", action="store_true", help="print JSON for a program")


def run(args: Namespace) -> int:
    from common.projects import find_project, find_projects
    from common.results import write_table

    projects = [find_project(args.project)] if args.project else find_projects()
    outcomes = []
    for project in projects:
        goals = [project.goal(goal) for goal in args.goals] or project.goals
        for goal in goals:
            outcome = verify_goal(project, goal, progress=not args.quiet)
            outcomes.append(outcome)
            if args.record and outcome["state"] == "verified":
                record_code(project, goal)
            if not args.json:
                print(f"{outcome['state']:<9} {project.slug}/{goal.id}: {outcome['message']}")
        if args.write_table:
            write_table(project)
    if args.json:
        print(json.dumps(outcomes, indent=2))
    failed = sum(outcome["state"] == "FAILED" for outcome in outcomes)
    if not args.json:
        print(next_step(failed, len(outcomes)))
    return 1 if failed else 0


def next_step(failed: int, count: int) -> str:
    """What to do after verifying."""
    if failed:
        return (
            f"next: {failed} of {count} numbers do not follow from what is stored; restore the "
            "weights or data, or `dgm reproduce` them (`dgm data list` shows missing sets)"
        )
    return "next: dgm list shows the goals beside the papers"


def record_code(project, goal) -> None:
    """Write the hash of the present code into a result that it has just computed again."""
    from dataclasses import replace

    from common.results import code_sha256, read_result, result_path, write_result

    result = read_result(result_path(project, goal.id))
    code = code_sha256(project.folder)
    write_result(project, replace(result, verified_code_sha256=code))


def verify_goal(project, goal, *, progress: bool = False) -> dict:
    """Recompute one goal's number: state verified, FAILED, open, withdrawn or retrain, and why."""
    from common.errors import UserError
    from common.results import read_result, result_path

    outcome = {"project": project.slug, "goal": goal.id}
    path = result_path(project, goal.id)
    if goal.withdrawn:
        return outcome | {"state": "withdrawn", "message": goal.withdrawn}
    if not path.exists():
        again = f"no result yet; `dgm reproduce {project.slug} {goal.id}` makes it"
        return outcome | {"state": "open", "message": again}
    try:
        result = read_result(path)
        if result.weights is None:
            again = (
                f"{result.value:.4f} {result.unit} recorded; its weights are too large for the "
                f"tree, `dgm reproduce {project.slug} {goal.id}` trains them again"
            )
            return outcome | {"state": "retrain", "message": again}
        return outcome | recompute(project, result, path.parent / result.weights, progress)
    except UserError as error:
        return outcome | {"state": "FAILED", "message": str(error)}


def check_features(result) -> str | None:
    """The feature net that a number was made with, if any; ResultError if its weights changed since."""
    import re

    from common.evaluation.features import get_feature_net
    from common.results import ResultError

    named = re.search(r"\bfeatures (\w+) sha256 ([0-9a-f]{12})", result.protocol)
    if named is None:
        return None
    name, recorded = named.groups()
    present = get_feature_net(name).sha256[:12]
    if present != recorded:
        raise ResultError(
            f"the number was made with the feature net {name} of sha256 {recorded}, and here it is "
            f"{present}: restore its weights from git, or `dgm reproduce` the number"
        )
    return name


def recompute(project, result, weights, progress: bool) -> dict:
    """Evaluate the stored weights again and compare with what was recorded."""
    import hashlib

    from common import config as configs
    from common.evaluation import evaluate
    from common.results import ResultError
    from common.weights import rebuild

    if not weights.exists():
        raise ResultError(f"{weights.name} is missing from {project.slug}/results")
    if hashlib.sha256(weights.read_bytes()).hexdigest() != result.weights_sha256:
        raise ResultError(f"{weights.name} is not the file that the number was computed from")
    config = configs.from_dict(project.training.Config, result.config)
    model, data = rebuild(project, config, weights)
    if data.checksum != result.dataset_sha256:
        raise ResultError(
            f"the data set {data.name} is not the one that the number was computed on"
        )
    value = evaluate(
        model,
        data,
        split=result.split,
        metrics=[result.metric],
        seed=result.evaluation_seed,
        num_importance_samples=result.num_importance_samples or 1,
        max_samples=result.n,
        feature_net=check_features(result),
        progress=progress,
    )[result.metric]
    bound = result.standard_error or 1e-4 * abs(result.value)
    distance = abs(value.value - result.value)
    return {
        "state": "verified" if distance <= bound else "FAILED",
        "recorded": result.value,
        "recomputed": value.value,
        "standard_error": result.standard_error,
        "message": (
            f"{value.value:.4f} {result.unit} recomputed, {result.value:.4f} recorded, "
            f"distance {distance:.1e} against a bound of {bound:.1e}"
        ),
    }
