"""The maximum mean discrepancy with a Gaussian kernel, which has no assumption about the features' distribution.

Jayasumana et al. 2024 propose it in place of the Fréchet distance, over features of another network (CMMD). Its kernel
is bounded, so that no single feature or photo decides it.
"""

from typing import Any

import numpy as np
from scipy.spatial.distance import cdist, pdist

from pix2street.metrics.samples import Samples, distance_by_network

PROTOCOL = {
    "version": 1,
    "kernel": "exp(-|x - y|^2 / (2 s^2))",
    "s": "median distance of two real photos",
    "estimate": "unbiased, squared",
}


def score(samples: Samples) -> dict[str, Any]:
    """Return the distance of photos to targets over features with a key of `mmd`; None if a side has fewer than two."""
    return distance_by_network(samples, "mmd", gaussian_mmd)


def gaussian_mmd(photos: np.ndarray, targets: np.ndarray) -> float | None:
    """Return the unbiased estimate of MMD^2 of sets `[M, D]` and `[N, D]` (Gretton et al. 2012, lemma 6), -1 to 2.

    It is near 0 for two sets of one distribution, and may be slightly below. None if a set has fewer than two rows, or
    if all targets are equal and the kernel has no width.
    """
    if min(len(photos), len(targets)) < 2 or not (width := float(np.median(pdist(targets)))):
        return None

    def kernel(squared: np.ndarray) -> np.ndarray:
        return np.exp(-squared / (2 * width**2))

    within = [kernel(pdist(rows, "sqeuclidean")).mean() for rows in (photos, targets)]
    return float(sum(within) - 2 * kernel(cdist(photos, targets, "sqeuclidean")).mean())
