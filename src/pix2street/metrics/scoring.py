"""The scores of a set of photos by every metric that applies to it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pix2street.metrics import METRICS, detail, frechet, frechet_light, kid, manifold, mmd, sliced_wasserstein, spread
from pix2street.metrics.looks import Looks
from pix2street.metrics.samples import Features, Samples


def scores_of(samples: Samples) -> dict[str, Any]:
    """Return the scores of a set of photos by every metric that applies to it."""
    scores: dict[str, Any] = {"images": len(samples.looks[0].light)}
    for name, metric in METRICS.items():
        if samples.confusions is not None or name != "segmentation":
            scores.update(metric.score(samples))
    return scores


def protocol_of_looks(real: Looks) -> dict[str, Any]:
    """Return the protocols of the metrics over looks, which every set of photos has, by metric."""
    return {
        "sliced_wasserstein": sliced_wasserstein.protocol_of(real.patches),
        "spread": spread.PROTOCOL,
        "frechet_light": frechet_light.PROTOCOL,
    }


def floor_of(features: Sequence[Features], real: Looks, enlarged: bool = False) -> dict[str, Any]:
    """Return the distances between two random halves of the real photos, and the spread of one to that of the other.

    Args:
        features: those of networks; only the targets' are used.
        enlarged: whether the photos are enlargements, whose details are compared, too.
    """
    first, second = map(np.sort, np.array_split(np.random.default_rng(0).permutation(len(real.light)), 2))
    halves = [Features(f.distances, f.targets[first], f.targets[second]) for f in features]
    samples = Samples(features=halves, looks=(real.some(first), real.some(second)), enlarged={} if enlarged else None)
    scores = {"images": len(first)}
    for metric in (frechet, kid, mmd, sliced_wasserstein, spread, frechet_light, manifold, detail):
        scores.update(metric.score(samples))
    return scores
