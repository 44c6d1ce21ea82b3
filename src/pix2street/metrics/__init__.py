"""Metrics: what was measured on each photo of a set -> numbers. NumPy, SciPy and scikit-image only.

Photos on disk -> measures or features of each -> statistics -> number: every arrow can be tested alone. To add one,
write `metrics/<name>.py` with

    PROTOCOL: what has to be known to compare its numbers, its version among it
    score(samples) -> dict[str, value]

and a line in `METRICS`. Its test has a closed form, identical sets and the order of arguments.
"""

from pix2street.metrics import frechet, kid, pixels, segmentation
from pix2street.metrics.samples import Features, Samples

METRICS = {
    "pixels": pixels,
    "segmentation": segmentation,
    "frechet": frechet,
    "kid": kid,
}

__all__ = ["METRICS", "Features", "Samples"]
