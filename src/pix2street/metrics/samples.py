"""The measures of each photo of a set, from which metrics compute their scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pix2street.core.classes import ClassTable
from pix2street.metrics.looks import Looks

ROUNDING = 1e-6
"""The relative deviation up to which float32 features count as equal."""


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
    """Return features less the mean of the real photos' features, divided by their deviation, dimension by dimension.

    The dimensions of all levels of a network then weigh alike in a distance. A dimension in which the real photos
    differ by no more than rounding is left out.

    Args:
        features: `[..., D]`.
        real: the features of the real photos, `[M, D]`; their own result has mean 0 and deviation 1.

    Returns:
        `[..., D']` float32; D' follows from `real`.
    """
    mean, deviation = real.mean(axis=0, dtype=np.float64), real.std(axis=0, dtype=np.float64)
    kept = deviation > ROUNDING * np.abs(real).max(axis=0)
    return ((features[..., kept] - mean[kept]) / deviation[kept]).astype(np.float32)
