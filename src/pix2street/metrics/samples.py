"""The measures of each photo of a set, from which metrics compute their scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pix2street.core.classes import ClassTable
from pix2street.metrics.looks import Looks


@dataclass(frozen=True)
class Features:
    """The features that one network extracts from the photos of a set and from their targets.

    Args:
        distances: the key under which each wanted distance over the features is reported, by metric: `frechet`, `kid`.
        photos, targets: `[N, D]` and `[M, D]` float32; they may be on disk (`numpy.memmap`).
    """

    distances: Mapping[str, str]
    photos: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Samples:
    """The measures of a set of photos, in the order of their pairs.

    Args:
        pixels: one number for each photo, by name, as `pixels.measure` returns them.
        confusions: one matrix for each photo, as `segmentation.measure` returns them; None without a judge.
        classes: the class table of the inputs; None for a set without classes.
        features: the features of every network that looked at the photos.
        looks: the looks of the photos and of their targets.
        draws: a judge's normalised features of several photos of each of some drawings, `[D, K, F]`, and of the
            targets, `[N, F]`; D is 0 for a generator without noise.
    """

    pixels: Mapping[str, np.ndarray] = field(default_factory=dict)
    confusions: np.ndarray | None = None
    classes: ClassTable | None = None
    features: Sequence[Features] = ()
    looks: tuple[Looks, Looks] | None = None
    draws: tuple[np.ndarray, np.ndarray] | None = None


def normalised(features: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Return features `[N, D]` in units of the real photos': less their mean, divided by their deviation, float32.

    Features of several levels, or of several judges, then weigh alike in a distance. A dimension in which all real
    photos are alike has no unit and is left out.

    Args:
        real: the features of the real photos, `[M, D]`, which become mean 0 and deviation 1.

    Returns:
        `[N, D']`, where D' is the same for every set that has the same real photos.
    """
    mean, deviation = real.mean(axis=0, dtype=np.float64), real.std(axis=0, dtype=np.float64)
    kept = deviation > 0
    return ((features[..., kept] - mean[kept]) / deviation[kept]).astype(np.float32)
