"""Inception-v3 behind our interface: pixels, features and logits of a stand-in, and what is told without it."""

import hashlib
import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from common.data import get_info, load
from common.evaluation import EvaluationError
from common.evaluation.features import get_feature_net, inception
from common.evaluation.features.space import has_features
from tests.common.evaluation.models import seeded


class StandIn(nn.Module):
    """What torch-fidelity's extractor promises, with three features: the channels' means."""

    def __init__(self, name="stand-in", features_list=(), feature_extractor_weights_path=None):
        super().__init__()
        self.path = feature_extractor_weights_path
        self.fc = nn.Linear(3, 5)

    def forward(self, x):
        assert x.dtype == torch.uint8
        assert x.shape[1] == 3
        return (x.float().mean((2, 3)),)


@pytest.fixture
def library(monkeypatch):
    """torch-fidelity with the stand-in, whether it is installed or not."""
    get_feature_net.cache_clear()
    module = ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = StandIn
    monkeypatch.setitem(sys.modules, "torch_fidelity", ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    yield module
    get_feature_net.cache_clear()


@pytest.fixture(autouse=True)
def own_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("DGM_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("DGM_MIRROR", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file that passes for the weights."""
    path = tmp_path / "data" / "inception" / inception.FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    monkeypatch.setattr(inception, "SHA256", hashlib.sha256(b"weights").hexdigest())
    return path


def test_images_go_in_as_levels_and_logits_have_no_bias():
    net = inception.as_feature_net(StandIn())
    images = torch.rand(5, 3, 4, 6, generator=seeded())
    features = net.features(images)
    torch.testing.assert_close(features, (images * 255).round().mean((2, 3)))
    torch.testing.assert_close(net.logits(images), features @ net.module.extractor.fc.weight.T)
    assert (net.num_features, net.num_classes) == (3, 5)


def test_grey_images_stand_in_all_channels_and_others_are_refused():
    net = inception.as_feature_net(StandIn())
    grey = torch.rand(2, 1, 4, 4, generator=seeded())
    assert torch.equal(net.features(grey), net.features(grey.expand(-1, 3, -1, -1)))
    with pytest.raises(EvaluationError, match="2 channels, expected 1 or 3"):
        net.features(torch.zeros(1, 2, 4, 4))


def test_weights_are_taken_from_the_data_folder_and_proved(library, weights):
    net = get_feature_net("inception")
    assert net.module.extractor.path == str(weights)
    assert net.mark == f"features inception sha256 {inception.SHA256[:12]}"
    get_feature_net.cache_clear()
    weights.write_bytes(b"other weights")
    with pytest.raises(EvaluationError, match=r"is corrupt: sha256 .*, expected"):
        get_feature_net("inception")


def test_without_weights_and_network_it_is_told_what_to_put_where(library, monkeypatch, tmp_path):
    from urllib.error import URLError

    def offline(*args, **kwargs):
        raise URLError("no network")

    library.FeatureExtractorInceptionV3 = offline
    with pytest.raises(EvaluationError, match="cannot be downloaded") as told:
        get_feature_net("inception")
    for part in (inception.ADDRESS, inception.SHA256, str(tmp_path / "data" / "inception")):
        assert part in str(told.value)


def test_without_the_library_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    get_feature_net.cache_clear()
    with pytest.raises(EvaluationError, match=r"deep-generative-models\[inception\]"):
        get_feature_net("inception")


def test_data_that_need_it_are_not_judged_by_it_unless_it_is_here(monkeypatch):
    class Photographs:
        name, info, num_levels = "cifar10", get_info("cifar10"), 256

    monkeypatch.setattr(inception, "is_ready", lambda: False)
    assert not has_features(Photographs)
    assert has_features(load("digits"))
    monkeypatch.setattr(inception, "is_ready", lambda: True)
    assert has_features(Photographs)


def test_the_real_network_has_the_shape_of_the_library(monkeypatch):
    pytest.importorskip("torch_fidelity", reason="needs torch-fidelity: the extra [inception]")
    monkeypatch.undo()
    if inception.find_weights() is None:
        pytest.skip(f"needs {inception.FILE} in DGM_DATA/inception")
    net = get_feature_net("inception")
    images = torch.rand(2, 3, 32, 32, generator=seeded())
    assert net.features(images).shape == (2, 2048)
    assert net.logits(images).shape == (2, 1008)
