"""Measures of whether an input and a target belong together, i.e. have edges at the same positions.

The agreement of input i with target j is the correlation of their edges, after the edges common to all are subtracted.
Two measures follow from it, both between -2 and 2 and positive for a pair that belongs together:

- The lead of a pair is its own agreement, less the mean of the highest agreement of its input with another target and
  of its target with another input. A correct pair with few edges may have a lead far below 0, so a low lead proves
  nothing by itself.
- The fit of a pair is the agreement that two pairs lose, on average, if they exchange their inputs; the other pair is
  the one for which this loss is lowest. A fit is negative if both pairs would agree better after the exchange, which
  takes two poor pairs that complete each other.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import numpy as np
from scipy import ndimage

from pix2street.core.images import resize_box

SIDE_PX = 128
BLOCK_PAIRS = 512
SUSPECTS = 1024
SMOOTH_PX = 1.0


COLORS = np.array([[3, 1, 0], [1, 2, 1], [0, 1, 3]], np.float32)
"""The colours that each colour of a gradient is made of: Sobel's smoothing along the axis of colours."""

BAND_LINES = 16
"""The lines that are filtered by one product."""

SMOOTH, STEP = 0, 1
"""The two filters of which Sobel's gradient of a smooth image is made."""


def edge_map(pixels: np.ndarray) -> np.ndarray:
    """Return the root of the colours' gradient, `[h * w]` float32, of `[H, W, 3]` uint8.

    An image is first reduced to at most `SIDE_PX` in height and width. The gradient is Sobel's, of the image smoothed
    by a Gaussian of `SMOOTH_PX`, with SciPy's borders; products of matrices give it sooner than SciPy's filters.
    """
    height, width = (min(SIDE_PX, side) for side in pixels.shape[:2])
    colors = COLORS @ resize_box(pixels, height, width).transpose(0, 2, 1).astype(np.float32)
    smooth, step = (_filtered(kind, colors.reshape(height, -1), "C").reshape(-1, width) for kind in (SMOOTH, STEP))
    down, across = _filtered(SMOOTH, step.T, "F").T, _filtered(STEP, smooth.T, "F").T
    gradient = np.sqrt(down * down + across * across).reshape(height, 3, width).sum(axis=1)
    # The root prevents a few hard edges from outweighing the many soft ones.
    return np.sqrt(gradient).ravel()


def _filtered(kind: int, lines: np.ndarray, order: Literal["C", "F"]) -> np.ndarray:
    """Return `[N, M]` lines smoothed (`SMOOTH`), or the next line less the one before of smooth lines (`STEP`)."""
    result = np.empty_like(lines, order=order)
    for band, near, filters in _bands(len(lines)):
        np.matmul(filters[kind], lines[near], out=result[band])
    return result


@cache
def _bands(side: int) -> list[tuple[slice, slice, np.ndarray]]:
    """Return the lines of each band of an image, the lines near it, and the filters that map these to those."""
    smooth = ndimage.gaussian_filter1d(np.eye(side), SMOOTH_PX, axis=0)
    kernels = ([1, 2, 1], [-1, 0, 1])
    filters = np.array([ndimage.correlate1d(smooth, kernel, axis=0) for kernel in kernels], np.float32)
    bands = []
    for start in range(0, side, BAND_LINES):
        band = slice(start, start + BAND_LINES)
        used = np.flatnonzero(filters[:, band].any(axis=(0, 1)))
        near = slice(used[0], used[-1] + 1)
        bands.append((band, near, np.ascontiguousarray(filters[:, band, near])))
    return bands


def block_agreement(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the agreement of every input (rows) with every target (columns) of a block, `[N, N]`.

    Args:
        inputs, targets: edge maps `[N, D]`; row i of both belongs to pair i.
    """
    return _standardized(inputs) @ _standardized(targets).T


def block_lead(agreement: np.ndarray) -> np.ndarray:
    """Return the lead of every pair of a block, `[N]`; 0 for a block of one, which has no other pair."""
    if len(agreement) < 2:
        return np.zeros(len(agreement))
    own = agreement.diagonal()
    others = agreement.copy()
    np.fill_diagonal(others, -np.inf)
    return own - (others.max(axis=0) + others.max(axis=1)) / 2


def block_fit(agreement: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the fit of every pair of a block, and the index of the other pair with which it is lowest.

    The two pairs that gain most by an exchange are removed first, and the rest are compared without them. Otherwise a
    correct pair would be blamed because it resembles a swapped one.

    Returns:
        The fits, `[N]` float, and the indices, `[N]` int; 0 and -1 for a pair that is left without another.
    """
    fit, other = np.zeros(len(agreement)), np.full(len(agreement), -1)
    own = agreement.diagonal()
    loss = (own[:, None] + own - agreement - agreement.T) / 2
    np.fill_diagonal(loss, np.inf)
    nearest, lowest = loss.argmin(axis=1), loss.min(axis=1)
    while lowest.min() < 0:
        first = lowest.argmin()
        both = np.array([first, nearest[first]])
        fit[both], other[both] = lowest[first], both[::-1]
        loss[both], loss[:, both], lowest[both] = np.inf, np.inf, np.inf
        stale = np.flatnonzero(np.isin(nearest, both) & np.isfinite(lowest))
        nearest[stale], lowest[stale] = loss[stale].argmin(axis=1), loss[stale].min(axis=1)
    rest = np.isfinite(lowest)
    fit[rest], other[rest] = lowest[rest], nearest[rest]
    return fit, other


@dataclass
class Suspects:
    """The pairs of a whole set with the lowest leads, at most `SUSPECTS`, with their edge maps.

    Swapped pairs have low leads even if they are in two blocks or subsets, so it suffices to compare these few pairs
    with each other.
    """

    rows: np.ndarray = field(default_factory=lambda: np.empty(0, int))
    leads: np.ndarray = field(default_factory=lambda: np.empty(0))
    maps: list[np.ndarray] = field(default_factory=list)

    def add(self, rows: np.ndarray, leads: np.ndarray, maps: np.ndarray) -> None:
        """Add the pairs of a block, and drop those with the highest leads beyond `SUSPECTS`.

        Args:
            maps: the edge maps of inputs and targets, `[N, 2, D]`.
        """
        rows, leads = np.concatenate([self.rows, rows]), np.concatenate([self.leads, leads])
        kept, before = np.sort(np.argsort(leads, kind="stable")[:SUSPECTS]), len(self.maps)
        # Copies of the few that are new let go of the block.
        self.maps = [self.maps[i] if i < before else maps[i - before].copy() for i in kept]
        self.rows, self.leads = rows[kept], leads[kept]

    def fit(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the fit of each suspect, and the row of the other pair with which it is lowest; -1 for none."""
        if not self.maps:
            return np.empty(0), np.empty(0, int)
        maps = np.array(self.maps)
        fit, other = block_fit(block_agreement(maps[:, 0], maps[:, 1]))
        return fit, np.where(other >= 0, self.rows[other], -1)


def blocks(count: int) -> list[np.ndarray]:
    """Return the indices 0 to `count` - 1 in even blocks of neighbours, at most `BLOCK_PAIRS` each."""
    return np.array_split(np.arange(count), max(1, -(-count // BLOCK_PAIRS)))


def _standardized(maps: np.ndarray) -> np.ndarray:
    """Return the maps less their mean map (horizons, sky lines), each with mean 0 and length 1."""
    maps = maps - maps.mean(axis=0)
    maps -= maps.mean(axis=1, keepdims=True)
    maps /= np.maximum(np.linalg.norm(maps, axis=1, keepdims=True), 1e-6)
    return maps
