"""Mean absolute difference."""

import numpy as np

from pix2street.images import read_rgb
from pix2street.metrics.samples import Samples

RANGE = "mean absolute difference of images in [-1, 1]: 0 to 2"


def score(samples: Samples) -> dict[str, float]:
    """`l1`: the mean over all pixels and channels of |photo - target|, both in [-1, 1], as the training loss has it."""
    return {
        "l1": float(
            np.mean([l1(read_rgb(a), read_rgb(b)) for a, b in zip(samples.photos, samples.targets, strict=True)])
        )
    }


def l1(photo: np.ndarray, target: np.ndarray) -> float:
    """Of two `[H, W, 3]` uint8 images of one size."""
    return float(np.abs(photo.astype(np.int16) - target).mean() / 127.5)
