"""The diffusion model: the laws it obeys, and what is special to its papers."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from common.errors import UserError
from common.training import Run
from projects.ddpm import bound, loss, train
from projects.ddpm.model import DDPM
from projects.ddpm.network import Attention, UNet, time_embedding
from projects.ddpm.sampler import ddim, ddim_step, time_of
from projects.ddpm.schedule import NoiseSchedule, cosine, linear
from tests import laws
from tests.laws import seeded


def tiny(
    parameterisation: str = "eps",
    variance: str = "small",
    betas: torch.Tensor | None = None,
    **kinds,
) -> DDPM:
    """A diffusion model of 1 x 1 x 2 pixels with 33 levels, a hundred steps unless told otherwise."""
    outputs = 2 if variance == "learned" else 1
    sizes = {"width": 8, "multipliers": (1,), "num_blocks": 1, "attention": (1,)}
    return DDPM(
        UNet((1, 1, 2), outputs, **sizes, generator=seeded(0)),
        NoiseSchedule(linear(100, first=1e-3, last=0.2) if betas is None else betas),
        (1, 1, 2),
        num_levels=33,
        parameterisation=parameterisation,
        variance=variance,
        **{"clip": False, "num_sample_steps": 5} | kinds,
    )


def small_unet(**kinds) -> UNet:
    sizes = {"width": 8, "multipliers": (1, 2), "num_blocks": 1, "attention": (4,)}
    network = UNet((1, 8, 8), 1, **sizes | kinds, generator=seeded(0))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=seeded(1))
    return network.eval()


class Bounds(laws.Diffusion):
    gap_nats = 0.7  # beta-tilde is the variance for data that are points; a hundred steps show it


class TestNoiseSmallVariances(Bounds):
    def model(self):
        return tiny()


class TestDataLargeVariances(Bounds):
    def model(self):
        return tiny("x0", "large")


class TestVelocityLearnedVariances(Bounds):
    def model(self):
        return tiny("v", "learned", cosine(100))


class Samplers(laws.DiffusionSampler):
    def step(self, model, x, t, s, eta):
        return ddim_step(model, x, t, s, eta=eta)


class TestSamplersOfNoise(Samplers):
    def model(self):
        return tiny(betas=linear(1000))


class TestSamplersOfVelocity(Samplers):
    def model(self):
        return tiny("v", "learned", cosine(1000))


class TestModule(laws.Sampler):
    """What every model of this repository obeys: state, seeds, types, batches, errors, learning."""

    event_shape, values = (1, 1, 2), "real"
    overfit_nats = 0.5  # the bound of two pixels is noisy, and starts near its best

    def model(self):
        return tiny("v", "learned", linear(20, first=0.01, last=0.5))

    def inputs(self, n, generator, model=None):
        return torch.randint(33, (n, 1, 1, 2), generator=generator).double()

    def evaluate(self, model, x):
        output, fraction = model(model.scale(x), torch.tensor([7]))
        return (output + fraction).flatten(1).sum(1)

    def entries(self, model):
        return super().entries(model) | {
            "encode": model.encode,
            "bound_terms": lambda x: model.bound_terms(x, generator=seeded(8)),
        }


# --- The forward process -------------------------------------------------------------------------


def test_the_linear_schedule_is_the_paper_s():
    schedule = NoiseSchedule(linear(1000))
    assert schedule.betas[[1, 1000]].tolist() == pytest.approx([1e-4, 0.02])
    assert schedule.alphas_bar[[0, 1]].tolist() == pytest.approx([1, 1 - 1e-4])
    last = schedule.alphas_bar[1000]
    bits = -0.5 * torch.log1p(-last) / math.log(2)  # L_T where x_0^2 = 1: Section 4 has about 1e-5
    assert 1e-5 < bits < 4e-5


def test_the_cosine_schedule_is_nichol_and_dhariwal_s():
    schedule = NoiseSchedule(cosine(1000))
    f = [math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in (0, 1, 500, 999)]
    found = schedule.alphas_bar[[0, 1, 500]].tolist()
    assert found == pytest.approx([value / f[0] for value in f[:3]])
    assert schedule.betas[1000] == 0.999


def test_tables_stay_in_float64():
    model = tiny().half()
    assert model.network.last.weight.dtype == torch.float16
    assert model.schedule.alphas_bar.dtype == torch.float64
    assert torch.equal(model.schedule.alphas_bar, tiny().schedule.alphas_bar)
    assert not [name for name in model.state_dict() if name.startswith("schedule")]


def test_subsequences_run_from_the_last_time_to_the_data():
    schedule = NoiseSchedule(linear(1000))
    assert schedule.subsequence(4) == [1000, 750, 500, 250, 0]
    assert schedule.subsequence(1000) == list(range(1000, -1, -1))
    for steps in (0, 1001):
        with pytest.raises(ValueError, match=f"num_steps is {steps}, expected 1 to 1000"):
            schedule.subsequence(steps)


# --- The network ---------------------------------------------------------------------------------


def test_the_paper_s_network_has_its_35_7_million_parameters():
    config = train.PRESETS["paper"]
    with torch.device("meta"):
        network = UNet((3, 32, 32), 3, width=config.width, multipliers=config.multipliers)
    assert sum(p.numel() for p in network.parameters()) == 35_746_307


def test_the_untrained_network_says_nothing():
    network = UNet((1, 8, 8), 1, width=8, multipliers=(1, 2), generator=seeded(0))
    x = torch.randn(3, 1, 8, 8, generator=seeded(1))
    assert not network(x, torch.tensor([1, 2, 3])).any()


def test_one_time_serves_the_whole_batch():
    network, x = small_unet(), torch.randn(3, 1, 8, 8, generator=seeded(2))
    torch.testing.assert_close(network(x, torch.tensor([7])), network(x, torch.full((3,), 7)))


def test_time_embeddings_are_distinct_and_orthogonal_waves():
    found = time_embedding(torch.arange(1001), 32, torch.float64)
    distances = torch.cdist(found, found).fill_diagonal_(math.inf)
    assert distances.min() > 0.5
    assert found[0].tolist() == [0.0] * 16 + [1.0] * 16
    assert found[5, [0, 16]].tolist() == pytest.approx([math.sin(5), math.cos(5)])
    assert found[5, [15, 31]].tolist() == pytest.approx([math.sin(5e-4), math.cos(5e-4)])


def test_attention_is_softmax_of_products():
    layer = Attention(8, num_heads=2).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, generator=seeded(3))
    x = torch.randn(2, 8, 3, 3, generator=seeded(4), dtype=torch.float64)
    rows = layer.norm(x).flatten(2).transpose(1, 2)  # (B, HW, C)
    parts = layer.qkv(rows).chunk(3, -1)
    heads = []
    for q, k, v in zip(*(part.chunk(2, -1) for part in parts), strict=True):
        heads.append((q @ k.transpose(1, 2) / math.sqrt(4)).softmax(-1) @ v)
    expected = x + layer.out(torch.cat(heads, -1)).transpose(1, 2).unflatten(2, (3, 3))
    torch.testing.assert_close(layer(x), expected)


def test_patches_fold_and_unfold():
    network = small_unet(patch_size=2, attention=(2,))
    x = torch.randn(2, 1, 8, 8, generator=seeded(5))
    assert network.first.weight.shape[1] == 4
    assert network(x, torch.tensor([1])).shape == x.shape


def test_images_that_cannot_be_halved_are_refused():
    with pytest.raises(ValueError, match="6 x 6 cannot be divided by 4"):
        UNet((1, 6, 6), 1, width=8, multipliers=(1, 2, 2))


def test_autocast_changes_little():
    network, x = small_unet(), torch.randn(4, 1, 8, 8, generator=seeded(6))
    t = torch.tensor([1, 10, 100, 1000])
    with torch.no_grad():
        exact = network(x, t)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = network(x, t)
    assert 0 < (rounded - exact).norm() < 0.03 * exact.norm()


# --- Parameterisations, variances, clipping ------------------------------------------------------


def test_the_score_is_minus_the_noise_over_its_deviation():
    model, x = tiny(), torch.randn(3, 1, 1, 2, generator=seeded(7))
    torch.nn.init.normal_(model.network.last.weight, generator=seeded(8))
    t = torch.tensor([50])
    expected = -model.predict(x, t).eps / (1 - model.schedule.alphas_bar[50]).sqrt().float()
    torch.testing.assert_close(model.score(x, t), expected)


def test_clipping_keeps_x0_in_its_range_and_the_noise_consistent():
    model, t = tiny(clip=True), torch.tensor([90])
    x = 3 * torch.randn(100, 1, 1, 2, generator=seeded(9))
    x0, eps = model.predict(x, t)
    assert x0.abs().max() == 1
    a = model.schedule.alphas_bar[90].float()
    torch.testing.assert_close(a.sqrt() * x0 + (1 - a).sqrt() * eps, x)
    torch.testing.assert_close(
        tiny().predict(x, t).x0, x / a.sqrt()
    )  # the untrained network predicts no noise


def test_learned_variances_lie_between_the_fixed_ones():
    x, t = torch.zeros(1, 1, 1, 2), torch.tensor([40])
    low, high = (tiny(variance=kind).reverse(x, t)[1].item() for kind in ("small", "large"))
    model = tiny(variance="learned")
    for output, expected in ((-1.0, low), (1.0, high), (0.0, (low + high) / 2)):
        model.network.last.bias.data[1] = output
        assert model.reverse(x, t)[1].unique().item() == pytest.approx(expected)


def test_the_first_step_has_the_variance_of_the_second():
    x = torch.zeros(1, 1, 1, 2)
    for kind in ("small", "large"):
        model = tiny(variance=kind)
        found = model.reverse(x, torch.tensor([1]))[1].exp().item()
        assert found == pytest.approx(model.schedule.posterior_variances[2].item())


# --- The bound -----------------------------------------------------------------------------------


def test_masses_of_levels_survive_in_the_tails():
    levels = torch.arange(256.0)
    mean, log_variance = torch.tensor([-1.0]), torch.tensor([-14.0], requires_grad=True)
    found = bound.discretised_log_prob(levels, mean, log_variance, 256)
    exact = bound.discretised_log_prob(
        levels.double(), mean.double(), log_variance.detach().double(), 256
    )
    torch.testing.assert_close(found.double(), exact, rtol=1e-4, atol=1e-4)
    assert exact.exp().sum().item() == pytest.approx(1)
    assert found.isfinite().all()
    assert found[-1] < -1e5  # two thousand deviations away: no floor at the authors' 1e-12
    (gradient,) = torch.autograd.grad(found.sum(), log_variance)
    assert gradient.isfinite().all()


def test_times_are_drawn_with_known_probabilities():
    schedule = NoiseSchedule(cosine(1000))
    found = bound.proposal(schedule)
    assert found.sum().item() == pytest.approx(1)
    assert not found[:2].any()
    assert (found[2:] > 0.09 / 999).all()
    gained = (1 + schedule.signal_to_noise).log()
    share = gained[1] - gained[-1]
    assert found[2].item() == pytest.approx(
        (0.9 * (gained[1] - gained[2]) / share + 0.1 / 999).item()
    )


def test_levels_are_checked():
    model = tiny()
    for wrong, named in ((0.5, "0.5"), (33.0, "33"), (-1.0, "-1"), (math.nan, "nan")):
        x = torch.zeros(2, 1, 1, 2)
        x[1] = wrong
        for entry in (model.elbo, model.encode, model.bound_terms):
            with pytest.raises(ValueError, match=f"x holds {named}, expected levels 0 to 32"):
                entry(x)
    with pytest.raises(ValueError, match="num_samples is 0"):
        model.elbo(torch.zeros(2, 1, 1, 2), num_samples=0)


def test_levels_come_back_from_the_scale():
    model, levels = tiny(), torch.arange(33.0)
    assert torch.equal(model.to_levels(model.scale(levels)), levels)
    assert model.scale(levels)[[0, 16, 32]].tolist() == [-1, 0, 1]
    assert model.to_levels(torch.tensor([-9.0, 9.0])).tolist() == [0, 32]


# --- The losses ----------------------------------------------------------------------------------


def drawn(model, n=6):
    x = torch.randint(33, (n, 1, 1, 2), generator=seeded(10)).to(next(model.parameters()))
    return (x, *loss.draw(model, x, seeded(11)))


def test_times_of_training_are_uniform():
    model, x = tiny(), torch.zeros(20_000, 1, 1, 2)
    t, eps = loss.draw(model, x, seeded(12))
    counts = t.bincount(minlength=101)
    assert counts[0] == 0
    assert counts[1:].min() > 200 - 5 * math.sqrt(200)
    assert eps.std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("parameterisation", ["eps", "x0", "v"])
def test_simple_loss_is_the_error_of_the_output(parameterisation):
    model = tiny(parameterisation)  # whose output is zero
    x, t, eps = drawn(model)
    expected = model.target(model.scale(x), eps, t).square().flatten(1).mean(1)
    torch.testing.assert_close(loss.simple_loss(model, x, t, eps), expected)


@pytest.mark.parametrize("variance", ["small", "large"])
def test_simple_loss_is_the_bound_without_its_weights(variance):
    """Eq. (12) of Ho et al.: L_{t-1} = w_t ||eps - eps_theta||^2 + the price of the variance."""
    model = tiny(variance=variance).double()
    torch.nn.init.normal_(model.network.last.bias, generator=seeded(13))
    x, _, eps = drawn(model)
    for t in (2, 50, 100):
        time = torch.full((6,), t)
        squares = 2 * loss.simple_loss(model, x, time, eps)  # the sum over two pixels
        rest = model.bound_term(x, time, eps) - loss.simple_weights(model)[t] * squares
        torch.testing.assert_close(rest, rest[:1].expand(6))  # no example in it
        assert variance == "large" or rest.abs().max() < 1e-9


def test_hybrid_loss_teaches_the_variances_by_the_bound_and_the_rest_by_simple_loss():
    model = tiny(variance="learned").double()
    torch.nn.init.normal_(model.network.last.weight, generator=seeded(14))
    x, t, eps = drawn(model)
    both, simple = (f(model, x, t, eps) for f in (loss.hybrid_loss, loss.simple_loss))
    bits = model.bound_term(x, t, eps) * 100 / (2 * math.log(2))
    torch.testing.assert_close(both, simple + 1e-3 * bits)
    weight = model.network.last.weight
    with_bound, without = (torch.autograd.grad(f.sum(), weight)[0] for f in (both, simple))
    torch.testing.assert_close(with_bound[0], without[0])  # the noise's channel
    assert not without[1].any()
    assert with_bound[1].any()


def test_bound_loss_is_the_bound_of_the_times_it_draws():
    """Over all times, weighted as they are drawn, it is L_0 + ... + L_{T-1} at the same noise."""
    model = tiny(variance="learned").double()
    torch.nn.init.normal_(model.network.last.weight, generator=seeded(14))
    x, _, eps = drawn(model)
    probabilities, terms, losses = loss.bound_probabilities(model), 0, 0
    for t in range(1, 101):
        time = torch.full((6,), t)
        terms = terms + model.bound_term(x, time, eps)
        losses = losses + probabilities[t] * loss.bound_loss(model, x, time, eps)
    torch.testing.assert_close(losses, terms / (2 * math.log(2)))


def test_times_for_the_bound_are_drawn_with_its_probabilities():
    model, x = tiny(), torch.zeros(5000, 1, 1, 2)
    t, eps = loss.draw_for_bound(model, x, seeded(12))
    expected = 5000 * loss.bound_probabilities(model)
    assert (t.bincount(minlength=101) - expected).abs().max() <= 1  # a lattice misses none
    assert eps.std() == pytest.approx(1, abs=0.05)
    first = torch.stack([loss.draw_for_bound(model, x[:1], seeded(k))[0] for k in range(500)])
    assert (first == 1).double().mean().item() == pytest.approx(0.1, abs=0.05)  # alone, at random


# --- Sampling ------------------------------------------------------------------------------------


def test_samples_are_the_last_state_of_the_sampler_as_levels():
    for steps, eta in ((5, 0.0), (5, 1.0), (None, 0.0)):
        model = tiny(num_sample_steps=steps, eta=eta)
        found = model.sample(4, generator=seeded(15))
        generator = seeded(15)
        x = model.sample_prior(4, generator=generator)
        states = list(model.denoise(x, num_steps=steps, eta=eta, generator=generator))
        assert len(states) == (steps or 100)
        assert torch.equal(found, model.to_levels(states[-1]))
        assert torch.equal(found, found.round())


def test_the_generator_is_needed_only_where_there_is_noise():
    model, x = tiny(), torch.randn(2, 1, 1, 2, generator=seeded(16))
    first, second = (list(ddim(model, x, [100, 50, 0], generator=seeded(s)))[-1] for s in (1, 2))
    assert torch.equal(first, second)
    first, second = (
        list(ddim(model, x, [100, 50, 0], eta=0.5, generator=seeded(s)))[-1] for s in (1, 2)
    )
    assert not torch.equal(first, second)


def test_decode_undoes_encode():
    model = tiny(num_sample_steps=100).double()
    torch.nn.init.normal_(model.network.last.weight, std=0.05, generator=seeded(17))
    x = torch.randint(33, (20, 1, 1, 2), generator=seeded(18)).double()
    z = model.encode(x)
    assert torch.equal(model.decode(z), x)
    assert time_of(3, z).tolist() == [3]


def test_impossible_choices_are_refused():
    for wrong, told in (
        ({"parameterisation": "score"}, "'score' is not one of eps, x0, v"),
        ({"variance": "fixed"}, "'fixed' is not one of small, large, learned"),
        ({"eta": 1.5}, "eta is 1.5, expected 0 to 1"),
        ({"num_sample_steps": 101}, "num_steps is 101, expected 1 to 100"),
    ):
        with pytest.raises(ValueError, match=told):
            tiny(**wrong)
    with pytest.raises(ValueError, match="n is -1"):
        tiny().sample(-1)
    for betas in (torch.tensor([0.1]), torch.tensor([0.1, 1.0])):
        with pytest.raises(ValueError, match="expected"):
            NoiseSchedule(betas)


# --- train.py ------------------------------------------------------------------------------------


def test_points_are_refused():
    with pytest.raises(UserError, match="ring is continuous"):
        train.load_data(replace(train.PRESETS["smoke"], data="ring"))


def test_the_paper_s_preset_is_appendix_b():
    paper = train.PRESETS["paper"]
    assert (paper.num_steps, paper.noise, paper.batch_size) == (1000, "linear", 128)
    assert (paper.learning_rate, paper.warmup_steps, paper.dropout) == (2e-4, 5000, 0.1)
    assert (paper.ema_decay, paper.steps, paper.decay) == (0.9999, 800_000, False)


@pytest.mark.parametrize("variance", ["small", "learned"])
def test_training_lowers_the_loss(tmp_path, variance):
    config = replace(train.PRESETS["smoke"], variance=variance, steps=30, learning_rate=5e-3)
    model = train.train(config, Run(tmp_path, progress=False))
    data = train.load_data(config)
    x = data.valid.tensor()
    t, eps = loss.draw(model, x, seeded(19))
    fresh = train.build(config, data, generator=seeded(0)).eval()
    with torch.no_grad():
        after, before = (loss.simple_loss(m, x, t, eps).mean() for m in (model, fresh))
    assert after < 0.8 * before
    assert model.sample(2, generator=seeded(20)).shape == (2, 1, 8, 8)
