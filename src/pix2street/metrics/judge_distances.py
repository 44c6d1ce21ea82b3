"""The distances between what judges see in photos and in real ones, over the features of every judge of a jury.

A judge's features are those of several levels side by side. To add a distance, add a line to `DISTANCES`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pix2street.metrics import frechet, manifold, mmd
from pix2street.metrics.samples import Features, normalised

View = Callable[[np.ndarray, np.ndarray, Sequence[int]], np.ndarray]


@dataclass(frozen=True)
class JudgeDistance:
    """A metric over a view of judges' features.

    Args:
        metric: the metric's key in `Features.distances`.
        view: the function that makes the view of features `[N, D]`, from those of the real photos `[M, D]` and the
            number of columns of each level.
        protocol: the facts that one must know to compare the distance.
    """

    metric: str
    view: View
    protocol: Mapping[str, Any]


def _coarsest(features: np.ndarray, _: np.ndarray, levels: Sequence[int]) -> np.ndarray:
    return features[:, -levels[-1] :]


def _all_levels(features: np.ndarray, real: np.ndarray, _: Sequence[int]) -> np.ndarray:
    return normalised(features, real)


DISTANCES = {
    "frechet_segmenter": JudgeDistance(
        "frechet", _coarsest, {**frechet.PROTOCOL, "features": "means of the coarsest level over each photo"}
    ),
    "mmd_segmenter": JudgeDistance(
        "mmd",
        _all_levels,
        {
            **mmd.PROTOCOL,
            "features": "means of every level over each photo, normalised by mean and deviation of the real photos",
        },
    ),
}
"""The distances by the key of their score. Each is the mean over the judges of a jury."""


def features_of(seen: Sequence[np.ndarray], real: Sequence[np.ndarray], levels: Sequence[int]) -> list[Features]:
    """Return what every distance needs of every judge.

    Args:
        seen, real: each judge's features of a set of photos and of the real ones, `[N, D]` and `[M, D]`.
        levels: the number of columns of each level, from the finest to the coarsest.
    """
    return [
        Features({distance.metric: key}, *(distance.view(side, targets, levels) for side in (photos, targets)))
        for key, distance in DISTANCES.items()
        for photos, targets in zip(seen, real, strict=True)
    ]


def manifold_of(seen: Sequence[np.ndarray], real: Sequence[np.ndarray]) -> list[Features]:
    """Return what precision and recall need of every judge, see `features_of`."""
    return [
        Features({"manifold": "segmenter"}, *(normalised(side, targets) for side in (photos, targets)))
        for photos, targets in zip(seen, real, strict=True)
    ]


def protocol_of(judges: Sequence[Mapping[str, Any]], images: int, alone: bool = False) -> dict[str, Any]:
    """Return the protocol of every distance, by its key.

    Args:
        judges: the protocol of each judge.
        images: the number of photos, and of real ones.
        alone: whether precision and recall are measured, too.
    """
    sides = {"judges": judges, "photos": images, "targets": images}
    further = {**manifold.PROTOCOL, "features": DISTANCES["mmd_segmenter"].protocol["features"], **sides}
    return ({"manifold_segmenter": further} if alone else {}) | {
        key: {**distance.protocol, "scores": [key], **sides} for key, distance in DISTANCES.items()
    }
