"""`evaluate`: which metrics, which noise, which state it leaves behind."""

import pytest
import torch
from torch import nn

from common.data import DynamicBinarisation, load
from common.evaluation import EvaluationError, capabilities, evaluate
from tests.common.evaluation.models import LinearGaussian, UnitGaussian

pytestmark = pytest.mark.usefixtures("few_trees")

SMALL = {"max_samples": 40, "num_fresh_samples": 100, "num_importance_samples": 3}


def test_every_metric_that_the_model_is_able_to_and_no_other():
    assert set(evaluate(UnitGaussian(), load("ring"), **SMALL)) == {
        "nll_nats",
        "kl_data_model_nats",
        "mmd",
        "energy_distance",
        "sliced_wasserstein",
        "classifier_accuracy",
        "precision",
        "recall",
        "density",
        "coverage",
        "copying",
        "num_modes",
        "high_quality_fraction",
        "mode_kl_nats",
    }
    # no closed form, no divergence from it
    assert "kl_data_model_nats" not in evaluate(UnitGaussian(), load("moons"), **SMALL)
    assert set(evaluate(LinearGaussian(), load("ring"), **SMALL)) == {
        "nll_elbo_nats",
        "nll_iwae_nats",
    }


def test_capabilities_are_told_by_methods():
    assert capabilities(UnitGaussian()) == {"density", "sampler"}
    assert capabilities(LinearGaussian()) == {"bound", "importance"}
    assert capabilities(nn.Linear(1, 1)) == set()


def test_each_metric_alone_gives_the_number_it_gives_among_others():
    data, model = load("ring"), UnitGaussian()
    together = evaluate(model, data, **SMALL)
    for name, value in together.items():
        assert evaluate(model, data, metrics=[name], **SMALL) == {name: value}


def test_another_seed_draws_other_noise_everywhere():
    data, model = load("digits", preprocess=DynamicBinarisation(17)), UnitGaussian(64)
    one, two = (evaluate(model, data, seed=seed, **SMALL) for seed in (1, 2))
    for name in one:
        if name != "classifier_accuracy":  # a count of 80: two may be equal by chance
            assert one[name].value != two[name].value
        assert "seed 2" in two[name].protocol


def test_the_mode_of_every_module_gradients_and_the_global_generator_are_left_alone():
    model = nn.Sequential(LinearGaussian(), nn.Dropout(), nn.Dropout())
    model.log_weights, model.elbo = model[0].log_weights, model[0].elbo
    model.train()[1].eval()  # a frozen part
    before = torch.random.get_rng_state()
    evaluate(model, load("ring"), max_examples=20, **SMALL)
    assert [m.training for m in model.modules()] == [True, True, False, True]
    assert model[0].unused.grad is None
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_model_is_judged_in_eval_mode_without_gradients_and_restored_after_an_error():
    class Watching(UnitGaussian):
        def log_prob(self, x):
            assert not self.training
            assert not torch.is_grad_enabled()
            raise RuntimeError("on purpose")

    model = Watching()
    with pytest.raises(RuntimeError, match="on purpose"):
        evaluate(model, load("ring"), metrics=["nll_nats"])
    assert model.training
    assert torch.is_grad_enabled()


def test_no_more_than_a_batch_is_given_to_the_model_or_asked_of_it():
    sizes = []

    class Watching(UnitGaussian):
        def log_prob(self, x):
            sizes.append(len(x))
            return super().log_prob(x)

        def sample(self, n, *, generator=None):
            sizes.append(n)
            return super().sample(n, generator=generator)

    evaluate(Watching(), load("ring"), batch_size=30, **SMALL)
    assert max(sizes) == 30


def test_a_double_precision_model_gets_double_precision_examples():
    seen = []
    model = UnitGaussian().double()
    model.log_prob = lambda x: seen.append(x.dtype) or x.sum(1)
    evaluate(model, load("ring"), metrics=["nll_nats"])
    assert set(seen) == {torch.float64}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"split": "tset"}, "no split 'tset'; it has: train, valid, test"),
        ({"metrics": ["nll"]}, "there are: nll_nats.*Did you mean"),
        ({"metrics": ["nll_iwae_nats"]}, "needs the capability 'importance'.*judged by: nll_nats"),
        ({"metrics": ["bits_per_dim"]}, "has no meaning on ring.*there are: nll_nats"),
        ({"batch_size": 0}, "batch_size is 0, expected at least 1"),
        ({"max_examples": 0}, "max_examples is 0"),
        ({"num_importance_samples": -5}, "num_importance_samples is -5"),
    ],
)
def test_what_cannot_be_measured_is_told_why(options, told):
    with pytest.raises(EvaluationError, match=told):
        evaluate(UnitGaussian(), load("ring"), **options)


def test_a_model_without_methods_is_told_which_there_are():
    with pytest.raises(EvaluationError, match="expected log_prob, elbo, log_weights or sample"):
        evaluate(nn.Linear(1, 1), load("ring"))
