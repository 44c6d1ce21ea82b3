"""Colours and patterns that surfaces are made of: variation, grids of lines, smooth noise, the camera's noise.

Over images only + - * / and integer filters are used, which give the same bits on every machine.
"""

from functools import lru_cache

import numpy as np
from PIL import Image

NOISE_SIDE_PX = 512

REAR_LAMP, HEAD_LAMP, LARGE_REAR_LAMP = (205, 35, 30), (245, 240, 215), (210, 40, 35)
GREEN, AMBER, RED = (60, 210, 120), (235, 180, 60), (235, 60, 50)
SIGNAL = (230, 180, 70)
LAMPS = (REAR_LAMP, HEAD_LAMP, LARGE_REAR_LAMP, GREEN, AMBER, RED, SIGNAL)
"""Colours that only lamps have: those of vehicles, of traffic lights and of the boards above buses."""

Color = np.ndarray
"""`[3]` or `[h, w, 3]` float32 in [0, 255]."""


def vary(rng: np.random.Generator, color: tuple, spread: float) -> np.ndarray:
    """Return a colour near another: its brightness varies by `spread`, each channel by a third of it."""
    shift = rng.uniform(-spread, spread) + rng.uniform(-spread, spread, 3) / 3
    return (np.float32(color) + shift).clip(5, 250).astype(np.float32)


def dim(where: np.ndarray, factor: float) -> np.ndarray:
    """Return `factor` where the mask is true and 1 elsewhere, as `[..., 1]` float32 to multiply colours with."""
    return np.where(where, np.float32(factor), np.float32(1))[..., None]


def every(position: np.ndarray, period: float, thickness: float) -> np.ndarray:
    """Return where the lines of a grid run."""
    return position % period < thickness


def distance_to(position: np.ndarray, period: float, first: float) -> np.ndarray:
    """Return how far the nearest `first + k * period` is."""
    offset = (position - first) % period
    return np.minimum(offset, period - offset)


def crop_tile(tile: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    """Return `[height, width, ...]` of a square tile that repeats in both directions."""
    rows, columns = (np.arange(first, first + count) % len(tile) for first, count in ((top, height), (left, width)))
    return tile[rows[:, None], columns]


@lru_cache
def sensor_noise() -> np.ndarray:
    """Return the camera's noise as a tile `[S, S, 3]` int8: each channel has its part, and all three share another."""
    rng = np.random.default_rng(NOISE_SIDE_PX)
    own, shared = (rng.integers(-3, 4, (NOISE_SIDE_PX, NOISE_SIDE_PX, n), np.int8) for n in (3, 1))
    total = own + shared
    total.setflags(write=False)
    return total


@lru_cache
def smooth_noise(cell_px: int) -> np.ndarray:
    """Return noise in [-1, 1] as a tile `[S, S]` that repeats: three octaves, the finest with cells of `cell_px`."""
    total = np.zeros((NOISE_SIDE_PX, NOISE_SIDE_PX), np.float32)
    for octave, weight in enumerate((0.5, 0.3, 0.2)):
        cells = NOISE_SIDE_PX // (cell_px << octave)
        coarse = np.random.default_rng([cell_px, octave]).integers(0, 256, (cells, cells)).astype(np.uint8)
        fine = Image.fromarray(coarse).resize((NOISE_SIDE_PX, NOISE_SIDE_PX), Image.Resampling.BICUBIC)
        total += weight * (np.asarray(fine, np.float32) / 127.5 - 1)
    total = (total * 1.6).clip(-1, 1)
    total.setflags(write=False)
    return total
