"""Do an input and a target belong together? Edges of the one lie where edges of the other do.

A pair's fit is by how much its own edges agree better than those of the best other pair of its block, over both ways:
the correlation of input i with target i, less the mean of the highest correlation of input i with another target and of
target i with another input. It is positive where each fits the other best, and between -2 and 2.
"""

import numpy as np
from scipy import ndimage

from pix2street.images import resize_box

SIDE_PX = 128
BLOCK_PAIRS = 512
SMOOTH_PX = 1.0


def edge_map(pixels: np.ndarray) -> np.ndarray:
    """`[H, W, 3]` uint8 -> the root of the colours' gradient, `[h * w]` float32, at most `SIDE_PX` high and wide."""
    height, width = (min(SIDE_PX, side) for side in pixels.shape[:2])
    colors = resize_box(pixels, height, width).astype(np.float32)
    smooth = ndimage.gaussian_filter(colors, (SMOOTH_PX, SMOOTH_PX, 0))
    gradient = np.hypot(ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1)).sum(axis=-1)
    # The root keeps a few hard edges from drowning the many soft ones.
    return np.sqrt(gradient).ravel()


def block_fit(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The fit of every pair of a block.

    Args:
        inputs, targets: edge maps `[N, D]`, row by row of one pair.

    Returns:
        `[N]` float; 0 for a block of one, which has nothing to be compared with.
    """
    count = len(inputs)
    if count < 2:
        return np.zeros(count)
    agreement = _standardized(inputs) @ _standardized(targets).T
    own = agreement.diagonal().copy()
    np.fill_diagonal(agreement, -np.inf)
    return own - (agreement.max(axis=0) + agreement.max(axis=1)) / 2


def blocks(count: int) -> list[np.ndarray]:
    """The indices 0 to `count` - 1 in even blocks of neighbours, at most `BLOCK_PAIRS` each."""
    return np.array_split(np.arange(count), max(1, -(-count // BLOCK_PAIRS)))


def _standardized(maps: np.ndarray) -> np.ndarray:
    """Without what all maps share (horizons, sky lines), each of mean 0 and length 1."""
    maps = maps - maps.mean(axis=0)
    maps = maps - maps.mean(axis=1, keepdims=True)
    return maps / np.maximum(np.linalg.norm(maps, axis=1, keepdims=True), 1e-6)
