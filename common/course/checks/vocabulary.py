"""Names and ranges of metrics, capabilities and data sets, for checks that must not import torch.

The tests compare every entry with common.evaluation and common.data.
"""

from dataclasses import dataclass

CAPABILITIES = (
    *("density", "sampler", "bound", "importance"),
    *("flow", "energy", "score", "representation"),
)


@dataclass(frozen=True)
class Metric:
    """What one must know of a metric to tell whether a number can be one.

    `least` and `most` hold up to four standard errors where `is_estimate`: an unbiased estimate of
    a distance may fall below zero. `capability` is None for metrics that `dgm reproduce` cannot
    measure yet; `forms` are the spellings of the unit in prose.
    """

    unit: str
    direction: str
    capability: str | None = None
    least: float | None = None
    most: float | None = None
    is_estimate: bool = False
    forms: tuple[str, ...] = ()


NATS = ("nats", "nat")
PER_STEP = ("nats/step", "nats a step", "nats per step", "nats a character", "nats")
BITS = ("bits/dim", "bits per dimension", "bits per dim", "bpd", "bits/dimension")

METRICS = {
    "nll_nats": Metric("nats", "at most", "density", forms=NATS),
    "bits_per_dim": Metric("bits/dim", "at most", "density", least=0.0, forms=BITS),
    "nll_nats_per_step": Metric("nats/step", "at most", "density", forms=PER_STEP),
    "nll_elbo_nats": Metric("nats", "at most", "bound", forms=NATS),
    "nll_iwae_nats": Metric("nats", "at most", "importance", forms=NATS),
    "kl_data_model_nats": Metric(
        "nats", "at most", "density", least=0.0, is_estimate=True, forms=NATS
    ),
    "mmd": Metric("", "at most", "sampler", least=0.0, is_estimate=True),
    "energy_distance": Metric("", "at most", "sampler", least=0.0, is_estimate=True),
    "sliced_wasserstein": Metric("", "at most", "sampler", least=0.0),
    "classifier_accuracy": Metric("", "at most", "sampler", least=0.0, most=1.0),
    "num_modes": Metric("", "at least", "sampler", least=0.0),
    "high_quality_fraction": Metric("", "at least", "sampler", least=0.0, most=1.0),
    "mode_kl_nats": Metric("nats", "at most", "sampler", least=0.0, forms=NATS),
    "fid": Metric("", "at most", "sampler", least=0.0),
    "kid": Metric("", "at most", "sampler", least=0.0, is_estimate=True),
    "inception_score": Metric("", "at least", "sampler", least=1.0),
    "precision": Metric("", "at least", "sampler", least=0.0, most=1.0),
    "recall": Metric("", "at least", "sampler", least=0.0, most=1.0),
    "density": Metric("", "at least", "sampler", least=0.0),
    "coverage": Metric("", "at least", "sampler", least=0.0, most=1.0),
    "copying": Metric("", "at most", "sampler", least=0.0, most=1.0),
    "accuracy": Metric("", "at least", least=0.0, most=1.0),
    **dict.fromkeys(
        (
            *("mig", "beta_vae_score", "factor_vae_score", "sap"),
            *("dci_disentanglement", "dci_completeness", "dci_informativeness"),
        ),
        Metric("", "at least", "representation", least=0.0, most=1.0),
    ),
}

LIKELIHOODS = ("nll_nats", "nll_nats_per_step", "nll_elbo_nats", "nll_iwae_nats")

NUM_LEVELS: dict[str, int | None] = {
    # data set -> number of grey levels, or of symbols; None for points
    "digits": 17,
    "shapes": 256,
    "mnist": 256,
    "stacked_mnist": 256,
    "fashion_mnist": 256,
    "kmnist": 256,
    "cifar10": 256,
    "binarized_mnist": 2,
    **dict.fromkeys(("emoji", "emoji_noto", "omniglot_28"), 256),
    "omniglot": 2,
    "tiny_shakespeare": 65,
    "shakespeare_excerpt": 65,
    "names": 27,
    "fsdd": None,
    **dict.fromkeys(("jsb_chorales", "jsb_chorales_eighth", "jsb_chorales_sixteenth"), 2),
    **dict.fromkeys(("jsb_voices", "jsb_voices_eighth", "jsb_voices_sixteenth"), 128),
    **dict.fromkeys(("ring", "thin_ring", "eight_gaussians", "grid", "twenty_five_gaussians")),
    **dict.fromkeys(("protein", "parkinsons", "wine")),
    **dict.fromkeys(("moons", "swiss_roll", "pinwheel", "checkerboard")),
}

SYMBOLS = (  # sets whose values are symbols: a likelihood of them is a probability
    *("tiny_shakespeare", "shakespeare_excerpt", "names"),
    *("jsb_voices", "jsb_voices_eighth", "jsb_voices_sixteenth"),
)

ENTROPY_NATS = {
    # E[-log p] of the exact densities: no model's likelihood can be better, rounded down
    "ring": 1.6981,
    "thin_ring": -4.2931,
    "eight_gaussians": -3.5996,
    "grid": 0.0652,
    "twenty_five_gaussians": -2.0139,
    "pinwheel": 2.3198,
    "checkerboard": 3.4657,
}
