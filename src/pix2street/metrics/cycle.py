"""L1 between inputs and what is left of them after the way forth and back.

A low one alone proves nothing: a model may hide its input in the photo (Chu et al. 2017, "CycleGAN, a master of
steganography"), and one that changes nothing has 0.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from pix2street.metrics.bootstrap import interval_of, resamples
from pix2street.metrics.pixels import l1

PROTOCOL = {
    "version": 1,
    "scores": ["cycle_l1"],
    "way": "inputs forth, the photos in 8 bits, and back; mean absolute difference of images in [-1, 1]",
}


def score(pictures: Iterable[tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """Return `cycle_l1` with its interval.

    Args:
        pictures: each input and the same forth and back, `[H, W, 3]` uint8.
    """
    each = np.array([l1(again, before) for before, again in pictures])
    return {"cycle_l1": float(each.mean()), "cycle_l1_interval": interval_of(resamples(len(each)) @ each / len(each))}
