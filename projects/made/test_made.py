"""The laws MADE obeys, and what is special to the paper: masks, ensembles of masks, direct weights."""

import json
import math

import pytest
import torch

from common.config import ConfigError, override
from common.training import Run
from projects.made.masks import hidden_mask, output_mask, sample_degrees
from projects.made.model import MADE
from projects.made.sampler import num_units_known
from projects.made.train import PRESETS, load_data, train
from tests import laws
from tests.laws import seeded
from tests.laws.enumeration import all_binary


class TestOneLayer(laws.BinaryMass, laws.Autoregressive, laws.CachedSampler):
    def model(self):
        return MADE(num_dims=6, hidden_sizes=(64,), generator=seeded(0))


class TestDeepDirect(laws.BinaryMass, laws.Autoregressive, laws.CachedSampler):
    def model(self):
        return MADE(num_dims=6, hidden_sizes=(48, 32, 40), direct=True, generator=seeded(1))


class TestRaster(laws.Autoregressive, laws.CachedSampler):
    def model(self):
        return MADE(num_dims=7, hidden_sizes=(64, 64), ordering="raster", generator=seeded(2))


class TestEnsemble(laws.BinaryMass, laws.CachedSampler):
    """A mixture over masks is a mass, though its conditionals belong to no single ordering."""

    def model(self):
        return MADE(6, (20, 16), num_masks=5, direct=True, generator=seeded(3))


def noisy(model, seed=9):
    """The model in float64 with every parameter drawn anew, so that nothing is zero by accident."""
    model = model.double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=seeded(seed)))
    return model.eval()


def test_masks_are_the_papers_equations():
    """Ordering (3, 1, 2), hidden degrees (2, 1, 2, 2) and (1, 2, 2, 1): Eq. (8), (12), (13) by hand."""
    ordering, first, second = torch.tensor([3, 1, 2]), torch.tensor([2, 1, 2, 2]), [1, 2, 2, 1]
    second = torch.tensor(second)
    expected = torch.tensor([[0, 1, 1], [0, 1, 0], [0, 1, 1], [0, 1, 1]]).bool()
    assert torch.equal(hidden_mask(ordering, first), expected)
    expected = torch.tensor([[0, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 0, 0]]).bool()
    assert torch.equal(hidden_mask(first, second), expected)
    expected = torch.tensor([[1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0, 1]]).bool()
    assert torch.equal(output_mask(second, ordering), expected)


@pytest.mark.parametrize("hidden_sizes", [(30,), (30, 20), (8, 9, 7)])
def test_number_of_paths_is_strictly_triangular(hidden_sizes):
    """Eq. (10): the product of the masks counts paths, and none leads to an equal or earlier rank."""
    model = MADE(9, hidden_sizes, direct=True, generator=seeded(4))
    *masks, direct = [mask.long() for mask in model.masks()]
    paths = direct.clone()
    product = torch.eye(9, dtype=torch.long)
    for mask in masks:
        product = mask @ product
    paths += product
    rank = model.ordering
    allowed = rank[:, None] > rank[None, :]
    assert (paths[~allowed] == 0).all()
    assert (paths[allowed] > 0).all()  # the direct weights alone connect every allowed pair


def test_degrees_have_the_papers_ranges():
    generator, lowest = seeded(5), set()
    for _ in range(50):
        ordering, first, second = sample_degrees(8, (3, 12), generator=generator)
        lowest.add(first.min().item())
        assert sorted(ordering.tolist()) == list(range(1, 9))
        assert first.min() >= 1
        assert first.max() <= 7
        assert second.min() >= first.min()  # Section 4: no unit is left without an input
        assert second.max() <= 7
    assert max(lowest) > 2  # else "at least the smallest degree below" would say nothing


def test_every_hidden_degree_is_drawn_equally_often():
    _, degrees = sample_degrees(5, (40_000,), generator=seeded(6))
    counts = torch.bincount(degrees, minlength=6)[1:5].double()
    assert (counts / 10_000 - 1).abs().max() < 0.05


