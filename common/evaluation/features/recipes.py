"""How each feature network is made: the whole recipe, in numbers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """A classifier of one data set: its network and its training.

    Attributes:
        data: the data set; its training split alone is learned from.
        widths: channels of the three stages; the last is the number of features.
        stride: of the first convolution.
        shift: each training image is moved by up to so many pixels each way.
        mirror: half of the training images are mirrored left to right.
        epochs, batch_size: the length of the training.
        learning_rate, weight_decay: of AdamW; the rate rises for one epoch and falls along a cosine.
        label_smoothing: of the cross-entropy.
        precision: of the training; features are computed in float32.
    """

    data: str
    widths: tuple[int, int, int] = (32, 64, 128)
    stride: int = 2
    shift: int = 2
    mirror: bool = False
    epochs: int = 14
    batch_size: int = 125
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.0
    precision: str = "bf16-mixed"


RECIPES = {
    "digits": Recipe(
        "digits",
        widths=(16, 32, 64),
        stride=1,
        shift=1,
        epochs=100,
        batch_size=50,
        precision="32-true",
    ),
    "mnist": Recipe("mnist"),
    "fashion_mnist": Recipe("fashion_mnist", shift=1, mirror=True),
}
