"""One street scene, drawn from a small world in metres: a photo, and the Cityscapes class of each of its pixels.

The labels say where things are; the photo adds what they do not: materials, colours that vary within a class far more
than between classes, the light of the hour and its weather, shadows, haze with distance, and the camera's vignette,
blur and noise. Nearer things cover farther ones.

Every number follows from (seed, index). Over images only + - * / and integer filters are used, which give the same
bits on every machine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

ROAD, SIDEWALK, BUILDING, WALL, FENCE = 7, 8, 11, 12, 13
POLE, TRAFFIC_LIGHT, TRAFFIC_SIGN, VEGETATION, TERRAIN, SKY = 17, 19, 20, 21, 22, 23
PERSON, RIDER, CAR, TRUCK, BUS, TRAIN, MOTORCYCLE, BICYCLE = 24, 25, 26, 27, 28, 31, 32, 33

CAMERA_HEIGHT_M = 1.5
FAR_M = 90.0
NOISE_SIDE_PX = 512

Color = np.ndarray
"""`[3]` or `[h, w, 3]` float32 in [0, 255]."""


@dataclass
class Canvas:
    """What is drawn so far, and how the camera sees it.

    Attributes:
        photo: `[H, W, 3]` float32, reflectance in [0, 255] before light and weather.
        labels: `[H, W]` uint8 class ids.
        depth_m: `[H, W]` float32 distance of what is seen.
        noise: `[H, W]` float32 in [-1, 1], smooth over a few pixels.
        center_px, horizon_px: where the road's far end lies.
        focal_x_px, focal_y_px: pixels a metre takes at a distance of one metre.
        road_m, walk_m: half the road's width, and a sidewalk's.
    """

    photo: np.ndarray
    labels: np.ndarray
    depth_m: np.ndarray
    noise: np.ndarray
    center_px: float
    horizon_px: float
    focal_x_px: float
    focal_y_px: float
    road_m: float
    walk_m: float

    def box(self, left: float, top: float, right: float, bottom: float) -> tuple[slice, slice] | None:
        """The pixels between four edges, cut at the image's; None where nothing is left."""
        height, width = self.labels.shape
        rows = slice(max(int(top), 0), min(int(bottom) + 1, height))
        columns = slice(max(int(left), 0), min(int(right) + 1, width))
        return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None

    def paint(self, box: tuple[slice, slice], mask: np.ndarray, class_id: int, color: Color, depth_m) -> None:
        """Put one thing where `mask` is true: colour, label and depth together."""
        np.copyto(self.labels[box], np.uint8(class_id), where=mask)
        np.copyto(self.photo[box], color, where=mask[..., None], casting="same_kind")
        np.copyto(self.depth_m[box], depth_m, where=mask, casting="same_kind")