def test_direct_weights_are_strictly_causal():
    """With the hidden layers silenced, logits move only through earlier dimensions."""
    model = noisy(MADE(6, (10,), direct=True, generator=seeded(7)))
    with torch.no_grad():
        model.weights[-1].zero_()
    x = torch.zeros(1, 6, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(model.conditional_logits, x)[0, :, 0]  # (D, D)
    rank = model.ordering
    assert torch.equal(jacobian != 0, rank[:, None] > rank[None, :])


def test_logits_are_the_papers_equations():
    """Eq. (5), (7), (11) with ReLU and direct weights, written out for one image."""
    model = noisy(MADE(5, (7, 6), direct=True, generator=seeded(7)))
    first, second, output, direct = [mask.double() for mask in model.masks()]
    w, b = model.weights, model.biases
    x = torch.tensor([1, 0, 1, 1, 0], dtype=torch.float64)
    h = ((w[0] * first) @ x + b[0]).clamp(min=0)
    h = ((w[1] * second) @ h + b[1]).clamp(min=0)
    expected = (w[2] * output) @ h + b[2] + (model.direct * direct) @ x
    torch.testing.assert_close(model.conditional_logits(x[None])[0], expected)


def test_bfloat16_multiplies_and_float32_sums():
    model = noisy(MADE(64, (32,), direct=True, generator=seeded(7))).float()
    x = torch.randint(0, 2, (16, 64), generator=seeded(8)).float()
    exact = model.log_prob(x)
    with torch.autocast("cpu", torch.bfloat16):
        logits, rounded = model.conditional_logits(x), model.log_prob(x)
    assert logits.dtype == rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded, exact, rtol=0.02, atol=0)
    double = model.conditional_logits(x).double()
    assert (logits.double() - double).abs().mean() < 0.02 * double.abs().mean()


def test_ensemble_is_the_mean_of_probabilities():
    model = noisy(MADE(6, (16,), num_masks=4, generator=seeded(8)))
    states = all_binary(6)
    each = torch.stack([model.mask_log_prob(states, k) for k in range(4)])  # (K, 2^D)
    torch.testing.assert_close(each.exp().sum(1), torch.ones(4, dtype=torch.float64))
    assert (each[0] - each[1]).abs().max() > 0.1
    torch.testing.assert_close(model.log_prob(states).exp(), each.exp().mean(0))
    mean_logits = torch.stack([model.conditional_logits(states, mask=k) for k in range(4)]).mean(0)
    wrong = torch.distributions.Bernoulli(logits=mean_logits).log_prob(states).sum(1)
    assert abs(wrong.exp().sum() - 1) > 1e-3  # the shortcut of some reproductions is no mass


def test_samples_of_an_ensemble_use_every_mask():
    which, _ = MADE(4, (8,), num_masks=3, generator=seeded(0))._draw(300, seeded(1))
    assert torch.bincount(which, minlength=3).min() > 70


def test_new_masks_leave_the_weights_alone():
    model = noisy(MADE(6, (16, 12), num_masks=2, direct=True, generator=seeded(10)))
    x = all_binary(6)[::5]
    weights = {name: p.clone() for name, p in model.named_parameters()}
    degrees = [m.clone() for m in model.degrees()]
    with torch.no_grad():
        before = model.log_prob(x)
        for seed in range(20):
            model.resample_masks(generator=seeded(seed))
            model.log_prob(x)
        assert not torch.allclose(model.log_prob(x), before)
        assert all(torch.equal(p, weights[name]) for name, p in model.named_parameters())
        for layer, m in enumerate(degrees):
            getattr(model, f"degrees_{layer}")[0] = m
        torch.testing.assert_close(model.mask_log_prob(x), before_of(model, weights, x))


def before_of(model, weights, x):
    """log p of a fresh model with these weights and the first mask's degrees: no history at all."""
    fresh = MADE(6, (16, 12), num_masks=2, direct=True, generator=seeded(99)).double().eval()
    fresh.load_state_dict(model.state_dict() | weights)
    return fresh.mask_log_prob(x)


def fused_steps(model, x):
    """Five updates without a trace in the version of the weights."""
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1, fused=True)
    for _ in range(5):
        optimiser.zero_grad()
        (-model.log_prob(x).mean()).backward()
        optimiser.step()


