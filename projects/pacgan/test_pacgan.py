"""The laws that PacGAN obeys, and what is special to it: packing, replicates side by side, turns."""

import itertools
import json
import math
from dataclasses import asdict, replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from common.evaluation.two_sample import energy_distance
from common.training import Run
from projects.pacgan import pictures
from projects.pacgan import train as training
from projects.pacgan.divergence import (
    COLLAPSED,
    DATA,
    UNEVEN,
    jensen_shannon,
    product_divergence,
    total_variation,
)
from projects.pacgan.layers import BatchNorm, LargestPiece, Maxout
from projects.pacgan.loss import GENERATOR_LOSSES, discriminator_loss, non_saturating_loss
from projects.pacgan.model import Discriminator, Generator, pack
from tests import laws
from tests.laws import seeded


class Players(nn.Module):
    """What the laws judge: both players, and the losses and turns of the training."""

    generator_losses = GENERATOR_LOSSES

    def __init__(self, num_replicates: int, m: int):
        super().__init__()
        self.m, self.num_replicates = m, num_replicates
        sizes = {"hidden_size": 8, "num_hidden": 2, "num_replicates": num_replicates}
        self.G = Generator(**sizes, generator=seeded(0))
        self.D = Discriminator(2 * m, **sizes, num_pieces=2, generator=seeded(1))
        self.players = self.D, self.G

    def discriminator_loss(self, real, fake):
        return discriminator_loss(real, fake)

    def pack(self, x, m):
        return pack(x, 1, m)[0]

    def turns(self, x, generator):
        z = torch.randn(len(x), 2, generator=generator, dtype=x.dtype)
        real, z = (pack(points, self.num_replicates, self.m) for points in (x, z))
        for loss in training.turns(self.G, self.D, real, z, "non-saturating"):
            yield loss.sum()


class TestGAN(laws.Adversarial):
    def model(self):
        return Players(num_replicates=1, m=1)


class TestPacGAN(laws.Adversarial):
    def model(self):
        return Players(num_replicates=2, m=3)


class TestGenerator(laws.Sampler):
    """A discriminator that does not move stands for the data."""

    overfit_nats = 0.3  # a generator that cannot move its judge has little to lose

    def model(self):
        return Generator(hidden_size=8, num_hidden=2, generator=seeded(2))

    def loss(self, model, x, generator):
        judge = Discriminator(2, 8, 1, 2, generator=seeded(3)).to(x)
        z = torch.randn(1, len(x) * 8, 2, generator=generator, dtype=x.dtype)
        return non_saturating_loss(judge(model(z))).sum()

    def evaluate(self, model, x):
        return model(x[None])[0, :, 0]

    def entries(self, model):
        return {"forward": lambda z: model(z[None])[0] if z.ndim == 2 else model(z)}


class TestReplicatedGenerator(laws.Sampler):
    overfit_nats = 0.3

    def model(self):
        return Generator(hidden_size=8, num_hidden=2, num_replicates=3, generator=seeded(2))

    def loss(self, model, x, generator):
        judge = Discriminator(2, 8, 1, 2, num_replicates=3, generator=seeded(3)).to(x)
        z = torch.randn(3, len(x) * 8, 2, generator=generator, dtype=x.dtype)
        return non_saturating_loss(judge(model(z))).mean()

    def evaluate(self, model, x):
        return model(torch.stack([x, -x, 2 * x])).sum((0, 2))

    def entries(self, model):
        return {"forward": lambda z: model(z.expand(3, *z.shape)) if z.ndim == 2 else model(z)}


class TestDiscriminator(laws.Module):
    overfit_nats = 0.5
    event_shape, values = (4,), "real"

    def model(self):
        return Discriminator(4, 8, 2, 3, generator=seeded(4))

    def loss(self, model, x, generator):
        fake = torch.randn(x.shape, generator=generator, dtype=x.dtype) + 3
        return discriminator_loss(model(x[None]), model(fake[None])).sum()

    def evaluate(self, model, x):
        return model(x[None])[0]

    def entries(self, model):
        return {"forward": lambda x: model(x[None])[0] if x.ndim == 2 else model(x)}


