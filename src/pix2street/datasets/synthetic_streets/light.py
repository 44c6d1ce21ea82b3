"""The light that falls on the street, and the camera that takes it: sun, a drawn hour, haze, lens and sensor.

`hours` has the light of hours that have names.
"""

import numpy as np
from PIL import Image, ImageFilter

from pix2street.datasets.synthetic_streets.textures import NOISE_SIDE_PX, Color, crop_tile, sensor_noise, vary
from pix2street.datasets.synthetic_streets.world import SKY, Canvas


def expose(
    canvas: Canvas, rng: np.random.Generator, sun_left: bool, grain: np.random.Generator | None = None
) -> np.ndarray:
    """Return the photo `[H, W, 3]` uint8: the canvas in the hour's light, with haze, vignette, blur and noise.

    The sun shows in two ways: the half of the photo on its side is lighter, and so is the side of the street that
    faces it (`roadside`).

    Args:
        grain: what the sensor's noise is drawn from; None for `rng`.
    """
    hour = rng.integers(4)  # noon, golden hour, overcast, dusk
    light = np.float32([(1.05, 1.03, 1.0), (1.15, 1.0, 0.82), (0.88, 0.91, 0.95), (0.62, 0.62, 0.78)][hour])
    light = light * rng.uniform(0.85, 1.15) * rng.uniform(0.95, 1.05, 3).astype(np.float32)
    haze = vary(rng, [(195, 205, 218), (215, 195, 170), (190, 194, 198), (120, 120, 140)][hour], 12)
    sight_m = rng.choice([35.0, 80.0, 160.0, 300.0], p=[0.12, 0.28, 0.3, 0.3])
    return take(canvas, canvas.photo * light, grain or rng, haze, sight_m, sun_left)


def take(
    canvas: Canvas, photo: np.ndarray, rng: np.random.Generator, haze: Color, sight_m: float, sun_left: bool
) -> np.ndarray:
    """Return what the camera takes of a lit street, `[H, W, 3]` uint8: haze with distance, vignette, blur and noise.

    Args:
        photo: `[H, W, 3]` float32, the light that comes from each pixel of the canvas; it is overwritten.
        haze: the colour of the air.
        sight_m: the distance at which half of the light is haze.
    """
    height, width = canvas.labels.shape
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None, None]

    lens = (1 + 0.08 * across * (-1 if sun_left else 1)) * (1.06 - 0.08 * (across**2 + down**2))
    # A rational approximation of Koschmieder's exponential: half of the light is haze at `sight_m`.
    share = (canvas.depth_m / (canvas.depth_m + np.float32(sight_m)))[..., None] * np.float32(0.85)
    share = np.where((canvas.labels == SKY)[..., None], share * np.float32(0.4), share)
    photo *= lens * (1 - share)
    photo += haze * (lens * share)
    soft = Image.fromarray(photo.clip(0, 255).astype(np.uint8)).filter(ImageFilter.BoxBlur(0.35 * width / 256))
    top, left = rng.integers(0, NOISE_SIDE_PX, 2)
    grain = crop_tile(sensor_noise(), top, left, height, width)
    return (np.asarray(soft, np.int16) + grain).clip(0, 255).astype(np.uint8)
