"""The drawing of things that rise from the ground and face the camera, with the shadows below them.

The things themselves are in `furniture`, `traffic` and `people`.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from pix2street.datasets.synthetic_streets.textures import Color
from pix2street.datasets.synthetic_streets.world import CAMERA_HEIGHT_M, NEAR_M, Canvas

Parts = Callable[[np.ndarray, np.ndarray, np.ndarray], Iterator[tuple[np.ndarray, int, Color]]]
"""A thing's looks: `parts(along, up, noise)` yields (mask, class id, color) from the back to the front."""


class Thing(NamedTuple):
    """Something to draw, and its distance: far things are drawn before near ones."""

    distance_m: float
    draw: Callable[[], None]


class Rectangle(NamedTuple):
    """The part of the image in which an upright rectangle is seen, and the rectangle's coordinates in that part.

    Args:
        box: rows and columns of the image.
        along: `[1, w]`, 0 at the rectangle's left edge and 1 at its right edge.
        up: `[h, 1]`, 0 at its lower edge and 1 at its upper edge.
        inside: `[h, w]` mask.
    """

    box: tuple[slice, slice]
    along: np.ndarray
    up: np.ndarray
    inside: np.ndarray


def billboard(
    canvas: Canvas, x: float, z: float, width_m: float, height_m: float, base_m: float = 0.0
) -> Rectangle | None:
    """Return where an upright rectangle is seen that begins `base_m` above the ground; None if it is out of sight."""
    z = z - canvas.ahead_m
    if z < NEAR_M:
        return None
    left = canvas.center_px + canvas.focal_x_px * (x - width_m / 2) / z
    right = canvas.center_px + canvas.focal_x_px * (x + width_m / 2) / z
    foot = canvas.horizon_px + canvas.focal_y_px * (CAMERA_HEIGHT_M - base_m) / z
    top = canvas.horizon_px + canvas.focal_y_px * (CAMERA_HEIGHT_M - base_m - height_m) / z
    box = canvas.box(left, top, right, foot)
    if box is None:
        return None
    along = (np.arange(box[1].start, box[1].stop, dtype=np.float32)[None, :] + 0.5 - left) / max(right - left, 1)
    up = (foot - np.arange(box[0].start, box[0].stop, dtype=np.float32)[:, None] - 0.5) / max(foot - top, 1)
    return Rectangle(box, along, up, (along >= 0) & (along <= 1) & (up >= 0) & (up <= 1))


def upright(
    canvas: Canvas, x: float, z: float, width_m: float, height_m: float, parts: Parts, base_m: float = 0.0
) -> Thing:
    """Return a thing that is painted part by part on an upright rectangle."""

    def draw() -> None:
        seen = billboard(canvas, x, z, width_m, height_m, base_m)
        if seen is None:
            return
        distance_m = z - canvas.ahead_m
        noise = canvas.rough(seen.box, x + seen.along * width_m, base_m + seen.up * height_m, distance_m)
        for mask, class_id, color in parts(seen.along, seen.up, noise):
            canvas.paint(seen.box, mask & seen.inside, class_id, color, distance_m)

    return Thing(z, draw)


def shadow(canvas: Canvas, x: float, z: float, width_m: float, length_m: float) -> Thing:
    """Return the dark ground below a thing; the labels stay what they are."""

    def draw() -> None:
        distance_m = z - canvas.ahead_m
        if distance_m - length_m / 2 < NEAR_M:
            return
        near, far = (
            canvas.horizon_px + canvas.focal_y_px * CAMERA_HEIGHT_M / d
            for d in (distance_m - length_m / 2, distance_m + length_m / 2)
        )
        half = canvas.focal_x_px * width_m / 2 / distance_m
        middle = canvas.center_px + canvas.focal_x_px * x / distance_m
        box = canvas.box(middle - half, far, middle + half, near)
        if box is None:
            return
        across = (np.arange(box[1].start, box[1].stop)[None, :] - middle) / max(half, 1)
        down = (np.arange(box[0].start, box[0].stop)[:, None] - (near + far) / 2) / max((near - far) / 2, 1)
        dark = np.clip(1.3 - across**2 - down**2, 0, 1) * 0.6
        canvas.photo[box] *= (1 - dark)[..., None].astype(np.float32)

    return Thing(z + 0.01, draw)
