"""Both sides of the street, in planes parallel to the road: buildings, hedges, walls and fences."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pix2street.datasets.synthetic_streets.textures import dim, every, vary
from pix2street.datasets.synthetic_streets.things import Thing, billboard
from pix2street.datasets.synthetic_streets.world import (
    BUILDING,
    CAMERA_HEIGHT_M,
    FAR_M,
    FENCE,
    NEAR_M,
    VEGETATION,
    WALL,
    Canvas,
)


class Material(NamedTuple):
    """The surface of a plane.

    Args:
        height_m: the height of the plane.
        class_id: the class of its pixels.
        shade: `shade(along, length, up, noise, mask)`, in metres along and up the plane, returns the colour of each
            pixel and the mask of those that the surface covers.
    """

    height_m: float
    class_id: int
    shade: Callable[..., tuple[np.ndarray, np.ndarray]]


def roadside(canvas: Canvas, rng: np.random.Generator, side: int, lit: bool) -> list[Thing]:
    """Return buildings, walls, fences, hedges and gaps, one behind the other, and a plane that closes the street."""
    things = []
    x = side * (canvas.road_m + canvas.walk_m + rng.uniform(0.2, 1.5))
    z = rng.uniform(2.0, 4.0)
    kinds = [_facade, _facade, _facade, _hedge, _low_wall, _fence, None]
    while z < FAR_M:
        length = rng.uniform(6, 14) if z < 40 else rng.uniform(14, 30)
        kind = kinds[rng.integers(len(kinds))]
        if kind is not None:
            things.append(Thing(z + length, _panel(canvas, kind(rng), x, z, z + length, 1.0 if lit else 0.78)))
        if kind is not _facade:
            behind = _hedge if rng.random() < 0.35 else _facade
            setback = x + side * rng.uniform(2.5, 6)
            panel = _panel(canvas, behind(rng), setback, z, z + length, 0.9 if lit else 0.7)
            things.append(Thing(z + length + 5, panel))
        z += length
    far = _facade if rng.random() < 0.6 else _hedge
    width = rng.uniform(15, 40)
    things.append(Thing(FAR_M + 10, _backdrop(canvas, far(rng), side * width / 2, width)))
    return things


def _panel(canvas: Canvas, material: Material, x: float, near: float, far: float, light: float) -> Callable[[], None]:
    """Return what draws a plane along the road at `x`, from `near` to `far` metres away."""
    height_m, class_id, shade = material

    def draw() -> None:
        # The camera may have passed the beginning of the plane, or all of it.
        begins, ends = near - canvas.ahead_m, far - canvas.ahead_m
        nearest = max(begins, NEAR_M)
        if ends <= nearest:
            return
        edges = sorted(canvas.center_px + canvas.focal_x_px * x / z for z in (nearest, ends))
        top, foot = (canvas.horizon_px + canvas.focal_y_px * (CAMERA_HEIGHT_M - up) / nearest for up in (height_m, 0.0))
        box = canvas.box(edges[0], top, edges[1], foot)
        if box is None:
            return
        columns = np.arange(box[1].start, box[1].stop, dtype=np.float32) + 0.5 - canvas.center_px
        with np.errstate(divide="ignore"):
            z = (canvas.focal_x_px * x / columns)[None, :]
        rows = np.arange(box[0].start, box[0].stop, dtype=np.float32)[:, None] + 0.5
        up = CAMERA_HEIGHT_M - (rows - canvas.horizon_px) * z / canvas.focal_y_px
        mask = (z >= nearest) & (z < ends) & (up >= 0) & (up < height_m)
        along = z - begins
        color, mask = shade(along, ends - begins, up, canvas.rough(box, np.where(mask, along, 0), up, z), mask)
        canvas.paint(box, mask, class_id, color * light, z)

    return draw


def _backdrop(canvas: Canvas, material: Material, x: float, width_m: float) -> Callable[[], None]:
    """Return what draws a plane across the end of the street."""

    def draw() -> None:
        seen = billboard(canvas, x, FAR_M, width_m, material.height_m)
        if seen is None:
            return
        along, up = seen.along * width_m, seen.up * material.height_m
        distance_m = FAR_M - canvas.ahead_m
        noise = canvas.rough(seen.box, along, up, distance_m)
        color, mask = material.shade(along, width_m, up, noise, seen.inside)
        canvas.paint(seen.box, mask, material.class_id, color, distance_m)

    return draw


def _facade(rng: np.random.Generator) -> Material:
    """Return a building's front: storeys of windows with sills, a door or shop below, a cornice above."""
    storey_m, bay_m = rng.uniform(2.8, 3.6), rng.uniform(1.8, 3.2)
    storeys = int(rng.integers(2, 7))
    wall = vary(rng, [(150, 130, 115), (165, 160, 150), (120, 95, 85), (190, 180, 160)][rng.integers(4)], 25)
    glass, frame = vary(rng, (62, 72, 84), 18), vary(rng, (200, 196, 188), 30)
    brick, shop = rng.random() < 0.4, rng.random() < 0.4
    share_x, share_y = rng.uniform(0.45, 0.65), rng.uniform(0.5, 0.68)

    def shade(along, length, up, noise, mask):
        color = wall * (1 + 0.10 * noise[..., None])
        if brick:
            color *= dim(every(up, 0.45, 0.12) | every(along, 0.9, 0.1), 0.86)
        bays = max(round(length / bay_m), 1)
        across, level = along * bays / length % 1 - 0.5, up / storey_m
        rise = level % 1 - 0.55
        window = (np.abs(across) < share_x / 2) & (np.abs(rise) < share_y / 2)
        sash = (np.abs(across) < share_x / 2 + 0.06) & (np.abs(rise) < share_y / 2 + 0.05)
        color = np.where(sash[..., None], frame, color)
        sky_in_glass = (0.75 + 0.5 * (rise + 0.5) + 0.35 * noise)[..., None]
        bars = (np.abs(across) < 0.03)[..., None]
        color = np.where(window[..., None], np.where(bars, frame, glass * sky_in_glass), color)
        ground = (level < 1) & mask
        if shop:
            pane = ground & (np.abs(across) < 0.42) & (up > 0.5) & (up < 2.5)
            color = np.where(ground[..., None], wall * 0.7, color)
            color = np.where(pane[..., None], glass * (1.1 + 0.4 * noise[..., None]), color)
        color = np.where(
            (np.abs(level - 1) < 0.06)[..., None] | (level > storeys - 0.12)[..., None], frame * 0.9, color
        )
        return color, mask

    return Material(storeys * storey_m, BUILDING, shade)


