"""Loading: what stands on the disk is proved at every load, and nothing else stands in for it."""

import os

import pytest
import torch

from common.data import (
    DataError,
    DynamicBinarisation,
    Flatten,
    MissingData,
    Scale,
    get_info,
    load,
)
from common.data.catalogue import CATALOGUE
from common.data.mirror import data_root, find_mirror

EMBEDDED = [name for name, info in CATALOGUE.items() if info.embedded]


@pytest.mark.parametrize("name", EMBEDDED)
def test_an_embedded_set_is_what_its_entry_says(name):
    data = load(name)
    assert {k: len(s) for k, s in data.splits.items()} == data.info.splits
    assert data.train.x.shape[1:] == data.shape == data.info.shape
    if data.num_levels is not None:
        assert data.train.x.dtype == (torch.int64 if data.vocabulary else torch.uint8)
        assert int(data.train.x.max()) == data.num_levels - 1
        assert int(data.train.x.min()) == 0
    if data.info.num_classes:
        assert data.train.y.unique().tolist() == list(range(data.info.num_classes))
        assert len(data.info.class_names) == data.info.num_classes
    if data.info.checksum:
        assert data.checksum == data.info.checksum


@pytest.mark.parametrize("name", EMBEDDED)
def test_an_embedded_set_is_the_same_every_time(name):
    assert load(name).checksum == load(name).checksum


def test_the_checksum_sees_one_changed_value():
    data, other = load("digits"), load("digits")
    other.test.x[0, 0, 0, 0] += 1
    assert data.checksum != other.checksum


def test_the_digits_are_scikit_learns_and_stratified():
    from sklearn.datasets import load_digits

    data, bunch = load("digits"), load_digits()
    rows = torch.cat([data.splits[k].x for k in data.splits]).flatten(1).float()
    labels = torch.cat([data.splits[k].y for k in data.splits])
    theirs = torch.from_numpy(bunch.data).float()
    mine = sorted(zip(rows.tolist(), labels.tolist(), strict=True))
    assert mine == sorted(zip(theirs.tolist(), bunch.target.tolist(), strict=True))
    for split in data.splits.values():
        share = split.y.bincount() / len(split)
        whole = torch.from_numpy(bunch.target).bincount() / 1797
        assert (share - whole).abs().max() < 0.005


def test_batch_selects_rows_and_preprocesses(toy, tmp_path):
    toy.write(tmp_path / "data")
    split = load("toy", preprocess=Scale()).test
    expected = torch.from_numpy(toy.images[[12, 10]]).float()[:, None] / 256
    assert torch.equal(split.batch(torch.tensor([2, 0])), expected)
    assert torch.equal(split.batch(slice(2, 3)), expected[:1])
    assert torch.equal(split.y, torch.from_numpy(toy.labels[10:]).long())
    assert torch.equal(load("toy").test.batch(torch.tensor([2])), expected[:1] * 256)


def test_the_noise_of_a_batch_is_the_generators():
    split = load("digits", preprocess=DynamicBinarisation()).train
    index = torch.arange(50)

    def draw(seed):
        return split.batch(index, generator=torch.Generator().manual_seed(seed))

    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))
    assert torch.equal(split.tensor(seed=3), split.tensor(seed=3))
    with pytest.raises(ValueError, match="pass generator="):
        split.batch(index)
    state = torch.random.get_rng_state()
    draw(0)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_join_subset_and_views():
    data = load("shapes", preprocess=Flatten())
    both = data.join("train", "valid")
    assert len(both) == len(data.train) + len(data.valid)
    assert both.name == "train+valid"
    assert torch.equal(both.factors[len(data.train) :], data.valid.factors)
    assert both.batch(slice(0, 2)).shape == (2, 1024)
    few = data.test.subset(slice(0, 5))
    assert len(few) == len(few.y) == len(few.factors) == 5
    with pytest.raises(ValueError, match="has the splits train, valid, test"):
        data.join("dev")


def test_the_model_space_is_described(toy, tmp_path):
    toy.write(tmp_path / "data")
    plain = load("toy")
    assert not plain.is_binary
    assert plain.num_dims == 784
    assert plain.num_levels == 256
    binary = load("toy", preprocess=DynamicBinarisation())
    assert binary.is_binary
    assert binary.preprocess.num_levels == 256
    assert load("toy", preprocess=Flatten()).shape == (784,)
    levels = binary.to_levels(torch.tensor([0.0, 1.0]).repeat(392).reshape(1, 1, 28, 28))
    assert levels.dtype == torch.uint8
    assert levels.unique().tolist() == [0, 255]


def test_a_preprocessing_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"256.*17 levels"):
        load("digits", preprocess=Scale(256))
    with pytest.raises(ValueError, match="continuous"):
        load("ring", preprocess=Scale())


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("mnst", "mnist"), ("Fashion-MNIST", "fashion_mnist"), ("swissroll", "swiss_roll")],
)
def test_an_unknown_name_suggests_the_nearest(wrong, right):
    with pytest.raises(DataError, match=f"did you mean '{right}'"):
        load(wrong)


