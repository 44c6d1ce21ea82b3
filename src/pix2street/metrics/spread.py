"""The spread of a set of photos in colour and contrast, relative to that of the real photos.

A generator that gives every photo the light of an average day has a spread near 0, whatever its other scores are.
"""

import numpy as np

from pix2street.metrics.samples import Samples

PROTOCOL = {
    "version": 1,
    "scores": ["color_spread", "contrast_spread"],
    "color_spread": "root of the summed variances of the photos' mean colour, divided by that of the real photos",
    "contrast_spread": "standard deviation of the photos' contrast, divided by that of the real photos",
    "contrast": "standard deviation of a photo's luma (ITU-R BT.601)",
}


def score(samples: Samples) -> dict[str, float | None]:
    """Return both spreads, 1 where they equal those of the real photos.

    A spread is None if a side has fewer than two photos, or if the real photos have no spread.
    """
    if samples.looks is None:
        return {}
    photos, targets = (looks.light for looks in samples.looks)
    return {
        "color_spread": relative_spread(photos[:, :-1], targets[:, :-1]),
        "contrast_spread": relative_spread(photos[:, -1:], targets[:, -1:]),
    }


def relative_spread(photos: np.ndarray, targets: np.ndarray) -> float | None:
    """Return the spread of `[N, D]` divided by that of `[M, D]`: the root of the summed variances over the rows."""
    if min(len(photos), len(targets)) < 2:
        return None
    spreads = [np.sqrt(values.var(axis=0, ddof=1).sum()) for values in (photos, targets)]
    return float(spreads[0] / spreads[1]) if spreads[1] else None