# --- Packing (Section 2) ---------------------------------------------------------------------------


@pytest.mark.parametrize(("num_replicates", "m"), [(1, 1), (1, 3), (2, 1), (2, 3)])
def test_every_row_is_packed_once_with_its_neighbours(num_replicates, m):
    x = torch.arange(24.0)[:, None] + torch.tensor([0.0, 0.5])  # (24, 2), all numbers different
    packs = pack(x, num_replicates, m)
    assert packs.shape == (num_replicates, 24 // (num_replicates * m), 2 * m)
    assert torch.equal(packs.flatten().sort()[0], x.flatten())
    for points in packs.flatten(0, 1):
        first = int(points[0])
        assert first % m == 0
        assert torch.equal(points, x[first : first + m].flatten())


def test_packs_of_real_and_generated_points_are_made_alike():
    """The generator's output, reshaped as in `turns`, holds the samples of neighbouring z."""
    G = Generator(hidden_size=8, num_hidden=1, num_replicates=2, generator=seeded(5)).eval()
    z = torch.randn(24, 2, generator=seeded(6))
    packs = G(pack(z, 2, 3).reshape(2, -1, 2)).reshape(2, 4, 6)
    for r in range(2):
        x = G.replicate(r)(z[None])[0]  # every z through this replicate
        torch.testing.assert_close(packs[r], pack(x, 2, 3)[r])


@pytest.mark.parametrize("shape", [(7, 2), (12,), (2, 6, 2)])
def test_what_makes_no_whole_packs_is_refused(shape):
    with pytest.raises(ValueError, match=r"whole packs of 3 samples for 2 replicates"):
        pack(torch.zeros(shape), 2, 3)


def test_packing_changes_the_first_layer_alone():
    alone, packed = (Discriminator(2 * m, generator=seeded(7)) for m in (1, 2))
    shapes = [{n: p.shape for n, p in D.named_parameters()} for D in (alone, packed)]
    different = [name for name in shapes[0] if shapes[0][name] != shapes[1][name]]
    assert different == ["first.pieces.weight"]


# --- The networks of the paper ---------------------------------------------------------------------


def test_the_paper_preset_has_the_networks_of_the_paper():
    config = training.PRESETS["paper"]
    data = training.load_data(config)
    G = training.build(config, data, generator=seeded(8))
    D = training.build_discriminator(config, data, generator=seeded(8))
    hidden = [module for module in G.modules() if isinstance(module, BatchNorm)]
    assert [norm.gain.shape for norm in hidden] == [(10, 400)] * 4
    maxouts = [module for module in D.modules() if isinstance(module, Maxout)]
    assert [layer.pieces.weight.shape for layer in maxouts] == [
        (10, 4, 5 * 200),
        (10, 200, 5 * 200),
        (10, 200, 5 * 200),
    ]
    assert (config.batch_size, config.steps, config.learning_rate) == (100, 400_000, 1e-4)
    assert (config.beta1, config.final_rate, config.precision) == (0.8, 1.0, "32-true")


def test_maxout_is_the_largest_of_its_maps():
    layer = Maxout(2, 3, 4, 5, generator=seeded(9)).double()
    x = torch.randn(2, 6, 3, generator=seeded(10), dtype=torch.float64)
    weight = layer.pieces.weight.detach().view(2, 3, 5, 4)
    bias = layer.pieces.bias.detach().view(2, 5, 4)
    wanted = [
        [max(x[r, b] @ weight[r, :, k, j] + bias[r, k, j] for k in range(5)) for j in range(4)]
        for r in range(2)
        for b in range(6)
    ]
    found = layer(x).reshape(12, 4)
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64))


def test_the_gradient_of_maxout_is_that_of_the_maximum():
    pieces = torch.randn(2, 3, 5, 4, generator=seeded(11), dtype=torch.float64, requires_grad=True)
    direction = torch.randn(2, 3, 4, generator=seeded(12), dtype=torch.float64)
    found, wanted = (
        torch.autograd.grad((largest * direction).sum(), pieces)[0]
        for largest in (LargestPiece.apply(pieces), pieces.max(2).values)
    )
    assert torch.equal(found, wanted)


