"""Cars, trucks, buses, trains, motorcycles and bicycles."""

import numpy as np

from pix2street.datasets.synthetic_streets.people import figure
from pix2street.datasets.synthetic_streets.textures import (
    HEAD_LAMP,
    LARGE_REAR_LAMP,
    REAR_LAMP,
    SIGNAL,
    every,
    vary,
)
from pix2street.datasets.synthetic_streets.things import Thing, shadow, upright
from pix2street.datasets.synthetic_streets.world import (
    BICYCLE,
    BUS,
    CAR,
    MOTORCYCLE,
    RIDER,
    TRAIN,
    TRUCK,
    Canvas,
)


def traffic(canvas: Canvas, rng: np.random.Generator) -> list[Thing]:
    """Return parked cars along the kerbs, and now and then something in each lane."""
    things = []
    for side in (-1, 1):
        z = rng.uniform(4.5, 9)
        while z < 60 and rng.random() < 0.88:
            if rng.random() < 0.7:
                things += _car(canvas, rng, side * (canvas.road_m - 1.0), z)
            z += rng.uniform(5.5, 9)
        lane = side * canvas.road_m * 0.38
        gone_m = canvas.drive.gone_m(side) if canvas.drive else 0.0
        z = rng.uniform(7, 16)
        while z < 70:
            draw = rng.random()
            if draw < 0.45:
                things += _car(canvas, rng, lane + rng.uniform(-0.2, 0.2), z + gone_m)
            elif draw < 0.58:
                things += _large_vehicle(
                    canvas, rng, lane, z + 5 + gone_m, (TRUCK, BUS, TRAIN)[rng.choice(3, p=[0.45, 0.45, 0.1])]
                )
            elif draw < 0.72:
                things += two_wheeler(canvas, rng, lane + side * 0.9, z * 0.7 + gone_m, MOTORCYCLE)
            elif draw < 0.95:
                things += two_wheeler(canvas, rng, lane + side * 1.1, z * 0.7 + gone_m, BICYCLE)
            z += rng.uniform(9, 18)
    return things


def _car(canvas: Canvas, rng, x: float, z: float) -> list[Thing]:
    """Return a car from behind or in front: wheels, body, cabin with glass, lights, number plate."""
    grey = rng.integers(25, 225)
    paint = vary(rng, (grey, grey, grey), 12) if rng.random() < 0.6 else rng.uniform(25, 200, 3).astype(np.float32)
    glass, rubber = vary(rng, (45, 55, 65), 14), np.float32((24, 24, 26))
    lamps = np.float32(REAR_LAMP if x > 0 else HEAD_LAMP)
    roof = rng.uniform(0.58, 0.7)

    def parts(along, up, noise):
        aside = np.abs(along - 0.5)
        yield (np.abs(aside - 0.36) < 0.09) & (up < 0.3), CAR, rubber
        body = (aside < 0.5 - 0.12 * np.clip(up - 0.42, 0, 1)) & (up > 0.12) & (up < 0.62)
        yield body, CAR, paint * np.clip(0.62 + 0.75 * up + 0.1 * noise, 0, 1.3)[..., None]
        taper = 0.5 - 0.38 * np.clip(up - 0.5, 0, 1)
        yield (aside < taper - 0.04) & (up >= 0.55), CAR, paint * (1.12 - 0.2 * np.abs(along - 0.4))[..., None]
        window = (aside < taper - 0.09) & (up > 0.6) & (up < 0.91)
        yield window, CAR, glass * (0.7 + 1.5 * np.clip(up - roof, 0, 1) + 0.25 * noise)[..., None]
        yield (aside > 0.33) & (aside < 0.48) & (up > 0.42) & (up < 0.53), CAR, lamps
        yield (aside < 0.13) & (up > 0.28) & (up < 0.36), CAR, np.float32((225, 225, 215))
        yield (aside < 0.48) & (up > 0.12) & (up < 0.2), CAR, paint * 0.4

    return [shadow(canvas, x, z, 2.3, 4.0), upright(canvas, x, z, 1.8, 1.5, parts)]


def _large_vehicle(canvas: Canvas, rng, x: float, z: float, class_id: int) -> list[Thing]:
    """Return a truck's closed box above an axle, or the glazed end of a bus or a train."""
    paint, glass = rng.uniform(50, 220, 3).astype(np.float32), vary(rng, (50, 60, 70), 12)
    lamps = np.float32(LARGE_REAR_LAMP if x > 0 else HEAD_LAMP)

    def parts(along, up, noise):
        aside = np.abs(along - 0.5)
        yield (np.abs(aside - 0.34) < 0.12) & (up < 0.16), class_id, np.float32((24, 24, 26))
        yield up > 0.1, class_id, paint * (0.8 + 0.3 * up + 0.08 * noise)[..., None]
        if class_id == TRUCK:
            yield (np.abs(along - 0.5) < 0.012) & (up > 0.2), class_id, paint * 0.5
            yield (up > 0.2) & every(up, 0.2, 0.02), class_id, paint * 0.7
        else:
            low = 0.42 if class_id == BUS else 0.5
            yield (aside < 0.43) & (up > low) & (up < 0.8), class_id, glass * (0.8 + 0.5 * up + 0.2 * noise)[..., None]
            yield (aside < 0.3) & (up > 0.85) & (up < 0.95), class_id, np.float32(SIGNAL)
        yield (aside > 0.36) & (aside < 0.47) & (up > 0.17) & (up < 0.24), class_id, lamps

    width_m, height_m = (2.5, rng.uniform(3.0, 3.8))
    return [shadow(canvas, x, z, 3.2, 5.0), upright(canvas, x, z, width_m, height_m, parts)]


def bicycle(canvas: Canvas, rng, x: float, z: float, class_id: int = BICYCLE) -> Thing:
    """Return two wheels and a frame, seen from the side."""
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

    return upright(canvas, x, z, 1.7, 1.15 if heavy else 1.05, parts)


def two_wheeler(canvas: Canvas, rng, x: float, z: float, class_id: int) -> list[Thing]:
    """Return a rider above a bicycle or a motorcycle."""
    rider = upright(canvas, x, z - 0.01, 0.75, 1.25, figure(rng, RIDER), base_m=0.55)
    return [shadow(canvas, x, z, 1.6, 1.0), bicycle(canvas, rng, x, z, class_id), rider]
