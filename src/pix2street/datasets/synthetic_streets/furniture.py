"""Trees, lamp posts, signs, traffic lights and parked bicycles along both kerbs."""

import numpy as np

from pix2street.datasets.synthetic_streets.textures import AMBER, GREEN, RED, vary
from pix2street.datasets.synthetic_streets.things import Thing, upright
from pix2street.datasets.synthetic_streets.traffic import bicycle
from pix2street.datasets.synthetic_streets.world import POLE, TRAFFIC_LIGHT, TRAFFIC_SIGN, VEGETATION, Canvas


def street_furniture(canvas: Canvas, rng: np.random.Generator) -> list[Thing]:
    """Return what is along both kerbs."""
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
            things += [bicycle(canvas, rng, kerb + side * 0.5, rng.uniform(4.5, 12))]
    return things


def _tree(canvas: Canvas, rng, x: float, z: float) -> Thing:
    """Return a trunk, and a crown of clumps that is lit from above."""
    leaf, bark = vary(rng, (86, 102, 60), 26), vary(rng, (82, 70, 58), 14)
    crown, lobes = rng.uniform(0.35, 0.5), rng.uniform(-0.12, 0.12, 4).tolist()

    def parts(along, up, noise):
        trunk = (np.abs(along - 0.5) < 0.05) & (up < crown + 0.1)
        yield trunk, VEGETATION, bark * (1 + 0.3 * noise[..., None])
        across, rise = (along - 0.5) / 0.5, (up - (1 + crown) / 2) / ((1 - crown) / 2)
        radius = across**2 + rise**2 + 0.35 * noise + lobes[0] * across + lobes[1] * rise
        light = np.clip(0.95 + 0.35 * rise + 0.6 * noise - 0.15 * across * lobes[2] * 8, 0.3, 1.7)
        yield radius < 0.95, VEGETATION, leaf * light[..., None]

    return upright(canvas, x, z, rng.uniform(3, 5), rng.uniform(5, 8.5), parts)


def _pole(canvas: Canvas, rng, x: float, z: float, width_m: float, height_m: float) -> list[Thing]:
    metal = vary(rng, (115, 116, 116), 40)

    def parts(along, up, noise):
        yield up > -1, POLE, metal * (1.25 - 0.6 * along)[..., None]

    # Never thinner than a pixel and a half, so that none flickers away.
    width_m = max(width_m, 1.5 * (z - canvas.ahead_m) / canvas.focal_x_px)
    return [upright(canvas, x, z, width_m, height_m, parts)]


def _sign(canvas: Canvas, rng, x: float, z: float) -> list[Thing]:
    """Return a disc, a triangle or a board with a rim and a dark figure, on a pole."""
    shape = rng.integers(3)
    rim = vary(rng, [(185, 40, 40), (45, 80, 165), (200, 170, 50)][rng.integers(3)], 25)
    face, ink = vary(rng, (215, 212, 205), 25), vary(rng, (45, 45, 50), 20)

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
    board = upright(canvas, x, z - 0.02, side_m, side_m, parts, base_m=height_m)
    return [*_pole(canvas, rng, x, z, 0.09, height_m + 0.3), board]


def _traffic_light(canvas: Canvas, rng, x: float, z: float) -> list[Thing]:
    """Return a dark box with three lamps, one of them on, on a pole."""
    body, on = vary(rng, (48, 50, 48), 16), int(rng.integers(3))
    lamps = [GREEN, AMBER, RED]

    def parts(along, up, noise):
        yield up > -1, TRAFFIC_LIGHT, body
        for lamp, color in enumerate(lamps):
            round_lamp = ((along - 0.5) / 0.36) ** 2 + ((up - (lamp + 0.5) / 3) / 0.12) ** 2 < 1
            yield round_lamp, TRAFFIC_LIGHT, np.float32(color) * (1.0 if lamp == on else 0.3)

    box = upright(canvas, x, z - 0.02, 0.55, 1.3, parts, base_m=2.6)
    return [*_pole(canvas, rng, x, z, 0.13, 3.4), box]
