"""An epoch over MNIST in shuffled batches of 128, beside torchvision's MNIST in a DataLoader.

Both give float images (B, 1, 28, 28) in [0, 1] and labels, all 60,000 of the published training
set. The peer is the usual one: `DataLoader(MNIST(transform=ToTensor()), shuffle=True)`, in this
process and with two workers. Without MNIST at hand, images of noise take its place: the work is
the same.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import Tensor

from common.data import Batches, DataError, Scale, Split, load
from common.data.torchvision_import import import_torchvision
from tests.benchmarks.timing import Row, side_by_side

BATCH = 128


def published_train() -> Split:
    """The 60,000 training images and labels of MNIST, or noise of their size."""
    try:
        return load("mnist", preprocess=Scale()).join("train", "valid")
    except DataError:
        generator = torch.Generator().manual_seed(0)
        x = torch.randint(256, (60000, 1, 28, 28), dtype=torch.uint8, generator=generator)
        y = torch.randint(10, (60000,), generator=generator)
        return Split("noise", x, y, Scale(256))


def write_idx(path: Path, values: Tensor) -> None:
    """An array of bytes in the IDX format that torchvision reads."""
    header = bytes([0, 0, 8, values.dim()])
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.write_bytes(header + sizes + values.to(torch.uint8).numpy().tobytes())


def torchvision_mnist(root: Path, split: Split) -> torch.utils.data.Dataset:
    """torchvision's MNIST over the same images."""
    torchvision = import_torchvision()
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):  # its reader wants to see all four files
        write_idx(raw / f"{part}-images-idx3-ubyte", split.x[:, 0])
        write_idx(raw / f"{part}-labels-idx1-ubyte", split.y)
    return torchvision.datasets.MNIST(root, transform=torchvision.transforms.ToTensor())


def consume(batches) -> None:
    """Walk through one epoch and see that it is whole."""
    seen = sum(len(y) for _, y in batches)
    if seen != 60000:
        raise RuntimeError(f"an epoch gave {seen} examples, expected 60000")


def rows() -> list[Row]:
    """One epoch against the DataLoader in this process and with two workers."""
    split = published_train()
    batches = Batches(split, BATCH, seed=0, drop_last=False)

    def ours() -> None:
        consume((split.batch(index), split.y[index]) for index in batches)

    table = []
    with tempfile.TemporaryDirectory() as folder:
        peer = torchvision_mnist(Path(folder), split)
        for workers in (0, 2):
            loader = torch.utils.data.DataLoader(
                peer, batch_size=BATCH, shuffle=True, num_workers=workers
            )
            name = "DataLoader" if workers == 0 else f"{workers} workers"
            table.append(
                side_by_side(
                    f"epoch of MNIST, shuffled, B={BATCH}",
                    ours,
                    name,
                    lambda loader=loader: consume(loader),
                    repeats=5,
                    warmup=1,
                )
            )
    return table
