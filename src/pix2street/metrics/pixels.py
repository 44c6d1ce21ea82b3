"""L1, PSNR and SSIM of photos against their targets, each the mean over the photos of a set."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from skimage.metrics import structural_similarity

from pix2street.core.errors import UserError
from pix2street.core.frames import unstacked
from pix2street.core.images import read_photo
from pix2street.metrics.bootstrap import interval_of, resamples
from pix2street.metrics.samples import Samples

PROTOCOL = {
    "version": 1,
    "scores": ["l1", "psnr", "ssim"],
    "l1": "mean absolute difference of images in [-1, 1]: 0 to 2",
    "psnr": "dB, peak 255, mean over images",
    "ssim": "Wang et al. 2004: Gaussian window, sigma 1.5; mean over channels and images",
}


def score(samples: Samples) -> dict:
    """Return `l1` with its interval, `psnr` and `ssim`; `psnr` is None if a photo equals its target.

    The scores are empty without measures, since some photos have no targets with which they could be compared.
    """
    if not samples.pixels:
        return {}
    l1, psnr, ssim = (samples.pixels[name] for name in PROTOCOL["scores"])
    return {
        "l1": float(l1.mean()),
        "l1_interval": interval_of(resamples(len(l1)) @ l1 / len(l1)),
        "psnr": float(psnr.mean()) if np.isfinite(psnr).all() else None,
        "ssim": float(ssim.mean()),
    }


def measure(photos: Sequence[Path], targets: Sequence[Path], frames: int = 1) -> dict[str, np.ndarray]:
    """Return `l1`, `psnr` and `ssim` of each photo against its target, `[N]` float64 each.

    Args:
        frames: the number of frames that each has one under the other; the scores are then means over them.

    Raises:
        UserError: a photo is missing or has another size than its target.
    """
    with ThreadPoolExecutor() as pool:
        rows = list(pool.map(partial(_measure, frames), photos, targets))
    return dict(zip(PROTOCOL["scores"], np.array(rows).T, strict=True))


def _measure(frames: int, photo_path: Path, target_path: Path) -> tuple[float, float, float]:
    """Return L1, PSNR and SSIM of one photo."""
    target = read_photo(target_path)
    photo = read_photo(photo_path, target.shape[2])
    if photo.shape != target.shape:
        sizes = [f"{image.shape[0]}x{image.shape[1]}" for image in (photo, target)]
        raise UserError(
            f"{photo_path}: is {sizes[0]} px, its target {sizes[1]}; both must have one size, run `generate` again"
        )
    parts = [*zip(unstacked(photo, frames), unstacked(target, frames), strict=True)]
    l1s, psnrs, ssims = (sum(score(*part) for part in parts) / frames for score in (l1, psnr, ssim))
    return l1s, psnrs, ssims


def l1(photo: np.ndarray, target: np.ndarray) -> float:
    """Return the mean |photo - target| over pixels and channels, in [-1, 1] as in the training loss.

    Args:
        photo, target: `[H, W, C]` uint8 of one size.
    """
    return float(np.abs(photo.astype(np.int16) - target).mean() / 127.5)


def psnr(photo: np.ndarray, target: np.ndarray) -> float:
    """Return 10 log10(255^2 / MSE) in dB of two `[H, W, C]` uint8 images of one size; infinite for equal images."""
    squared = np.square(photo.astype(np.float64) - target).mean()
    return float(10 * np.log10(255**2 / squared)) if squared else float("inf")


def ssim(photo: np.ndarray, target: np.ndarray) -> float:
    """Return the structural similarity with the window and the constants of Wang et al. 2004, section III-C.

    Args:
        photo, target: `[H, W, C]` uint8 of one size, at least 11 pixels high and wide.
    """
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    return float(structural_similarity(photo, target, channel_axis=2, **settings))
