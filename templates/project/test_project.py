"""The laws that the model obeys, and what is special to the paper.

FILL-IN: subclass the laws of your model's kind (tests/laws), and test the paper's own equations.
"""

import pytest
import torch

from common.training import Run
from projects.project_slug.model import IndependentPixels
from projects.project_slug.train import PRESETS, load_data, train
from tests import laws
from tests.laws import seeded


class TestIndependentPixels(laws.BinaryMass):
    def model(self):
        model = IndependentPixels(num_dims=6)
        torch.nn.init.normal_(model.logits, generator=seeded(0))
        return model


def test_data_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 7\).*6 elements"):
        IndependentPixels(6).log_prob(torch.zeros(2, 7))


def test_an_impossible_model_is_refused():
    with pytest.raises(ValueError, match="num_dims is 0"):
        IndependentPixels(0)


def test_training_beats_fair_coins(tmp_path):
    """The smoke preset learns: fewer nats on unseen digits than 64 fair coins, 64 log 2 = 44.4."""
    config = PRESETS["smoke"]
    x = load_data(config).test.tensor()
    model = train(config, Run(tmp_path, progress=False))
    fair = -IndependentPixels(model.num_dims).log_prob(x).mean()
    with torch.no_grad():
        assert -model.log_prob(x).mean() < fair - 10
