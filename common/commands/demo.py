"""Train one project on an embedded data set, evaluate it, draw samples and execute its notebook.

dgm demo made
dgm demo vae --preset smoke
"""

import shutil
from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("project", nargs="?", default="made", help="(default: made)")
    parser.add_argument("--preset", default="demo", help="smoke or demo (default: demo)")
    parser.add_argument("--seed", type=int, default=0, help="of the training (default: 0)")


def run(args: Namespace) -> int:
    from common.commands.evaluate import FLOOR_NOTE, measurement_line
    from common.commands.sample import draw, save_samples
    from common.evaluation import baseline, evaluate
    from common.notebooks import execute
    from common.projects import find_project, run_folder
    from common.results import relative
    from common.runs import WEIGHTS, Stopwatch, in_precision, train_run
    from common.training import Run
    from common.weights import rebuild

    watch = Stopwatch()
    project = find_project(args.project)
    config, precision = in_precision(project.preset(args.preset))
    folder = run_folder(project.slug, args.preset, seed=args.seed)
    shutil.rmtree(folder, ignore_errors=True)
    title = project.paper.get("title", project.title)
    print(f"1/4 training {project.slug} ({title}) on {config.data}")
    train_run(project, args.preset, config, Run(folder, seed=args.seed, precision=precision))
    model, data = rebuild(project, config, folder / WEIGHTS)
    split = "test" if "test" in data.splits else "valid"  # the public split of a text has no test
    print(f"2/4 evaluating on the {split} split")
    found = evaluate(model, data, split=split, num_importance_samples=200)
    print("3/4 drawing samples")
    samples = save_samples(draw(model, 64, args.seed), data, folder)
    print("4/4 executing the notebook")
    html = execute(project.folder / "demo.ipynb", folder, preset=args.preset)
    print(f"\n{project.slug} on {data.name}, {split} split, after {watch.seconds:.0f} s:")
    for value in found.values():
        print(f"  {measurement_line(value)}")
    print(f"  {FLOOR_NOTE}")
    reference = baseline(data, split)
    print(f"baseline: {reference.protocol}\n  {measurement_line(reference)}")
    print(f"samples:  {relative(samples)}\nnotebook: {relative(html)}")
    print(f"next: open the notebook, or `dgm verify {project.slug}` for the committed numbers.")
    return 0