def test_batch_norm_is_torch_s_for_each_replicate():
    layer = BatchNorm(3, 4).double()
    with torch.no_grad():
        layer.gain.normal_(generator=seeded(13)), layer.bias.normal_(generator=seeded(14))
    x = torch.randn(3, 7, 4, generator=seeded(15), dtype=torch.float64) * 2 + 5
    y = layer(x)
    for r in range(3):
        wanted = F.batch_norm(x[r], None, None, layer.gain[r], layer.bias[r], training=True)
        torch.testing.assert_close(y[r], wanted)
    torch.testing.assert_close(layer.mean, x.mean(1))
    torch.testing.assert_close(layer.variance, x.var(1))


def test_calibration_makes_evaluation_agree_with_a_large_batch():
    G = Generator(hidden_size=16, num_hidden=3, num_replicates=2, generator=seeded(16)).double()
    z = torch.randn(2, 4000, 2, generator=seeded(17), dtype=torch.float64)
    with torch.no_grad():
        G(z[:, :5])  # a small batch last: its statistics are far from the population's
        wanted = G(z)
        G(z[:, :5])
        found = G.calibrate(z)(z)
    assert not G.training
    torch.testing.assert_close(found, wanted, rtol=0, atol=0.01)  # n - 1 in place of n


# --- Replicate r of the batched networks is the same single network ----------------------------------


def test_each_replicate_generates_what_it_generates_alone():
    G = Generator(hidden_size=16, num_replicates=3, generator=seeded(18)).double()
    z = torch.randn(3, 9, 2, generator=seeded(19), dtype=torch.float64)
    for mode in (G.train, G.eval):
        mode()
        alone = [replicate(z[r : r + 1])[0] for r, replicate in enumerate(G.replicates)]
        torch.testing.assert_close(G(z), torch.stack(alone))
    draws = [replicate.sample(5, generator=seeded(20)) for replicate in G.replicates]
    assert torch.equal(G.sample(5, generator=seeded(20)), draws[0])
    assert not torch.equal(draws[0], draws[1])


def test_a_replicate_is_a_copy():
    G = Generator(hidden_size=4, num_replicates=2, generator=seeded(21)).double()
    alone = G.replicate(1)
    before = G.last.weight.clone()
    with torch.no_grad():
        alone.last.weight += 1
    assert torch.equal(G.last.weight, before)
    assert alone.last.weight.dtype == torch.float64


def small(**changes) -> training.Config:
    sizes = {"generator_size": 8, "discriminator_size": 6, "num_pieces": 2, "batch_size": 5}
    return replace(training.Config(num_replicates=2, steps=12, **sizes), **changes)


def slices(state: dict, r: int) -> dict:
    return {name: value[r : r + 1] for name, value in state.items()}


@pytest.mark.parametrize("generator_loss", GENERATOR_LOSSES)
@pytest.mark.parametrize("m", [1, 2])
def test_each_replicate_learns_what_it_learns_alone(m, generator_loss):
    """Three rounds of the batched players, and of each replicate alone on its own packs."""
    config = small(m=m)
    data = training.load_data(config)
    G = training.build(config, data, generator=seeded(22)).double()
    D = training.build_discriminator(config, data, generator=seeded(23)).double()
    one = replace(config, num_replicates=1)
    alone = []
    for r in range(2):
        pair = (
            training.build(one, data, generator=seeded(0)).double(),
            training.build_discriminator(one, data, generator=seeded(0)).double(),
        )
        for player, state in zip(pair, (G.state_dict(), D.state_dict()), strict=True):
            player.load_state_dict(slices(state, r))
        alone.append(pair)
    generator = seeded(24)
    rounds = [
        [pack(torch.randn(10 * m, 2, generator=generator, dtype=torch.float64), 2, m) for _ in "xz"]
        for _ in range(3)
    ]
    play(G, D, rounds, generator_loss)
    for r, pair in enumerate(alone):
        play(*pair, [[packs[r : r + 1] for packs in each] for each in rounds], generator_loss)
        for together, single in zip((G, D), pair, strict=True):
            for name, value in slices(together.state_dict(), r).items():
                torch.testing.assert_close(
                    value, single.state_dict()[name], msg=f"{name} of replicate {r}"
                )


