"""Laplacian pyramids (Burt and Adelson, "The Laplacian pyramid as a compact image code", 1983) and patches of them."""

import numpy as np
from scipy.ndimage import correlate1d

from pix2street.core.seeds import derive_seed

PATCH_PX, LEAST_SIDE_PX, SEED = 7, 16, 0
BINOMIAL = np.array([1, 4, 6, 4, 1], np.float32) / 16
"""The generating kernel of Burt and Adelson 1983 with a = 3/8."""


def patches_of(photo: np.ndarray, count: int, key: int) -> dict[int, np.ndarray]:
    """Return patches of one photo by the shorter side of their level, finest first: `[count, C, 49]` float32.

    Args:
        photo: `[H, W, C]` uint8, at least 7 pixels high and wide.
        key: decides the places of the patches, together with `SEED` and the level.
    """
    found = {}
    for level, pixels in enumerate(laplacian_pyramid(photo.astype(np.float32))):
        windows = np.lib.stride_tricks.sliding_window_view(pixels, (PATCH_PX, PATCH_PX), axis=(0, 1))
        rng = np.random.default_rng(derive_seed(SEED, level, key))
        rows, columns = (rng.integers(0, places, count) for places in windows.shape[:2])
        found[min(pixels.shape[:2])] = windows[rows, columns].reshape(count, pixels.shape[2], -1)
    return found


def laplacian_pyramid(photo: np.ndarray) -> list[np.ndarray]:
    """Return the levels of `[H, W, C]` float32, each of half the size of the one before it, rounded up.

    A level is a low-pass photo less what the next level knows of it (equation 3); the last is the low-pass photo
    itself. A further level would have a side below `LEAST_SIDE_PX`.
    """
    levels = [photo]
    while min(levels[-1].shape[:2]) >= 2 * LEAST_SIDE_PX:
        low_pass = levels[-1]
        reduced = _smooth(low_pass)[::2, ::2]
        levels[-1:] = [low_pass - expand(reduced, low_pass.shape), reduced]
    return levels


def expand(pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return `[h, w, C]` enlarged to `shape`, whose sides are 2h or 2h - 1, and 2w or 2w - 1 (equation 2)."""
    spread = np.zeros(shape, np.float32)
    spread[::2, ::2] = pixels
    return 4 * _smooth(spread)


def _smooth(pixels: np.ndarray) -> np.ndarray:
    """Return `[H, W, C]` smoothed in both directions; the pixels are mirrored at the borders."""
    for axis in (0, 1):
        pixels = correlate1d(pixels, BINOMIAL, axis, mode="mirror")
    return pixels
