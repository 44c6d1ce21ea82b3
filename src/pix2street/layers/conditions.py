"""Conditions of a generator: numbers that it is told beside an image. Pure Keras 3."""

from keras import ops


def with_planes(images, numbers, count: int):
    """Return images with `count` further channels, of which that of each image's number is 1 and the others are 0.

    Args:
        images: `[..., H, W, C]`.
        numbers: `[...]`, each from 0 to `count` - 1.
    """
    planes = ops.cast(ops.one_hot(numbers, count), images.dtype)[..., None, None, :]
    return ops.concatenate([images, ops.broadcast_to(planes, (*ops.shape(images)[:-1], count))], axis=-1)
