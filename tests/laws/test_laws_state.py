"""The laws of state and seeds catch each broken model."""

import random

import numpy as np
import torch
from torch import nn

from tests import laws
from tests.laws.broken import Break, parametrise
from tests.laws.reference import Chain, TinyVAE


class OrderingOutsideState(Chain):
    """The ordering, drawn at random, is in no state_dict."""

    def __init__(self, generator):
        super().__init__(generator)
        order = self.ordering
        del self.ordering
        self.register_buffer("ordering", order, persistent=False)


class RunningMeanOutsideState(Chain):
    """A running statistic in a plain number."""

    mean = 0.0

    def log_prob(self, x):
        if self.training:
            self.mean = 0.5 * self.mean + x.mean().item()
        return super().log_prob(x - self.mean)


class OldWeights(Chain):
    """Masked weights computed once and kept through every update."""

    kept = None

    def log_prob(self, x):
        if torch.is_grad_enabled() or self.training:
            return super().log_prob(x)
        if self.kept is None:
            self.kept = [(self.weight * self.mask()).T]
        logits = x @ self.kept[0] + self.bias
        return (x * logits - nn.functional.softplus(logits)).sum(1)


class PlainTensor(Chain):
    """A constant that .to(device) will miss."""

    def __init__(self, generator):
        super().__init__(generator)
        self.offsets = torch.zeros(self.num_dims)


class GlobalInitialisation(Chain):
    """nn.Linear draws its weights from the global generator."""

    def __init__(self, generator):
        super().__init__(generator)
        self.bias = nn.Parameter(nn.Linear(1, self.num_dims).bias.detach())


class NumpyInitialisation(Chain):
    def __init__(self, generator):
        super().__init__(generator)
        self.bias = nn.Parameter(torch.from_numpy(np.random.randn(self.num_dims)))  # noqa: NPY002


class GlobalNoise(TinyVAE):
    """The bound ignores its generator."""

    def eps(self, x, num_samples, generator):
        return super().eps(x, num_samples, None)


class DrawsAndForgets(Chain):
    """A draw whose value has no effect, but which moves the global state for everybody else."""

    def log_prob(self, x):
        random.random()
        return super().log_prob(x)


MODULE = laws.Module
BREAKS = (
    Break(MODULE, "test_state_dict_round_trip", OrderingOutsideState, "nor a persistent buffer"),
    Break(MODULE, "test_state_dict_round_trip", RunningMeanOutsideState, "a running mean"),
    Break(MODULE, "test_new_weights_take_effect", OldWeights, "After .* outlives them"),
    Break(MODULE, "test_every_tensor_is_a_parameter_or_a_buffer", PlainTensor, "`offsets`"),
    Break(MODULE, "test_same_seed_same_numbers", GlobalInitialisation, "`bias` changes with"),
    Break(MODULE, "test_same_seed_same_numbers", NumpyInitialisation, "`bias` changes with"),
    Break(laws.Bound, "test_same_seed_same_numbers", GlobalNoise, r"`elbo\(\.\.\.\)` changes"),
    Break(MODULE, "test_global_random_state_is_left_alone", DrawsAndForgets, "log_prob drew"),
    Break(laws.Bound, "test_global_random_state_is_left_alone", GlobalNoise, "elbo drew"),
)


@parametrise(*BREAKS)
def test_caught(case):
    case.check()
