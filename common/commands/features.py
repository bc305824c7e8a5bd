"""Feature networks: what FID, precision, coverage and their relatives are measured with.

  dgm features list
  dgm features verify
  dgm features train mnist

The trained networks are part of the repository; every number made with one names its hash. `verify`
computes their recorded test accuracies again. `train` makes one anew by its recipe and replaces the
stored one: numbers recorded with the former no longer verify.
"""

import json
from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="the networks, their accuracy, size and hash")
    verify = actions.add_parser("verify", help="compute the recorded test accuracies again")
    train = actions.add_parser("train", help="train a network by its recipe and store it")
    verify.add_argument("names", nargs="*", metavar="NAME", help="only these (default: all)")
    train.add_argument("name", metavar="NAME", help="as in `dgm features list`")
    train.add_argument("--seed", type=int, default=0, help="of the training (default: 0)")
    train.add_argument("--accelerator", default="auto", choices=["auto", "cpu", "gpu"])
    train.add_argument("--resume", action="store_true", help="go on where a training stopped")
    train.add_argument("--quiet", action="store_true", help="no progress bar")
    for action in (listing, verify):
        action.add_argument("--json", action="store_true", help="print JSON for a program")


def run(args: Namespace) -> int:
    return {"list": _list, "verify": _verify, "train": _train}[args.action](args)


def _list(args: Namespace) -> int:
    import dataclasses

    from common.evaluation.features import RECIPES
    from common.evaluation.features.store import FOLDER, read_record
    from common.evaluation.measurement import EvaluationError

    rows = []
    for name in RECIPES:
        try:
            rows.append(dataclasses.asdict(read_record(name)))
        except EvaluationError as error:
            rows.append({"name": name, "problem": str(error)})
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        if "problem" in row:
            print(f"{row['name']:<16} {row['problem']}")
            continue
        path = FOLDER / row["weights"]
        size = f"{path.stat().st_size / 1000:.0f} kB" if path.exists() else "weights missing"
        print(
            f"{row['name']:<16} {row['num_features']:>4} features  test accuracy "
            f"{row['test_accuracy']:.2%}  {size:>8}  sha256 {row['weights_sha256'][:12]}"
        )
    print("\nnext: dgm features verify")
    return 0


def _verify(args: Namespace) -> int:
    """Exit status 1 if an accuracy does not follow from the weights, or a network cannot be had."""
    from common.data import MissingData
    from common.errors import UserError
    from common.evaluation.features import RECIPES
    from common.evaluation.features.store import check_name

    for name in args.names:
        check_name(name)
    rows = []
    for name in args.names or RECIPES:
        try:
            row = {"name": name, **recompute(name)}
        except MissingData as error:
            row = {"name": name, "state": "no data", "message": str(error)}
        except UserError as error:
            row = {"name": name, "state": "FAILED", "message": str(error)}
        rows.append(row)
        if not args.json:
            print(f"{row['state']:<9} {name}: {row['message']}", flush=True)
    if args.json:
        print(json.dumps(rows, indent=2))
    failed = any(
        row["state"] == "FAILED" or (args.names and row["state"] != "verified") for row in rows
    )
    if not args.json:
        print(f"\nnext: {'restore the weights from git' if failed else 'dgm evaluate made'}")
    return 1 if failed else 0


def recompute(name: str) -> dict:
    """The test accuracy of the stored weights beside the recorded one: equal but for one image."""
    from common.data import load
    from common.evaluation.features.store import load_module
    from common.evaluation.features.train import accuracy
    from common.evaluation.measurement import EvaluationError

    model, record = load_module(name)
    data = load(record.dataset)
    if data.checksum != record.dataset_sha256:
        raise EvaluationError(f"the data set {data.name} is not the one that {name} was tested on.")
    found = accuracy(model, data, data.test)
    # another processor rounds otherwise: one image may lie on the border
    agrees = abs(found - record.test_accuracy) <= 1.5 / record.test_n
    return {
        "state": "verified" if agrees else "FAILED",
        "recorded": record.test_accuracy,
        "recomputed": found,
        "message": f"test accuracy {found:.2%} recomputed, {record.test_accuracy:.2%} recorded",
    }


def _train(args: Namespace) -> int:
    from common import config
    from common.data import load
    from common.evaluation.features import RECIPES
    from common.evaluation.features.store import FOLDER, check_name, store
    from common.evaluation.features.train import accuracy, build, train
    from common.projects import ROOT
    from common.provenance import commit, hardware
    from common.results import relative
    from common.runs import trained_seconds
    from common.training import Run
    from common.weights import half_precision

    check_name(args.name)
    recipe = RECIPES[args.name]
    data = load(recipe.data)  # before anything is written: the files may be missing
    training = Run(
        ROOT / "runs" / "features" / f"{args.name}-seed{args.seed}",
        seed=args.seed,
        accelerator=args.accelerator,
        precision=recipe.precision,
        progress=not args.quiet,
        resume=args.resume,
    )
    here = {"commit": commit(), "hardware": hardware()}
    training.record({"project": f"features/{args.name}", "recipe": config.to_dict(recipe), **here})
    model = train(recipe, training).cpu()
    training.close()
    stored = build(recipe)  # what is measured is what is stored: the rounded weights
    stored.load_state_dict(half_precision(model))
    stored.eval()
    facts = {
        "recipe": config.to_dict(recipe),
        "seed": args.seed,
        "dataset": data.name,
        "dataset_sha256": data.checksum,
        "num_features": recipe.widths[-1],
        "valid_accuracy": accuracy(stored, data, data.valid),
        "test_accuracy": accuracy(stored, data, data.test),
        "test_n": len(data.test),
        "train_seconds": round(trained_seconds(training.folder), 1),
        "commit": training.recorded["commit"],  # of the beginning, if it was resumed
        "hardware": here["hardware"],
    }
    record = store(args.name, model, facts)
    print(
        f"{args.name}: test accuracy {record.test_accuracy:.2%}, valid {record.valid_accuracy:.2%}, "
        f"{record.num_features} features, {record.train_seconds:.0f} s"
    )
    print(
        f"written: {relative(FOLDER / record.weights)} and its record, sha256 "
        f"{record.weights_sha256[:12]}"
    )
    print("numbers recorded with other weights of this name no longer verify")
    print("next: dgm features verify, then commit both files")
    return 0
