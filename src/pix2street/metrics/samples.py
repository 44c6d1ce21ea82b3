"""The measures of each photo of a set, from which metrics compute their scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pix2street.core.classes import ClassTable


@dataclass(frozen=True)
class Features:
    """The features that one network extracts from the photos of a set and from their targets.

    Args:
        distances: the key under which each metric's distance over the features is reported, by metric: `frechet`, and
            `kid` if it is wanted.
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
    """

    pixels: Mapping[str, np.ndarray] = field(default_factory=dict)
    confusions: np.ndarray | None = None
    classes: ClassTable | None = None
    features: Sequence[Features] = ()
