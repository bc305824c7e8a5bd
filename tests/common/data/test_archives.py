"""The readers: IDX as torchvision reads it, three forms of binarised MNIST, CIFAR-10."""

import gzip
import io
import lzma
import pickle
import struct
import tarfile

import numpy as np
import pytest
import torch

from common.data import load
from common.data.archives import parse_idx, read_binarized, read_cifar10
from common.data.torchvision_import import import_torchvision


def test_idx_agrees_with_torchvisions_reader(toy, tmp_path):
    import_torchvision()
    from torchvision.datasets.mnist import read_image_file, read_label_file

    for path, read in zip(list(toy.content)[:2], (read_image_file, read_label_file), strict=True):
        data = gzip.decompress(toy.content[path])
        (tmp_path / "plain").write_bytes(data)
        assert torch.equal(parse_idx(data).long(), read(str(tmp_path / "plain")).long())


def test_something_else_is_not_idx():
    with pytest.raises(ValueError, match="not an IDX file"):
        parse_idx(b"\x89PNG\r\n\x1a\n")


def test_the_three_forms_of_the_binarisation_agree():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (5, 784), dtype=np.uint8)
    text = "".join(" ".join(map(str, row)) + "\n" for row in bits).encode()
    packed = io.BytesIO()
    np.savez_compressed(packed, test=np.packbits(bits, axis=1))
    for content in (
        {"binarized_mnist.npz": packed.getvalue()},
        {"binarized_mnist_test.amat": text},
        {"binarized_mnist_test.amat.xz": lzma.compress(text)},
    ):
        x = read_binarized(content, "test")
        assert x.dtype == torch.uint8
        assert torch.equal(x, torch.from_numpy(bits).reshape(5, 1, 28, 28))


def python2_batch(images: np.ndarray, labels: list[int]) -> bytes:
    """A batch as Python 2 pickled it in 2009: byte strings, numpy's old names, protocol 2."""
    raw = images.tobytes()
    text = lambda s: b"U" + bytes([len(s)]) + s  # noqa: E731
    integer = lambda i: b"J" + struct.pack("<i", i)  # noqa: E731
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + integer(0) + integer(1) + b"\x87R"
    dtype += b"(" + integer(3) + text(b"|") + b"NNN" + integer(-1) * 2 + integer(0) + b"tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
    array += integer(0) + b"\x85" + text(b"b") + b"\x87R"
    shape = integer(images.shape[0]) + integer(images.shape[1]) + b"\x86"
    data = b"T" + struct.pack("<i", len(raw)) + raw
    array += b"(" + integer(1) + shape + dtype + b"\x89" + data + b"tb"
    listed = b"](" + b"".join(map(integer, labels)) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + listed + b"u."


def archive(batches: dict[str, bytes]) -> dict[str, bytes]:
    """cifar-10-python.tar.gz with these members."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in batches.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return {"cifar-10-python.tar.gz": packed.getvalue()}


def test_cifar10s_batches_are_read_in_order():
    rng = np.random.default_rng(0)
    names = ["test_batch", *(f"data_batch_{k}" for k in (3, 1, 2, 5, 4))]
    images = {name: rng.integers(0, 256, (2, 3072), dtype=np.uint8) for name in names}
    labels = {name: [k, k + 1] for k, name in enumerate(sorted(names))}
    batches = {name: python2_batch(images[name], labels[name]) for name in names}
    theirs = pickle.loads(batches["test_batch"], encoding="latin1")  # the file we wrote is one
    assert np.array_equal(theirs["data"], images["test_batch"])
    (x, y), (x_test, y_test) = read_cifar10(archive(batches | {"readme.html": b"<p>"}))
    order = [f"data_batch_{k}" for k in range(1, 6)]
    expected = np.concatenate([images[name] for name in order]).reshape(10, 3, 32, 32)
    assert np.array_equal(x.numpy(), expected)
    assert y.tolist() == [label for name in order for label in labels[name]]
    assert x_test.shape == (2, 3, 32, 32)
    assert y_test.tolist() == labels["test_batch"]


def test_a_pickle_that_would_run_something_is_refused():
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    with pytest.raises(pickle.UnpicklingError, match="has no place"):
        read_cifar10(archive({"test_batch": pickle.dumps({"data": Evil()})}))


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "binarized_mnist"])
def test_the_real_sets_load_from_the_mirror_without_a_network(name, mirror, tmp_path, monkeypatch):
    import socket

    if mirror.is_dir():

        def refuse(*args):
            raise AssertionError("the network is not to be asked")

        monkeypatch.setattr(socket.socket, "connect", refuse)
    data = load(name)
    assert data.checksum == data.info.checksum
    assert {k: len(s) for k, s in data.splits.items()} == data.info.splits
    assert data.shape == (1, 28, 28)
    assert int(data.test.x.max()) == data.num_levels - 1
    if name == "mnist":
        assert data.test.y[:5].tolist() == [7, 2, 1, 0, 4]
        assert data.join("train", "valid").x.double().mean().item() / 255 == pytest.approx(
            0.1307, abs=1e-4
        )
    if name == "binarized_mnist":
        means = [data.splits[k].x.double().mean().item() for k in ("train", "valid", "test")]
        assert means == pytest.approx([0.130562, 0.131127, 0.132512], abs=1e-6)


def test_the_text_form_of_the_real_binarisation_is_the_same_set(mirror, tmp_path):
    """The published files, unpacked from the mirror's, are proved and read as well."""
    folder = tmp_path / "data" / "binarized-mnist"
    folder.mkdir(parents=True)
    for split in ("train", "valid", "test"):
        packed = mirror / "binarized-mnist" / f"binarized_mnist_{split}.amat.xz"
        if not packed.exists():
            pytest.skip("the mirror has no text form")
        (folder / f"binarized_mnist_{split}.amat").write_bytes(lzma.decompress(packed.read_bytes()))
    data = load("binarized_mnist")
    assert data.checksum == data.info.checksum


def test_the_full_gaussian_of_mnist_in_logit_space(mirror):
    """Papamakarios et al. 2017, Table 2: -1366.9 nats on test; the check of the preprocessing.

    The noise is that of the authors' release, RandomState(42) for train, valid, test in turn.
    Other noise moves the number by some tenths of a nat.
    """
    from common.data import Compose, Flatten, Logit, Scale

    data = load("mnist")
    steps = Compose([Scale(256), Logit(1e-6), Flatten()])
    noise = np.random.RandomState(42)

    def preprocess(x: torch.Tensor) -> torch.Tensor:
        u = torch.from_numpy(noise.rand(len(x), 784)).view(x.shape)
        return steps(x.double() + u)

    train, _, test = (preprocess(data.splits[name].x) for name in ("train", "valid", "test"))
    mean = train.mean(0)
    train -= mean
    model = torch.distributions.MultivariateNormal(mean, train.T @ train / len(train))
    assert model.log_prob(test).mean().item() == pytest.approx(-1366.9, abs=0.05)
