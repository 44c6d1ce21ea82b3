"""The looks of a set of photos: what can be measured in each of them without a network and without its target."""

import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from pix2street.core.images import luma, read_photo, to_unit
from pix2street.metrics.pyramid import patches_of

PATCHES_OF_A_PHOTO, MAX_PATCHES = 128, 1 << 15


@dataclass(frozen=True)
class Looks:
    """The light of each photo of a set, and patches of its pyramid.

    Args:
        light: the mean of each channel and the contrast, `[N, C + 1]` float64, as `light_of` returns them.
        patches: by the shorter side of their level, finest first, `[N, K, C, 49]` float32; K is the same for all.
    """

    light: np.ndarray
    patches: Mapping[int, np.ndarray]

    @classmethod
    def of(cls, photos: Sequence[Path], channels: int) -> Self:
        """Return the looks of photos of one size. The places of patches follow from the names of the files.

        Args:
            channels: C, 3 for RGB or 1 for grey.
        """
        count = max(1, min(PATCHES_OF_A_PHOTO, MAX_PATCHES // len(photos)))

        def look(path: Path) -> tuple[np.ndarray, dict[int, np.ndarray]]:
            photo = read_photo(path, channels)
            return light_of(photo), patches_of(photo, count, zlib.crc32(path.name.encode()))

        with ThreadPoolExecutor() as pool:
            lights, patches = zip(*pool.map(look, photos), strict=True)
        return cls(np.array(lights), {side: np.stack([levels[side] for levels in patches]) for side in patches[0]})

    def some(self, places: np.ndarray) -> Self:
        """Return the looks of the photos at these places of the set."""
        return type(self)(self.light[places], {side: found[places] for side, found in self.patches.items()})


def light_of(photo: np.ndarray) -> np.ndarray:
    """Return the mean of each channel of `[H, W, C]` uint8, in [-1, 1], and the contrast, in [0, 1]: `[C + 1]`.

    Contrast is the standard deviation of the luma.
    """
    levels = luma(photo) if photo.shape[2] == 3 else photo
    return np.append(to_unit(photo.mean(axis=(0, 1))), levels.std() / 127.5)
