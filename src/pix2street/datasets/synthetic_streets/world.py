"""The street before anything is put on it: the camera and its canvas, the sky, the ground, the road, the sidewalks.

Positions are in metres: x to the right of the camera's axis, z away from the camera, height up from the ground.
"""

from dataclasses import dataclass

import numpy as np

from pix2street.datasets.synthetic_streets.textures import (
    NOISE_SIDE_PX,
    Color,
    crop_tile,
    dim,
    distance_to,
    every,
    smooth_noise,
    vary,
)

ROAD, SIDEWALK, BUILDING, WALL, FENCE = 7, 8, 11, 12, 13
POLE, TRAFFIC_LIGHT, TRAFFIC_SIGN, VEGETATION, TERRAIN, SKY = 17, 19, 20, 21, 22, 23
PERSON, RIDER, CAR, TRUCK, BUS, TRAIN, MOTORCYCLE, BICYCLE = 24, 25, 26, 27, 28, 31, 32, 33

CAMERA_HEIGHT_M = 1.5
FAR_M = 90.0
NEAR_M = 0.3
"""The distance below which nothing is seen."""

TEXTURE_M = 0.1
"""The side of a pixel of noise on a surface that moves."""

ROUGH_UP_TO_M = 8.0
"""The distance from which the noise of a surface that moves fades, since its pixels are smaller than the camera's."""


@dataclass(frozen=True)
class Drive:
    """A moment of a drive along the street.

    Attributes:
        ahead_m: the way that the camera has come.
        seconds: the time since the drive began.
        lane_m_s: the speed of the traffic in the left lane and in the right one; what comes towards the camera has a
            negative one.
    """

    ahead_m: float
    seconds: float
    lane_m_s: tuple[float, float]

    def gone_m(self, side: int) -> float:
        """Return how far what drives on this side of the street, -1 or 1, has come."""
        return self.lane_m_s[side > 0] * self.seconds


@dataclass
class Canvas:
    """The picture so far, and how the camera sees the street.

    Attributes:
        photo: `[H, W, 3]` float32, reflectance in [0, 255] before light and weather.
        labels: `[H, W]` uint8 class ids.
        depth_m: `[H, W]` float32 distance of what each pixel shows.
        noise: `[H, W]` float32 in [-1, 1], smooth over a few pixels.
        center_px, horizon_px: where the road's far end lies.
        focal_x_px, focal_y_px: pixels a metre takes at a distance of one metre.
        road_m, walk_m: half the road's width, and a sidewalk's.
        drive: where the camera is in a drive; None for a photo that stands alone.
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
    drive: "Drive | None" = None

    @property
    def ahead_m(self) -> float:
        """How far the camera has come: what lies z metres down the street is so much nearer."""
        return self.drive.ahead_m if self.drive else 0.0

    def rough(self, box: tuple[slice, slice], across: np.ndarray, up: np.ndarray, distance_m) -> np.ndarray:
        """Return the noise of a surface in a part of the picture, `[h, w]` float32 in [-1, 1].

        In a photo that stands alone it is that of the picture. In a drive it stays with the surface, and fades with
        the distance.

        Args:
            across, up: where each pixel lies on the surface, in metres; together they span the part.
            distance_m: how far away each pixel is.
        """
        if self.drive is None:
            return self.noise[box]
        tile = smooth_noise(3)
        rows, columns = (np.floor(where / TEXTURE_M).astype(np.int32) % NOISE_SIDE_PX for where in (up, across))
        return tile[rows, columns] * np.minimum(np.float32(ROUGH_UP_TO_M) / np.float32(distance_m), np.float32(1))

    def box(self, left: float, top: float, right: float, bottom: float) -> tuple[slice, slice] | None:
        """Return the rows and columns between four edges, cut at the image's edges; None if nothing is left."""
        height, width = self.labels.shape
        rows = slice(max(int(top), 0), min(int(bottom) + 1, height))
        columns = slice(max(int(left), 0), min(int(right) + 1, width))
        return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None

    def paint(self, box: tuple[slice, slice], mask: np.ndarray, class_id: int, color: Color, depth_m) -> None:
        """Write colour, label and depth of one thing where `mask` is true."""
        np.copyto(self.labels[box], np.uint8(class_id), where=mask)
        np.copyto(self.photo[box], color, where=mask[..., None], casting="same_kind")
        np.copyto(self.depth_m[box], depth_m, where=mask, casting="same_kind")


