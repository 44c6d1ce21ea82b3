"""Layouts: what is where in a drawing, in a few cells, and the training drawings that resemble it.

A style is lent by a photo whose drawing resembles the one that gets it. Frames of one drive resemble each other, and
share their light; where the layout says nothing about the light, the lights of the donors are those of all photos.
A drawing and its mirror image have the same layout.
"""

import numpy as np

GRID = 8
"""The rows of cells over an image, and the columns; a cell of the left half also has the mirrored one's pixels."""

CELLS = GRID * GRID // 2

DONORS = 8
"""The number of training photos, if there are so many, of which one lends a drawing its style.

With 16, drives of several lights lend theirs to each other; with 4, two draws are often one."""


def cells_of(image: np.ndarray) -> np.ndarray:
    """Return the means of an image `[H, W, C]`, of any size, in its cells from the top left: `[CELLS, C]` float64."""
    rows, columns = (_shares(side) for side in image.shape[:2])
    # One channel after the other, rows last, is the fastest order.
    channels = (channel.astype(np.float64) for channel in np.moveaxis(image, -1, 0))
    grid = np.stack([rows @ (channel @ columns.T) for channel in channels], axis=-1)
    return ((grid + grid[:, ::-1]) / 2)[:, : GRID // 2].reshape(CELLS, -1)


def _shares(side_px: int) -> np.ndarray:
    """Return the share of each pixel of a side in the mean of each of `GRID` equal parts, `[GRID, side_px]`."""
    ends, pixels = np.linspace(0, side_px, GRID + 1), np.arange(side_px)
    overlap = np.minimum(ends[1:, None], pixels + 1) - np.maximum(ends[:-1, None], pixels)
    return np.maximum(overlap, 0) * GRID / side_px


def described(drawing: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
    """Return the share of each class in the cells of class ids `[H, W]`, or the cells' mean RGB: `[CELLS, K]`, 0 to 1.

    Args:
        class_ids: the K classes; without effect for RGB `[H, W, 3]` uint8, for which K is 3.
    """
    if drawing.ndim == 3:
        return cells_of(drawing) / 255
    return cells_of(np.moveaxis(class_ids[:, None, None] == drawing, 0, -1))


def as_bytes(shares: np.ndarray) -> np.ndarray:
    """Return numbers in [0, 1] as 0 to 255, uint8."""
    return np.rint(255 * shares).astype(np.uint8)


def donors(drawings: np.ndarray, class_ids: np.ndarray, drawing: np.ndarray, seed: int) -> np.ndarray:
    """Return which training photos may lend their style to a drawing, in an order that `seed` sets: `[D]`.

    They are the `DONORS` whose drawings resemble it most: their cells differ least in squares. All that differ as much
    as the last of them are among them. A small change of the drawing mostly keeps the first.

    Args:
        drawings: the cells of the P training drawings by `described`, as bytes: `[P, CELLS * K]` uint8.
        class_ids: the class of each of the K numbers of a cell, `[K]` uint8; empty where drawings are RGB.
        drawing: `[H, W]` or `[H, W, 3]` uint8, of any size.
    """
    differences = drawings.astype(np.float32) - as_bytes(described(drawing, class_ids)).ravel()
    distances = (differences**2).sum(axis=1)
    fit = distances <= np.sort(distances)[:DONORS][-1]
    order = np.random.default_rng(seed).permutation(len(distances))
    return order[fit[order]]