def draw_scene(seed: int, index: int, height_px: int, width_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw scene `index` of the set that `seed` names.

    Returns:
        The photo `[H, W, 3]` uint8 sRGB, and the label ids `[H, W]` uint8 as Cityscapes numbers them.
    """
    rng = np.random.default_rng([seed, index])
    canvas = _empty_street(rng, height_px, width_px)
    sun_left = rng.random() < 0.5
    _draw_ground(canvas, rng)
    things: list[tuple[float, Callable[[], None]]] = []
    for side in (-1, 1):
        things += _roadside(canvas, rng, side, lit=(side < 0) != sun_left)
    things += _street_furniture(canvas, rng) + _traffic(canvas, rng) + _passers_by(canvas, rng)
    for _, draw in sorted(things, key=lambda thing: -thing[0]):
        draw()
    return _expose(canvas, rng, sun_left), canvas.labels


# The street: sky, road, sidewalks


def _empty_street(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Sky everywhere, clouds in it."""
    top, left = rng.integers(0, NOISE_SIDE_PX, 2)
    noise = _window(_noise(3), top, left, height, width)
    clouds = _window(_noise(5), left, top, 2 * height, width)[::2]
    upwards = np.linspace(1, 0, height, dtype=np.float32)[:, None, None]
    zenith, horizon = _vary(rng, (120, 160, 215), 25), _vary(rng, (205, 215, 225), 15)
    cloudiness = rng.uniform(0.1, 1.0)
    veil = np.clip(clouds[..., None] * 2 + 2 * cloudiness - 1, 0, 1) * (0.4 + 0.6 * cloudiness)
    sky = zenith * upwards + horizon * (1 - upwards)
    return Canvas(
        photo=(sky * (1 - veil) + _vary(rng, (215, 217, 222), 15) * veil).astype(np.float32),
        labels=np.full((height, width), SKY, np.uint8),
        depth_m=np.full((height, width), 4 * FAR_M, np.float32),
        noise=noise,
        center_px=width * rng.uniform(0.38, 0.62),
        horizon_px=height * rng.uniform(0.40, 0.48),
        focal_x_px=width * 0.62,
        focal_y_px=height * 1.15,
        road_m=rng.uniform(2.9, 4.3),
        walk_m=rng.uniform(2.2, 3.6),
    )


def _draw_ground(canvas: Canvas, rng: np.random.Generator) -> None:
    """Terrain, sidewalks with slabs and kerbs, and a road with lane marks, patches and tyre tracks."""
    height, width = canvas.labels.shape
    box = (slice(int(canvas.horizon_px) + 1, height), slice(0, width))
    rows = np.arange(box[0].start, height, dtype=np.float32)[:, None]
    z = canvas.focal_y_px * CAMERA_HEIGHT_M / (rows - canvas.horizon_px)
    x = (np.arange(width, dtype=np.float32) - canvas.center_px) * z / canvas.focal_x_px
    noise = canvas.noise[box][..., None]
    everywhere = np.ones_like(x, bool)

    grass = _vary(rng, (105, 112, 75), 25)
    canvas.paint(box, everywhere, TERRAIN, grass * (1 + 0.3 * noise), z)

    road_m, walk_m = canvas.road_m, canvas.walk_m
    slabs = (_every(x, 1.2, 0.06) | _every(z, 1.2, 0.08)) & (z < 18)
    stone = _vary(rng, (150, 145, 138), 20) * (1 + 0.08 * noise) * _shade(slabs, 0.75)
    off_road = np.abs(x)
    canvas.paint(box, off_road < road_m + walk_m, SIDEWALK, stone, z)
    canvas.paint(box, off_road < road_m + 0.25, SIDEWALK, _vary(rng, (175, 172, 165), 15), z)

    tracks = np.minimum(_distance_to(x, 3.5, 0.9), _distance_to(x, 3.5, 2.6)) < 0.25
    asphalt = _vary(rng, (98, 98, 102), 22) * (1 + 0.12 * noise) * _shade(tracks, 0.9)
    patch = (np.abs(x - rng.uniform(-3, 3)) < 1.0) & (np.abs(z - rng.uniform(5, 14)) < 1.5)
    asphalt *= _shade(patch, rng.uniform(0.7, 0.85))
    canvas.paint(box, off_road < road_m, ROAD, asphalt, z)
    paint = _vary(rng, (215, 213, 205), 20) * (1 + 0.1 * noise)
    dashed = (np.abs(x) < 0.09) & (z % 6 < 3.2) | (np.abs(off_road - road_m + 0.5) < 0.07)
    canvas.paint(box, dashed & (z < 60), ROAD, paint, z)
    if rng.random() < 0.3:
        start = rng.uniform(6, 12)
        stripes = (z > start) & (z < start + 3) & (x % 1.0 < 0.5) & (off_road < road_m - 0.4)
        canvas.paint(box, stripes, ROAD, paint, z)


# The roadside: what stands along both sides, in planes parallel to the road


def _roadside(canvas: Canvas, rng: np.random.Generator, side: int, lit: bool) -> list:
    """Buildings, walls, fences, hedges and gaps, one behind the other; far ones close the street."""
    things = []
    x = side * (canvas.road_m + canvas.walk_m + rng.uniform(0.2, 1.5))
    z = rng.uniform(2.0, 4.0)
    kinds = [_facade, _facade, _facade, _hedge, _low_wall, _fence, None]
    while z < FAR_M:
        length = rng.uniform(6, 14) if z < 40 else rng.uniform(14, 30)
        kind = kinds[rng.integers(len(kinds))]
        if kind is not None:
            things.append((z + length, _panel(canvas, rng, kind, x, z, z + length, 1.0 if lit else 0.78)))
        if kind is not _facade:
            behind = _hedge if rng.random() < 0.35 else _facade
            setback = x + side * rng.uniform(2.5, 6)
            things.append((z + length + 5, _panel(canvas, rng, behind, setback, z, z + length, 0.9 if lit else 0.7)))
        z += length
    far = _facade if rng.random() < 0.6 else _hedge
    width = rng.uniform(15, 40)
    things.append((FAR_M + 10, _backdrop(canvas, rng, far, side * width / 2, width)))
    return things


def _panel(canvas: Canvas, rng, material, x: float, near: float, far: float, light: float) -> Callable[[], None]:
    """A plane along the road at `x`, from `near` to `far` metres away, covered by a material."""
    height_m, class_id, shade = material(rng)

    def draw() -> None:
        edges = sorted(canvas.center_px + canvas.focal_x_px * x / z for z in (near, far))
        top, foot = (canvas.horizon_px + canvas.focal_y_px * (CAMERA_HEIGHT_M - up) / near for up in (height_m, 0.0))
        box = canvas.box(edges[0], top, edges[1], foot)
        if box is None:
            return
        columns = np.arange(box[1].start, box[1].stop, dtype=np.float32) + 0.5 - canvas.center_px
        with np.errstate(divide="ignore"):
            z = (canvas.focal_x_px * x / columns)[None, :]
        rows = np.arange(box[0].start, box[0].stop, dtype=np.float32)[:, None] + 0.5
        up = CAMERA_HEIGHT_M - (rows - canvas.horizon_px) * z / canvas.focal_y_px
        mask = (z >= near) & (z < far) & (up >= 0) & (up < height_m)
        color, mask = shade(z - near, far - near, up, canvas.noise[box], mask)
        canvas.paint(box, mask, class_id, color * light, z)

    return draw


def _backdrop(canvas: Canvas, rng, material, x: float, width_m: float) -> Callable[[], None]:
    """A plane across the end of the street."""
    height_m, class_id, shade = material(rng)

    def draw() -> None:
        box, along, up, mask = _billboard(canvas, x, FAR_M, width_m, height_m)
        if box is None:
            return
        color, mask = shade(along * width_m, width_m, up * height_m, canvas.noise[box], mask)
        canvas.paint(box, mask, class_id, color, FAR_M)

    return draw


def _facade(rng: np.random.Generator):
    """A building: storeys of windows with sills, a door or shop below, a cornice above."""
    storey_m, bay_m = rng.uniform(2.8, 3.6), rng.uniform(1.8, 3.2)
    storeys = int(rng.integers(2, 7))
    wall = _vary(rng, [(150, 130, 115), (165, 160, 150), (120, 95, 85), (190, 180, 160)][rng.integers(4)], 25)
    glass, frame = _vary(rng, (62, 72, 84), 18), _vary(rng, (200, 196, 188), 30)
    brick, shop = rng.random() < 0.4, rng.random() < 0.4
    share_x, share_y = rng.uniform(0.45, 0.65), rng.uniform(0.5, 0.68)

    def shade(along, length, up, noise, mask):
        color = wall * (1 + 0.10 * noise[..., None])
        if brick:
            color *= _shade(_every(up, 0.45, 0.12) | _every(along, 0.9, 0.1), 0.86)
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

    return storeys * storey_m, BUILDING, shade


def _hedge(rng: np.random.Generator):
    """Leaves: clumps, light above and dark below, with a ragged upper edge."""
    height_m = rng.uniform(1.5, 7.0)
    leaf = _vary(rng, (88, 104, 62), 24)

    def shade(along, length, up, noise, mask):
        color = leaf * np.clip(0.65 + 0.5 * up / height_m + 0.55 * noise, 0.25, 1.7)[..., None]
        return color, mask & (up < height_m * (0.85 + 0.15 * noise))

    return height_m, VEGETATION, shade


def _low_wall(rng: np.random.Generator):
    """Courses of large stones under a lighter coping."""
    height_m = rng.uniform(1.6, 3.0)
    stone = _vary(rng, (140, 130, 120), 28)

    def shade(along, length, up, noise, mask):
        course = np.floor(up / 0.45)
        joints = _every(up, 0.45, 0.08) | _every(along + 0.5 * (course % 2), 1.0, 0.09)
        color = stone * (1 + 0.15 * noise[..., None]) * _shade(joints, 0.68)
        return np.where((up > height_m - 0.2)[..., None], stone * 1.25, color), mask

    return height_m, WALL, shade


def _fence(rng: np.random.Generator):
    """Upright boards or bars with dark gaps between, and two rails."""
    height_m = rng.uniform(1.2, 2.2)
    board = _vary(rng, (135, 122, 108), 35)

    def shade(along, length, up, noise, mask):
        gaps = along % 0.5 > 0.32
        rails = (np.abs(up - 0.3 * height_m) < 0.08) | (np.abs(up - 0.8 * height_m) < 0.08)
        return board * (1 + 0.12 * noise[..., None]) * _shade(gaps & ~rails, 0.45), mask

    return height_m, FENCE, shade


# Things that stand on the ground and face the camera


def _billboard(canvas: Canvas, x: float, z: float, width_m: float, height_m: float, base_m: float = 0.0):
    """Where an upright rectangle is seen: its box, and its own coordinates there.

    Returns:
        box, along `[1, w]` in [0, 1] from left to right, up `[h, 1]` in [0, 1] from the ground, mask of its inside;
        box is None where it is out of sight.
    """
    left = canvas.center_px + canvas.focal_x_px * (x - width_m / 2) / z
    right = canvas.center_px + canvas.focal_x_px * (x + width_m / 2) / z
    foot = canvas.horizon_px + canvas.focal_y_px * (CAMERA_HEIGHT_M - base_m) / z
    top = canvas.horizon_px + canvas.focal_y_px * (CAMERA_HEIGHT_M - base_m - height_m) / z
    box = canvas.box(left, top, right, foot)
    if box is None:
        return None, None, None, None
    along = (np.arange(box[1].start, box[1].stop, dtype=np.float32)[None, :] + 0.5 - left) / max(right - left, 1)
    up = (foot - np.arange(box[0].start, box[0].stop, dtype=np.float32)[:, None] - 0.5) / max(foot - top, 1)
    return box, along, up, (along >= 0) & (along <= 1) & (up >= 0) & (up <= 1)


def _thing(canvas: Canvas, x: float, z: float, width_m: float, height_m: float, parts, base_m: float = 0.0):
    """(z, draw): `parts(along, up, noise)` yields (mask, class id, color) from the back to the front."""

    def draw() -> None:
        box, along, up, inside = _billboard(canvas, x, z, width_m, height_m, base_m)
        if box is None:
            return
        for mask, class_id, color in parts(along, up, canvas.noise[box]):
            canvas.paint(box, mask & inside, class_id, color, z)

    return z, draw


def _shadow(canvas: Canvas, x: float, z: float, width_m: float, length_m: float):
    """(z, draw): the ground under a thing in the dark; labels stay."""

    def draw() -> None:
        near, far = (
            canvas.horizon_px + canvas.focal_y_px * CAMERA_HEIGHT_M / d for d in (z - length_m / 2, z + length_m / 2)
        )
        half = canvas.focal_x_px * width_m / 2 / z
        middle = canvas.center_px + canvas.focal_x_px * x / z
        box = canvas.box(middle - half, far, middle + half, near)
        if box is None:
            return
        across = (np.arange(box[1].start, box[1].stop)[None, :] - middle) / max(half, 1)
        down = (np.arange(box[0].start, box[0].stop)[:, None] - (near + far) / 2) / max((near - far) / 2, 1)
        dark = np.clip(1.3 - across**2 - down**2, 0, 1) * 0.6
        canvas.photo[box] *= (1 - dark)[..., None].astype(np.float32)

    return z + 0.01, draw


def _street_furniture(canvas: Canvas, rng: np.random.Generator) -> list:
    """Trees, lamp posts, signs, traffic lights and parked bicycles along both kerbs."""
    things = []
    for side in (-1, 1):
        kerb = side * (canvas.road_m + 0.5)
        for z in np.arange(rng.uniform(5, 9), 50, rng.uniform(8, 14)):
            if rng.random() < 0.6:
                things.append(_tree(canvas, rng, kerb + side * rng.uniform(0.3, 1.2), z + rng.uniform(-1, 1)))
        for z in np.arange(rng.uniform(4, 10), 60, rng.uniform(12, 18)):
            things += _pole(canvas, rng, kerb, float(z), 0.14, rng.uniform(5, 7))
        for _ in range(int(rng.integers(0, 3))):
            things += _sign(canvas, rng, kerb, rng.uniform(5, 22))
        if rng.random() < 0.75:
            things += _traffic_light(canvas, rng, kerb, rng.uniform(6, 20))
        if rng.random() < 0.45:
            things += [_bicycle(canvas, rng, kerb + side * 0.5, rng.uniform(4.5, 12))]
    return things


def _tree(canvas: Canvas, rng, x: float, z: float):
    """A trunk, and a crown of clumps that is lit from above."""
    leaf, bark = _vary(rng, (86, 102, 60), 26), _vary(rng, (82, 70, 58), 14)
    crown, lobes = rng.uniform(0.35, 0.5), rng.uniform(-0.12, 0.12, 4).tolist()

    def parts(along, up, noise):
        trunk = (np.abs(along - 0.5) < 0.05) & (up < crown + 0.1)
        yield trunk, VEGETATION, bark * (1 + 0.3 * noise[..., None])
        across, rise = (along - 0.5) / 0.5, (up - (1 + crown) / 2) / ((1 - crown) / 2)
        radius = across**2 + rise**2 + 0.35 * noise + lobes[0] * across + lobes[1] * rise
        light = np.clip(0.95 + 0.35 * rise + 0.6 * noise - 0.15 * across * lobes[2] * 8, 0.3, 1.7)
        yield radius < 0.95, VEGETATION, leaf * light[..., None]

    return _thing(canvas, x, z, rng.uniform(3, 5), rng.uniform(5, 8.5), parts)


def _pole(canvas: Canvas, rng, x: float, z: float, width_m: float, height_m: float) -> list:
    metal = _vary(rng, (115, 116, 116), 40)

    def parts(along, up, noise):
        yield up > -1, POLE, metal * (1.25 - 0.6 * along)[..., None]

    # Never thinner than a pixel and a half, so that none flickers away.
    width_m = max(width_m, 1.5 * z / canvas.focal_x_px)
    return [_thing(canvas, x, z, width_m, height_m, parts)]


def _sign(canvas: Canvas, rng, x: float, z: float) -> list:
    """A disc, a triangle or a board with a rim and a dark figure, on a pole."""
    shape = rng.integers(3)
    rim = _vary(rng, [(185, 40, 40), (45, 80, 165), (200, 170, 50)][rng.integers(3)], 25)
    face, ink = _vary(rng, (215, 212, 205), 25), _vary(rng, (45, 45, 50), 20)

    def parts(along, up, noise):
        across, rise = 2 * along - 1, 2 * up - 1
        form = [
            across**2 + rise**2,
            np.maximum(1.6 * np.abs(across) + 0.8 * rise, -1.0 * rise) + 0.1 * across**2,
            np.maximum(np.abs(across), np.abs(rise)) ** 2 + 0 * rise,
        ][shape]
        yield form < 1, TRAFFIC_SIGN, rim
        yield form < 0.55, TRAFFIC_SIGN, face
        yield (form < 0.55) & (np.abs(across + 0.3 * rise) < 0.18), TRAFFIC_SIGN, ink

    side_m, height_m = rng.uniform(0.8, 1.2), rng.uniform(2.0, 2.8)
    board = _thing(canvas, x, z - 0.02, side_m, side_m, parts, base_m=height_m)
    return [*_pole(canvas, rng, x, z, 0.09, height_m + 0.3), board]


def _traffic_light(canvas: Canvas, rng, x: float, z: float) -> list:
    """A dark box with three lamps, one of them on, on a pole."""
    body, on = _vary(rng, (48, 50, 48), 16), int(rng.integers(3))
    lamps = [(60, 210, 120), (235, 180, 60), (235, 60, 50)]

    def parts(along, up, noise):
        yield up > -1, TRAFFIC_LIGHT, body
        for lamp, color in enumerate(lamps):
            round_lamp = ((along - 0.5) / 0.36) ** 2 + ((up - (lamp + 0.5) / 3) / 0.12) ** 2 < 1
            yield round_lamp, TRAFFIC_LIGHT, np.float32(color) * (1.0 if lamp == on else 0.3)

    box = _thing(canvas, x, z - 0.02, 0.55, 1.3, parts, base_m=2.6)
    return [*_pole(canvas, rng, x, z, 0.13, 3.4), box]


# Traffic


def _traffic(canvas: Canvas, rng: np.random.Generator) -> list:
    """Parked cars along the kerbs, and now and then something in each lane."""
    things = []
    for side in (-1, 1):
        z = rng.uniform(4.5, 9)
        while z < 60 and rng.random() < 0.88:
            if rng.random() < 0.7:
                things += _car(canvas, rng, side * (canvas.road_m - 1.0), z)
            z += rng.uniform(5.5, 9)
        lane = side * canvas.road_m * 0.38
        z = rng.uniform(7, 16)
        while z < 70:
            draw = rng.random()
            if draw < 0.45:
                things += _car(canvas, rng, lane + rng.uniform(-0.2, 0.2), z)
            elif draw < 0.58:
                things += _large_vehicle(
                    canvas, rng, lane, z + 5, (TRUCK, BUS, TRAIN)[rng.choice(3, p=[0.45, 0.45, 0.1])]
                )
            elif draw < 0.72:
                things += _two_wheeler(canvas, rng, lane + side * 0.9, z * 0.7, MOTORCYCLE)
            elif draw < 0.95:
                things += _two_wheeler(canvas, rng, lane + side * 1.1, z * 0.7, BICYCLE)
            z += rng.uniform(9, 18)
    return things


def _car(canvas: Canvas, rng, x: float, z: float) -> list:
    """From behind or in front: wheels, body, cabin with glass, lights, number plate."""
    grey = rng.integers(25, 225)
    paint = _vary(rng, (grey, grey, grey), 12) if rng.random() < 0.6 else rng.uniform(25, 200, 3).astype(np.float32)
    glass, rubber = _vary(rng, (45, 55, 65), 14), np.float32((24, 24, 26))
    lamps = np.float32((205, 35, 30)) if x > 0 else np.float32((245, 240, 215))
    roof = rng.uniform(0.58, 0.7)

    def parts(along, up, noise):
        out = np.abs(along - 0.5)
        yield (np.abs(out - 0.36) < 0.09) & (up < 0.3), CAR, rubber
        body = (out < 0.5 - 0.12 * np.clip(up - 0.42, 0, 1)) & (up > 0.12) & (up < 0.62)
        yield body, CAR, paint * np.clip(0.62 + 0.75 * up + 0.1 * noise, 0, 1.3)[..., None]
        taper = 0.5 - 0.38 * np.clip(up - 0.5, 0, 1)
        yield (out < taper - 0.04) & (up >= 0.55), CAR, paint * (1.12 - 0.2 * np.abs(along - 0.4))[..., None]
        window = (out < taper - 0.09) & (up > 0.6) & (up < 0.91)
        yield window, CAR, glass * (0.7 + 1.5 * np.clip(up - roof, 0, 1) + 0.25 * noise)[..., None]
        yield (out > 0.33) & (out < 0.48) & (up > 0.42) & (up < 0.53), CAR, lamps
        yield (out < 0.13) & (up > 0.28) & (up < 0.36), CAR, np.float32((225, 225, 215))
        yield (out < 0.48) & (up > 0.12) & (up < 0.2), CAR, paint * 0.4

    return [_shadow(canvas, x, z, 2.3, 4.0), _thing(canvas, x, z, 1.8, 1.5, parts)]


def _large_vehicle(canvas: Canvas, rng, x: float, z: float, class_id: int) -> list:
    """A truck's closed box above an axle, or the glazed end of a bus or a train."""
    paint, glass = rng.uniform(50, 220, 3).astype(np.float32), _vary(rng, (50, 60, 70), 12)
    lamps = np.float32((210, 40, 35)) if x > 0 else np.float32((245, 240, 215))

    def parts(along, up, noise):
        out = np.abs(along - 0.5)
        yield (np.abs(out - 0.34) < 0.12) & (up < 0.16), class_id, np.float32((24, 24, 26))
        yield up > 0.1, class_id, paint * (0.8 + 0.3 * up + 0.08 * noise)[..., None]
        if class_id == TRUCK:
            yield (np.abs(along - 0.5) < 0.012) & (up > 0.2), class_id, paint * 0.5
            yield (up > 0.2) & _every(up, 0.2, 0.02), class_id, paint * 0.7
        else:
            low = 0.42 if class_id == BUS else 0.5
            yield (out < 0.43) & (up > low) & (up < 0.8), class_id, glass * (0.8 + 0.5 * up + 0.2 * noise)[..., None]
            yield (out < 0.3) & (up > 0.85) & (up < 0.95), class_id, np.float32((230, 180, 70))
        yield (out > 0.36) & (out < 0.47) & (up > 0.17) & (up < 0.24), class_id, lamps

    width_m, height_m = (2.5, rng.uniform(3.0, 3.8))
    return [_shadow(canvas, x, z, 3.2, 5.0), _thing(canvas, x, z, width_m, height_m, parts)]


# People


def _passers_by(canvas: Canvas, rng: np.random.Generator) -> list:
    """People on both sidewalks, a few on the road."""
    things = []
    for _ in range(int(rng.integers(2, 8))):
        side = rng.choice((-1, 1))
        x = side * (canvas.road_m + rng.uniform(0.4, canvas.walk_m))
        things += _person(canvas, rng, x if rng.random() < 0.85 else side * rng.uniform(0.5, 3), rng.uniform(4, 25))
    return things


def _figure(rng: np.random.Generator, class_id: int):
    """Legs, coat, arms and head, in clothes of any colour."""
    coat, legs = rng.uniform(25, 200, 3).astype(np.float32), _vary(rng, (58, 60, 72), 35).clip(10)
    skin, hair = _vary(rng, (175, 135, 110), 35), _vary(rng, (55, 42, 35), 25)
    stride = rng.uniform(0.06, 0.2)

    def parts(along, up, noise):
        out = np.abs(along - 0.5)
        yield (np.abs(out - stride * (1 - up / 0.5)) < 0.11) & (up < 0.5), class_id, legs * (0.7 + 0.6 * up)[..., None]
        yield (out < 0.3) & (up > 0.42) & (up < 0.84), class_id, coat * (1.15 - 0.6 * along + 0.1 * noise)[..., None]
        yield (out > 0.3) & (out < 0.42) & (up > 0.42) & (up < 0.8), class_id, coat * 0.7
        head = (out / 0.17) ** 2 + ((up - 0.915) / 0.085) ** 2
        yield head < 1, class_id, skin
        yield (head < 1) & (up > 0.94), class_id, hair

    return parts


def _person(canvas: Canvas, rng, x: float, z: float) -> list:
    parts = _figure(rng, PERSON)
    return [_shadow(canvas, x, z, 0.8, 0.8), _thing(canvas, x, z, 0.62, rng.uniform(1.55, 1.9), parts)]


def _bicycle(canvas: Canvas, rng, x: float, z: float, class_id: int = BICYCLE):
    """Two wheels and a frame, seen from the side."""
    frame, rubber = rng.uniform(25, 200, 3).astype(np.float32), np.float32((30, 30, 32))
    heavy = class_id == MOTORCYCLE

    def parts(along, up, noise):
        for hub in (0.24, 0.76):
            wheel = ((along - hub) / 0.24) ** 2 + ((up - 0.33) / 0.33) ** 2
            yield wheel < 1, class_id, rubber
            yield wheel < (0.25 if heavy else 0.6), class_id, np.float32((125, 125, 122)) * (1 + 0.2 * noise[..., None])
        thick = 0.22 if heavy else 0.08
        yield (np.abs(up - 0.55 - 0.1 * along) < thick) & (np.abs(along - 0.5) < 0.34), class_id, frame
        yield (np.abs(along - 0.72) < 0.05) & (up > 0.5), class_id, frame * 0.6

    return _thing(canvas, x, z, 1.7, 1.15 if heavy else 1.05, parts)


def _two_wheeler(canvas: Canvas, rng, x: float, z: float, class_id: int) -> list:
    """A rider above a bicycle or a motorcycle."""
    rider = _thing(canvas, x, z - 0.01, 0.75, 1.25, _figure(rng, RIDER), base_m=0.55)
    return [_shadow(canvas, x, z, 1.6, 1.0), _bicycle(canvas, rng, x, z, class_id), rider]


# Light, weather and camera


def _expose(canvas: Canvas, rng: np.random.Generator, sun_left: bool) -> np.ndarray:
    """Light of the hour, haze with distance, vignette, blur and noise: `[H, W, 3]` uint8."""
    height, width = canvas.labels.shape
    hour = rng.integers(4)  # noon, golden hour, overcast, dusk
    light = np.float32([(1.05, 1.03, 1.0), (1.15, 1.0, 0.82), (0.88, 0.91, 0.95), (0.62, 0.62, 0.78)][hour])
    light = light * rng.uniform(0.85, 1.15) * rng.uniform(0.95, 1.05, 3).astype(np.float32)
    haze = _vary(rng, [(195, 205, 218), (215, 195, 170), (190, 194, 198), (120, 120, 140)][hour], 12)
    sight_m = rng.choice([35.0, 80.0, 160.0, 300.0], p=[0.12, 0.28, 0.3, 0.3])
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None, None]

    lens = (1 + 0.08 * across * (-1 if sun_left else 1)) * (1.06 - 0.08 * (across**2 + down**2))
    # A rational stand-in for Koschmieder's exponential: half of the light is haze at `sight_m`.
    share = (canvas.depth_m / (canvas.depth_m + np.float32(sight_m)))[..., None] * np.float32(0.85)
    share = np.where((canvas.labels == SKY)[..., None], share * np.float32(0.4), share)
    photo = canvas.photo * light
    photo *= lens * (1 - share)
    photo += haze * (lens * share)
    soft = Image.fromarray(photo.clip(0, 255).astype(np.uint8)).filter(ImageFilter.BoxBlur(0.35 * width / 256))
    top, left = rng.integers(0, NOISE_SIDE_PX, 2)
    grain = _window(_grain(), top, left, height, width)
    return (np.asarray(soft, np.int16) + grain).clip(0, 255).astype(np.uint8)