def data_surgery(model, x):
    for parameter in model.parameters():
        parameter.data.mul_(3)


@pytest.mark.parametrize("change", [fused_steps, data_surgery])
@pytest.mark.parametrize("mode", [True, False], ids=["train", "eval"])
def test_no_likelihood_is_of_old_weights(change, mode):
    model = noisy(MADE(6, (16,), direct=True, generator=seeded(11))).train(mode)
    x = all_binary(6)[::7]
    with torch.no_grad():
        before = model.log_prob(x)
    change(model, x)
    with torch.no_grad():
        after = model.log_prob(x)
        fresh = MADE(6, (16,), direct=True, generator=seeded(99)).double()
        fresh.load_state_dict(model.state_dict())
        torch.testing.assert_close(after, fresh.log_prob(x))
    assert not torch.allclose(after, before)


def test_inference_mode_does_not_spoil_training():
    model = noisy(MADE(6, (16,), direct=True, generator=seeded(11)))
    x = all_binary(6)[::7]
    with torch.inference_mode():
        seen = model.log_prob(x)
        born_there = MADE(6, (16,), direct=True, generator=seeded(11)).double()
        born_there.load_state_dict(model.state_dict())
        torch.testing.assert_close(born_there.log_prob(x), seen)
    (-model.train().log_prob(x).mean()).backward()
    assert model.weights[0].grad.abs().sum() > 0


def test_masks_are_kept_until_degrees_change():
    model = noisy(MADE(6, (16,), num_masks=2, generator=seeded(12)))
    kept = model._kept_masks.entries
    model.log_prob(all_binary(6))
    first = kept[1][1]
    model.log_prob(all_binary(6))
    assert kept[1][1] is first
    model.load_state_dict(noisy(MADE(6, (16,), num_masks=2, generator=seeded(13))).state_dict())
    torch.testing.assert_close(
        model._masked_weights(1)[0], model.weights[0] * model.masks(1)[0].double()
    )
    assert kept[1][1] is not first
    assert model.float()._masked_weights(1)[0].dtype == torch.float32


@pytest.mark.parametrize("shared", ["nothing", "ordering", "connectivity"])
def test_what_masks_share_outlives_new_ones(shared):
    model = MADE(12, (9, 7), num_masks=3, shared=shared, generator=seeded(14))
    before = [m.clone() for m in model.degrees(0)]
    expected = [shared == "ordering", *[shared == "connectivity"] * 2]
    assert [map_equal(before, model.degrees(k)) for k in (1, 2)] == [expected] * 2
    model.resample_masks(generator=seeded(15))
    assert [map_equal(before, model.degrees(k)) for k in range(3)] == [expected] * 3
    posed = model.reordered(torch.arange(12) < 3, generator=seeded(16))
    assert map_equal(before, posed.degrees()) == [False, *expected[1:]]


def map_equal(first, second):
    return [torch.equal(a, b) for a, b in zip(first, second, strict=True)]


def test_one_dimension_is_a_coin():
    model = noisy(MADE(1, (3, 2), direct=True, generator=seeded(15)))
    states = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    p = torch.sigmoid(model.biases[-1])
    torch.testing.assert_close(model.log_prob(states).exp(), torch.cat([1 - p, p]))
    draws = model.sample(4000, generator=seeded(16))
    assert abs(draws.mean() - p) < 4 * math.sqrt(0.25 / 4000)


def test_completion_keeps_what_is_known_and_follows_the_posterior():
    """p(x | known) by `reordered` and `complete` against enumeration of the same mass."""
    model = noisy(MADE(5, (32,), num_masks=2, direct=True, generator=seeded(17)))
    known = torch.tensor([False, True, False, False, True])
    posed = model.reordered(known, generator=seeded(18)).eval()
    assert posed.ordering[known].max() == 2
    assert torch.equal(posed.weights[0], model.weights[0])
    states = all_binary(5)
    match = (states[:, 1] == 1) & (states[:, 4] == 0)
    exact = posed.log_prob(states).exp() * match
    exact = exact / exact.sum()
    values = torch.tensor([0.0, 1, 0, 0, 0], dtype=torch.float64).expand(20_000, 5)
    draws = posed.complete(values, known, generator=seeded(19))
    assert torch.equal(draws[:, known], values[:, known])
    codes = (draws @ torch.tensor([16.0, 8, 4, 2, 1], dtype=torch.float64)).long()
    frequencies = torch.bincount(codes, minlength=32) / len(codes)
    assert (frequencies - exact).abs().max() < 0.02


