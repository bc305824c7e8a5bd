"""From the bytes of the published archives, proved before they come here, to tensors."""

import gzip
import io
import lzma
import pickle
import struct
import tarfile
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from common.data.digits import RawSplit
from common.data.registry import DatasetInfo
from common.data.stacked import stack_splits


def read_splits(info: DatasetInfo, content: dict[str, bytes]) -> dict[str, RawSplit]:
    """The splits of a downloaded set; `content` maps file names to proved bytes."""
    if info.name == "binarized_mnist":
        return {name: (read_binarized(content, name), None, None) for name in info.splits}
    read = read_cifar10 if info.name == "cifar10" else read_mnist
    (x, y), (x_test, y_test) = read(content)
    size = len(x) - info.splits["valid"]
    splits = {
        "train": (x[:size], y[:size], None),
        "valid": (x[size:], y[size:], None),
        "test": (x_test, y_test, None),
    }
    return stack_splits(info, splits) if info.name == "stacked_mnist" else splits


Labelled = tuple[Tensor, Tensor]


def read_mnist(content: dict[str, bytes]) -> tuple[Labelled, Labelled]:
    """The four gzipped IDX files of MNIST and its likes: (x, y) of train, (x, y) of test."""

    def part(prefix: str) -> Labelled:
        images = parse_idx(gzip.decompress(content[f"{prefix}-images-idx3-ubyte.gz"]))
        labels = parse_idx(gzip.decompress(content[f"{prefix}-labels-idx1-ubyte.gz"]))
        return images.unsqueeze(1), labels.long()  # (N, 1, 28, 28), (N,)

    return part("train"), part("t10k")


def parse_idx(data: bytes) -> Tensor:
    """An array in the IDX format: two zero bytes, type, rank, big-endian sizes, values.

    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9])).tolist()
    [7, 8, 9]
    """
    zero, kind, rank = struct.unpack(">HBB", data[:4])
    if zero != 0 or kind != 8:
        raise ValueError(f"not an IDX file of unsigned bytes: it starts with {data[:4]!r}")
    shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
    values = np.frombuffer(data, np.uint8, offset=4 + 4 * rank)
    return torch.from_numpy(values.reshape(shape).copy())  # a copy: tensors must be writable


def read_binarized(content: dict[str, bytes], split: str) -> Tensor:
    """One split (N, 1, 28, 28) of the static binarisation, from whichever form is there."""
    if "binarized_mnist.npz" in content:
        with np.load(io.BytesIO(content["binarized_mnist.npz"]), allow_pickle=False) as packed:
            bits = np.unpackbits(packed[split], axis=1)
    else:
        text = content.get(f"binarized_mnist_{split}.amat")
        if text is None:
            text = lzma.decompress(content[f"binarized_mnist_{split}.amat.xz"])
        # every line is 784 digits with one separator after each: two bytes a pixel
        bits = np.frombuffer(text, np.uint8)[::2] - ord("0")
    return torch.from_numpy(bits.reshape(-1, 1, 28, 28).copy())


def read_cifar10(content: dict[str, bytes]) -> tuple[Labelled, Labelled]:
    """CIFAR-10's archive of pickled batches, read without running what a pickle can run."""
    batches = {}
    with tarfile.open(fileobj=io.BytesIO(content["cifar-10-python.tar.gz"]), mode="r:gz") as tar:
        for member in tar:
            name = member.name.rsplit("/", 1)[-1]
            if member.isfile() and (name.startswith("data_batch_") or name == "test_batch"):
                batches[name] = _Arrays(tar.extractfile(member), encoding="latin1").load()

    def part(names: list[str]) -> Labelled:
        x = np.concatenate([batches[name]["data"] for name in names])
        y = np.concatenate([batches[name]["labels"] for name in names])
        return torch.from_numpy(x).reshape(-1, 3, 32, 32), torch.from_numpy(y).long()

    return part([f"data_batch_{k}" for k in range(1, 6)]), part(["test_batch"])


class _Arrays(pickle.Unpickler):
    """Unpickles numbers, strings, lists, dictionaries and numpy arrays, and nothing else."""

    _allowed: ClassVar = {
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
    }

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self._allowed:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a batch of images")
        if name == "_reconstruct":
            return np.empty(0).__reduce__()[0]  # wherever this numpy keeps it
        return getattr(np, name)
