"""Metrics, which turn the measures of each photo of a set into scores; NumPy, SciPy, pandas and scikit-image only.

The steps are photos on disk -> measures or features of each -> statistics -> number; tests cover every arrow. To add a
metric, write `metrics/<name>.py` with

    PROTOCOL: the facts that one must know to compare its scores, its version among them
    score(samples) -> dict[str, value]

and add a line to `METRICS`. Its test has a closed form, identical sets and the order of arguments.
"""

from pix2street.metrics import (
    copies,
    detail,
    diversity,
    domain_accuracy,
    enlargement,
    frechet,
    frechet_light,
    kid,
    manifold,
    mmd,
    pixels,
    segmentation,
    sliced_wasserstein,
    spread,
)
from pix2street.metrics.looks import Looks
from pix2street.metrics.samples import Features, Samples, Trained, normalised

METRICS = {
    "pixels": pixels,
    "segmentation": segmentation,
    "frechet": frechet,
    "kid": kid,
    "mmd": mmd,
    "sliced_wasserstein": sliced_wasserstein,
    "spread": spread,
    "frechet_light": frechet_light,
    "diversity": diversity,
    "domain_accuracy": domain_accuracy,
    "enlargement": enlargement,
    "detail": detail,
    "manifold": manifold,
    "copies": copies,
}

__all__ = ["METRICS", "Features", "Looks", "Samples", "Trained", "normalised"]
