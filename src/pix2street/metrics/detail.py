"""Distances between two sets of photos by their finest details, which need no network.

The features are patches of 7x7 pixels of the finest level of each photo's Laplacian pyramid, those of the sliced
Wasserstein distance. They show whether the details of photos are as strong and as varied as real ones, not whether each
is at its place: a soft photo has weak ones, however near it is to its target.
"""

import numpy as np

from pix2street.metrics import frechet, kid
from pix2street.metrics.looks import Looks
from pix2street.metrics.samples import Samples, normalised

PROTOCOL = {
    "version": 1,
    "scores": ["frechet_detail", "kid_detail"],
    "features": "patches of 7x7 px of the finest level of a Laplacian pyramid, every value divided by the deviation "
    "that it has in real photos",
    "frechet": frechet.PROTOCOL,
    "kid": kid.PROTOCOL,
}


def score(samples: Samples) -> dict[str, float | None]:
    """Return `frechet_detail`, and `kid_detail` with its deviation over subsets; nothing for other photos than
    enlargements, whose finest details are what they lack."""
    if samples.enlarged is None or samples.looks is None:
        return {}
    photos, targets = map(patches_of, samples.looks)
    features = normalised(photos, targets), normalised(targets, targets)
    mean, deviation = kid.kernel_distance(*features)
    return {"frechet_detail": frechet.distance_of(*features), "kid_detail": mean, "kid_detail_std": deviation}


def patches_of(looks: Looks) -> np.ndarray:
    """Return the patches of the finest level of all photos, `[N * K, C * 49]` float32."""
    patches = looks.patches[max(looks.patches)]
    return patches.reshape(len(patches) * patches.shape[1], -1)
