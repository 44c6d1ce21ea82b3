"""Percentile bootstrap over images, and over judges (Efron and Tibshirani 1993, section 13.3)."""

from functools import lru_cache

import numpy as np

RESAMPLES, SHARE, SEED, SEED_OF_JUDGES = 1000, 0.95, 0, 1
PROTOCOL = f"{SHARE:.0%} percentile bootstrap over images, {RESAMPLES} resamples, seed {SEED}"


@lru_cache
def resamples(count: int, seed: int = SEED) -> np.ndarray:
    """Return how often each image occurs in each resample, `[RESAMPLES, count]` float64; rows sum to `count`.

    The result depends only on the number of images, so two sets of the same pairs get the same resamples, and
    differences of their scores compare photos of the same pairs. With `SEED_OF_JUDGES` judges are drawn, in the same
    way and apart from the images; one judge is in every resample once.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float64)


def interval_of(scores: np.ndarray) -> dict[str, float] | None:
    """Return the bounds of the middle `SHARE` of a score's values over the resamples; None if no value is finite."""
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        return None
    low, high = np.quantile(scores, [(1 - SHARE) / 2, (1 + SHARE) / 2])
    return {"low": float(low), "high": float(high)}
