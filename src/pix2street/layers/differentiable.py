"""Augmentation through which gradients flow (Zhao et al. 2020, "Differentiable augmentation for data-efficient GAN
training", section 3.2). Pure Keras 3.

A discriminator that sees real and generated photos augmented alike cannot know few photos by heart, and the generator
learns to make photos that are not augmented, since no single draw of the augmentation can be told from a photo.
"""

from collections.abc import Collection
from typing import Any

from keras import ops

KINDS = ("color", "translation", "cutout")
DRAWS = 7
"""The uniform numbers in [0, 1) that each image needs."""
SHIFT, HOLE = 1 / 8, 1 / 2
"""The largest translation, and the side of the hole, as shares of a side."""


def augmented(images: Any, draws: Any, kinds: Collection[str]) -> Any:
    """Return images after the augmentations of these kinds, `[N, H, W, 3]` float32.

    Args:
        images: in [-1, 1].
        draws: numbers in [0, 1), `[N, DRAWS]`: those of equal images may differ, and equal ones give equal results.
        kinds: those of `KINDS` that are applied, in this order.
    """
    draws = [draw[:, None, None, None] for draw in ops.unstack(draws, DRAWS, axis=1)]
    if "color" in kinds:
        images = _recoloured(images, *draws[:3])
    if "translation" in kinds:
        images = _translated(images, *draws[3:5])
    if "cutout" in kinds:
        images = _with_hole(images, *draws[5:])
    return images


def _recoloured(images: Any, brightness: Any, saturation: Any, contrast: Any) -> Any:
    images = images + (brightness - 0.5)
    grey = ops.mean(images, axis=-1, keepdims=True)
    images = (images - grey) * (2 * saturation) + grey
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return (images - mean) * (contrast + 0.5) + mean


def _translated(images: Any, down: Any, across: Any) -> Any:
    """Move images by up to `SHIFT` of a side, and fill with 0, which is grey."""
    return _turned(_moved_down(_turned(_moved_down(images, down)), across))


def _moved_down(images: Any, draw: Any) -> Any:
    height, shape = images.shape[1], ops.shape(images)
    most = round(height * SHIFT)
    moved_by = ops.floor(draw[:, 0, 0] * (2 * most + 1)) - most
    from_row = ops.arange(height, dtype="float32")[None] - moved_by
    # A row beyond the border has no row of the identity, and hence gives 0.
    chosen = ops.one_hot(ops.cast(from_row, "int32"), height, dtype=images.dtype)
    return ops.reshape(ops.matmul(chosen, ops.reshape(images, (shape[0], height, -1))), shape)


def _turned(images: Any) -> Any:
    """Return images with rows as columns; products along columns of three channels take longer than both turns."""
    return ops.transpose(images, (0, 2, 1, 3))


def _with_hole(images: Any, down: Any, across: Any) -> Any:
    height, width = images.shape[1:3]
    inside = None
    for axis, side, draw in ((1, height, down), (2, width, across)):
        half = side * HOLE / 2
        centre = ops.floor(draw * side)
        shape = (1, -1, 1, 1) if axis == 1 else (1, 1, -1, 1)
        place = ops.reshape(ops.arange(side, dtype="float32") + 0.5, shape)
        within = ops.cast(ops.abs(place - centre) < half, images.dtype)
        inside = within if inside is None else inside * within
    return images * (1 - inside)
