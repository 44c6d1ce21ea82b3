"""The kernel Inception distance: an unbiased MMD^2 with a cubic kernel (Bińkowski et al. 2018, section 4)."""

from typing import Any

import numpy as np

from pix2street.metrics.samples import Samples, by_network

SUBSETS, MAX_SUBSET, SEED = 100, 1000, 0
PROTOCOL = {
    "version": 1,
    "kernel": "(x . y / D + 1)^3",
    "subsets": SUBSETS,
    "subset_size": f"half the smaller set, at most {MAX_SUBSET}; without replacement",
    "seed": SEED,
}


def score(samples: Samples) -> dict[str, Any]:
    """Return mean and standard deviation over the subsets, for features with a key of `kid`; None below 4 images."""
    found = []
    for features in samples.features:
        if key := features.distances.get("kid"):
            found += zip((key, f"{key}_std"), kernel_distance(features.photos, features.targets), strict=True)
    return by_network(found)


def kernel_distance(photos: np.ndarray, targets: np.ndarray) -> tuple[float, float] | tuple[None, None]:
    """Return the mean and standard deviation of `polynomial_mmd` over random subsets of two sets `[N, D]`, `[M, D]`.

    A subset has half the size of the smaller set, so that subsets of few images differ as well.
    """
    size = min(len(photos) // 2, len(targets) // 2, MAX_SUBSET)
    if size < 2:
        return None, None
    rng = np.random.default_rng(SEED)

    def some(features: np.ndarray) -> np.ndarray:
        return np.asarray(features[np.sort(rng.choice(len(features), size, replace=False))], np.float64)

    distances = [polynomial_mmd(some(photos), some(targets)) for _ in range(SUBSETS)]
    return float(np.mean(distances)), float(np.std(distances))


def polynomial_mmd(a: np.ndarray, b: np.ndarray) -> float:
    """Return the unbiased estimate of MMD^2 of two sets `[m, D]` of one size (Gretton et al. 2012, equation 4)."""
    m, dimensions = a.shape

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / dimensions + 1) ** 3

    within = [(gram.sum() - np.trace(gram)) / (m * (m - 1)) for gram in (kernel(a, a), kernel(b, b))]
    return float(sum(within) - 2 * kernel(a, b).mean())
