"""Feature nets: what is stored is what was recorded, and training makes it again."""

import json
import shutil

import pytest
import torch

from common import config
from common.cli import main
from common.commands.features import recompute
from common.data import DataError, load
from common.evaluation import EvaluationError
from common.evaluation.features import RECIPES, Recipe, get_feature_net, store
from common.evaluation.features.network import SmallConvNet
from common.evaluation.features.train import accuracy, augment, build, train
from common.training import Run
from tests.common.evaluation.models import seeded

SHORT = Recipe("digits", widths=(4, 8, 16), stride=1, epochs=8, batch_size=100, precision="32-true")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the stored networks, which may be damaged."""
    copy = tmp_path / "weights"
    shutil.copytree(store.FOLDER, copy)
    monkeypatch.setattr(store, "FOLDER", copy)
    monkeypatch.setattr(store.read_record, "__defaults__", (copy,))
    monkeypatch.setattr(store.load_module, "__defaults__", (copy,))
    get_feature_net.cache_clear()
    yield copy
    get_feature_net.cache_clear()


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_its_network_and_the_record_says_how_it_was_made(name):
    record, net = store.read_record(name), get_feature_net(name)
    assert store.recipe_of(record) == RECIPES[name]
    assert (net.name, net.sha256) == (name, record.weights_sha256)
    assert (store.FOLDER / record.weights).stat().st_size < 10**6
    images = torch.rand(3, *net.shape, generator=seeded())
    assert net.features(images).shape == (3, net.num_features)
    assert torch.equal(net.logits(images), net.classify(net.features(images)))


def test_the_recorded_accuracy_follows_from_the_weights():
    outcome = recompute("digits")
    assert outcome["state"] == "verified"
    assert outcome["recomputed"] > 0.98


@pytest.mark.parametrize(("name", "least"), [("mnist", 0.992), ("fashion_mnist", 0.91)])
def test_the_larger_nets_are_as_good_as_they_say(name, least):
    try:
        data = load(name)
    except DataError:
        pytest.skip(f"needs {name}: `dgm data fetch {name}`, or set DGM_MIRROR")
    model, record = store.load_module(name)
    assert record.test_accuracy > least
    assert record.dataset_sha256 == data.checksum
    few = data.test.subset(slice(0, 2000))  # all of them: `dgm features verify`
    error = (record.test_accuracy * (1 - record.test_accuracy) / len(few)) ** 0.5
    assert accuracy(model, data, few) == pytest.approx(record.test_accuracy, abs=4 * error)


def change_a_byte(folder):
    path = folder / "digits.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def take_another_net(folder):
    shutil.copy(folder / "mnist.safetensors", folder / "digits.safetensors")


def lose_the_weights(folder):
    (folder / "digits.safetensors").unlink()


def lose_the_record(folder):
    (folder / "digits.json").unlink()


def break_the_record(folder):
    (folder / "digits.json").write_text("{")


def claim_more(folder):
    path = folder / "digits.json"
    table = json.loads(path.read_text())
    path.write_text(json.dumps(table | {"test_accuracy": 1.0}))


def rename_a_field(folder):
    path = folder / "digits.json"
    path.write_text(path.read_text().replace('"test_n"', '"tests"'))


DAMAGE = {
    change_a_byte: "is not the file that its record describes",
    take_another_net: "is not the file that its record describes",
    lose_the_weights: "cannot read",
    lose_the_record: "has not been trained",
    break_the_record: "is damaged",
    rename_a_field: "is damaged",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_a_damaged_network_is_refused(folder, damage, capsys):
    damage(folder)
    with pytest.raises(EvaluationError, match=DAMAGE[damage]) as told:
        get_feature_net("digits")
    assert "dgm features train digits" in str(told.value)
    assert main(["features", "verify", "digits"]) == 1
    assert "FAILED" in capsys.readouterr().out


def test_an_accuracy_that_does_not_follow_fails(folder, capsys):
    claim_more(folder)
    assert main(["features", "verify", "digits"]) == 1
    assert "99.00% recomputed, 100.00% recorded" in capsys.readouterr().out


def test_weights_of_another_architecture_are_refused(folder):
    path = folder / "digits.json"
    table = json.loads(path.read_text())
    table["recipe"]["widths"] = [16, 32, 48]
    path.write_text(json.dumps(table))
    with pytest.raises(EvaluationError, match="does not fit the model"):
        get_feature_net("digits")


def test_features_do_not_depend_on_who_stands_beside_an_image():
    net, x = get_feature_net("digits"), load("digits").test.x.float() / 16
    together = net.features(x)
    torch.testing.assert_close(together[250:], net.features(x[250:]), rtol=1e-4, atol=1e-5)
    assert torch.equal(together, net.features(x))
    assert not together.requires_grad


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (torch.zeros(2, 1, 8, 7), r"shape \(2, 1, 8, 7\).*expected \(at least 1, 1, 8, 8\)"),
        (torch.zeros(0, 1, 8, 8), "at least 1"),
        (torch.full((2, 1, 8, 8), float("nan")), "2 of 2 images hold NaN"),
        (torch.full((2, 1, 8, 8), 1.5), "values from 1.5 to 1.5; expected intensities"),
        (torch.full((2, 1, 8, 8), -0.1), "expected intensities"),
    ],
    ids=["shape", "none", "nan", "above", "below"],
)
def test_what_is_no_image_is_refused(images, told):
    with pytest.raises(EvaluationError, match=told):
        get_feature_net("digits").features(images)


def test_unknown_names_are_told(capsys):
    with pytest.raises(EvaluationError, match=r"no feature net 'mnst'.*digits, mnist"):
        get_feature_net("mnst")
    assert main(["features", "train", "mnst"]) == 2
    assert main(["features", "verify", "mnst"]) == 2
    assert "there are: digits" in capsys.readouterr().err


def test_training_learns_and_one_seed_gives_one_network(tmp_path):
    one, two, other = (
        train(SHORT, Run(tmp_path / name, seed=seed, progress=False)).eval()
        for name, seed in (("one", 0), ("two", 0), ("other", 1))
    )
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one.head.weight, other.head.weight)
    data = load("digits")
    found = one(data.valid.x.float() / 16).argmax(1)
    assert (found == data.valid.y).float().mean() > 0.5  # chance is 0.1


def test_training_stores_what_verify_recomputes(folder, tmp_path, monkeypatch, capsys):
    from common import projects

    monkeypatch.setattr(projects, "ROOT", tmp_path)
    monkeypatch.setattr(store.store, "__defaults__", (folder,))
    monkeypatch.setitem(RECIPES, "digits", SHORT)
    before = store.read_record("digits").weights_sha256
    assert main(["features", "train", "digits", "--seed", "3", "--quiet"]) == 0
    record = store.read_record("digits")
    assert (record.seed, config.to_dict(SHORT)) == (
        3,
        dict(config.to_dict(store.recipe_of(record))),
    )
    assert record.weights_sha256 != before
    assert main(["features", "verify", "digits", "--json"]) == 0
    assert main(["features", "list"]) == 0
    assert record.weights_sha256[:12] in capsys.readouterr().out


def test_augmented_images_are_moved_by_at_most_the_shift_and_mirrored_if_asked():
    x = torch.zeros(400, 1, 8, 8)
    x[:, :, 3, 2] = 1
    moved = augment(x, SHORT, seeded())  # a shift of two each way
    places = {(int(a), int(b)) for _, _, a, b in moved.nonzero()}
    assert places == {(3 + a, 2 + b) for a in range(-2, 3) for b in range(-2, 3)}
    mirrored = augment(x, Recipe("digits", shift=0, mirror=True), seeded())
    assert {int(b) for _, _, _, b in mirrored.nonzero()} == {2, 5}
    assert torch.equal(augment(x, Recipe("digits", shift=0), seeded()), x)


def test_the_initial_network_hangs_on_its_generator_alone():
    one, two = (build(SHORT, generator=seeded(3)).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert isinstance(build(SHORT), SmallConvNet)
