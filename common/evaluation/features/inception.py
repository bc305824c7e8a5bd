"""Inception-v3 as FID is known with: the network of torch-fidelity, weights and pixels alike.

The weights are those that TensorFlow published in December 2015 (Szegedy et al. 2016), as
torch-fidelity converted them and torchmetrics uses them too; enlarging to 299 pixels is torch-fidelity's.
"""

import hashlib
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn

from common.data.mirror import data_root, find_mirror
from common.data.torchvision_import import prepare_torchvision
from common.evaluation.features.net import FeatureNet
from common.evaluation.measurement import EvaluationError

FILE = "weights-inception-2015-12-05-6726825d.pth"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
ADDRESS = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
BATCH = 32  # 299 x 299 pixels each


class Inception(nn.Module):
    """An extractor of torch-fidelity behind the interface of our networks.

    Args:
        extractor: takes uint8 images (B, 3, H, W) and gives a tuple whose first entry is the
            pooled features (B, 2048); its `fc` holds the weights of the 1008 logits.
    """

    def __init__(self, extractor: nn.Module) -> None:
        super().__init__()
        self.extractor = extractor
        outputs, inputs = extractor.fc.weight.shape
        # without its bias, as the Inception Score is computed since Salimans et al. (2016)
        self.head = nn.Linear(inputs, outputs, bias=False)
        self.head.weight = extractor.fc.weight

    def features(self, x: Tensor) -> Tensor:
        """(B, 2048) features of images (B, 3, H, W) in [0, 1], rounded to 256 levels.

        Grey images (B, 1, H, W) stand in all three channels.
        """
        if x.shape[1] not in (1, 3):
            raise EvaluationError(f"images with {x.shape[1]} channels, expected 1 or 3.")
        levels = (x * 255).round().to(torch.uint8)
        return self.extractor(levels.expand(-1, 3, -1, -1))[0]


def load_inception() -> FeatureNet:
    """Inception-v3 as a feature net; EvaluationError that says what to put where if it cannot be had.

    The weights are taken from DGM_DATA, from the mirror, from torch's own cache, in this order, or
    else downloaded by torch-fidelity into that cache.
    """
    try:
        prepare_torchvision()
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise EvaluationError(
            f"the feature net inception needs torch-fidelity ({error}): "
            f"pip install 'deep-generative-models[inception]'."
        ) from None
    path = find_weights()
    if path is not None:
        check_weights(path)
    try:
        extractor = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=path and str(path)
        )
    except (URLError, OSError) as error:
        raise EvaluationError(
            f"the weights of Inception-v3 cannot be downloaded: {error}. Get {ADDRESS} (sha256 "
            f"{SHA256}) where there is a network and put it at {places()[0]}."
        ) from error
    if path is None:  # it came from the network just now
        check_weights(places()[-1])
    return as_feature_net(extractor)


def as_feature_net(extractor: nn.Module) -> FeatureNet:
    """The interface of our networks around an extractor."""
    module = Inception(extractor)
    classes, features = module.head.weight.shape
    return FeatureNet(
        "inception",
        SHA256,
        module,
        shape=(None, None, None),
        num_features=features,
        num_classes=classes,
        batch=BATCH,
    )


def places() -> list[Path]:
    """Where the weights may lie, the preferred place first."""
    mirror = find_mirror()
    folders = [data_root() / "inception"]
    if mirror is not None and mirror.folder is not None:
        folders.append(mirror.folder / "inception")
    return [folder / FILE for folder in (*folders, Path(torch.hub.get_dir()) / "checkpoints")]


def find_weights() -> Path | None:
    """The file of the weights on this machine, or None."""
    return next((path for path in places() if path.is_file()), None)


def is_ready() -> bool:
    """Whether Inception-v3 can be had without any network."""
    from importlib.util import find_spec

    return find_spec("torch_fidelity") is not None and find_weights() is not None


def check_weights(path: Path) -> None:
    """EvaluationError unless the file is the one that everybody's FID is computed with."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise EvaluationError(
            f"{path} is corrupt: sha256 {found}, expected {SHA256}. Remove it, or put {ADDRESS} there."
        )
