"""Precision and recall of a set of photos (Kynkäänniemi et al. 2019, "Improved precision and recall metric for
assessing generative models", section 2).

Precision is the share of photos that lie among the real ones, recall the share of real ones that lie among the photos.
A generator of one perfect photo has precision 1 and recall 0. Neither sees a photo that is a copy.
"""

from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

from pix2street.metrics.samples import Samples, by_network

NEIGHBOURS = 3
PROTOCOL = {"version": 1, "neighbours": NEIGHBOURS, "distance": "Euclidean"}


def score(samples: Samples) -> dict[str, Any]:
    """Return `precision_<key>` and `recall_<key>` for features with a key of `manifold`; None for too few photos."""
    found = []
    for features in samples.features:
        if key := features.distances.get("manifold"):
            values = precision_and_recall(features.photos, features.targets)
            found += zip((f"precision_{key}", f"recall_{key}"), values, strict=True)
    return by_network(found)


def precision_and_recall(photos: np.ndarray, targets: np.ndarray) -> tuple[float, float] | tuple[None, None]:
    """Return precision and recall of feature sets `[N, D]` and `[M, D]` (equations 1 and 2), each in [0, 1].

    None where a set has no more than `NEIGHBOURS` rows.
    """
    if min(len(photos), len(targets)) <= NEIGHBOURS:
        return None, None
    between = cdist(photos, targets)
    return (
        float((between <= _radii(targets)[None]).any(axis=1).mean()),
        float((between <= _radii(photos)[:, None]).any(axis=0).mean()),
    )


def _radii(features: np.ndarray) -> np.ndarray:
    """Return each row's distance to its nearest neighbour but `NEIGHBOURS` - 1 among the others."""
    return np.partition(cdist(features, features), NEIGHBOURS, axis=1)[:, NEIGHBOURS]
