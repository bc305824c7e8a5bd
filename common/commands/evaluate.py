"""Compute every metric that a trained model is able to, on a split it was not trained on.

Evaluates the project's latest run, or the run or committed goal that is named.

  dgm evaluate made
  dgm evaluate vae --goal dynamic-mnist --metric nll_iwae_nats --num-importance-samples 500
  dgm evaluate real_nvp --run runs/real_nvp/demo-seed0 --split valid --json
"""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("project", help="a folder of projects/, such as made")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--run", type=Path, help="a run's folder (default: the latest run)")
    source.add_argument("--goal", help="the committed weights of this goal")
    parser.add_argument("--split", default="test", help="train, valid or test (default: test)")
    parser.add_argument("--metric", action="append", help="only this metric; may be repeated")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the evaluation's noise (default: 0)"
    )
    parser.add_argument("--num-importance-samples", type=int, default=500, metavar="K")
    parser.add_argument("--max-examples", type=int, metavar="N", help="the first N of the split")
    parser.add_argument("--out", type=Path, help="the JSON file (default: in the run's folder)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--json", action="store_true", help="print the JSON instead of a table")


def run(args: Namespace) -> int:
    import dataclasses

    from common.commands.sources import find_trained
    from common.evaluation import evaluate
    from common.files import write_text
    from common.provenance import commit, hardware
    from common.results import relative

    trained = find_trained(args.project, args.run, args.goal)
    model, data = trained.load()
    measurements = evaluate(
        model,
        data,
        split=args.split,
        metrics=args.metric,
        seed=args.seed,
        num_importance_samples=args.num_importance_samples,
        max_examples=args.max_examples,
        progress=not args.quiet,
    )
    report = {
        "schema": "evaluation/1",
        "project": args.project,
        "dataset": data.name,
        "split": args.split,
        "preset": trained.preset,
        "seed": trained.seed,
        "evaluation_seed": args.seed,
        "commit": commit(),
        "trained_at_commit": trained.commit,
        "hardware": hardware(),
        "metrics": [dataclasses.asdict(value) for value in measurements.values()],
    }
    text = json.dumps(report, indent=2, ensure_ascii=False)
    path = args.out or trained.folder / f"evaluation-{args.split}.json"
    write_text(path, text + "\n")
    if args.json:
        print(text)
        return 0
    print(f"{args.project}, {trained.preset}, {data.name} {args.split}:")
    for value in measurements.values():
        print(f"  {measurement_line(value)}")
    if any(value.floor is not None for value in measurements.values()):
        print(f"  {FLOOR_NOTE}")
    print(f"written: {relative(path)}\nnext: dgm sample {args.project}")
    return 0


FLOOR_NOTE = "(floor: the same statistic between training and held-out data)"


def measurement_line(value) -> str:
    """One measurement in one line of a terminal: name, value, error, unit, n, floor."""
    error = f" ± {value.standard_error:.4f}" if value.standard_error is not None else ""
    floor = f"  floor {value.floor:.4f}" if value.floor is not None else ""
    unit = f" {value.unit}" if value.unit else ""
    return f"{value.name:<20}{value.value:>9.4f}{error}{unit}, n={value.n}{floor}"
