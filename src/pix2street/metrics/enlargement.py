"""The scores of enlarged photos: PSNR and SSIM on luma without the border, and how well they agree with their inputs.

A photo agrees with its input if it is the input again once it is reduced. A model that invents details where the input
leaves them open loses PSNR and SSIM and keeps this agreement.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from pix2street.core.images import luma, read_rgb, reduce_photo
from pix2street.metrics import pixels
from pix2street.metrics.samples import Samples

SCORES = ("psnr_luma", "ssim_luma", "consistency")


def protocol_of(factor: int) -> dict:
    """Return the protocol for photos that are `factor` times as large as their inputs."""
    return {
        "version": 1,
        "scores": list(SCORES),
        "factor": factor,
        "luma": "ITU-R BT.601, 0 to 255, 8 bits",
        "border": f"{factor} px are cut off on every side for psnr_luma and ssim_luma",
        "psnr_luma": "dB, peak 255, mean over images",
        "ssim_luma": pixels.PROTOCOL["ssim"],
        "consistency": "mean absolute difference of the reduced photo and its input, both in [-1, 1]: 0 to 2",
        "reduced": "bicubic, antialiased",
    }


def score(samples: Samples) -> dict[str, float | None]:
    """Return the mean of each measure over the photos; nothing for photos that are no enlargements.

    `psnr_luma` is None if a photo equals its target.
    """
    measured = samples.enlarged or {}
    means = {name: float(values.mean()) for name, values in measured.items()}
    return {name: value if np.isfinite(value) else None for name, value in means.items()}


def measure(
    photos: Sequence[Path], targets: Sequence[Path], inputs: Sequence[Path], factor: int
) -> dict[str, np.ndarray]:
    """Return every one of `SCORES` for each photo, `[N]` float64."""
    with ThreadPoolExecutor() as pool:
        rows = list(pool.map(partial(_measure, factor), photos, targets, inputs))
    return dict(zip(SCORES, np.array(rows).T, strict=True))


def _measure(factor: int, photo_path: Path, target_path: Path, input_path: Path) -> tuple[float, float, float]:
    photo = read_rgb(photo_path)
    photo_luma, target_luma = (cut(luma(image), factor)[..., None] for image in (photo, read_rgb(target_path)))
    return (
        pixels.psnr(photo_luma, target_luma),
        pixels.ssim(photo_luma, target_luma),
        consistency(photo, read_rgb(input_path), factor),
    )


def cut(image: np.ndarray, border: int) -> np.ndarray:
    """Return an image without `border` pixels on every side."""
    return image[border:-border, border:-border]


def consistency(photo: np.ndarray, small: np.ndarray, factor: int) -> float:
    """Return the mean absolute difference of a photo, reduced by `factor`, and its input, in [-1, 1]: 0 to 2."""
    return pixels.l1(reduce_photo(photo, factor), small)
