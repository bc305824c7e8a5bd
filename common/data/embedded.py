"""The entries of the embedded sets, which need no files."""

from common.data.registry import DatasetInfo

DIGIT_NAMES = tuple("0123456789")
THREE_SPLITS = {"train": 50000, "valid": 10000, "test": 10000}

DIGITS = DatasetInfo(
    name="digits",
    title="Optical recognition of handwritten digits (scikit-learn's 8x8 scans)",
    shape=(1, 8, 8),
    splits={"train": 1199, "valid": 299, "test": 299},
    num_levels=17,
    num_classes=10,
    class_names=DIGIT_NAMES,
    licence="CC BY 4.0",
    licence_url="https://creativecommons.org/licenses/by/4.0/",
    citation="Alpaydin, Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning "
    "Repository, 1998",
    source="scikit-learn, sklearn.datasets.load_digits",
    embedded=True,
    checksum="e74ea7dcf6228030a1f2d0003a9c8c7d80b5f9aaa7883b10494ff25812bd287c",
    notes="Stratified split by a hash of the position: two thirds, one sixth, one sixth.",
)

SHAPES = DatasetInfo(
    name="shapes",
    title="Anti-aliased square, ellipse and triangle: every combination of five factors",
    shape=(1, 32, 32),
    splits={"train": 20480, "valid": 2048, "test": 2048},
    num_levels=256,
    num_classes=3,
    class_names=("square", "ellipse", "triangle"),
    licence="MIT (made by this repository)",
    licence_url="https://opensource.org/license/mit",
    citation="After dSprites: Matthey, Higgins, Hassabis, Lerchner, 2017",
    source="common/data/shapes.py",
    embedded=True,
    factors={
        "shape": ("square", "ellipse", "triangle"),
        "scale": (0.55, 0.7, 0.85, 1.0),
        "orientation": tuple(11.25 * k for k in range(8)),
        "x": tuple(8 + k for k in range(16)),
        "y": tuple(8 + k for k in range(16)),
    },
    checksum="a33a4a8f9266170cf40c9f86ea1d47312196066bc0d90ca7d19dd2177e3dec46",
    notes="Orientation in degrees, below 90 so that no two images are equal; x, y in pixels.",
)


def _density(name: str, title: str, citation: str, notes: str) -> DatasetInfo:
    return DatasetInfo(
        name=name,
        title=title,
        shape=(2,),
        splits=THREE_SPLITS,
        num_levels=None,
        licence="MIT (made by this repository)",
        licence_url="https://opensource.org/license/mit",
        citation=citation,
        source="common/data/densities.py",
        embedded=True,
        notes=notes,
    )


_EXACT = "Exact log p: data.density.log_prob."
_NONE = "No closed-form density; data.density samples only."
_WGAN_GP = "After Gulrajani et al., Improved training of Wasserstein GANs, 2017"
_PACGAN = (
    "After Lin et al., PacGAN: The power of two samples in generative adversarial networks, 2018"
)

DENSITY_INFOS = (
    _density("ring", "Eight Gaussians on a ring, radius 2, std 0.2", _WGAN_GP, _EXACT),
    _density("thin_ring", "Eight Gaussians on a ring, radius 1, std 0.01", _PACGAN, _EXACT),
    _density(
        "eight_gaussians",
        "Eight Gaussians on a ring, radius 2 and std 0.02 over 1.414",
        _WGAN_GP,
        _EXACT,
    ),
    _density("grid", "25 Gaussians on a grid, step 2, std 0.05", _PACGAN, _EXACT),
    _density(
        "twenty_five_gaussians",
        "25 Gaussians on a grid, step 2 and std 0.05 over 2.828",
        _WGAN_GP,
        _EXACT,
    ),
    _density("moons", "Two interleaved half circles", "After scikit-learn's make_moons", _NONE),
    _density("swiss_roll", "A blurred spiral", _WGAN_GP, _NONE),
    _density(
        "pinwheel",
        "Five swirled arms (area-preserving swirl)",
        "After Johnson et al., Composing graphical models with neural networks, 2016",
        _EXACT,
    ),
    _density(
        "checkerboard",
        "Uniform on every other square of a 4x4 board",
        "After Grathwohl et al., FFJORD, 2019",
        _EXACT,
    ),
)
