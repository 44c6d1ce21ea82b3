"""What was measured on each photo of a set; a metric makes numbers of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pix2street.core.classes import ClassTable


@dataclass(frozen=True)
class Features:
    """What one network makes of the photos of a set and of their targets.

    Args:
        distances: the key of each distance taken over them: of `frechet`, and of `kid` where that is asked for.
        photos, targets: `[N, D]` and `[M, D]` float32; they may lie on disk (`numpy.memmap`).
    """

    distances: Mapping[str, str]
    photos: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Samples:
    """A set of photos, in the order of their pairs.

    Args:
        pixels: by name, one number a photo, as `pixels.measure` gives them.
        confusions: one matrix a photo, as `segmentation.measure` gives them; None without a judge.
        classes: the table of the inputs.
        features: of every network that looked at the photos.
    """

    pixels: Mapping[str, np.ndarray] = field(default_factory=dict)
    confusions: np.ndarray | None = None
    classes: ClassTable | None = None
    features: Sequence[Features] = ()
