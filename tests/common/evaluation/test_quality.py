"""FID and its relatives through `evaluate`: what copies, noise, halves and blur of the data get."""

import pytest
import torch

from common.data import (
    Dataset,
    DynamicBinarisation,
    Scale,
    Split,
    UniformDequantisation,
    get_info,
    load,
)
from common.data.preprocess import Compose
from common.evaluation import METRICS, EvaluationError, evaluate
from common.evaluation.features import get_feature_net
from common.evaluation.features.space import OutOfRange, intensities
from common.evaluation.frechet import frechet_distance
from common.evaluation.quality import jackknife
from tests.common.evaluation.models import UnitGaussian, normal, seeded

FEATURES = ("fid", "kid", "inception_score")
SHARES = ("precision", "recall", "density", "coverage", "copying")
ALL = (*FEATURES, *SHARES)


class Draws:
    """A sampler of rows of a split, changed if asked."""

    def __init__(self, split, change=lambda x: x):
        self.split, self.change = split, change

    def sample(self, n, *, generator=None):
        rows = torch.randint(len(self.split), (n,), generator=generator)
        return self.change(self.split.batch(rows, generator=generator))


class Given:
    """A sampler that gives its rows in their order."""

    def __init__(self, rows):
        self.rows, self.position = rows, 0

    def sample(self, n, *, generator=None):
        self.position += n
        return self.rows[self.position - n : self.position]


@pytest.fixture(scope="module")
def digits():
    return load("digits", preprocess=Scale())


@pytest.fixture(scope="module")
def copies(digits):
    return evaluate(Draws(digits.train), digits, metrics=ALL)


def test_copies_of_the_training_set_look_perfect_and_are_found_out(copies):
    assert copies["copying"].value == 1.0
    assert copies["copying"].floor == pytest.approx(0.5, abs=0.1)
    for name in ALL[:-1]:
        error = copies[name].standard_error or 0.05
        assert copies[name].value == pytest.approx(copies[name].floor, abs=5 * error)


def test_fresh_examples_are_no_copies(digits):
    found = evaluate(Draws(digits.valid), digits, metrics=["copying"])["copying"]
    assert found.value == pytest.approx(0.5, abs=5 * found.standard_error)


