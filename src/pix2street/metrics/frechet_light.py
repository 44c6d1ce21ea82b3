"""The Fréchet distance between two sets of photos by their light alone; it needs no network.

It sees a colour or a brightness that all photos of a set share, which the sliced Wasserstein distance does not, and it
sees nothing else: no form, no texture, and not which photo has which light.
"""

from pix2street.metrics import frechet
from pix2street.metrics.samples import Samples

PROTOCOL = {
    **frechet.PROTOCOL,
    "version": 1,
    "scores": ["frechet_light"],
    "features": "mean of each channel, -1 to 1, and contrast, 0 to 1, of each photo",
    "contrast": "standard deviation of a photo's luma (ITU-R BT.601)",
}

DIGITS = 12
"""The decimals that are kept: further ones are rounding, which would be all that equal sets have."""


def score(samples: Samples) -> dict[str, float | None]:
    """Return `frechet_light`; None below two photos on a side, and nothing for photos whose looks are unknown."""
    if samples.looks is None:
        return {}
    photos, targets = (looks.light for looks in samples.looks)
    distance = frechet.distance_of(photos, targets)
    return {"frechet_light": None if distance is None else round(distance, DIGITS)}