def test_completion_needs_the_known_dimensions_first():
    model = MADE(5, (8,), ordering=torch.tensor([5, 1, 2, 3, 4]), generator=seeded(20))
    with pytest.raises(ValueError, match="reordered"):
        model.complete(torch.zeros(2, 5), torch.tensor([True, False, False, False, False]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_dims": 0}, "num_dims is 0"),
        ({"num_dims": 3, "hidden_sizes": ()}, "hidden_sizes"),
        ({"num_dims": 3, "hidden_sizes": 16}, r"hidden_sizes is 16, expected \(H,\)"),
        ({"num_dims": 3, "num_masks": 0}, "num_masks 0"),
        ({"num_dims": 3, "shared": "all"}, "expected one of nothing"),
        ({"num_dims": 3, "ordering": "snake"}, "snake"),
        ({"num_dims": 3, "ordering": torch.tensor([0, 1, 2])}, "permutation of 1..3"),
    ],
)
def test_impossible_models_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MADE(**arguments)


def test_data_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 7\).*6 elements"):
        MADE(6, (8,)).log_prob(torch.zeros(2, 7))


@pytest.mark.parametrize("value", [0.5, -1.0, 255.0, math.nan, math.inf])
@pytest.mark.parametrize("num_masks", [1, 2])
def test_what_is_not_binary_has_no_likelihood(value, num_masks):
    """The cross-entropy of grey pixels looks like nats, better ones than any model has."""
    model = MADE(6, (8,), num_masks=num_masks, generator=seeded(0))
    x = torch.zeros(2, 6)
    x[1, 3] = value
    with pytest.raises(ValueError, match=f"x holds {value:g}, expected 0 and 1"):
        model.log_prob(x)
    with pytest.raises(ValueError, match=f"x holds {value:g}, expected 0 and 1"):
        model.mask_log_prob(x)
    known = torch.arange(6) == 3
    posed = model.reordered(known, generator=seeded(1))
    with pytest.raises(ValueError, match=f"x holds {value:g}"):
        posed.complete(x, known)
    assert posed.complete(x[:, [0, 1, 2, 4, 3, 5]], known).shape == (2, 6)  # not looked at


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64])
def test_bits_of_any_type_have_the_likelihood_of_zeros_and_ones(dtype):
    model = MADE(4, (8,), generator=seeded(0))
    x = all_binary(4).float()
    torch.testing.assert_close(model.log_prob(x.to(dtype)), model.log_prob(x))
    with pytest.raises(ValueError, match="x holds 7"):
        model.log_prob(torch.full((1, 4), 7, dtype=torch.uint8))


def test_no_image_has_no_likelihoods():
    model = MADE(4, (8,), num_masks=2, generator=seeded(0))
    assert model.log_prob(model.sample(0)).shape == (0,)
    assert model.log_prob(torch.zeros(0, 1, 2, 2)).shape == (0,)


@pytest.mark.parametrize("known", [torch.ones(2, 3).bool(), torch.zeros(5), torch.ones(4).bool()])
def test_known_must_say_of_every_dimension_whether_it_is(known):
    model = MADE(5, (8,), generator=seeded(0))
    with pytest.raises(ValueError, match=r"expected \(5,\) Booleans"):
        model.reordered(known)
    with pytest.raises(ValueError, match=r"expected \(5,\) Booleans"):
        model.complete(torch.zeros(2, 5), known)


