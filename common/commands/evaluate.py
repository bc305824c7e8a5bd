"""Compute every metric that a trained model is able to, on a split it was not trained on.

Evaluates the project's latest run, or the run or committed goal that is named.

  dgm evaluate made
  dgm evaluate vae --goal dynamic-mnist --metric nll_iwae_nats --num-importance-samples 500
  dgm evaluate vae --metric fid --max-samples 10000
  dgm evaluate real_nvp --run runs/real_nvp/demo-seed0 --split valid --json

With --against, asks instead how well each score of the model (log_prob, elbo, energy,
reconstruction) tells its data from others, seen through the same preprocessing: another data set,
or its own images blank, constant, half_size, inverted, low_contrast, mirrored, shuffled, smoothed
or as noise.

  dgm evaluate real_nvp --goal digits --against low_contrast
  dgm evaluate real_nvp --goal mnist --against fashion_mnist
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
    parser.add_argument("--against", metavar="DATA", help="detect these data (AUROC, AUPR, FPR95)")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the evaluation's noise (default: 0)"
    )
    parser.add_argument("--num-importance-samples", type=int, default=500, metavar="K")
    parser.add_argument("--max-examples", type=int, metavar="N", help="the first N of the split")
    parser.add_argument(
        "--max-samples",
        type=int,
        default=2000,
        metavar="N",
        help="to draw, at most (default: 2000)",
    )
    parser.add_argument(
        "--feature-net", metavar="NAME", help="of fid and the like (default: the data's)"
    )
    parser.add_argument("--out", type=Path, help="the JSON file (default: in the run's folder)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--json", action="store_true", help="print the JSON instead of a table")


def run(args: Namespace) -> int:
    if args.against:
        return run_against(args)

    import dataclasses

    from common.commands.sources import find_trained
    from common.evaluation import evaluate
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
        max_samples=args.max_samples,
        feature_net=args.feature_net,
        progress=not args.quiet,
    )
    metrics = [dataclasses.asdict(value) for value in measurements.values()]
    path = args.out or trained.folder / f"evaluation-{args.split}.json"
    text = write_report(path, "evaluation/1", args, trained, data, {"metrics": metrics})
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


def write_report(path: Path, schema: str, args: Namespace, trained, data, found: dict) -> str:
    """Write what was found with what it was found of, and return the text."""
    from common.files import write_text
    from common.provenance import commit, hardware

    report = {
        "schema": schema,
        "project": args.project,
        "dataset": data.name,
        "split": args.split,
        "preset": trained.preset,
        "seed": trained.seed,
        "evaluation_seed": args.seed,
        "commit": commit(),
        "trained_at_commit": trained.commit,
        "hardware": hardware(),
        **found,
    }
    text = json.dumps(report, indent=2, ensure_ascii=False)
    write_text(path, text + "\n")
    return text


FLOOR_NOTE = "(floor: what data get in place of samples, at the same sizes)"


def measurement_line(value) -> str:
    """One measurement in one line of a terminal: name, value, error, unit, n, floor."""
    error = f" ± {value.standard_error:.4f}" if value.standard_error is not None else ""
    floor = f"  floor {value.floor:.4f}" if value.floor is not None else ""
    unit = f" {value.unit}" if value.unit else ""
    return f"{value.name:<20}{value.value:>9.4f}{error}{unit}, n={value.n}{floor}"


def run_against(args: Namespace) -> int:
    """Print how well each score of the model tells its data from `args.against`."""
    import dataclasses

    from common.commands.sources import find_trained
    from common.errors import UserError
    from common.evaluation.out_of_distribution import detect
    from common.evaluation.shifted import other
    from common.results import relative

    if args.metric:
        raise UserError(
            f"--against measures AUROC, AUPR and FPR95 of every score; leave out --metric "
            f"{args.metric[0]}."
        )
    trained = find_trained(args.project, args.run, args.goal)
    model, data = trained.load()
    others = other(data, args.against, seed=args.seed)
    found = detect(
        model,
        data,
        others.data,
        split=args.split,
        seed=args.seed,
        max_examples=args.max_examples,
        progress=not args.quiet,
    )
    scores = {
        name: [dataclasses.asdict(value) for value in one.measurements.values()]
        for name, one in found.items()
    }
    against = {"against": others.data.name, "how": others.how, "scores": scores}
    path = args.out or trained.folder / f"detection-{args.split}-{args.against}.json"
    text = write_report(path, "detection/1", args, trained, data, against)
    if args.json:
        print(text)
        return 0
    how = f" ({others.how})" if others.how else ""
    print(
        f"{args.project}, {trained.preset}: {data.name} {args.split} against {others.data.name} "
        f"{args.split}{how}"
    )
    print("\n".join(f"  {line}" for line in detection_lines(found)))
    print(
        "  (0.5 of AUROC is chance, below it the others score higher; FPR95: the part of the others"
    )
    print(f"  that passes where 95 % of {data.name} do)\nwritten: {relative(path)}")
    return 0


def detection_lines(found: dict) -> list[str]:
    """A table for a terminal: a score a line, AUROC, AUPR in and out, FPR95 and how many of each."""
    heads = ("AUROC", "AUPR in", "AUPR out", "FPR95")
    lines = [f"{'score':<16}" + "".join(f"{head:<16}" for head in heads) + "examples"]
    for name, one in found.items():
        values = one.measurements.values()
        cells = "".join(f"{v.value:.3f} ± {v.standard_error:.3f}   " for v in values)
        lines.append(f"{name:<16}{cells}{len(one.inside)} / {len(one.outside)}")
    return lines
