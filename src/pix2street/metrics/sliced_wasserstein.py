"""The sliced Wasserstein distance between patches of Laplacian pyramids, which needs no network.

Photos -> pyramids -> patches -> values on random lines -> a distance for each level: Karras et al., "Progressive
growing of GANs for improved quality, stability, and variation", 2018, section 5.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from pix2street.core.seeds import derive_seed
from pix2street.metrics.looks import MAX_PATCHES, PATCHES_OF_A_PHOTO
from pix2street.metrics.pyramid import LEAST_SIDE_PX, PATCH_PX, SEED
from pix2street.metrics.samples import Samples

PROJECTIONS, AT_ONCE = 512, 32
PROTOCOL = {
    "version": 1,
    "levels": f"Laplacian pyramid, 5-tap binomial kernel, down to {LEAST_SIDE_PX} px; the coarsest level is low-pass",
    "patches": f"{PATCH_PX}x{PATCH_PX} px; {PATCHES_OF_A_PHOTO} a photo and level, fewer above {MAX_PATCHES} a level",
    "places": "a function of seed, level and the photo's name; the same in both sets",
    "normalised": "each channel by mean and standard deviation of its own set's patches",
    "projections": PROJECTIONS,
    "unlike_numbers": "as many quantiles as the smaller set has patches",
    "factor": 1000,
    "seed": SEED,
}


def protocol_of(patches: Mapping[int, np.ndarray]) -> dict[str, Any]:
    """Return the protocol of the scores over these levels."""
    return {**PROTOCOL, "scores": ["swd", *(f"swd_{side}" for side in patches)]}


def score(samples: Samples) -> dict[str, float | None]:
    """Return `swd_<side>`, the distance at the level with this shorter side, and their mean `swd`; all times 1,000.

    They are None if a side has no photos.
    """
    if samples.looks is None:
        return {}
    photos, targets = (looks.patches for looks in samples.looks)
    if not all(len(looks.light) for looks in samples.looks):
        return dict.fromkeys(protocol_of(targets)["scores"])
    with ThreadPoolExecutor() as pool:
        distances = pool.map(sliced_distance, photos.values(), targets.values())
    levels = {f"swd_{side}": 1000 * distance for side, distance in zip(photos, distances, strict=True)}
    return {"swd": float(np.mean([*levels.values()])), **levels}


def sliced_distance(photos: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean over random lines of the Wasserstein distance between two sets of patches.

    On a line it is the mean absolute difference of the sorted values.

    Args:
        photos, targets: `[N, K, C, 49]` and `[M, L, C, 49]`.
    """
    normals = np.random.default_rng(derive_seed(SEED)).normal(size=(PROJECTIONS, photos[0, 0].size))
    directions = (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32)
    sides = [normalised_patches(patches).T for patches in (photos, targets)]
    count = min(side.shape[1] for side in sides)
    total = 0.0
    for some in np.split(directions, PROJECTIONS // AT_ONCE):
        a, b = (_quantiles(np.sort(some @ side, axis=1), count) for side in sides)
        total += np.abs(a - b).sum(dtype=np.float64)
    return float(total / (PROJECTIONS * count))


def normalised_patches(patches: np.ndarray) -> np.ndarray:
    """Return patches `[N, K, C, 49]` as `[N * K, C * 49]`; each channel has mean 0 and deviation 1, if it has any."""
    over = (0, 1, 3)
    mean = patches.mean(axis=over, keepdims=True, dtype=np.float64)
    deviation = patches.std(axis=over, keepdims=True, dtype=np.float64)
    scaled = (patches - mean.astype(np.float32)) / np.where(deviation > 0, deviation, 1).astype(np.float32)
    return scaled.reshape(-1, patches[0, 0].size)


def _quantiles(ordered: np.ndarray, count: int) -> np.ndarray:
    """Return `count` evenly spaced quantiles of each row of ordered values `[rows, n]`; all values if `count` is n."""
    places = (2 * np.arange(count) + 1) * ordered.shape[1] // (2 * count)
    return ordered[:, places]
