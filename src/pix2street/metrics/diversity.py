"""The diversity of several photos of one drawing, in a judge's features, relative to that of real photos."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.spatial.distance import pdist

from pix2street.metrics.samples import Samples, mean_of_judges

PROTOCOL = {
    "version": 1,
    "scores": ["diversity"],
    "distance": "Euclidean, features normalised by the real photos' mean and deviation",
    "diversity": "mean over pairs of photos of one drawing, divided by the mean over pairs of real photos",
    "without_noise": "0 by definition",
}


def protocol_of(draws: np.ndarray, judges: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the protocol for draws `[D, K, F]` under these judges."""
    drawings, photos = draws.shape[:2]
    return {**PROTOCOL, "drawings": drawings, "photos_of_a_drawing": photos, "judges": judges}


def score(samples: Samples) -> dict[str, Any]:
    """Return `diversity`, or nothing for a set of photos of which there are no draws."""
    return mean_of_judges("diversity", [diversity(*draws) for draws in samples.draws]) if samples.draws else {}


def diversity(draws: np.ndarray, real: np.ndarray) -> float | None:
    """Return 0 if all photos of a drawing are one, 1 if they differ as real photos of different drawings do.

    Args:
        draws: normalised features of K photos of each of D drawings, `[D, K, F]`; with K < 2 the generator has no noise
            and the diversity is 0.
        real: normalised features of the real photos, `[N, F]`.

    Returns:
        None for fewer than two real photos, or if all of them have the same features.
    """
    if len(real) < 2 or not (scale := pdist(real).mean()):
        return None
    if not len(draws) or draws.shape[1] < 2:
        return 0.0
    return float(np.mean([pdist(of_drawing).mean() for of_drawing in draws]) / scale)