def test_a_hopeless_name_lists_all():
    with pytest.raises(DataError, match="There are: digits, shapes") as caught:
        get_info("zzzzzz")
    assert "did you mean" not in str(caught.value)


def test_a_missing_set_says_what_to_run_and_does_not_ask_the_network(toy, server):
    with pytest.raises(MissingData, match="dgm data fetch toy"):
        load("toy")
    assert server.requests == []


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b[:-3], "is truncated"),
        (lambda b: b[:-1] + bytes([b[-1] ^ 1]), "is corrupt"),
        (lambda b: b"", "is truncated"),
        (lambda b: b + b"x", "is too long"),
    ],
)
def test_a_damaged_file_is_refused(toy, tmp_path, which, damage, message):
    root = toy.write(tmp_path / "data")
    path = root / toy.info.files[which].path
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=rf"{path.name} {message}.*dgm data fetch toy"):
        load("toy")


def test_one_missing_file_makes_the_set_missing(toy, tmp_path):
    root = toy.write(tmp_path / "data")
    (root / toy.info.files[2].path).unlink()
    with pytest.raises(MissingData, match="only some of its files"):
        load("toy")


def test_a_damaged_local_file_is_not_covered_up_by_the_mirror(toy, tmp_path, monkeypatch):
    root = toy.write(tmp_path / "data")
    (root / toy.first).write_bytes(b"no")
    monkeypatch.setenv("DGM_MIRROR", str(toy.write(tmp_path / "mirror")))
    with pytest.raises(DataError, match="is truncated"):
        load("toy")


def test_a_folder_mirror_is_read_in_place_and_may_be_read_only(toy, tmp_path, monkeypatch):
    folder = toy.write(tmp_path / "mirror")
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    monkeypatch.setenv("DGM_MIRROR", str(folder))
    data = load("toy")
    assert torch.equal(data.train.x[:, 0], torch.from_numpy(toy.images[:8]))
    assert torch.equal(data.valid.x[:, 0], torch.from_numpy(toy.images[8:10]))
    assert not (tmp_path / "data").exists()
    for path in [folder, *folder.rglob("*")]:  # so that the temporary folder can be removed
        path.chmod(0o755)


def test_a_file_address_is_a_folder_mirror(toy, tmp_path, monkeypatch):
    folder = toy.write(tmp_path / "a mirror")
    monkeypatch.setenv("DGM_MIRROR", folder.as_uri())
    assert load("toy").checksum == load("toy", root=folder).checksum


def test_a_damaged_mirror_is_refused_by_name(toy, tmp_path, monkeypatch):
    folder = toy.write(tmp_path / "mirror")
    (folder / toy.first).write_bytes(b"short")
    monkeypatch.setenv("DGM_MIRROR", str(folder))
    with pytest.raises(DataError, match=r"is truncated.*The mirror DGM_MIRROR="):
        load("toy")


def test_a_mirror_without_the_set_says_so(toy, tmp_path, monkeypatch):
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("DGM_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(DataError, match=r"the mirror DGM_MIRROR=.* does not have it"):
        load("toy")


def test_an_address_as_mirror_is_stored_and_then_not_asked_again(toy, server, monkeypatch):
    server.content.update(toy.content)
    monkeypatch.setenv("DGM_MIRROR", server.address + "/")
    first = load("toy")
    assert sorted(server.requests) == sorted(toy.content)
    assert load("toy").checksum == first.checksum
    assert len(server.requests) == 4


def test_an_unreachable_mirror_is_an_error(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("DGM_MIRROR", str(tmp_path / "not mounted"))
    with pytest.raises(DataError, match="cannot be reached: no such folder"):
        load("toy")
    monkeypatch.setenv("DGM_MIRROR", "http://127.0.0.1:9")  # the discard port: nobody listens
    with pytest.raises(DataError, match=r"the mirror DGM_MIRROR=http://127.0.0.1:9 cannot be"):
        load("toy")
    monkeypatch.setenv("DGM_MIRROR", "ftp://example.org/sets")
    with pytest.raises(DataError, match="ftp is not understood"):
        load("toy")


def test_the_root_is_the_argument_then_the_variable_then_the_repository(monkeypatch, tmp_path):
    assert data_root(tmp_path / "x") == tmp_path / "x"
    assert data_root() == tmp_path / "data"
    monkeypatch.setenv("DGM_DATA", "")
    assert data_root().name == "data"
    assert (data_root().parent / "pyproject.toml").exists()
    monkeypatch.setenv("DGM_DATA", "~/sets")
    assert str(data_root()) == os.path.expanduser("~/sets")
    assert find_mirror() is None


def test_a_split_moves_to_a_device_and_back():
    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = load("digits", preprocess=DynamicBinarisation())
    moved, index = data.to(device), torch.arange(20)
    here = data.train.batch(index, generator=torch.Generator().manual_seed(0))
    there = moved.train.batch(index, generator=torch.Generator().manual_seed(0))
    assert there.device.type == device
    assert torch.equal(there.cpu(), here)
    assert moved.checksum == data.checksum