def _hedge(rng: np.random.Generator) -> Material:
    """Return leaves in clumps, light above and dark below, with a ragged upper edge."""
    height_m = rng.uniform(1.5, 7.0)
    leaf = vary(rng, (88, 104, 62), 24)

    def shade(along, length, up, noise, mask):
        color = leaf * np.clip(0.65 + 0.5 * up / height_m + 0.55 * noise, 0.25, 1.7)[..., None]
        return color, mask & (up < height_m * (0.85 + 0.15 * noise))

    return Material(height_m, VEGETATION, shade)


def _low_wall(rng: np.random.Generator) -> Material:
    """Return courses of large stones under a lighter coping."""
    height_m = rng.uniform(1.6, 3.0)
    stone = vary(rng, (140, 130, 120), 28)

    def shade(along, length, up, noise, mask):
        course = np.floor(up / 0.45)
        joints = every(up, 0.45, 0.08) | every(along + 0.5 * (course % 2), 1.0, 0.09)
        color = stone * (1 + 0.15 * noise[..., None]) * dim(joints, 0.68)
        return np.where((up > height_m - 0.2)[..., None], stone * 1.25, color), mask

    return Material(height_m, WALL, shade)


def _fence(rng: np.random.Generator) -> Material:
    """Return upright boards or bars with dark gaps between them, and two rails."""
    height_m = rng.uniform(1.2, 2.2)
    board = vary(rng, (135, 122, 108), 35)

    def shade(along, length, up, noise, mask):
        gaps = along % 0.5 > 0.32
        rails = (np.abs(up - 0.3 * height_m) < 0.08) | (np.abs(up - 0.8 * height_m) < 0.08)
        return board * (1 + 0.12 * noise[..., None]) * dim(gaps & ~rails, 0.45), mask

    return Material(height_m, FENCE, shade)
