"""Hours and weathers that have names: the same street is lit again, so that pictures of two of them belong together.

Over images only + - * / and comparisons are used, which give the same bits on every machine.
"""

from typing import NamedTuple

import numpy as np

from pix2street.datasets.synthetic_streets.light import take
from pix2street.datasets.synthetic_streets.textures import (
    LAMPS,
    NOISE_SIDE_PX,
    crop_tile,
    distance_to,
    smooth_noise,
    vary,
)
from pix2street.datasets.synthetic_streets.world import BUILDING, ROAD, SIDEWALK, SKY, Canvas

Rgb = tuple[float, float, float]

LAMP_SPACING_M = 14.0
LAMPLIGHT = np.float32((0.62, 0.48, 0.30))
HEADLIGHT = np.float32((0.62, 0.60, 0.52))
WINDOW = np.float32((238, 190, 110))


class Hour(NamedTuple):
    """The light and the weather of an hour.

    Args:
        light: what surfaces reflect of each channel.
        sky: the same for the sky.
        veil: the share of the sky that haze covers.
        haze: the colour of the air, in [0, 255].
        sight_m: the least and the largest distance at which half of the light is haze.
        lamps: the brightness of street lamps, headlights, signals and windows, in [0, 1].
        wet: the share of the road's light that mirrors what is above the horizon.
    """

    light: Rgb
    sky: Rgb
    veil: float
    haze: Rgb
    sight_m: tuple[float, float]
    lamps: float = 0.0
    wet: float = 0.0


HOURS = {
    "day": Hour((1.05, 1.03, 1.0), (1.0, 1.0, 1.0), 0.0, (195, 205, 218), (160, 300)),
    "golden": Hour((1.18, 0.98, 0.72), (1.15, 0.93, 0.72), 0.15, (225, 190, 150), (80, 160)),
    "overcast": Hour((0.84, 0.87, 0.92), (0.9, 0.93, 0.97), 0.85, (186, 191, 197), (80, 160)),
    "dusk": Hour((0.50, 0.48, 0.62), (0.72, 0.50, 0.56), 0.1, (120, 98, 120), (80, 160), lamps=0.45),
    "night": Hour((0.17, 0.19, 0.28), (0.10, 0.12, 0.20), 0.3, (22, 24, 38), (80, 160), lamps=1.0),
    "haze": Hour((0.92, 0.94, 0.96), (1.0, 1.0, 1.0), 1.0, (202, 204, 206), (12, 25)),
    "rain": Hour((0.62, 0.66, 0.72), (0.8, 0.83, 0.88), 0.95, (140, 146, 154), (40, 80), lamps=0.2, wet=0.45),
}
"""The hours by name. Their order decides the chance that each one has; a new one goes to the end."""


def expose_at(canvas: Canvas, rng: np.random.Generator, sun_left: bool, hour: Hour) -> np.ndarray:
    """Return the photo of a street at an hour, `[H, W, 3]` uint8; the canvas stays as it is."""
    haze = vary(rng, hour.haze, 4)
    sight_m = rng.uniform(*hour.sight_m)
    brightness = np.float32(rng.uniform(0.95, 1.05))
    sky = (canvas.labels == SKY)[..., None]
    photo = canvas.photo * np.float32(hour.light) * brightness
    clouds = canvas.photo * np.float32(hour.sky) * np.float32(1 - hour.veil) + haze * np.float32(hour.veil)
    photo = np.where(sky, clouds, photo)
    if hour.lamps:
        photo += canvas.photo * _lamplight(canvas) * np.float32(hour.lamps)
        shine = _shine(canvas, rng) * np.float32(hour.lamps)
        photo = np.maximum(photo, shine)
    if hour.wet:
        photo = _mirrored(canvas, photo, hour.wet)
    return take(canvas, photo, rng, haze, sight_m, sun_left)


def _lamplight(canvas: Canvas) -> np.ndarray:
    """Return the light of street lamps and of the camera's own headlights on each pixel, `[H, W, 3]` float32."""
    depth = canvas.depth_m
    pools = 1 - distance_to(depth, LAMP_SPACING_M, 0.6 * LAMP_SPACING_M) / np.float32(LAMP_SPACING_M / 2)
    rows = np.arange(canvas.labels.shape[0], dtype=np.float32)[:, None] - canvas.horizon_px
    low = np.clip(0.75 + 3 * rows / len(canvas.labels), 0, 1)
    pools = pools * low * (canvas.labels != SKY)
    columns = np.arange(canvas.labels.shape[1], dtype=np.float32) - canvas.center_px
    aside_m = np.abs(columns * depth / canvas.focal_x_px)
    beam = np.clip(1 - aside_m / (2 + 0.35 * depth), 0, 1) * np.clip(1 - depth / 30, 0, 1) * (rows > 0)
    light = pools[..., None] * LAMPLIGHT + beam[..., None] * HEADLIGHT
    return light.astype(np.float32)


def _shine(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Return the colour of each pixel that shines by itself, `[H, W, 3]` float32: lamps, and some of the windows."""
    on = np.zeros(canvas.labels.shape, bool)
    for lamp in LAMPS:
        on |= (canvas.photo == lamp).all(axis=-1)
    top, left = rng.integers(0, NOISE_SIDE_PX, 2)
    cells = crop_tile(smooth_noise(16), top, left, *canvas.labels.shape)
    # Nothing on a facade is as dark as its panes.
    glass = (canvas.labels == BUILDING) & (canvas.photo.max(axis=-1) < 85) & (cells > 0.05)
    dimmed = WINDOW * np.clip(1.1 - canvas.depth_m / 120, 0.4, 1)[..., None].astype(np.float32)
    shine = np.where(glass[..., None], dimmed * (0.8 + 0.2 * cells[..., None]), np.float32(0))
    return np.where(on[..., None], canvas.photo * np.float32(1.15), shine)


def _mirrored(canvas: Canvas, photo: np.ndarray, share: float) -> np.ndarray:
    """Return the photo with a wet ground, in which what is above the horizon is mirrored."""
    height = len(photo)
    rows = np.clip(2 * int(canvas.horizon_px) - np.arange(height), 0, height - 1)
    wet = np.isin(canvas.labels, (ROAD, SIDEWALK))[..., None]
    return np.where(wet, photo * np.float32(1 - share) + photo[rows] * np.float32(share), photo)
