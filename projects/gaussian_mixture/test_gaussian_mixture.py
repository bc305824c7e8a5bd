"""The laws that mixtures obey, scikit-learn beside them, and what is special to the paper."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import distributions as D
from torch.utils._python_dispatch import TorchDispatchMode

from common.config import override
from common.data import DataError, load
from common.projects import find_project
from common.results import project_results
from common.training import Run
from projects.gaussian_mixture import divergences
from projects.gaussian_mixture.agreement import begun, scikit_learn
from projects.gaussian_mixture.covariances import COVARIANCES
from projects.gaussian_mixture.em import em_step, expectation, fit, maximisation
from projects.gaussian_mixture.missing import condition, impute, marginal
from projects.gaussian_mixture.model import GaussianMixture
from projects.gaussian_mixture.starts import k_means_plus_plus, start
from projects.gaussian_mixture.train import PRESETS, complete, load_data, train
from tests import laws
from tests.laws import seeded

KINDS = list(COVARIANCES)


class Hooks:
    """What the laws need, for a structure of the covariance."""

    kind: str

    def model(self):
        return GaussianMixture(3, 2, covariance=self.kind, generator=seeded(0))

    def mixture(self, num_components):
        return GaussianMixture(num_components, 2, covariance=self.kind, generator=seeded(1))

    def em_step(self, model, x):
        return em_step(model, x)


class TestFull(Hooks, laws.Mixture, laws.ContinuousDensity):
    kind = "full"


class TestTied(Hooks, laws.Mixture, laws.ContinuousDensity):
    kind = "tied"


class TestDiagonal(Hooks, laws.Mixture, laws.ContinuousDensity):
    kind = "diag"

    def structured(self, covariance):
        return torch.diag(covariance.diagonal())


class TestSpherical(Hooks, laws.Mixture, laws.ContinuousDensity):
    kind = "spherical"

    def structured(self, covariance):
        return covariance.diagonal().mean() * torch.eye(len(covariance), dtype=covariance.dtype)


class TestImages(laws.Sampler):
    def model(self):
        return GaussianMixture(2, (1, 2, 2), generator=seeded(2))


def random_mixture(num: int, dims: int, seed: int = 3, **options) -> GaussianMixture:
    """A mixture whose every parameter is random."""
    model = GaussianMixture(num, dims, generator=seeded(seed), **options)
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):
            parameter += 0.5 * torch.randn(
                parameter.shape, generator=seeded(seed + i), dtype=parameter.dtype
            )
    return model


def observed_at_random(x: torch.Tensor, share: float, seed: int = 9) -> torch.Tensor:
    """A mask of what is observed; some rows are whole, and some empty."""
    observed = torch.rand(x.shape, generator=seeded(seed)) < share
    observed[0], observed[1] = True, False
    return observed


# --- the density -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_log_prob_is_that_of_torch_distributions(kind):
    model = random_mixture(4, 3, covariance=kind)
    components = D.MultivariateNormal(model.means, model.covariances)
    expected = D.MixtureSameFamily(D.Categorical(logits=model.logits), components)
    x = torch.randn(20, 3, generator=seeded(4), dtype=torch.float64)
    torch.testing.assert_close(model.log_prob(x), expected.log_prob(x))


@pytest.mark.parametrize("kind", KINDS)
def test_moments_come_back(kind):
    model = random_mixture(3, 2, covariance=kind)
    kept = COVARIANCES[kind](3, 2, torch.float64).reduce(model.covariances)
    kept = {"tied": model.covariances[0], "spherical": kept / 2}.get(kind, kept)
    again = GaussianMixture.from_moments(model.weights, model.means, kept, kind)
    for name in ("weights", "means", "covariances"):
        torch.testing.assert_close(getattr(again, name), getattr(model, name))


@pytest.mark.parametrize("kind", KINDS)
def test_draws_of_each_component_have_its_moments(kind):
    model = random_mixture(3, 2, seed=33, covariance=kind)
    if kind in ("full", "tied"):
        with torch.no_grad():
            model.covariance.parameter[..., 1, 0] = 1.5
    x, component = model.sample_joint(60_000, generator=seeded(34))
    share = torch.bincount(component, minlength=3) / len(x)
    torch.testing.assert_close(share.double(), model.weights.detach(), atol=0.01, rtol=0)
    for k in range(3):
        rows = x[component == k]
        torch.testing.assert_close(rows.mean(0), model.means[k].detach(), atol=0.1, rtol=0)
        found, expected = torch.cov(rows.T), model.covariances[k].detach()
        assert (found - expected).abs().max() < 0.05 * expected.diagonal().max()


def test_a_component_far_away_has_a_density_of_its_own_logarithm():
    model = GaussianMixture(1, 1)
    log_prob = model.log_prob(torch.tensor([[1e4]], dtype=torch.float64))
    centre = model.means.item()
    assert log_prob.item() == pytest.approx(-0.5 * (1e4 - centre) ** 2, rel=1e-6)


def test_wrong_moments_are_told():
    weights, means, eye = torch.full((2,), 0.5), torch.zeros(2, 3), torch.eye(3).expand(2, 3, 3)
    with pytest.raises(ValueError, match=r"got \(2, 3, 3\), expected \(3, 3\)"):
        GaussianMixture.from_moments(weights, means, eye, "tied")
    with pytest.raises(ValueError, match="expected a distribution"):
        GaussianMixture.from_moments(2 * weights, means, eye)
    with pytest.raises(ValueError, match="component 1 is singular"):
        GaussianMixture.from_moments(weights, means, torch.stack([eye[0], 0 * eye[0]]))


def test_wrong_arguments_are_told():
    with pytest.raises(ValueError, match=r"'fuller' is not one of \['diag', 'full'"):
        GaussianMixture(2, 2, covariance="fuller")
    with pytest.raises(ValueError, match="num_components=0"):
        GaussianMixture(0, 2)
    with pytest.raises(ValueError, match=r"torch.float64, got torch.float32"):
        GaussianMixture(2, 2).log_prob(torch.zeros(1, 2))
    with pytest.raises(ValueError, match=r"observed of torch.bool"):
        GaussianMixture(2, 2).log_prob(torch.zeros(1, 2).double(), torch.ones(1, 2))


# --- scikit-learn ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_iteration_agrees_with_scikit_learn(kind):
    x = complete(load_data(PRESETS["digits-likelihood"]), 1).x
    model = GaussianMixture(5, x.shape[1:], covariance=kind)
    start(model, x, method="random", generator=seeded(5))
    theirs, estimator = scikit_learn(model, x, iterations=12, added=1e-6)
    ours = fit(model, x, iterations=12, floor=0.0, added=1e-6)
    assert ours == pytest.approx(theirs, rel=1e-6)
    assert ours[-1] - ours[0] > 1  # they went somewhere together
    numbers = x.flatten(1).numpy()
    assert model.bic(x) == pytest.approx(estimator.bic(numbers), rel=1e-6)
    assert model.aic(x) == pytest.approx(estimator.aic(numbers), rel=1e-6)


def test_every_iteration_agrees_with_scikit_learn_on_protein():
    try:
        load("protein")
    except DataError as error:
        pytest.skip(f"uci/protein is not at hand: {error}")
    model, x = begun("protein-likelihood")
    part = x[::10]
    theirs, _ = scikit_learn(model, part, iterations=10, added=1e-6)
    assert fit(model, part, iterations=10, floor=0.0, added=1e-6) == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("goal_id", ["digits-likelihood", "protein-likelihood"])
def test_the_recorded_likelihoods_are_scikit_learn_s_on_both_sides(goal_id):
    project = find_project("gaussian_mixture")
    goal, result = project.goal(goal_id), project_results(project)[goal_id]
    assert goal.tolerance <= 1e-6 * abs(goal.target)
    assert abs(result.value - goal.target) <= goal.tolerance


def test_agreement_can_fail():
    model = random_mixture(3, 2)
    x = model.sample(200, generator=seeded(6))
    theirs, _ = scikit_learn(model, x, iterations=5, added=1e-6)
    assert fit(model, x, iterations=5, floor=0.0, added=1e-2) != pytest.approx(theirs, rel=1e-6)


# --- the paper: incomplete data --------------------------------------------------------------------


def test_the_example_of_section_1():
    """Table 1: 197 animals in four cells, the first of them two cells that were not told apart."""
    p, found = 0.5, []
    for _ in range(8):
        second = 125 * (p / 4) / (1 / 2 + p / 4)  # E-step
        p = (second + 34) / (second + 34 + 18 + 20)  # M-step
        found.append(p)
    table = [0.608247423, 0.624321051, 0.626488879, 0.626777323]
    table += [0.626815632, 0.626820719, 0.626821395, 0.626821484]
    assert found == pytest.approx(table, abs=1e-9)  # a unit of the last printed digit


@pytest.mark.parametrize("kind", KINDS)
def test_missing_values_are_integrated_out(kind):
    model = random_mixture(3, 3, covariance=kind)
    x = torch.randn(6, 3, generator=seeded(7), dtype=torch.float64)
    observed = observed_at_random(x, 0.5)
    found = model.log_prob(torch.where(observed, x, math.nan), observed)
    for row in range(6):
        dims = observed[row].nonzero()[:, 0]
        if len(dims):
            components = D.MultivariateNormal(
                model.means[:, dims], model.covariances[:, dims[:, None], dims]
            )
            expected = D.MixtureSameFamily(D.Categorical(logits=model.logits), components)
            torch.testing.assert_close(found[row], expected.log_prob(x[row, dims]))
        else:
            assert found[row].item() == pytest.approx(0.0, abs=1e-12)
    whole = torch.ones_like(observed)
    torch.testing.assert_close(model.log_prob(x, whole), model.log_prob(x))


@pytest.mark.parametrize("kind", KINDS)
def test_em_with_missing_values_climbs_and_ends_where_the_gradient_is_zero(kind):
    x = random_mixture(2, 3, seed=11).sample(150, generator=seeded(8))
    observed = observed_at_random(x, 0.7)
    x = torch.where(observed, x, math.nan)
    model = random_mixture(2, 3, covariance=kind)
    history = fit(model, x, observed, iterations=25)
    rises = [b - a for a, b in itertools.pairwise(history)]
    assert min(rises) > -1e-9
    assert history[-1] - history[0] > 0.1
    # along EM's own step the likelihood grows as fast as its gradient says
    gradients = torch.autograd.grad(model.log_prob(x, observed).mean(), list(model.parameters()))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    value = em_step(model, x, observed)
    step = [p.detach() - b for p, b in zip(model.parameters(), before, strict=True)]
    slope = sum((g * s).sum().item() for g, s in zip(gradients, step, strict=True))
    risen = fit(model, x, observed, iterations=1)[0] - value
    assert slope > 0
    assert risen == pytest.approx(slope, rel=0.5)


def test_the_e_step_with_nothing_missing_is_the_e_step():
    for kind in KINDS:
        model = random_mixture(3, 2, covariance=kind)
        x = torch.randn(40, 2, generator=seeded(12), dtype=torch.float64)
        plain = expectation(model, x).tensors()
        masked = expectation(model, x, torch.ones_like(x, dtype=torch.bool)).tensors()
        for one, other in zip(plain, masked, strict=True):
            torch.testing.assert_close(one, other)


def test_the_conditional_density_is_joint_over_marginal():
    model = random_mixture(3, 4)
    x = torch.randn(4, generator=seeded(13), dtype=torch.float64)
    observed = torch.tensor([True, False, True, False])
    given = condition(model, x, observed)
    log_ratio = model.log_prob(x[None]) - model.log_prob(x[None], observed[None])
    torch.testing.assert_close(given.log_prob(x[None, ~observed]), log_ratio)
    of_some = marginal(model, torch.tensor([0, 2]))
    torch.testing.assert_close(
        of_some.log_prob(x[None, observed]), model.log_prob(x[None], observed[None])
    )
    mean = (given.weights[:, None] * given.means).sum(0)
    filled = impute(model, torch.where(observed, x, math.nan)[None], observed[None])[0]
    torch.testing.assert_close(filled[~observed], mean)
    assert torch.equal(filled[observed], x[observed])


def test_conditioning_on_everything_is_refused():
    with pytest.raises(ValueError, match="expected one missing"):
        condition(GaussianMixture(2, 2), torch.zeros(2).double(), torch.ones(2).bool())


# --- what EM survives ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_data_on_a_line_keep_the_likelihood_rising_above_a_floor(kind):
    """Near-singular: a constant column, a repeated one, and copies of one point."""
    base = torch.randn(200, 1, generator=seeded(14), dtype=torch.float64)
    x = torch.cat([base, base, torch.ones_like(base)], 1)
    x[:50] = x[0]
    model = GaussianMixture(4, 3, covariance=kind)
    start(model, x, method="random", generator=seeded(15))
    history = fit(model, x, iterations=40, floor=1e-9)
    assert all(map(math.isfinite, history))
    assert all(b - a > -1e-6 for a, b in itertools.pairwise(history))
    assert torch.linalg.eigvalsh(model.covariances.detach()).min() > 0.99e-9


def test_the_floor_raises_the_eigenvalues_below_it_and_no_others():
    thin = torch.tensor([3.0, 1.0, 0.1], dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=seeded(31), dtype=torch.float64))[0]
    x = torch.randn(500, 3, generator=seeded(32), dtype=torch.float64) * thin @ turn.T
    model = GaussianMixture(1, 3)
    fit(model, x, iterations=2, floor=0.5)
    values, vectors = torch.linalg.eigh(torch.cov(x.T, correction=0))
    assert values[0] < 0.5 < values[1]
    expected = vectors * values.clamp(min=0.5) @ vectors.T
    torch.testing.assert_close(model.covariances[0].detach(), expected)


def test_a_thin_component_is_found_to_six_digits():
    """A standard deviation of 1e-5 beside one of 1, far from the origin."""
    thin = 1e-5 * torch.randn(4000, 2, generator=seeded(16), dtype=torch.float64) + 100
    wide = torch.randn(4000, 2, generator=seeded(17), dtype=torch.float64) - 100
    model = GaussianMixture(2, 2, generator=seeded(0))
    start(model, torch.cat([thin, wide]), generator=seeded(18))
    fit(model, torch.cat([thin, wide]), iterations=5, floor=1e-14)
    k = int(model.covariances.detach().diagonal(dim1=1, dim2=2).sum(1).argmin())
    torch.testing.assert_close(
        model.covariances[k].detach(), torch.cov(thin.T, correction=0), rtol=1e-5, atol=1e-16
    )


def test_without_a_floor_a_singular_covariance_is_told():
    x = torch.zeros(20, 2, dtype=torch.float64)
    for kind in KINDS:
        with pytest.raises(ValueError, match=r"component 0 is singular.*floor > 0"):
            fit(GaussianMixture(1, 2, covariance=kind), x, iterations=2, floor=0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_cluster_stays_where_it_is(kind):
    model = GaussianMixture(2, 2, covariance=kind, generator=seeded(0))
    with torch.no_grad():
        model.means[1] = 1e6
    x = torch.randn(50, 2, generator=seeded(19), dtype=torch.float64)
    spread = model.covariances[1].tolist()
    history = fit(model, x, iterations=10)
    assert all(map(math.isfinite, history))
    assert model.means[1].tolist() == [1e6, 1e6]
    assert kind == "tied" or model.covariances[1].tolist() == spread
    assert model.weights[1] < 1e-12
    assert model.sample(10, generator=seeded(20)).abs().max() < 10


@contextmanager
def threads(number: int) -> Iterator[None]:
    """So many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Largest(TorchDispatchMode):
    """Remembers the number of entries of the largest tensor that any operation made."""

    size = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            stored = result.untyped_storage().nbytes() // result.element_size()
            is_view = any(
                isinstance(a, torch.Tensor) and a.data_ptr() == result.data_ptr() for a in args
            )
            self.size = max(self.size, 0 if is_view else stored)
        return result


