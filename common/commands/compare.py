"""Compare several projects' samples on the same data in the same space: one table, one figure.

Each project enters with a committed goal's weights that were trained on the data, else with its
latest finished run; one without either is left out, with the command that trains it. If a model
makes black and white pixels, all samples and the data are compared so, unless --space grey.

  dgm compare
  dgm compare made real_nvp vae --data digits --train demo
  dgm compare real_nvp:digits real_nvp:demo-seed0 --metric mmd --out docs
"""

import io
import json
import shlex
from argparse import ArgumentParser, Namespace
from pathlib import Path

MAX_SAMPLES = 2000  # of each, for the metrics
NUM_IMAGES, NUM_POINTS = 16, 1000  # of each in the figure
PANELS = 4  # scatters beside each other


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "projects",
        nargs="*",
        metavar="project[:goal or run]",
        help="(default: all that make samples of the data)",
    )
    parser.add_argument("--data", default="digits", help="(default: digits)")
    parser.add_argument("--split", default="test", help="to compare with (default: test)")
    parser.add_argument(
        "--space", choices=["grey", "binary"], help="(default: grey, binary if a model is)"
    )
    parser.add_argument("--metric", action="append", help="only this metric; may be repeated")
    parser.add_argument(
        "--feature-net", metavar="NAME", help="of fid and the like (default: the data's)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of samples and noise (default: 0)")
    parser.add_argument(
        "--max-samples",
        type=int,
        default=MAX_SAMPLES,
        metavar="N",
        help=f"of each, for the metrics (default: {MAX_SAMPLES})",
    )
    parser.add_argument(
        "-n",
        type=int,
        help=f"samples of each in the figure (default: {NUM_IMAGES}; points: {NUM_POINTS})",
    )
    parser.add_argument(
        "--train", metavar="PRESET", help="train this preset where a project has no model"
    )
    parser.add_argument(
        "--out", type=Path, help="folder of page, figure and JSON (default: in runs/)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.add_argument("--json", action="store_true", help="print the JSON instead of the table")


def run(args: Namespace) -> int:
    from common.commands.entrants import gather
    from common.data import load
    from common.evaluation.comparison import PAGE, with_section
    from common.files import write_bytes, write_text
    from common.projects import ROOT
    from common.results import relative

    raw = load(args.data)
    check(args, raw)
    entrants, left = gather(args.projects, args.data, preset=args.train, progress=not args.quiet)
    comparison, drawn = compare(entrants, left, raw, args)
    folder = args.out or ROOT / "runs" / "compare"
    key = f"{args.data}-{args.space}" if args.space else args.data
    page, picture = folder / "comparison.md", folder / f"comparison-{key}.png"
    table = picture.with_suffix(".json")
    text = json.dumps(comparison.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    before = page.read_text(encoding="utf-8") if page.exists() else PAGE
    section = comparison.section(picture.name)
    write_bytes(picture, figure(drawn, raw, comparison, args))
    write_text(table, text + "\n")
    write_text(page, with_section(before, f"comparison:{key}", section))
    if args.json:
        print(text)
        return 0
    print(f"{comparison.heading}\n\n{comparison.table()}\n\n{comparison.notes()}")
    print(f"written: {', '.join(relative(path) for path in (page, picture, table))}")
    print(f"next: look at {relative(picture)}")
    return 0


def check(args: Namespace, raw) -> None:
    """Raise UserError for what could only fail after the trainings."""
    from common.errors import UserError
    from common.evaluation.evaluate import choose
    from common.evaluation.spaces import Seen, common_data

    if args.n is not None and args.n < 1:
        raise UserError(f"-n {args.n}: expected at least one sample.")
    if raw.is_sequence:
        raise UserError(
            f"--data {raw.name}: samples are told apart by distances, and sequences have none; "
            "expected images or points. `dgm evaluate PROJECT` tells each model's nats a step."
        )
    if args.split not in raw.splits:
        raise UserError(f"{raw.name} has no split {args.split!r}; it has: {', '.join(raw.splits)}.")
    common = common_data(raw, [], args.space)
    choose(Seen(None, raw, common), common, args.metric, args.feature_net)


def compare(entrants, left, raw, args: Namespace):
    """The Comparison, and samples of each model in it, back at the data's levels, by label."""
    from common.commands.sample import draw
    from common.errors import UserError
    from common.evaluation import spaces
    from common.evaluation.comparison import Comparison, LeftOut
    from common.provenance import commit, hardware

    common = spaces.common_data(raw, [entrant.data for entrant in entrants], args.space)
    options = {
        "split": args.split,
        "metrics": args.metric,
        "seed": args.seed,
        "max_samples": args.max_samples,
        "feature_net": args.feature_net,
        "progress": not args.quiet,
    }
    rows, foreign_floors, drawn = [], {}, {}
    for entrant in entrants:
        try:
            metrics = spaces.judge(entrant.model, entrant.data, common, **options)
        except UserError as error:
            if args.projects:
                raise UserError(f"{entrant.label}: {error}") from error
            left = [*left, LeftOut(entrant.label, str(error))]
            continue
        step = spaces.foreign_step(entrant.data, common)
        row = entrant.row(metrics, spaces.in_words(step) if step else None)
        if step and row.foreign not in foreign_floors:
            metrics = spaces.judge_training(entrant.data, common, **options)
            foreign_floors[row.foreign] = floor_row(row, metrics)
        values = draw(entrant.model, args.n or number(raw), args.seed)
        drawn[row.label] = entrant.data.to_levels(values.reshape(-1, *entrant.data.shape).cpu())
        rows.append(row)
    left = sorted(left, key=lambda each: each.label)
    if not rows:
        raise UserError(nothing_to_compare(args.data, left))
    comparison = Comparison(
        dataset=args.data,
        split=args.split,
        space=spaces.space_name(common),
        seed=args.seed,
        asked=args.metric or [],
        rows=rows,
        floor={name: value.floor for name, value in rows[0].metrics.items()},
        foreign_floors=list(foreign_floors.values()),
        left_out=left,
        command=command(args),
        commit=commit(),
        hardware=hardware(),
    )
    return comparison, drawn


def floor_row(row, metrics):
    """Training examples as the model of this row saw them."""
    from common.evaluation.comparison import Row

    return Row(
        "floor", "training split", None, None, None, False, row.preprocess, row.foreign, metrics
    )


def nothing_to_compare(data: str, left) -> str:
    """What to tell someone who has no model of the data at all."""
    lines = [f"  {each.label}: {each.reason}" + hint(each.command) for each in left]
    return "\n".join([f"no project has a model of {data} to compare; left out:", *lines])


def hint(command: str | None) -> str:
    """The command that would help, as the end of a line."""
    return f" ({command})" if command else ""


def number(raw) -> int:
    """How many samples of each the figure shows unless told."""
    return NUM_POINTS if raw.num_levels is None else NUM_IMAGES


def command(args: Namespace) -> str:
    """The command line that makes the same comparison, without where it puts its files."""
    words = ["dgm", "compare", *args.projects, "--data", args.data]
    if args.split != "test":
        words += ["--split", args.split]
    for name in ("space", "feature_net", "n", "train"):
        value = getattr(args, name)
        option = "-n" if name == "n" else f"--{name.replace('_', '-')}"
        words += [] if value is None else [option, str(value)]
    for name in args.metric or []:
        words += ["--metric", name]
    if args.seed:
        words += ["--seed", str(args.seed)]
    if args.max_samples != MAX_SAMPLES:
        words += ["--max-samples", str(args.max_samples)]
    return shlex.join(words)


def figure(drawn, raw, comparison, args: Namespace) -> bytes:
    """A row of images or a panel of points for each model and one of the data, as a PNG.

    Models show what they draw, whatever space they are judged in; in the binary one the data are
    there twice, as they are and as they are judged.
    """
    import torch

    from common.data import DynamicBinarisation
    from common.evaluation.figures import image_rows, scatter

    split = raw.splits[args.split]
    generator = torch.Generator().manual_seed(args.seed)
    x = split.x[torch.randperm(len(split), generator=generator)[: args.n or number(raw)]]
    sets = {comparison.marked(row): drawn[row.label].float() for row in comparison.rows}
    if raw.num_levels is None:
        made = scatter({**sets, "data": x}, raw, columns=PANELS)
    else:
        sets = {label.replace(":", ":\n"): images for label, images in sets.items()}
        sets["data"] = x.float()
        if comparison.space == "binary" and not raw.is_binary:
            step = DynamicBinarisation(raw.num_levels)
            sets["data,\nbinary"] = step.inverse(step(x, generator=generator))
        made = image_rows(sets, raw)
    buffer = io.BytesIO()
    made.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()
