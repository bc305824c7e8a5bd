"""Draw samples from a trained model and save them as a picture, text as text.

dgm sample made
dgm sample vae --goal dynamic-mnist -n 100 --seed 3 --out vae.png
dgm sample real_nvp --tensor samples.safetensors
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("project", help="a folder of projects/, such as made")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--run", type=Path, help="a run's folder (default: the latest run)")
    source.add_argument("--goal", help="the committed weights of this goal")
    parser.add_argument("-n", type=int, default=64, help="how many samples (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same samples (default: 0)")
    parser.add_argument(
        "--out", type=Path, help="the PNG or text file (default: in the run's folder)"
    )
    parser.add_argument("--tensor", type=Path, help="also write the samples as safetensors")


def run(args: Namespace) -> int:
    from common.commands.sources import find_trained
    from common.errors import UserError
    from common.results import relative
    from common.weights import save_weights

    if args.n < 1:
        raise UserError(f"-n {args.n}: expected at least one sample.")
    trained = find_trained(args.project, args.run, args.goal)
    model, data = trained.load()
    samples = draw(model, args.n, args.seed)
    path = save_samples(samples, data, trained.folder, args.out)
    if args.tensor:
        save_weights({"samples": samples.contiguous()}, args.tensor)
        print(f"written: {relative(args.tensor)}")
    print(f"written: {relative(path)}")
    print(f"next: look at it, or dgm evaluate {args.project} for numbers")
    return 0


def draw(model, n: int, seed: int):
    """`n` samples of the model from a generator of this seed."""
    import torch

    from common.errors import UserError

    if not hasattr(model, "sample"):
        raise UserError(f"a {type(model).__name__} has no sample(); it is not a sampler.")
    with torch.no_grad():
        return model.sample(n, generator=torch.Generator().manual_seed(seed))


def save_samples(samples, data, folder: Path, out: Path | None = None) -> Path:
    """Write samples as what they are, to `out` or into the folder, and say where."""
    if data.vocabulary:
        path = out or folder / "samples.txt"
        save_text(samples, data, path)
    else:
        path = out or folder / "samples.png"
        save_picture(samples, data, path)
    return path


def save_text(samples, data, path: Path) -> None:
    """The samples (N, T) as the strings that their symbols spell, an empty line between them."""
    from common.data import decode
    from common.files import write_text

    strings = [decode(sample, data.vocabulary).strip("\n") for sample in samples]
    write_text(path, "\n\n".join(strings) + "\n")


def save_picture(samples, data, path: Path) -> None:
    """The samples as the figure that fits the data: a grid of images or a scatter."""
    import io

    from common.evaluation.figures import sample_grid
    from common.files import write_bytes

    buffer = io.BytesIO()
    sample_grid(samples, data).savefig(buffer, format="png", dpi=150)
    write_bytes(path, buffer.getvalue())
