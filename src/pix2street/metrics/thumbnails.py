"""Thumbnails as features: what every set of photos has without a network, layout and colours, but no texture."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from pix2street.core.images import read_photo, resize_photo, to_unit
from pix2street.core.photos import read_photos
from pix2street.metrics import copies, frechet, kid, manifold
from pix2street.metrics.samples import Features, Trained

SIDE_PX = 8
KEYS = {"frechet": "frechet_thumbnail", "kid": "kid_thumbnail", "manifold": "thumbnail"}
"""The keys of the distances over thumbnails, see `Features`."""


def thumbnails_of(photos: Sequence[Path], channels: int) -> np.ndarray:
    """Return each photo with a shorter side of `SIDE_PX`, `[N, D]` float32 in [-1, 1]."""

    def reduced(path: Path) -> np.ndarray:
        photo = read_photo(path, channels)
        sides = (max(1, round(side * SIDE_PX / min(photo.shape[:2]))) for side in photo.shape[:2])
        small = resize_photo(photo[..., 0] if channels == 1 else photo, *sides)
        return to_unit(small.astype(np.float32)).ravel()

    with ThreadPoolExecutor() as pool:
        return np.stack([*pool.map(reduced, photos)])


def beside_train(
    split: Path, photos: Mapping[str, Sequence[Path]], real: Sequence[Path], channels: int
) -> tuple[dict[str, list[Features]], dict[str, Trained]]:
    """Return thumbnails of every set of photos beside the real ones, and beside those of train and their mirror images.

    Args:
        split: the folder of the data set.
    """
    targets = thumbnails_of(real, channels)
    found = {name: thumbnails_of(paths, channels) for name, paths in photos.items()}
    seen = thumbnails_of([pair.target_path for pair in read_photos(split, "train")], channels)
    height, width = read_photo(real[0]).shape[:2]
    seen = np.concatenate([seen, mirrored(seen, round(width * SIDE_PX / min(height, width)), channels)])
    return (
        {name: [Features(KEYS, small, targets)] for name, small in found.items()},
        {name: Trained(small, targets, seen) for name, small in found.items()},
    )


def mirrored(thumbnails: np.ndarray, width: int, channels: int) -> np.ndarray:
    """Return thumbnails `[N, D]` of this width with left and right exchanged."""
    return thumbnails.reshape(len(thumbnails), -1, width, channels)[:, :, ::-1].reshape(thumbnails.shape)


def protocol_of(images: int) -> dict[str, Any]:
    """Return the protocol of every score over thumbnails."""
    sides = {"features": f"pixels of photos reduced to a shorter side of {SIDE_PX} px, -1 to 1", "photos": images}
    return {
        "frechet_thumbnail": {**frechet.PROTOCOL, **sides},
        "kid_thumbnail": {**kid.PROTOCOL, **sides},
        "manifold_thumbnail": {**manifold.PROTOCOL, **sides},
        "copies": {**copies.PROTOCOL, **sides},
    }