@pytest.mark.parametrize("kind", KINDS)
def test_many_points_need_the_memory_of_one_block(kind):
    model = random_mixture(4, 3, covariance=kind)
    x = torch.randn(100_000, 3, generator=seeded(21), dtype=torch.float64)
    with threads(1), torch.no_grad(), Largest() as largest:  # which sees its own thread alone
        maximisation(model, expectation(model, x))
    assert 10_000 < largest.size <= 2**17  # of 1,200,000 whitened numbers


@pytest.mark.parametrize("kind", KINDS)
def test_the_number_of_threads_does_not_matter(kind):
    model = random_mixture(3, 2, covariance=kind)
    x = torch.randn(100, 2, generator=seeded(22), dtype=torch.float64)
    found = []
    for number in (1, 2):
        with threads(number):
            found.append(expectation(model, x, block_size=7).tensors())
            assert torch.get_num_threads() == number
    for one, other in zip(*found, strict=True):
        assert not other.requires_grad
        torch.testing.assert_close(one, other)


def test_the_size_of_blocks_does_not_matter():
    model = random_mixture(3, 2)
    x = torch.randn(100, 2, generator=seeded(22), dtype=torch.float64)
    pairs = zip(
        expectation(model, x).tensors(), expectation(model, x, block_size=7).tensors(), strict=True
    )
    for one, other in pairs:
        torch.testing.assert_close(one, other)


