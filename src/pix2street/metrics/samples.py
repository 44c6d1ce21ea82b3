"""What a metric is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Samples:
    """Photos to score beside their targets, in one order.

    Attributes:
        photos, targets: paths of equally sized RGB images.
        class_names: of the evaluated classes.
        truth: the input's evaluated classes, `[N, H, W]` uint8, `VOID` where none is; None without classes.
        judged: what the judge sees in `photos`, as `truth`.
        features, target_features: the judge's features of `photos` and of `targets`, `[N, D]` float32.
    """

    photos: Sequence[Path]
    targets: Sequence[Path]
    class_names: Sequence[str] = ()
    truth: np.ndarray | None = None
    judged: np.ndarray | None = None
    features: np.ndarray | None = None
    target_features: np.ndarray | None = None
