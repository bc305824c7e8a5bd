"""The laws: properties that every model of a kind must have.

>>> from tests import laws
>>> from tests.laws import seeded
>>> class TestMine(laws.BinaryMass, laws.Autoregressive):  # three lines give the whole battery
...     def model(self):
...         return MADE(num_dims=6, hidden_sizes=(16,), generator=seeded(0))
"""

from tests.laws.base import seeded
from tests.laws.bound import Bound
from tests.laws.continuous import ContinuousDensity, Flow
from tests.laws.discrete import Autoregressive, BinaryMass, CachedSampler
from tests.laws.module import Module
from tests.laws.sampler import Sampler

__all__ = [
    "Autoregressive",
    "BinaryMass",
    "Bound",
    "CachedSampler",
    "ContinuousDensity",
    "Flow",
    "Module",
    "Sampler",
    "seeded",
]