def test_float32_points_are_fitted_too():
    model = random_mixture(2, 2, dtype=torch.float32)
    x = random_mixture(2, 2, seed=23).sample(500, generator=seeded(24))
    single = fit(model, x.float(), iterations=10)
    double = fit(random_mixture(2, 2, dtype=torch.float32).double(), x, iterations=10)
    assert single == pytest.approx(double, rel=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_computes_the_same():
    x = random_mixture(3, 4).sample(2000, generator=seeded(25))
    ours = random_mixture(3, 4, seed=26)
    theirs = random_mixture(3, 4, seed=26).cuda()
    assert fit(theirs, x.cuda(), iterations=10) == pytest.approx(fit(ours, x, iterations=10))


# --- starts, criteria, training --------------------------------------------------------------------


def test_k_means_plus_plus_spreads_its_centres():
    corners = torch.tensor([[0.0, 0.0], [100.0, 0.0], [0.0, 100.0], [100.0, 100.0]]).double()
    x = corners.repeat(50, 1) + torch.randn(200, 2, generator=seeded(27), dtype=torch.float64)
    for seed in range(20):
        centres = k_means_plus_plus(x, 4, seeded(seed))
        assert torch.cdist(centres, corners).argmin(1).unique().tolist() == [0, 1, 2, 3]


def test_k_means_plus_plus_draws_by_the_squared_distance():
    """From 0, 1 and 3 with one chosen: a chance of 1 : 9, or of 1 : 4, or of 9 : 4."""
    x = torch.tensor([[0.0], [1.0], [3.0]]).double()
    generator, counts = seeded(28), {}
    for _ in range(3000):
        first, second = k_means_plus_plus(x, 2, generator)[:, 0].tolist()
        counts[first, second] = counts.get((first, second), 0) + 1
    for pair, chance in {(0, 1): 1 / 30, (1, 3): 4 / 15, (3, 0): 9 / 39}.items():
        error = math.sqrt(chance * (1 - chance) / 3000)
        assert abs(counts[pair] / 3000 - chance) < 5 * error


@pytest.mark.parametrize("method", ["k-means++", "random"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_start_has_the_covariance_within_or_of_the_data(method, kind):
    x = torch.randn(400, 2, generator=seeded(29), dtype=torch.float64)
    x[:200, 0] += 50
    model = GaussianMixture(2, 2, covariance=kind)
    start(model, x, method=method, generator=seeded(30))
    spread = model.covariances.detach()[0, 0, 0].item()
    wide = {"spherical": 0.5}.get(kind, 1) * 625
    assert spread == pytest.approx(1 if method == "k-means++" else wide, rel=0.2)
    assert model.weights.tolist() == [0.5, 0.5]


def test_starts_that_cannot_be_are_told():
    model, x = GaussianMixture(3, 2), torch.zeros(2, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match="2 points for 3 components"):
        start(model, x, generator=seeded(0))
    with pytest.raises(ValueError, match="'best' is not one of"):
        start(model, x, method="best", generator=seeded(0))


@pytest.mark.parametrize(("kind", "count"), [("full", 29), ("tied", 17), ("diag", 20)])
def test_parameters_are_counted(kind, count):
    assert GaussianMixture(3, 3, covariance=kind).num_parameters() == count
    assert GaussianMixture(3, 3, covariance="spherical").num_parameters() == 14


def test_training_is_em_on_the_whole_split_and_resumes(tmp_path):
    config = override(PRESETS["smoke"], ["iterations=4", "patience=none"])
    whole = train(config, Run(tmp_path / "whole", progress=False, precision="64-true"))
    stopped = Run(tmp_path / "parts", progress=False, precision="64-true", max_steps=2)
    train(config, stopped)
    stopped.close()
    again = Run(tmp_path / "parts", progress=False, precision="64-true", resume=True)
    for name, value in train(config, again).state_dict().items():
        assert torch.equal(value, whole.state_dict()[name]), name
    x = complete(load_data(config), 1).x
    assert whole.log_prob(x).mean() > em_step(GaussianMixture(1, x.shape[1:]), x)


def test_validation_chooses_the_iterate(tmp_path):
    config = override(PRESETS["demo"], ["noise_draws=1", "floor=0.01", "iterations=12"])
    model = train(config, Run(tmp_path, progress=False, precision="64-true"))
    valid = load_data(config).valid.tensor(seed=0).double()
    last = override(config, ["patience=none"])
    final = train(last, Run(tmp_path / "last", progress=False, precision="64-true"))
    assert model.log_prob(valid).mean() >= final.log_prob(valid).mean()


# --- the distances of the first lesson -------------------------------------------------------------


def test_divergences_are_the_closed_forms():
    grid = torch.linspace(-30, 30, 60_001, dtype=torch.float64)
    p, q = D.Normal(0.0, 1.0), D.Normal(1.5, 2.0)
    step, tables = 0.001, (p.log_prob(grid), q.log_prob(grid))
    assert divergences.entropy(tables[0], step) == pytest.approx(p.entropy().item())
    for one, other, order in ((p, q, 1), (q, p, -1)):
        expected = D.kl_divergence(one, other).item()
        assert divergences.kl(*tables[::order], step) == pytest.approx(expected)
    same = D.Normal(1.5, 1.0).log_prob(grid)
    assert divergences.wasserstein(tables[0], same, step) == pytest.approx(1.5, rel=1e-5)
    variation = 2 * D.Normal(0.0, 1.0).cdf(torch.tensor(0.75)).item() - 1
    assert divergences.total_variation(tables[0], same, step) == pytest.approx(variation, rel=1e-5)
    far = D.Normal(20.0, 1.0).log_prob(grid)
    assert divergences.jensen_shannon(tables[0], far, step) == pytest.approx(math.log(2), rel=1e-6)
