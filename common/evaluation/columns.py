"""Numbers in columns: a row a model, a column a metric, standard errors in the last digits."""

import math
from collections.abc import Mapping, Sequence

from common.evaluation.measurement import Measurement

HEADS = {
    "fid": "FID",
    "kid": "KID",
    "inception_score": "IS",
    "precision": "prec.",
    "recall": "rec.",
    "density": "dens.",
    "coverage": "cov.",
    "copying": "copy",
    "num_modes": "modes",
    "high_quality_fraction": "good",
    "mode_kl_nats": "KL",
    "mmd": "MMD",
    "energy_distance": "energy",
    "sliced_wasserstein": "SW",
    "classifier_accuracy": "C2ST",
}
READINGS = {
    "fid": "FID Fréchet distance of features, lower is better",
    "kid": "KID kernel distance of features, lower is better",
    "inception_score": "IS inception score, higher is better",
    "precision": "prec. precision: samples among the data, higher is better",
    "recall": "rec. recall: data among the samples, higher is better",
    "density": "dens. density, a precision that outliers do not move, 1 or more is good",
    "coverage": "cov. coverage, a recall that outliers do not move, 1 is all",
    "copying": "copy chance that a sample is nearer to training data than new data are, 0.5 is "
    "best, 1 is memory, less is poor samples",
    "num_modes": "modes reached",
    "high_quality_fraction": "good within the modes, higher is better",
    "mode_kl_nats": "KL of the modes' frequencies in nats, lower is better",
    "mmd": "MMD squared kernel distance of pixels or points, lower is better",
    "energy_distance": "energy distance of pixels or points, lower is better",
    "sliced_wasserstein": "SW sliced Wasserstein distance, lower is better",
    "classifier_accuracy": "C2ST how often a forest tells samples from data, 0.5 is best",
}
# What a page has room for; everything that was measured is in the JSON.
OF_IMAGES = (*("fid", "kid", "precision", "recall", "coverage", "copying", "classifier_accuracy"),)
OF_POINTS = (
    *("num_modes", "high_quality_fraction", "mode_kl_nats", "energy_distance"),
    *("precision", "recall", "copying", "classifier_accuracy"),
)


def columns(measured: Sequence[str], asked: Sequence[str]) -> list[str]:
    """The metrics that the table shows: those asked for, else those there is room for."""
    if asked or "precision" not in measured:
        return list(measured)
    chosen = OF_IMAGES if "fid" in measured else OF_POINTS
    return [name for name in chosen if name in measured]


def compact(value: float | None, error: float | None = None) -> str:
    """A number in as many digits as its standard error allows, with the error of the last one.

    >>> compact(0.51234, 0.0231), compact(0.51234, 0.0096), compact(123.4, 31.0)
    ('0.51(2)', '0.51(1)', '120(30)')
    >>> compact(123.4), compact(1.2345), compact(-0.00012), compact(None)
    ('123', '1.23', '-0.00012', '—')
    """
    if value is None:
        return "—"
    if not math.isfinite(value):
        return str(value)
    if not error or not math.isfinite(error):
        if abs(value) >= 100 or value == 0:
            return f"{value:.0f}"
        return f"{value:.3g}" if abs(value) >= 1 else f"{value:.2g}"
    digits = -math.floor(math.log10(error))
    digits -= round(error * 10**digits) == 10  # 0.096 is 0.1
    last = round(error * 10**digits)
    if digits <= 0:
        return f"{round(value, digits):.0f}({last * 10**-digits:.0f})"
    return f"{value:.{digits}f}({last})"


def table(
    rows: Mapping[str, Mapping[str, Measurement]],
    floor: Mapping[str, float | None],
    names: Sequence[str],
) -> str:
    """A Markdown table, padded to be read in a terminal too.

    Args:
        rows: label -> measurements by metric.
        floor: the training split's value of each metric, the last row.
        names: the metrics to show.
    """
    cells = [["model", *(HEADS.get(name, name) for name in names)]]
    for label, measured in rows.items():
        numbers = [measured.get(name) for name in names]
        cells.append(
            [label, *("—" if m is None else compact(m.value, m.standard_error) for m in numbers)]
        )
    cells.append(["floor", *(compact(floor.get(name)) for name in names)])
    widths = [max(3, *(len(row[k]) for row in cells)) for k in range(len(cells[0]))]
    lines = [
        " | ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells
    ]
    lines.insert(1, "|".join(["-" * (widths[0] + 1), *(f"-{'-' * w}:" for w in widths[1:])]))
    return "\n".join(lines)


def reading(names: Sequence[str]) -> str:
    """How to read the columns."""
    return "; ".join(READINGS[name] for name in names if name in READINGS) + "."
