"""Whether photos are copies of training photos: how near they are to the nearest, beside photos that are new.

Distances between sets of photos praise a generator that knows its training photos by heart. Held-out photos say how
near a new photo comes to the nearest of train.
"""

import numpy as np
from scipy.spatial.distance import cdist

from pix2street.metrics.samples import Samples

PROTOCOL = {
    "version": 1,
    "scores": ["nearest_train", "copies"],
    "nearest_train": "median distance to the nearest photo of train or its mirror image, by that of real photos",
    "copies": "share of photos that are nearer to one than 99 % of the real photos are",
}
QUANTILE = 0.01


def score(samples: Samples) -> dict[str, float | None]:
    """Return `nearest_train` and `copies`; nothing where the photos of train are not known.

    `nearest_train` is None where half of the real photos are themselves in train.
    """
    if samples.train is None:
        return {}
    nearest, of_real = (nearest_to(samples.train.seen, some) for some in (samples.train.photos, samples.train.targets))
    usual = float(np.median(of_real))
    return {
        "nearest_train": float(np.median(nearest)) / usual if usual else None,
        "copies": float((nearest < np.quantile(of_real, QUANTILE)).mean()),
    }


def nearest_to(train: np.ndarray, photos: np.ndarray) -> np.ndarray:
    """Return the distance of each row of `[N, D]` to the nearest row of `[T, D]`, `[N]`."""
    return cdist(photos, train).min(axis=1)