def empty_street(rng: np.random.Generator, height: int, width: int, drive: Drive | None = None) -> Canvas:
    """Return a canvas with nothing but sky and clouds; the camera and the street's width are random."""
    top, left = rng.integers(0, NOISE_SIDE_PX, 2)
    noise = crop_tile(smooth_noise(3), top, left, height, width)
    clouds = crop_tile(smooth_noise(5), left, top, 2 * height, width)[::2]
    upwards = np.linspace(1, 0, height, dtype=np.float32)[:, None, None]
    zenith, horizon = vary(rng, (120, 160, 215), 25), vary(rng, (205, 215, 225), 15)
    cloudiness = rng.uniform(0.1, 1.0)
    veil = np.clip(clouds[..., None] * 2 + 2 * cloudiness - 1, 0, 1) * (0.4 + 0.6 * cloudiness)
    sky = zenith * upwards + horizon * (1 - upwards)
    return Canvas(
        photo=(sky * (1 - veil) + vary(rng, (215, 217, 222), 15) * veil).astype(np.float32),
        labels=np.full((height, width), SKY, np.uint8),
        depth_m=np.full((height, width), 4 * FAR_M, np.float32),
        noise=noise,
        center_px=width * rng.uniform(0.38, 0.62),
        horizon_px=height * rng.uniform(0.40, 0.48),
        focal_x_px=width * 0.62,
        focal_y_px=height * 1.15,
        road_m=rng.uniform(2.9, 4.3),
        walk_m=rng.uniform(2.2, 3.6),
        drive=drive,
    )


def draw_ground(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw terrain, sidewalks with slabs and kerbs, and a road with lane marks, patches and tyre tracks."""
    height, width = canvas.labels.shape
    box = (slice(int(canvas.horizon_px) + 1, height), slice(0, width))
    rows = np.arange(box[0].start, height, dtype=np.float32)[:, None]
    z = canvas.focal_y_px * CAMERA_HEIGHT_M / (rows - canvas.horizon_px)
    x = (np.arange(width, dtype=np.float32) - canvas.center_px) * z / canvas.focal_x_px
    # How far down the street each pixel lies, wherever the camera is.
    down = z + canvas.ahead_m
    noise = canvas.rough(box, x, down, z)[..., None]
    everywhere = np.ones_like(x, bool)

    grass = vary(rng, (105, 112, 75), 25)
    canvas.paint(box, everywhere, TERRAIN, grass * (1 + 0.3 * noise), z)

    road_m, walk_m = canvas.road_m, canvas.walk_m
    slabs = (every(x, 1.2, 0.06) | every(down, 1.2, 0.08)) & (z < 18)
    stone = vary(rng, (150, 145, 138), 20) * (1 + 0.08 * noise) * dim(slabs, 0.75)
    off_road = np.abs(x)
    canvas.paint(box, off_road < road_m + walk_m, SIDEWALK, stone, z)
    canvas.paint(box, off_road < road_m + 0.25, SIDEWALK, vary(rng, (175, 172, 165), 15), z)

    tracks = np.minimum(distance_to(x, 3.5, 0.9), distance_to(x, 3.5, 2.6)) < 0.25
    asphalt = vary(rng, (98, 98, 102), 22) * (1 + 0.12 * noise) * dim(tracks, 0.9)
    patch = (np.abs(x - rng.uniform(-3, 3)) < 1.0) & (np.abs(down - rng.uniform(5, 14)) < 1.5)
    asphalt *= dim(patch, rng.uniform(0.7, 0.85))
    canvas.paint(box, off_road < road_m, ROAD, asphalt, z)
    paint = vary(rng, (215, 213, 205), 20) * (1 + 0.1 * noise)
    dashed = (np.abs(x) < 0.09) & (down % 6 < 3.2) | (np.abs(off_road - road_m + 0.5) < 0.07)
    canvas.paint(box, dashed & (z < 60), ROAD, paint, z)
    if rng.random() < 0.3:
        start = rng.uniform(6, 12)
        stripes = (down > start) & (down < start + 3) & (x % 1.0 < 0.5) & (off_road < road_m - 0.4)
        canvas.paint(box, stripes, ROAD, paint, z)
