"""One street scene, drawn from a small world in metres: a photo, and the Cityscapes class of each of its pixels.

The labels say where things are; the photo adds what they do not: materials, colours that vary within a class far more
than between classes, the light of the hour and its weather, shadows, haze with distance, and the camera's vignette,
blur and noise. Nearer things cover farther ones. Every number follows from (seed, index).
"""

from collections.abc import Sequence

import numpy as np

from pix2street.datasets.synthetic_streets.furniture import street_furniture
from pix2street.datasets.synthetic_streets.hours import HOURS, expose_at
from pix2street.datasets.synthetic_streets.light import expose
from pix2street.datasets.synthetic_streets.people import passers_by
from pix2street.datasets.synthetic_streets.roadside import roadside
from pix2street.datasets.synthetic_streets.things import Thing
from pix2street.datasets.synthetic_streets.traffic import traffic
from pix2street.datasets.synthetic_streets.world import Canvas, Drive, draw_ground, empty_street

FRAME_S = 0.1
"""The time between two frames of a drive."""


def draw_scene(seed: int, index: int, height_px: int, width_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw scene `index` of the set that `seed` names.

    Returns:
        The photo `[H, W, 3]` uint8 sRGB, and the label ids `[H, W]` uint8 of Cityscapes.
    """
    rng = np.random.default_rng([seed, index])
    canvas, sun_left = _draw_street(rng, height_px, width_px)
    return expose(canvas, rng, sun_left), canvas.labels


def draw_hours(
    seed: int, index: int, height_px: int, width_px: int, hours: Sequence[str]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Draw scene `index` in these hours, names of `HOURS`: the same street, seen in other light and weather.

    The photo of an hour does not depend on the other hours.

    Returns:
        A photo for each hour, and the label ids, as `draw_scene` does.
    """
    canvas, sun_left = _draw_street(np.random.default_rng([seed, index]), height_px, width_px)
    names = list(HOURS)
    rngs = [np.random.default_rng([seed, index, names.index(hour)]) for hour in hours]
    photos = [expose_at(canvas, rng, sun_left, HOURS[hour]) for rng, hour in zip(rngs, hours, strict=True)]
    return photos, canvas.labels


def draw_drive(seed: int, index: int, height_px: int, width_px: int, frames: int) -> list[np.ndarray]:
    """Draw a drive down the street of scene `index`: what the camera takes every tenth of a second.

    The camera goes forward along the middle of the road at a speed of its own. In the right lane others go its way, in
    the left lane they come towards it, and all else stands. The street is drawn anew for every frame, so that what is
    nearer covers what is farther, and what the camera passes is gone. The light stays that of the first frame.

    Returns:
        The photos, `[H, W, 3]` uint8 sRGB each.
    """
    speeds = np.random.default_rng([seed, index, 1])
    own_m_s = speeds.uniform(4, 11)
    lane_m_s = (-speeds.uniform(4, 11), own_m_s * speeds.uniform(0.6, 1.4))
    photos = []
    for frame in range(frames):
        rng, seconds = np.random.default_rng([seed, index]), frame * FRAME_S
        canvas, sun_left = _draw_street(rng, height_px, width_px, Drive(own_m_s * seconds, seconds, lane_m_s))
        grain = np.random.default_rng([seed, index, 1, frame])
        photos.append(expose(canvas, rng, sun_left, grain))
    return photos


def _draw_street(
    rng: np.random.Generator, height_px: int, width_px: int, drive: Drive | None = None
) -> tuple[Canvas, bool]:
    """Return a street before light falls on it, and whether the sun is on the left."""
    canvas = empty_street(rng, height_px, width_px, drive)
    sun_left = rng.random() < 0.5
    draw_ground(canvas, rng)
    things: list[Thing] = []
    for side in (-1, 1):
        things += roadside(canvas, rng, side, lit=(side < 0) != sun_left)
    things += street_furniture(canvas, rng) + traffic(canvas, rng) + passers_by(canvas, rng)
    for thing in sorted(things, key=lambda thing: -thing.distance_m):
        thing.draw()
    return canvas, sun_left
