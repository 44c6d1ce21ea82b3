"""People on foot, and the figure that also rides."""

import numpy as np

from pix2street.datasets.synthetic_streets.textures import vary
from pix2street.datasets.synthetic_streets.things import Parts, Thing, shadow, upright
from pix2street.datasets.synthetic_streets.world import PERSON, Canvas


def passers_by(canvas: Canvas, rng: np.random.Generator) -> list[Thing]:
    """Return people on both sidewalks, a few on the road."""
    things = []
    for _ in range(int(rng.integers(2, 8))):
        side = rng.choice((-1, 1))
        x = side * (canvas.road_m + rng.uniform(0.4, canvas.walk_m))
        things += _person(canvas, rng, x if rng.random() < 0.85 else side * rng.uniform(0.5, 3), rng.uniform(4, 25))
    return things


def figure(rng: np.random.Generator, class_id: int) -> Parts:
    """Return a person's legs, coat, arms and head, in clothes of any colour."""
    coat, legs = rng.uniform(25, 200, 3).astype(np.float32), vary(rng, (58, 60, 72), 35).clip(10)
    skin, hair = vary(rng, (175, 135, 110), 35), vary(rng, (55, 42, 35), 25)
    stride = rng.uniform(0.06, 0.2)

    def parts(along, up, noise):
        aside = np.abs(along - 0.5)
        yield (
            (np.abs(aside - stride * (1 - up / 0.5)) < 0.11) & (up < 0.5),
            class_id,
            legs * (0.7 + 0.6 * up)[..., None],
        )
        yield (aside < 0.3) & (up > 0.42) & (up < 0.84), class_id, coat * (1.15 - 0.6 * along + 0.1 * noise)[..., None]
        yield (aside > 0.3) & (aside < 0.42) & (up > 0.42) & (up < 0.8), class_id, coat * 0.7
        head = (aside / 0.17) ** 2 + ((up - 0.915) / 0.085) ** 2
        yield head < 1, class_id, skin
        yield (head < 1) & (up > 0.94), class_id, hair

    return parts


def _person(canvas: Canvas, rng, x: float, z: float) -> list[Thing]:
    parts = figure(rng, PERSON)
    return [shadow(canvas, x, z, 0.8, 0.8), upright(canvas, x, z, 0.62, rng.uniform(1.55, 1.9), parts)]
