"""What every feature network offers: a name, a hash, features and logits of images in [0, 1]."""

import torch
from torch import Tensor, nn

from common.bars import bar
from common.evaluation.measurement import EvaluationError

BATCH = 250  # images at once: the same sums in the same order, whoever asks


class FeatureNet:
    """A frozen network with its name and the hash of its weights.

    Attributes:
        name: what `get_feature_net` took, such as "mnist".
        sha256: of the file of the weights.
        shape: (C, H, W) of the images it takes; None for a size that it takes whatever it is.
        num_features: their number d.
        num_classes: of the logits.
        batch: images at once.
    """

    def __init__(
        self,
        name: str,
        sha256: str,
        module: nn.Module,
        *,
        shape: tuple[int | None, int | None, int | None],
        num_features: int,
        num_classes: int,
        batch: int = BATCH,
    ) -> None:
        self.name, self.sha256, self.shape = name, sha256, tuple(shape)
        self.num_features, self.num_classes, self.batch = num_features, num_classes, batch
        self.module = module.eval().requires_grad_(False)

    def features(self, images: Tensor, *, progress: bool = False) -> Tensor:
        """(B, d) float32 features of images (B, C, H, W) in [0, 1], on the CPU.

        Args:
            images: intensities.
            progress: show a progress bar.

        Raises:
            EvaluationError: for another shape, values that are not numbers or lie outside [0, 1].
        """
        check_images(images, self.shape, self.name)
        device = next(self.module.parameters()).device
        label, parts = f"features {self.name}", []
        with torch.inference_mode():
            for batch in bar(images.split(self.batch), label, shown=progress):
                parts.append(self.module.features(batch.to(device, torch.float32)).cpu())
        return torch.cat(parts).clone()  # a tensor that autograd knows

    def classify(self, features: Tensor) -> Tensor:
        """(B, num_classes) float32 logits of features (B, d)."""
        head = self.module.head
        with torch.no_grad():
            return head(features.to(head.weight)).cpu()

    def logits(self, images: Tensor) -> Tensor:
        """(B, num_classes) float32 logits of images (B, C, H, W) in [0, 1]."""
        return self.classify(self.features(images))

    @property
    def mark(self) -> str:
        """The network as the protocol of a number names it."""
        return f"features {self.name} sha256 {self.sha256[:12]}"


def check_images(images: Tensor, shape: tuple[int | None, ...], name: str) -> None:
    """EvaluationError unless these are images of this shape (None: any size) in [0, 1]."""
    found = tuple(images.shape[1:])
    fits = len(found) == 3 and all(b in (None, a) for a, b in zip(found, shape, strict=True))
    if not fits or not len(images):
        wanted = ", ".join("any" if side is None else str(side) for side in shape)
        raise EvaluationError(
            f"images of shape {tuple(images.shape)} for the feature net {name}; "
            f"expected (at least 1, {wanted})."
        )
    values = images.flatten(1)
    bad = (~torch.isfinite(values)).any(1).nonzero().flatten()
    if len(bad):
        raise EvaluationError(
            f"{len(bad)} of {len(images)} images hold NaN or infinite values, the first is number "
            f"{bad[0].item()}; expected intensities in [0, 1]. Did the training diverge?"
        )
    least, most = values.min().item(), values.max().item()
    if least < 0 or most > 1:
        raise EvaluationError(
            f"images with values from {least:g} to {most:g}; expected intensities in [0, 1]: "
            f"levels / (num_levels - 1)."
        )
