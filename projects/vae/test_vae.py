"""The laws that the VAE obeys, and what is special to the paper: its KL, its estimators, its limit."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch import distributions as D

from projects.vae import train as training
from projects.vae.model import VAE, gaussian_kl, reparameterise
from projects.vae.networks import BernoulliMLP
from projects.vae.pictures import Plane, ladder
from tests import laws
from tests.laws import seeded


class TestBernoulliVAE(laws.Bound, laws.Sampler):
    def model(self):
        return VAE((5,), latent_size=1, hidden_sizes=(6,), generator=seeded(0))


class TestPlaneVAE(laws.Bound, laws.Sampler):
    def model(self):
        return VAE((1, 2, 2), latent_size=2, hidden_sizes=(6, 4), generator=seeded(1))


class TestGaussianVAE(laws.Bound, laws.Sampler):
    def model(self):
        return VAE((2,), 1, hidden_sizes=(5,), likelihood="gaussian", generator=seeded(2))


# --- Appendix B ----------------------------------------------------------------------------------


def test_analytic_kl_is_that_of_torch_distributions():
    mean = torch.tensor([-2.0, 0.0, 0.3, 5.0], dtype=torch.float64)
    log_variance = torch.tensor([0.0, -6.0, 1.5, 3.0], dtype=torch.float64)
    posterior = D.Normal(mean, torch.exp(0.5 * log_variance))
    expected = D.kl_divergence(posterior, D.Normal(torch.zeros_like(mean), 1.0))
    torch.testing.assert_close(gaussian_kl(mean, log_variance), expected)


def test_analytic_kl_is_the_mean_of_its_monte_carlo_estimate():
    mean = torch.tensor([0.7, -1.2], dtype=torch.float64)
    log_variance = torch.tensor([-1.0, 0.5], dtype=torch.float64)
    eps = torch.randn(200_000, 2, generator=seeded(3), dtype=torch.float64)
    z = reparameterise(mean, log_variance, eps)
    posterior = D.Normal(mean, torch.exp(0.5 * log_variance))
    terms = posterior.log_prob(z) - D.Normal(torch.zeros_like(mean), 1.0).log_prob(z)
    error = (terms.mean(0) - gaussian_kl(mean, log_variance)).abs()
    assert (error < 4 * terms.std(0) / math.sqrt(len(terms))).all()


# --- Section 2.4: the reparameterisation ---------------------------------------------------------


def test_reparameterised_gradient_is_the_gradient_of_the_expectation():
    """E[z^2] = mu^2 + sigma^2, so its gradients are 2 mu and, by log sigma^2, sigma^2."""
    mean = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    log_variance = torch.tensor(-0.4, dtype=torch.float64, requires_grad=True)
    eps = torch.randn(400_000, generator=seeded(4), dtype=torch.float64)
    reparameterise(mean, log_variance, eps).square().mean().backward()
    assert mean.grad.item() == pytest.approx(2 * 0.8, abs=0.01)
    assert log_variance.grad.item() == pytest.approx(math.exp(-0.4), abs=0.01)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_gradient_of_the_bound_is_its_finite_difference(likelihood):
    model = VAE((3,), 2, (4,), likelihood=likelihood, generator=seeded(5)).double()
    x = torch.bernoulli(torch.full((6, 3), 0.5, dtype=torch.float64), generator=seeded(6))
    noise = torch.randn(2, 6, 2, generator=seeded(7), dtype=torch.float64)

    def bound():
        return model.elbo(x, num_samples=2, noise=noise).mean()

    gradients = torch.autograd.grad(bound(), list(model.parameters()))
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        direction = torch.randn(parameter.shape, generator=seeded(8), dtype=torch.float64)
        with torch.no_grad():
            parameter += 1e-5 * direction
            above = bound()
            parameter -= 2e-5 * direction
            below = bound()
            parameter += 1e-5 * direction
        assert (gradient * direction).sum().item() == pytest.approx(
            (above - below).item() / 2e-5, rel=1e-6, abs=1e-8
        )


# --- Sections 2.2 and 2.3: the bound and its two estimators --------------------------------------


def test_elbo_is_of_each_example_and_summed_over_its_pixels():
    model = VAE((1, 4, 4), 3, (8,), generator=seeded(9)).double()
    x = torch.bernoulli(torch.full((5, 1, 4, 4), 0.3, dtype=torch.float64), generator=seeded(10))
    noise = torch.randn(7, 5, 3, generator=seeded(11), dtype=torch.float64)
    mean, std = model.encode(x)
    for row in range(5):
        posterior = D.Normal(mean[row], std[row])
        total = -D.kl_divergence(posterior, D.Normal(torch.zeros(3), torch.ones(3))).sum()
        for k in range(7):
            pixels = D.Bernoulli(model.decode(mean[row] + std[row] * noise[k, row]))
            total = total + pixels.log_prob(x[row]).sum() / 7
        found = model.elbo(x[row : row + 1], num_samples=7, noise=noise[:, row : row + 1])
        torch.testing.assert_close(found, total[None])
    alone = model.elbo(x[:1], num_samples=7, noise=noise[:, :1])
    torch.testing.assert_close(model.elbo(x, num_samples=7, noise=noise)[:1], alone)


def test_mean_log_weight_is_the_same_bound_with_another_variance():
    model = VAE((6,), 2, (8,), generator=seeded(12)).double()
    x = torch.bernoulli(torch.full((4, 6), 0.5, dtype=torch.float64), generator=seeded(13))
    noise = torch.randn(20_000, 4, 2, generator=seeded(14), dtype=torch.float64)
    with torch.no_grad():
        weights = model.log_weights(x, num_samples=20_000, noise=noise)
        analytic = model.elbo(x, num_samples=20_000, noise=noise)
    assert (weights.mean(0) - analytic).abs().max() < 4 * weights.std() / math.sqrt(20_000)


def test_shared_noise_decides_the_value_and_the_generator_does_not():
    model = VAE((6,), 2, (8,), generator=seeded(15))
    x = torch.ones(4, 6)
    noise = torch.randn(3, 4, 2, generator=seeded(16))
    first = model.elbo(x, num_samples=3, noise=noise, generator=seeded(1))
    second = model.elbo(x, num_samples=3, noise=noise, generator=seeded(2))
    assert torch.equal(first, second)
    drawn = model.elbo(x, num_samples=3, generator=seeded(16))
    torch.testing.assert_close(drawn, first)


# --- Appendix C: the Bernoulli decoder, slow and fast --------------------------------------------


@pytest.mark.parametrize("num_dims", [1, 7, 67, 784])
def test_cached_log_likelihood_is_the_naive_one(num_dims):
    model = VAE((num_dims,), 2, (9,), generator=seeded(17)).double()
    x = torch.bernoulli(torch.full((4, num_dims), 0.4, dtype=torch.float64), generator=seeded(18))
    z = 3 * torch.randn(1001, 4, 2, generator=seeded(19), dtype=torch.float64)
    with torch.no_grad():
        fast = model.log_likelihood(x, z)
        logits = model.decoder(z)
        naive = D.Bernoulli(logits=logits).log_prob(x).sum(-1)
        one_sample = model.log_likelihood(x, z[0])
    with_gradient = model.log_likelihood(x, z)
    assert with_gradient.requires_grad
    for found in (fast, with_gradient):
        torch.testing.assert_close(found, naive, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(one_sample, naive[0], rtol=1e-10, atol=1e-10)


def test_cached_log_likelihood_in_single_precision_is_right_to_a_thousandth_of_a_nat():
    model = VAE((784,), 5, (50,), generator=seeded(20))
    with torch.no_grad():
        model.decoder.logit_head.bias += 4 * torch.randn(784, generator=seeded(21)) - 3
        z = torch.randn(200, 3, 5, generator=seeded(22))
        x = torch.bernoulli(model.decode(z[0]), generator=seeded(23))
        single = model.log_likelihood(x, z)
        model.double()
        double = D.Bernoulli(logits=model.decoder(z.double())).log_prob(x.double()).sum(-1)
    assert (single - double).abs().max() < 1e-3


@pytest.mark.parametrize("mode", ["autocast", "bfloat16", "float16", "coarse products"])
def test_log_likelihood_without_gradients_is_as_good_in_low_precision(mode):
    """The fast way would be tens of nats off in bf16, and minus infinity in float16."""
    model = VAE((784,), 5, (50,), generator=seeded(20))
    dtype = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(mode, torch.float32)
    z, x = torch.randn(20, 3, 5, generator=seeded(22)), torch.zeros(3, 784)
    with torch.no_grad():
        exact = model.log_likelihood(x, z)
    model, x, z = model.to(dtype), x.to(dtype), z.to(dtype)
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium" if mode == "coarse products" else "highest")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mode == "autocast"):
            ordinary = model.log_likelihood(x, z).detach()
            with torch.no_grad():
                found = model.log_likelihood(x, z)
    finally:
        torch.set_float32_matmul_precision(precision)
    assert torch.equal(found, ordinary)
    torch.testing.assert_close(found.float(), exact, rtol=0.01, atol=0.0)


def test_cached_log_likelihood_survives_certain_pixels():
    decoder = BernoulliMLP(1, (), 128)
    with torch.no_grad():
        decoder.logit_head.weight.zero_()
        decoder.logit_head.bias.fill_(0.0)
        even = decoder.log_prob(torch.ones(1, 128), torch.zeros(3, 1, 1))
        decoder.logit_head.bias.fill_(200.0)
        certain = decoder.log_prob(torch.ones(1, 128), torch.zeros(3, 1, 1))
        wrong = decoder.log_prob(torch.zeros(1, 128), torch.zeros(3, 1, 1))
    torch.testing.assert_close(even, torch.full((3, 1), -128 * math.log(2)))
    torch.testing.assert_close(certain, torch.zeros(3, 1))
    torch.testing.assert_close(wrong, torch.full((3, 1), -128 * 200.0))


def test_decoder_starts_from_the_pixel_means():
    decoder = BernoulliMLP(2, (3,), 4)
    means = torch.tensor([[0.1, 0.9], [0.5, 0.0]])
    decoder.start_from(means)
    with torch.no_grad():
        decoder.logit_head.weight.zero_()
        found = decoder.mean(torch.zeros(1, 2))
    torch.testing.assert_close(found, torch.tensor([[0.1, 0.9, 0.5, 0.001]]))


# --- The linear Gaussian VAE is probabilistic PCA: everything is known in closed form ------------


def principal_components():
    """A linear VAE with p(x) = N(b, W W' + s^2 I), and the exact log p of 8 points.

    W has orthogonal columns, so the true posterior is diagonal: mean (W'W + s^2)^-1 W'(x - b) and
    variance s^2 (W'W + s^2)^-1, which the encoder without hidden layers can equal.
    """
    model = VAE((4,), 2, hidden_sizes=(), likelihood="gaussian", generator=seeded(24)).double()
    basis = torch.linalg.qr(torch.randn(4, 2, generator=seeded(25), dtype=torch.float64))[0]
    weight = basis * torch.tensor([2.0, 0.7])
    offset = torch.tensor([1.0, -1.0, 0.5, 0.0], dtype=torch.float64)
    variance = 0.25
    precision = weight.square().sum(0) + variance  # (d,) the diagonal of W'W + s^2
    with torch.no_grad():
        for part in (model.encoder, model.decoder):
            part.log_variance_head.weight.zero_()
        model.decoder.mean_head.weight.copy_(weight)
        model.decoder.mean_head.bias.copy_(offset)
        model.decoder.log_variance_head.bias.fill_(math.log(variance))
        model.encoder.mean_head.weight.copy_((weight / precision).T)
        model.encoder.mean_head.bias.copy_(-offset @ (weight / precision))
        model.encoder.log_variance_head.bias.copy_(torch.log(variance / precision))
    covariance = weight @ weight.T + variance * torch.eye(4, dtype=torch.float64)
    x = torch.randn(8, 4, generator=seeded(26), dtype=torch.float64)
    return model, x, D.MultivariateNormal(offset, covariance).log_prob(x)


def test_with_the_exact_posterior_every_importance_weight_is_the_marginal_likelihood():
    model, x, log_prob = principal_components()
    weights = model.log_weights(x, num_samples=5, generator=seeded(27))
    torch.testing.assert_close(weights, log_prob.expand(5, 8))


def test_with_a_wrong_posterior_the_gap_is_its_kl_and_importance_samples_close_it():
    model, x, log_prob = principal_components()
    mean, std = model.encode(x)
    exact = D.Normal(mean.detach(), std.detach())
    with torch.no_grad():
        model.encoder.mean_head.bias += 0.3
        model.encoder.log_variance_head.bias += 0.5
        gap = D.kl_divergence(D.Normal(*model.encode(x)), exact).sum(-1)
        elbo = model.elbo(x, num_samples=50_000, generator=seeded(28))
        weights = model.log_weights(x, num_samples=50_000, generator=seeded(29))
    torch.testing.assert_close(log_prob - elbo, gap, rtol=0.03, atol=0.0)
    marginal = weights.logsumexp(0) - math.log(50_000)
    torch.testing.assert_close(marginal, log_prob, rtol=0.0, atol=0.02)


def test_samples_have_the_covariance_of_the_marginal():
    model, _, _ = principal_components()
    with torch.no_grad():
        x = model.sample(100_000, generator=seeded(30))
        weight = model.decoder.mean_head.weight
        covariance = weight @ weight.T + 0.25 * torch.eye(4)
    torch.testing.assert_close(torch.cov(x.T), covariance, rtol=0.0, atol=0.06)


# --- What is refused -----------------------------------------------------------------------------


def test_wrong_sizes_are_named():
    model = VAE((1, 2, 2), 2, (4,), generator=seeded(31))
    with pytest.raises(ValueError, match=r"\(3, 4\).*\(B, 1, 2, 2\)"):
        model.elbo(torch.ones(3, 4))
    with pytest.raises(ValueError, match="num_samples is 0"):
        model.log_weights(torch.ones(3, 1, 2, 2), num_samples=0)
    with pytest.raises(ValueError, match=r"noise has shape \(3, 2\), expected \(1, 3, 2\)"):
        model.elbo(torch.ones(3, 1, 2, 2), noise=torch.zeros(3, 2))
    with pytest.raises(ValueError, match="'poisson'"):
        VAE((4,), 2, likelihood="poisson")
    with pytest.raises(ValueError, match="'sine'"):
        VAE((4,), 2, activation="sine")
    with pytest.raises(ValueError, match="latent_size is 0"):
        VAE((4,), 0)
    with pytest.raises(ValueError, match=r"\[4, 0\] must all be positive"):
        VAE((4,), 2, hidden_sizes=(0,))


@pytest.mark.parametrize("value", [0.5, -1.0, 255.0, math.nan, math.inf])
@pytest.mark.parametrize("with_gradient", [True, False])
def test_what_is_not_binary_has_no_bernoulli_likelihood(value, with_gradient):
    """Grey pixels would give a bound, even one above zero, where a mass has none."""
    model = VAE((4,), 2, (4,), generator=seeded(31))
    x = torch.zeros(3, 4)
    x[1, 2] = value
    with torch.set_grad_enabled(with_gradient):
        for bound in (model.elbo, model.log_weights):
            with pytest.raises(ValueError, match=f"x holds {value:g}, expected 0 and 1"):
                bound(x, num_samples=2)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64])
def test_bits_of_any_type_are_zeros_and_ones(dtype):
    model = VAE((4,), 2, (4,), generator=seeded(31))
    x = torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    noise = torch.ones(1, 1, 2)
    assert torch.equal(model.elbo(x.to(dtype), noise=noise), model.elbo(x, noise=noise))


def test_codes_that_do_not_belong_to_the_images_are_refused():
    model = VAE((4,), 3, (8,), generator=seeded(31))
    with pytest.raises(ValueError, match=r"z has shape \(5, 3\), expected \(..., 1, 3\)"):
        model.log_likelihood(torch.ones(1, 4), torch.zeros(5, 3))
    with pytest.raises(ValueError, match=r"z has shape \(2, 4\), expected \(..., 3\)"):
        model.decode(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="n is -1, expected at least 0"):
        model.sample(-1)
    assert model.log_likelihood(torch.ones(0, 4), torch.zeros(7, 0, 3)).shape == (7, 0)


# --- train.py ------------------------------------------------------------------------------------


def test_staircase_is_that_of_the_paper():
    """3^i epochs at 10^(-i/7): 1 epoch at 1, 3 at 0.72, ..., 2187 at 0.1."""
    rate = training.staircase(3280)
    assert [rate(step) for step in (0, 1, 3, 4)] == pytest.approx(
        [1.0, 10 ** (-1 / 7), 10 ** (-1 / 7), 10 ** (-2 / 7)]
    )
    assert rate(1092) == pytest.approx(10 ** (-6 / 7))
    assert rate(1093) == rate(3279) == rate(4000) == pytest.approx(0.1)


def test_the_plane_of_the_pictures_integrates_to_the_likelihood():
    model = VAE((3,), 2, (4,), generator=seeded(32)).double()
    states = torch.cartesian_prod(*[torch.arange(2.0, dtype=torch.float64)] * 3)
    plane = Plane(model, states, steps=101)
    assert plane.log_evidence.exp().sum().item() == pytest.approx(1, abs=1e-6)
    z = torch.randn(100_000, 1, 2, generator=seeded(33), dtype=torch.float64)
    with torch.no_grad():
        likelihood = model.log_likelihood(states, z.expand(-1, 8, -1)).exp()  # (K, B)
    torch.testing.assert_close(plane.log_evidence.exp(), likelihood.mean(0), rtol=0.02, atol=0)
    weights = likelihood[:, 5] / likelihood[:, 5].sum()
    across, up = plane.posterior(5).sum(0), plane.posterior(5).sum(1)
    found = torch.stack([plane.ticks @ across, plane.ticks @ up])
    torch.testing.assert_close(found, weights @ z[:, 0], rtol=0, atol=0.03)


def test_the_ladder_of_the_pictures_is_the_bound_of_each_number_of_samples():
    model = VAE((3,), 2, (4,), generator=seeded(32)).double()
    x = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    bounds = ladder(model, x, num_samples=8)
    assert {k: tuple(values.shape) for k, values in bounds.items()} == {
        1: (8, 2), 2: (4, 2), 4: (2, 2), 8: (1, 2),
    }  # fmt: skip
    with torch.no_grad():
        weights = model.log_weights(x, num_samples=8, generator=seeded(7)).exp()
    torch.testing.assert_close(bounds[4][1], weights[4:].mean(0).log())


def test_a_bernoulli_decoder_refuses_continuous_data():
    with pytest.raises(ValueError, match="ring is continuous"):
        training.load_data(training.Config(data="ring"))


def test_an_unknown_choice_names_those_there_are():
    with pytest.raises(ValueError, match="schedule is 'linear', expected one of: cosine"):
        training.Config(schedule="linear")


def test_gaussian_decoders_take_images_in_the_unit_interval():
    data = training.load_data(training.Config(likelihood="gaussian"))
    x = data.test.tensor(seed=0)
    assert x.min() >= 0
    assert x.max() < 1
    model = training.build(training.Config(likelihood="gaussian"), data, generator=seeded(35))
    assert model.elbo(x[:3], generator=seeded(36)).shape == (3,)


class StubRun:
    """A run on another device that records what `train` asks for; it is its own model."""

    device = torch.device("meta")

    def __init__(self):
        self.init_generator, self.generator, self.calls = seeded(37), seeded(38), []

    def batches(self, split, batch_size, *, epochs, validate):
        self.split, self.validate = split, validate
        self.budget = {"batch_size": batch_size, "epochs": epochs}
        return [torch.zeros(batch_size, 1)]

    def setup(self, model, optimiser, **settings):
        self.untrained, self.settings = model, settings
        return self, optimiser

    def elbo(self, x, **settings):
        self.calls.append((x, settings))
        return torch.zeros(len(x))

    def step(self, loss, optimiser):
        assert loss.shape == ()

    def best(self, model):
        return model


def test_one_step_of_training_is_the_configured_one():
    run = StubRun()
    config = training.Config(
        num_samples=3,
        batch_size=7,
        epochs=9,
        learning_rate=0.25,
        schedule="staircase",
        adam_eps=0.5,
    )
    training.train(config, run)
    assert len(run.split) == 1199
    assert run.budget == {"batch_size": 7, "epochs": 9}
    schedule = run.settings.pop("schedule")
    assert schedule(1) == pytest.approx(0.1)  # a staircase of a single step; a cosine is at 0
    assert run.settings == {"lr": 0.25, "optimiser_args": {"eps": 0.5}}
    [(x, settings)] = run.calls
    assert len(x) == 7
    assert settings == {"num_samples": 3, "generator": run.generator}


def test_who_trains_on_the_validation_split_does_not_choose_by_it():
    run = StubRun()
    training.train(training.Config(train_on_validation=True), run)
    assert len(run.split) == 1199 + 299
    assert run.validate is None


def test_the_goal_was_trained_with_its_preset():
    path = Path(training.__file__).parent / "results" / "dynamic-mnist.json"
    result = json.loads(path.read_text())
    assert json.loads(json.dumps(asdict(training.PRESETS[result["preset"]]))) == result["config"]


def test_burda2016_is_their_section_5():
    goal, theirs = training.PRESETS["mnist"], training.PRESETS["burda2016"]
    schedule = {"epochs": 3280, "batch_size": 20, "learning_rate": 1e-3, "schedule": "staircase"}
    assert theirs == replace(goal, **schedule, adam_eps=1e-4)


def test_the_untrained_model_knows_the_pixel_means():
    data = training.load_data(training.PRESETS["smoke"])
    model = training.build(training.PRESETS["smoke"], data, generator=seeded(39))
    with torch.no_grad():
        model.decoder.logit_head.weight.zero_()
        found = model.decode(torch.zeros(2))
    means = data.train.x.float().mean(0) / 16
    torch.testing.assert_close(found, means.clamp(1e-3, 1 - 1e-3))


def test_layers_are_the_configured_ones_and_start_at_glorots_uniform_law():
    config = training.Config(hidden_sizes=(50, 30), activation="relu")
    model = training.build(config, training.load_data(config), generator=seeded(40))
    relu = torch.nn.ReLU
    assert widths(model.encoder.body) == [(64, 50), relu, (50, 30), relu]
    assert widths(model.decoder.body) == [(2, 30), relu, (30, 50), relu]
    for weight in (model.encoder.body[0].weight, model.decoder.body[2].weight):
        bound = math.sqrt(6 / sum(weight.shape))
        assert 0.95 * bound < weight.abs().max() <= bound
        assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert not model.encoder.body[0].bias.any()


def widths(body):
    """The sizes of the layers and the names of what stands between them."""
    linear = torch.nn.Linear
    return [tuple(m.weight.shape[::-1]) if isinstance(m, linear) else type(m) for m in body]


def test_validation_happens_where_the_model_is():
    run = StubRun()
    training.train(training.Config(), run)
    run.validate()
    x, settings = run.calls[-1]
    assert x.shape == (299, 1, 8, 8)
    assert settings["noise"].shape == (1, 299, 2)
    assert x.device == settings["noise"].device == run.device


def test_smoke_preset_learns_the_digits(tmp_path):
    from common.evaluation import baseline, evaluate
    from common.training import Run

    config = training.PRESETS["smoke"]
    model = training.train(config, Run(tmp_path, seed=0, progress=False))
    data = training.load_data(config)
    bound = evaluate(model, data, metrics=["nll_elbo_nats"])["nll_elbo_nats"]
    assert bound.value < baseline(data, "test").value
