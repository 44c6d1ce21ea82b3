"""The measures of each photo of a set, from which metrics compute their scores."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pix2street.core.classes import ClassTable
from pix2street.metrics.looks import Looks

ROUNDING = 1e-6
"""The relative deviation up to which float32 features count as equal."""


@dataclass(frozen=True)
class Features:
    """The features that one network extracts from the photos of a set and from their targets.

    Args:
        distances: the key under which each metric's distance over the features is reported, by metric: `frechet`,
            `kid`, `mmd`, `manifold` or several. The judges of a jury share their keys.
        photos, targets: `[N, D]` and `[M, D]` float32; they may be on disk (`numpy.memmap`).
    """

    distances: Mapping[str, str]
    photos: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Trained:
    """What a generator without inputs may have copied: features of its photos, of the real ones, and of train's.

    Args:
        photos, targets, seen: `[N, D]`, `[M, D]` and `[T, D]` float32.
    """

    photos: np.ndarray
    targets: np.ndarray
    seen: np.ndarray


@dataclass(frozen=True)
class Samples:
    """The measures of a set of photos, in the order of their pairs.

    Args:
        pixels: one number for each photo, by name, as `pixels.measure` returns them; empty without exact targets.
        confusions: each judge's matrix for each photo, `[J, N, C + 1, C + 1]`, as `segmentation.measure` returns those
            of one judge; None without a judge.
        classes: the class table of the inputs; None for a set without classes.
        not_judged: the names of the classes that no mean of classes counts.
        features: the features of every network that looked at the photos.
        looks: the looks of the photos and of their targets.
        draws: each judge's normalised features of several photos of each of some drawings, `[D, K, F]`, and of the
            targets, `[N, F]`; D is 0 for a generator without noise. Empty for photos of which there are no draws.
        named: the number of the domain that a classifier names in each photo, `[N]`, and that of the domain that they
            shall have; None without a classifier.
        enlarged: one number for each enlarged photo, by name, as `enlargement.measure` returns them; empty where only
            the details of sets are compared, None for photos that are no enlargements.
        train: the photos beside those of train; None for photos of inputs.
    """

    pixels: Mapping[str, np.ndarray] = field(default_factory=dict)
    confusions: np.ndarray | None = None
    classes: ClassTable | None = None
    features: Sequence[Features] = ()
    not_judged: Collection[str] = ()
    looks: tuple[Looks, Looks] | None = None
    draws: Sequence[tuple[np.ndarray, np.ndarray]] = ()
    named: tuple[np.ndarray, int] | None = None
    enlarged: Mapping[str, np.ndarray] | None = None
    train: Trained | None = None


def by_network(distances: Iterable[tuple[str, float | None]]) -> dict[str, Any]:
    """Return the distances of networks by key, see `mean_of_judges` for networks that share a key."""
    values: dict[str, list[float | None]] = {}
    for key, distance in distances:
        values.setdefault(key, []).append(distance)
    return {name: value for key in values for name, value in mean_of_judges(key, values[key]).items()}


def distance_by_network(
    samples: Samples, score: str, distance: Callable[[np.ndarray, np.ndarray], float | None]
) -> dict[str, Any]:
    """Return the distance of photos to targets for every network whose features have a key of this score."""
    return by_network(
        (features.distances[score], distance(features.photos, features.targets))
        for features in samples.features
        if score in features.distances
    )


def mean_of_judges(score: str, values: Sequence[float | None]) -> dict[str, Any]:
    """Return the mean of a score over the judges, and the list `<score>_judges` if there are several.

    Args:
        values: the value of each judge; None where a judge has none.
    """
    return {score: mean_of(values), **({f"{score}_judges": list(values)} if len(values) > 1 else {})}


def mean_of(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that exist; None if there are none."""
    present = [value for value in values if value is not None]
    return float(np.mean(present)) if present else None


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
