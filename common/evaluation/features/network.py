"""A small convolutional classifier whose last hidden layer gives the features."""

from torch import Tensor, nn


class SmallConvNet(nn.Module):
    """Four 3x3 convolutions with batch normalisation (Ioffe and Szegedy 2015), a mean, one layer.

    The features are the means over the plane of the last rectified channels, as the 2048 of
    Inception-v3 are: they say what is there more than where.

    Args:
        shape: (C, H, W) of the images.
        num_classes: outputs.
        widths: channels of the three stages, the features last.
        stride: of the first convolution.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        num_classes: int,
        widths: tuple[int, int, int],
        *,
        stride: int,
    ) -> None:
        super().__init__()
        first, second, third = widths
        self.stages = nn.Sequential(
            convolution(shape[0], first, stride=stride),
            convolution(first, second),
            nn.MaxPool2d(2),
            convolution(second, third),
            convolution(third, third),
        )
        self.head = nn.Linear(third, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """(B, widths[2]) features, none negative, of images (B, C, H, W) in [0, 1]."""
        return self.stages(x).mean((2, 3))  # (B, third, H', W') -> (B, third)

    def forward(self, x: Tensor) -> Tensor:
        """(B, num_classes) logits of images (B, C, H, W) in [0, 1]."""
        return self.head(self.features(x))


def convolution(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    """A 3x3 convolution, normalised and rectified."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