# Small helpers


def _vary(rng: np.random.Generator, color: tuple, spread: float) -> np.ndarray:
    """A colour near another: brightness varies by `spread`, each channel by a third of it."""
    shift = rng.uniform(-spread, spread) + rng.uniform(-spread, spread, 3) / 3
    return (np.float32(color) + shift).clip(5, 250).astype(np.float32)


def _shade(where: np.ndarray, factor: float) -> np.ndarray:
    """`factor` where it is true and 1 elsewhere, as `[..., 1]` float32 to multiply colours with."""
    return np.where(where, np.float32(factor), np.float32(1))[..., None]


def _every(position: np.ndarray, period: float, thickness: float) -> np.ndarray:
    """Where a line of a grid runs."""
    return position % period < thickness


def _distance_to(position: np.ndarray, period: float, place: float) -> np.ndarray:
    """How far the nearest `place + k * period` is."""
    offset = (position - place) % period
    return np.minimum(offset, period - offset)


def _window(tile: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    """`[height, width, ...]` of a square tile that repeats in both directions."""
    rows, columns = (np.arange(first, first + count) % len(tile) for first, count in ((top, height), (left, width)))
    return tile[rows[:, None], columns]


@lru_cache
def _grain() -> np.ndarray:
    """Sensor noise of a square tile `[S, S, 3]` int8: a part of its own for each channel, and one they share."""
    rng = np.random.default_rng(NOISE_SIDE_PX)
    own, shared = (rng.integers(-3, 4, (NOISE_SIDE_PX, NOISE_SIDE_PX, n), np.int8) for n in (3, 1))
    total = own + shared
    total.setflags(write=False)
    return total


@lru_cache
def _noise(cell_px: int) -> np.ndarray:
    """Smooth noise in [-1, 1] that repeats every `NOISE_SIDE_PX`: three octaves from cells of `cell_px`."""
    total = np.zeros((NOISE_SIDE_PX, NOISE_SIDE_PX), np.float32)
    for octave, weight in enumerate((0.5, 0.3, 0.2)):
        cells = NOISE_SIDE_PX // (cell_px << octave)
        coarse = np.random.default_rng([cell_px, octave]).integers(0, 256, (cells, cells)).astype(np.uint8)
        fine = Image.fromarray(coarse).resize((NOISE_SIDE_PX, NOISE_SIDE_PX), Image.Resampling.BICUBIC)
        total += weight * (np.asarray(fine, np.float32) / 127.5 - 1)
    total = (total * 1.6).clip(-1, 1)
    total.setflags(write=False)
    return total