# what is wrong with the samples -> the metrics that must be far worse than their floors
WRONG = {
    "noise": (torch.rand_like, {*FEATURES, "precision", "density", "recall", "coverage"}),
    # an outlier of the data has a ball that holds the blank image: precision does not see it
    "blank": (torch.zeros_like, {*FEATURES, "recall", "coverage"}),
    "one image": (lambda x: x[:1].expand_as(x), {*FEATURES, "recall", "coverage"}),
    "cut in half": (
        lambda x: torch.cat([x[:, :, :4], torch.zeros_like(x[:, :, 4:])], 2),
        {"fid", "kid", "precision", "density", "coverage"},
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_samples_are_far_from_the_floor(digits, name):
    change, seen = WRONG[name]
    found = evaluate(Draws(digits.train, change), digits, metrics=ALL)
    for metric in seen:
        value, error, floor = found[metric].value, found[metric].standard_error, found[metric].floor
        if metric in ("fid", "kid"):
            assert value - floor > 8 * error, metric
        else:
            assert value < 0.7 * floor, metric


def test_half_of_the_classes_cost_recall_but_no_precision(digits):
    few = digits.train.subset(digits.train.y < 5)
    found = evaluate(Draws(few), digits, metrics=ALL)
    assert found["precision"].value > 0.9 * found["precision"].floor
    for name in ("recall", "coverage", "inception_score"):
        assert found[name].value < 0.7 * found[name].floor
    assert found["fid"].value > found["fid"].floor + 5


def test_the_order_of_the_samples_changes_nothing(digits):
    rows = digits.train.tensor()[:299]
    order = torch.randperm(299, generator=seeded())
    one, two = (evaluate(Given(x), digits, metrics=ALL) for x in (rows, rows[order]))
    for name in ALL:
        assert one[name].value == pytest.approx(two[name].value, rel=1e-4, abs=1e-9)


def test_the_protocol_says_what_one_must_know(digits, copies):
    net = get_feature_net("digits")
    for name in ALL:
        protocol = copies[name].protocol
        assert f"features digits sha256 {net.sha256[:12]}" in protocol
        assert protocol.startswith("299 samples against 299 examples")
        assert "seed 0" in protocol
        assert "floor: " in protocol
        assert (copies[name].n, copies[name].split) == (299, "test")
    binary = load("digits", preprocess=DynamicBinarisation())
    assert (
        "black and white" in evaluate(Draws(binary.train), binary, metrics=["fid"])["fid"].protocol
    )


def test_points_are_compared_as_they_are():
    ring = load("ring")
    found = evaluate(Draws(ring.train), ring, metrics=SHARES, max_samples=300)
    assert found["copying"].value == 1.0
    assert found["precision"].value > 0.9
    assert all("the points themselves" in value.protocol for value in found.values())
    shifted = evaluate(UnitGaussian(mean=6.0), ring, metrics=SHARES, max_samples=300)
    assert shifted["precision"].value == shifted["coverage"].value == shifted["copying"].value == 0
    with pytest.raises(EvaluationError, match="it needs images with a feature net"):
        evaluate(UnitGaussian(), ring, metrics=["fid"])


def test_images_without_a_feature_net_say_which_have_one():
    shapes = load("shapes")
    with pytest.raises(EvaluationError, match=r"no meaning on shapes.*digits, mnist"):
        evaluate(Draws(shapes.train), shapes, metrics=["precision"])


def test_the_training_split_holds_out_a_part_of_itself(digits):
    found = evaluate(Draws(digits.train), digits, split="train", metrics=["copying", "fid"])
    assert found["copying"].n == 599
    assert "nearest of 600 training examples" in found["copying"].protocol
    # half of the draws are of the part that is held out, which is not in the other part
    assert found["copying"].value == pytest.approx(0.75, abs=0.06)
    assert found["copying"].floor == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("name", ALL)
def test_too_few_samples_are_refused(digits, name):
    with pytest.raises(EvaluationError, match="expected at least"):
        evaluate(Draws(digits.train), digits, metrics=[name], max_samples=5)


def spoiled(x):
    x = x.clone()
    x[7, 0, 3, 3] = float("nan")
    return x


@pytest.mark.parametrize("name", ALL)
def test_nan_is_named(digits, name):
    with pytest.raises(EvaluationError, match=r"1 of 299 hold NaN.* the first is number 7"):
        evaluate(Given(spoiled(digits.train.tensor())), digits, metrics=[name])


@pytest.mark.parametrize(
    "change", [lambda x: 2 * x - 1, lambda x: 16 * x], ids=["from -1 to 1", "levels"]
)
def test_samples_of_another_range_are_refused(digits, change):
    with pytest.raises(OutOfRange, match=r"outside of the levels 0\.\.16 of digits.*Scale"):
        evaluate(Draws(digits.train, change), digits, metrics=["fid"])


def test_a_model_that_has_not_learned_the_range_keeps_its_other_numbers(digits, few_trees, capsys):
    found = evaluate(Draws(digits.train, lambda x: 2 * x - 1), digits, max_samples=20)
    assert set(found) == {m for m in METRICS if METRICS[m].capability == "sampler"} - {
        *ALL,
        *("num_modes", "mode_kl_nats", "high_quality_fraction"),
    }
    assert capsys.readouterr().err.startswith(f"left out: {', '.join(ALL)}: samples with values")


def test_another_shape_is_refused(digits):
    with pytest.raises(EvaluationError, match=r"sample\(\d+\) gave shape"):
        evaluate(Given(torch.zeros(299, 1, 7, 8)), digits, metrics=["fid"])


@pytest.mark.parametrize(
    "preprocess",
    [None, Scale(), Compose([UniformDequantisation(), Scale()])],
    ids=["levels", "scaled", "dequantised"],
)
def test_every_space_of_a_model_leads_to_the_same_images(preprocess):
    data = load("digits", preprocess=preprocess)
    expected = data.test.x.float() / 16
    assert torch.equal(intensities(data.test.tensor(), data), expected)


def test_the_net_of_another_data_set_can_be_asked_for(digits):
    with pytest.raises(EvaluationError, match=r"expected \(at least 1, 1, 28, 28\)"):
        evaluate(Draws(digits.train), digits, metrics=["fid"], feature_net="mnist")
    with pytest.raises(EvaluationError, match="there is no feature net 'incption'"):
        evaluate(Draws(digits.train), digits, metrics=["fid"], feature_net="incption")


def test_the_jackknife_of_a_mean_is_its_standard_error():
    x, y = normal(400, 1, 0), normal(400, 1, 1)
    value, error = jackknife(lambda a, b: (a.mean() - b.mean()).item(), x, y)
    assert value == (x.mean() - y.mean()).item()
    # ten groups: the error itself has a relative error of about a quarter
    assert error == pytest.approx((2 / 400) ** 0.5, rel=0.8)


def test_the_jackknife_tells_how_fid_spreads(digits):
    rows = torch.cat([digits.train.tensor(), digits.test.tensor(), digits.valid.tensor()])
    net, values, errors = get_feature_net("digits"), [], []
    features = net.features(intensities(rows, digits))
    for seed in range(20):
        order = torch.randperm(len(rows), generator=seeded(seed))
        value, error = jackknife(frechet_distance, features[order[:500]], features[order[500:1000]])
        values.append(value)
        errors.append(error)
    spread = torch.tensor(values).std()
    assert 0.4 * spread < torch.tensor(errors).median() < 4 * spread


def test_modes_of_stacked_digits_are_counted_by_the_net_of_each_channel(monkeypatch):
    class Reader:
        """Reads a digit from the level that fills its image."""

        mark = "features reader sha256 0"

        def features(self, images, *, progress=False):
            return (images[:, 0, :1, 0] * 255).round()

        def classify(self, features):
            return torch.nn.functional.one_hot(features[:, 0].long(), 10).float()

    monkeypatch.setattr("common.evaluation.features.space.get_feature_net", lambda name: Reader())
    digits = torch.randint(10, (300, 3, 1, 1), generator=seeded())
    x = digits.expand(-1, -1, 28, 28).to(torch.uint8)
    splits = {name: Split(name, x) for name in ("train", "valid", "test")}
    data = Dataset(get_info("stacked_mnist"), splits)
    labels = digits.flatten(1) @ torch.tensor([100, 10, 1])
    found = evaluate(Given(x.float()), data, metrics=["num_modes", "mode_kl_nats"], max_samples=300)
    assert found["num_modes"].value == len(labels.unique())
    assert found["num_modes"].floor == pytest.approx(1000 * (1 - 0.999**300), abs=30)
    one = evaluate(
        Given(x[:1].expand(300, -1, -1, -1).float()), data, metrics=["num_modes"], max_samples=300
    )
    assert one["num_modes"].value == 1
    assert "features reader sha256" in found["mode_kl_nats"].protocol