def play(G, D, rounds, generator_loss):
    """Rounds of Algorithm 1 with Adam, without a Run."""
    optimisers = [
        torch.optim.Adam(player.parameters(), lr=0.01, betas=(0.8, 0.999)) for player in (D, G)
    ]
    for real, z in rounds:
        losses = training.turns(G, D, real, z, generator_loss)
        for loss, optimiser in zip(losses, optimisers, strict=True):
            optimiser.zero_grad()
            loss.sum().backward()
            optimiser.step()


def test_replicates_differ_from_the_first_weight_on():
    G = Generator(hidden_size=4, num_replicates=2, generator=seeded(25))
    for name, parameter in G.named_parameters():
        if name.endswith("weight"):
            assert not torch.equal(parameter[0], parameter[1]), name


# --- train.py --------------------------------------------------------------------------------------


def trained(folder, config=None, **options) -> tuple[Generator, list[dict]]:
    config = config or small()
    run = Run(folder, progress=False, precision=config.precision, **options)
    model = training.train(config, run)
    run.close()
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return model, [json.loads(line) for line in lines if line]


def test_a_seed_decides_every_weight(tmp_path):
    first, second, other = (
        trained(tmp_path / str(i), seed=seed)[0].state_dict() for i, seed in enumerate((0, 0, 1))
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not any(
        torch.equal(first[name], other[name]) for name in first if name.endswith("weight")
    )


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_training_that_was_cut_short_goes_on_as_if_it_had_not_been(tmp_path, precision):
    config = small(precision=precision, final_rate=0.0)
    whole, rows = trained(tmp_path / "whole", config)
    trained(tmp_path / "parts", config, max_steps=5)
    resumed, again = trained(tmp_path / "parts", config, resume=True)
    losses = ("generator_loss", "discriminator_loss", "generator_learning_rate")
    for name in losses:
        assert [row[name] for row in rows] == [row[name] for row in again]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_one_step_of_training_is_the_round_of_the_tests(tmp_path):
    """`train` deals rows and noise in order, and its Adam and its rate are the configured ones."""
    config = small(m=2, steps=1, learning_rate=0.01)
    run = Run(tmp_path / "run", progress=False)
    data = training.load_data(config)
    twin = Run(tmp_path / "twin", progress=False)
    (x,) = list(twin.batches(data.train, 20, steps=1))
    G = training.build(config, data, generator=twin.init_generator)
    D = training.build_discriminator(config, data, generator=twin.init_generator)
    z = twin.normal(20, 2)
    play(G, D, [[pack(points, 2, 2) for points in (x, z)]], "non-saturating")
    found = training.train(config, run)
    for (name, value), wanted in zip(found.named_parameters(), G.parameters(), strict=True):
        torch.testing.assert_close(value, wanted, msg=name)


def test_a_small_gan_learns_the_ring(tmp_path):
    """The energy distance of every replicate to the data falls."""
    config = small(generator_size=32, discriminator_size=16, batch_size=50, steps=600)
    data = training.load_data(config)
    untrained = training.build(config, data, generator=seeded(26))
    model, _ = trained(tmp_path, replace(config, learning_rate=1e-3, final_rate=0.0))
    before, after = (
        [distance(G, data) for G in models] for models in (untrained.replicates, model.replicates)
    )
    assert max(after) < 0.33 * min(before)


@torch.no_grad()
def distance(G, data):
    return energy_distance(G.sample(500, generator=seeded(27)), data.test.x[:500])[0]


def test_samples_are_single_precision_where_the_layers_are_not():
    """bfloat16 would round samples near 1 to 1/128, of the order of a mode's 0.01."""
    G = Generator(hidden_size=32, generator=seeded(28)).eval()
    D = Discriminator(2, 16, generator=seeded(29))
    z = torch.randn(1, 200, 2, generator=seeded(30))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        x = G(z)
        logits = D(x)
    assert x.dtype == logits.dtype == torch.float32
    assert not torch.equal(x, x.bfloat16().float())
    torch.testing.assert_close(x, G(z).detach(), rtol=0.1, atol=0.05)


# --- What packing does to a divergence (Section 3) ---------------------------------------------------


@pytest.mark.parametrize("divergence", [total_variation, jensen_shannon])
@pytest.mark.parametrize("q", [COLLAPSED, UNEVEN])
def test_the_divergence_of_products_is_the_sum_over_all_tuples(q, divergence):
    for m in (1, 2, 3, 4):
        joint = [
            torch.tensor([math.prod(t) for t in itertools.product(p, repeat=m)]).double()
            for p in (DATA, q)
        ]
        found = product_divergence(DATA, q, m, divergence)
        assert found == pytest.approx(divergence(*joint).item(), abs=1e-6)


def test_packing_tells_the_generator_without_a_mode_from_the_uneven_one():
    """Equal in total variation alone, 0.2; of the first 1 - 0.8^m is left, a hole for every m."""
    far = [product_divergence(DATA, COLLAPSED, m, total_variation) for m in range(1, 6)]
    near = [product_divergence(DATA, UNEVEN, m, total_variation) for m in range(1, 6)]
    assert far == pytest.approx([1 - 0.8**m for m in range(1, 6)])
    assert near[0] == pytest.approx(0.2)
    assert all(a > b for a, b in zip(far[1:], near[1:], strict=True))
    assert product_divergence(DATA, DATA, 3, jensen_shannon) == pytest.approx(0)
    with pytest.raises(ValueError, match="m is 0"):
        product_divergence(DATA, DATA, 0, jensen_shannon)


def test_the_pictures_show_every_row_and_moment():
    data = training.load_data(training.PRESETS["smoke"])
    table = {row: {t: data.test.x[:20] for t in ("early", "late")} for row in ("m = 1", "m = 2")}
    figure = pictures.snapshots(table, data)
    assert [axes.get_title() for axes in figure.axes] == ["early", "late", "", ""]
    assert [axes.get_ylabel() for axes in figure.axes] == ["m = 1", "", "m = 2", ""]
    drawn = figure.axes[3].collections[1].get_offsets()
    assert torch.equal(torch.as_tensor(drawn.data).float(), data.test.x[:20])
    assert len(pictures.divergences(most=3).axes) == 5


# --- What is refused -------------------------------------------------------------------------------


def test_wrong_sizes_and_choices_are_named():
    with pytest.raises(ValueError, match="hidden_size is 0, expected at least 1"):
        Generator(hidden_size=0)
    with pytest.raises(ValueError, match="n is -1, expected at least 0"):
        Generator(hidden_size=2).sample(-1)
    with pytest.raises(ValueError, match=r"\(1, 5, 3\), expected \(1, B, 2\)"):
        Generator(hidden_size=2)(torch.zeros(1, 5, 3))
    with pytest.raises(ValueError, match=r"\(2, 5, 4\), expected \(1, B, 4\)"):
        Discriminator(4, 2)(torch.zeros(2, 5, 4))
    with pytest.raises(ValueError, match="generator_loss is 'hinge', expected one of: minimax"):
        training.Config(generator_loss="hinge")
    with pytest.raises(ValueError, match="m is 0, expected at least 1"):
        training.Config(m=0)
    with pytest.raises(ValueError, match="digits has images"):
        training.load_data(small(data="digits"))


def test_presets_say_what_their_names_say():
    presets = training.PRESETS
    for name, config in presets.items():
        if "-" in name:
            data, kind = name.split("-")
            assert config.data == {"ring": "thin_ring", "grid": "grid"}[data]
            assert config.m == {"gan": 1, "pacgan2": 2}[kind]
    for data in ("ring", "grid"):
        packed, plain = asdict(presets[f"{data}-pacgan2"]), asdict(presets[f"{data}-gan"])
        assert packed | {"m": 1} == plain  # packing is the only difference