def test_units_known_are_counted_by_degree():
    assert num_units_known(torch.tensor([2, 2, 1]), 4) == [0, 1, 3, 3, 3]


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("optimiser=sgd", "adagrad, adam"),
        ("schedule=late", "constant, cosine"),
        ("shared=bogus", "nothing, ordering, connectivity"),
        ("ordering=snake", "random, raster"),
        ("num_masks=0", "num_masks is 0"),
    ],
)
def test_an_impossible_setting_is_a_config_error(assignment, message):
    with pytest.raises(ConfigError, match=message):
        override(PRESETS["smoke"], [assignment])


def test_training_beats_independent_pixels(tmp_path):
    """The smoke preset learns: better in nats on unseen digits than each pixel by itself."""
    config = PRESETS["smoke"]
    data = load_data(config)
    model = train(config, Run(tmp_path, progress=False))
    base = (data.train.tensor().flatten(1).mean(0) * 0.998 + 0.001).clamp(1e-3, 1 - 1e-3)
    x = data.test.tensor().flatten(1)
    independent = torch.distributions.Bernoulli(base).log_prob(x).sum(1).mean()
    with torch.no_grad():
        assert model.log_prob(x).mean() > independent + 1


def test_fresh_masks_change_during_training(tmp_path):
    config = override(PRESETS["smoke"], ["fresh_masks=true", "epochs=1"])
    fixed = override(PRESETS["smoke"], ["epochs=1"])
    moved = train(config, Run(tmp_path / "a", progress=False)).ordering
    kept = train(fixed, Run(tmp_path / "b", progress=False)).ordering
    assert not torch.equal(moved, kept)


def trained(folder, *assignments):
    """The smoke preset with changes: the run, the model and its validations."""
    run = Run(folder, progress=False)
    model = train(override(PRESETS["smoke"], ["epochs=2", *assignments]), run)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return run, model, [line["valid"] for line in lines if "valid" in line]


def test_masks_take_turns(tmp_path, monkeypatch):
    """Section 4: minibatch t is trained under mask t mod K; validation is of the mixture."""
    used, one_mask = [], MADE.mask_log_prob

    def recording(model, x, mask=0):
        if model.training:
            used.append(mask)
        return one_mask(model, x, mask)

    monkeypatch.setattr(MADE, "mask_log_prob", recording)
    trained(tmp_path, "num_masks=3", "epochs=1")
    assert used == [step % 3 for step in range(len(used))]
    assert len(used) > 3


def test_the_weights_of_the_best_validation_are_returned(tmp_path):
    """With a rate far too high for so long, the last epoch is not the best one."""
    assignments = ["optimiser=adam", "learning_rate=0.1", "epochs=8", "num_masks=1"]
    _, model, validations = trained(tmp_path, *assignments)
    assert validations[-1] > min(validations)
    assert not model.training
    x = load_data(PRESETS["smoke"]).valid.tensor()
    with torch.no_grad():
        assert -model.log_prob(x).mean().item() == pytest.approx(min(validations), rel=1e-6)


def test_patience_ends_a_training(tmp_path):
    assignments = ["optimiser=adam", "learning_rate=0.1", "epochs=30", "num_masks=1", "patience=1"]
    _, _, validations = trained(tmp_path, *assignments)
    assert len(validations) < 30
    assert validations[-1] > validations[-2] == min(validations)


def test_the_settings_reach_model_and_optimiser(tmp_path):
    run, model, _ = trained(
        tmp_path / "a", "direct=false", "shared=connectivity", "ordering=raster", "weight_decay=0.2"
    )
    assert model.direct is None
    assert model.shared == "connectivity"
    assert torch.equal(model.ordering, torch.arange(1, 65))
    group = run.networks[0].optimiser.param_groups[0]
    assert (group["lr"], group["weight_decay"], group["eps"]) == (0.05, 0.2, 1e-6)
    assert isinstance(run.networks[0].optimiser, torch.optim.Adagrad)
    run, model, _ = trained(tmp_path / "b", "optimiser=adam", "schedule=cosine", "ema_decay=0.9")
    assert model.direct is not None
    assert isinstance(run.networks[0].optimiser, torch.optim.AdamW)
    assert run.networks[0].optimiser.param_groups[0]["lr"] < 1e-3  # at the end of the cosine
    assert run.networks[0].ema_decay == 0.9
