"""Scores of next frames by their horizon: how far in the future a frame is, 1 for the first one."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.ndimage import laplace

from pix2street.core.frames import FrameCounts, unstacked
from pix2street.core.images import luma, read_rgb
from pix2street.metrics import pixels

MOVING_LEVELS = 16
"""The difference of a channel, of 255, above which a pixel counts as moving."""

SCORES = ("psnr", "ssim", "l1", "moving_l1", "sharpness")
PROTOCOL = {
    "version": 1,
    "horizon": "frames after the last one of the input",
    "psnr": "dB, peak 255, mean over the frames of a horizon",
    "ssim": "as in the protocol of pixels",
    "l1": "mean absolute difference in [-1, 1]: 0 to 2",
    "moving_l1": f"the same over the pixels of which a channel differs by more than {MOVING_LEVELS} of 255 between the "
    "last frame of the input and the true frame; all such pixels of a horizon weigh alike",
    "sharpness": "standard deviation of the luma's Laplacian, divided by the true frame's; mean over frames",
}
NAMES = (*SCORES, "moving_px")


def measure(pasts: Sequence[Path], photos: Sequence[Path], targets: Sequence[Path], frames: FrameCounts) -> np.ndarray:
    """Return the measures `NAMES` of each photo at each horizon, `[N, frames_out, 6]` float64.

    The third last is the sum of the differences of moving pixels, and the last one their number; without such pixels
    both are 0.

    Args:
        pasts: the inputs, their frames one under the other, as those of photos and of targets are.
    """
    with ThreadPoolExecutor() as pool:
        return np.array(list(pool.map(partial(_measure, frames), pasts, photos, targets)))


def _measure(frames: FrameCounts, past: Path, photo: Path, target: Path) -> list[list[float]]:
    last = unstacked(read_rgb(past), frames.frames_in)[-1]
    pairs = zip(*(unstacked(read_rgb(path), frames.frames_out) for path in (photo, target)), strict=True)
    return [_measure_frame(last, made, true) for made, true in pairs]


def _measure_frame(last: np.ndarray, made: np.ndarray, true: np.ndarray) -> list[float]:
    moving = np.abs(true.astype(np.int16) - last).max(axis=-1) > MOVING_LEVELS
    away = np.abs(made.astype(np.int16) - true)[moving].mean(axis=-1) / 127.5
    edges = [laplace(luma(frame).astype(np.float32)).std() for frame in (made, true)]
    sharpness = edges[0] / max(edges[1], 1e-6)
    plain = [pixels.psnr(made, true), pixels.ssim(made, true), pixels.l1(made, true)]
    return [*map(float, (*plain, away.sum(), sharpness, moving.sum()))]


def scores_of(measures: np.ndarray) -> dict[str, dict[str, float | None]]:
    """Return every score by horizon, `1` and so on, and `mean`, the mean over the horizons.

    PSNR is None where a frame equals its target, and the L1 of moving pixels where nothing moves.
    """
    rows = {str(number): _scores_at(measures[:, number - 1]) for number in range(1, measures.shape[1] + 1)}
    values = {name: [row[name] for row in rows.values()] for name in SCORES}
    means = {name: None if None in found else float(np.mean(found)) for name, found in values.items()}
    return {"mean": means, **rows}


def _scores_at(measures: np.ndarray) -> dict[str, float | None]:
    found = dict(zip(NAMES, measures.T, strict=True))
    moving = found["moving_px"].sum()
    return {
        "psnr": float(found["psnr"].mean()) if np.isfinite(found["psnr"]).all() else None,
        "ssim": float(found["ssim"].mean()),
        "l1": float(found["l1"].mean()),
        "moving_l1": float(found["moving_l1"].sum() / moving) if moving else None,
        "sharpness": float(found["sharpness"].mean()),
    }


def table_of(scores: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """Return a row for each set of photos and horizon, the means last; without scores, an empty table."""
    rows = [
        {"photos": name, "horizon": horizon, **by_horizon[horizon]}
        for name, by_horizon in scores.items()
        for horizon in [*(key for key in by_horizon if key != "mean"), "mean"]
    ]
    return pd.DataFrame(rows, columns=["photos", "horizon", *SCORES])
