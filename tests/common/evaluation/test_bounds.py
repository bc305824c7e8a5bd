"""Bounds: below the marginal, rising with the number of samples, in memory that does not grow."""

import subprocess
import sys

import pytest
import torch

from common.data import load
from common.evaluation import EvaluationError, bounds, evaluate, iwae
from tests.common.evaluation.models import LinearGaussian, seeded


@pytest.fixture
def x():
    return torch.randn(50, 1, generator=seeded(), dtype=torch.float64)


@pytest.mark.parametrize("num_samples", [1, 7, 2000])
def test_iwae_with_the_exact_posterior_is_the_marginal(x, num_samples):
    model = LinearGaussian()
    bound = iwae(model, x, num_samples=num_samples, generator=seeded())
    torch.testing.assert_close(bound, model.log_marginal(x))


def test_iwae_stays_below_the_marginal_and_rises_with_k(x):
    model = LinearGaussian(slope=0.2, variance=1.0)
    x = x.repeat(200, 1)
    means = [iwae(model, x, num_samples=k, generator=seeded(k)).mean() for k in (1, 10, 100)]
    marginal = model.log_marginal(x).mean()
    assert means[0] < means[1] < means[2] < marginal + 0.01
    assert marginal - means[2] < 0.01


class Recorder(LinearGaussian):
    """Weights that are a function of their number and example, and a record of what was asked."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def log_weights(self, x, *, num_samples, generator=None):
        done = sum(k for k, examples in self.sizes if torch.equal(examples, x))
        self.sizes.append((num_samples, x))
        k = torch.arange(done, done + num_samples, dtype=x.dtype)
        return -900 - 10 * torch.sin(k)[:, None] * x.flatten(1)[:, 0]


@pytest.mark.parametrize("chunk", [None, 1, 7, 1000, 5000])
def test_iwae_is_the_log_mean_weight_whatever_the_chunks(x, chunk):
    k = torch.arange(1000, dtype=torch.float64)
    weights = -900 - 10 * torch.sin(k)[:, None] * x[:, 0]
    expected = weights.exp()  # underflows: the mean must be taken among logarithms
    assert (expected == 0).all()
    expected = (weights + 900).exp().mean(0).log() - 900
    bound = iwae(Recorder(), x, num_samples=1000, chunk=chunk)
    torch.testing.assert_close(bound, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("num_examples", [1, 16, 10_000])
@pytest.mark.parametrize("num_samples", [1, 64, 200])
def test_no_more_than_the_stated_rows_are_decoded_at_once(num_examples, num_samples):
    rows = []

    class Counter:
        def log_weights(self, x, *, num_samples, generator=None):
            rows.append(num_samples * len(x))
            return torch.zeros(num_samples, len(x))

    iwae(Counter(), torch.zeros(num_examples, 1), num_samples=num_samples)
    assert max(rows) <= bounds.CPU_ROWS
    assert sum(rows) == num_examples * num_samples


PEAK = r"""
import pathlib, re, resource, sys, torch
from common.data import load, Pad, StaticBinarisation, Compose
from common.evaluation import evaluate

class Wide(torch.nn.Module):
    "A decoder of 784 pixels that keeps nothing in the cache on purpose."
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2, 784))
    def log_weights(self, x, *, num_samples, generator=None):
        z = torch.randn(num_samples, len(x), 2, generator=generator)
        logits = z @ self.weight  # (K, B, 784)
        return (logits * x.flatten(1) - torch.nn.functional.softplus(logits)).sum(-1)

pixels = Compose([StaticBinarisation(num_levels=17), Pad(10)])
data, model = load("digits", preprocess=pixels), Wide()
status = pathlib.Path("/proc/self/status")  # its peak is this process's own: getrusage's is inherited
def peak():
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1024
def run(num_examples, num_samples):
    evaluate(model, data, split="train", metrics=["nll_iwae_nats"], max_examples=num_examples,
             num_importance_samples=num_samples)
run(2, 2)
before = peak()
run(*map(int, sys.argv[1:]))
print(before, peak())
"""


@pytest.mark.parametrize("sizes", [(20, 5000), (1000, 100)])
def test_memory_grows_neither_with_samples_nor_with_examples(sizes):
    # All at once, the logits of either would be 300 MiB and the softplus as much again. What a busy
    # machine's allocator keeps adds to a peak now and then, and never takes from it: three tries.
    tries = (peaks(sizes) for _ in range(3))
    assert any(after - before < 64 and after < 1024 for before, after in tries)


def peaks(sizes):
    """The peak memory of a process in MiB before and after it evaluates so much."""
    arguments = [sys.executable, "-c", PEAK, *map(str, sizes)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return map(float, done.stdout.split())


def test_a_bound_and_its_tightening_on_a_split():
    model, data = LinearGaussian(slope=0.2, variance=1.0), load("ring")
    found = evaluate(model, data, num_importance_samples=200)
    assert set(found) == {"nll_elbo_nats", "nll_iwae_nats"}
    marginal = -model.log_marginal(data.test.x).mean().item()
    elbo, tight = found["nll_elbo_nats"], found["nll_iwae_nats"]
    assert elbo.value > tight.value + 5 * elbo.standard_error
    assert tight.value == pytest.approx(marginal, abs=0.02)
    assert tight.protocol.startswith("200 importance samples, seed 0")


@pytest.mark.parametrize("metric", ["nll_elbo_nats", "nll_iwae_nats"])
def test_the_seed_decides_the_noise_of_z(metric):
    model, data = LinearGaussian(slope=0.2, variance=1.0), load("ring")
    values = [
        evaluate(model, data, metrics=[metric], seed=seed, num_importance_samples=3)[metric].value
        for seed in (0, 0, 1, 2**40)
    ]
    assert values[0] == values[1]
    assert len(set(values)) == 3


def test_wrong_numbers_and_shapes_are_told(x):
    for options in ({"num_samples": 0}, {"num_samples": 5, "chunk": 0}):
        with pytest.raises(EvaluationError, match="is 0, expected at least 1"):
            iwae(LinearGaussian(), x, **options)

    class Transposed(LinearGaussian):
        def log_weights(self, x, *, num_samples, generator=None):
            return super().log_weights(x, num_samples=num_samples, generator=generator).T

    with pytest.raises(EvaluationError, match=r"gave shape \(50, 5\); expected \(5, 50\)"):
        iwae(Transposed(), x, num_samples=5)
