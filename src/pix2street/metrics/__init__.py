"""Metrics: photos on disk and what a judge saw in them -> numbers. NumPy and SciPy only.

To add one, write `metrics/<name>.py` with

    score(samples) -> dict[str, value]

whose keys carry the protocol, and a line in `METRICS`; name it in `NEED_CLASSES` where it reads what a
judge saw. Its test has a closed form, identical sets and the order of arguments.
"""

from pix2street.metrics import frechet, l1, segmentation
from pix2street.metrics.samples import Samples

METRICS = {
    "l1": l1.score,
    "frechet_segmenter": frechet.score,
    "segmentation": segmentation.score,
}

NEED_CLASSES = ("frechet_segmenter", "segmentation")
"""Metrics that read what a judge saw; a data set without classes has no judge."""

__all__ = ["METRICS", "NEED_CLASSES", "Samples"]
