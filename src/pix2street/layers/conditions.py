"""Conditions of a generator: numbers that it is told beside an image. Pure Keras 3."""

import keras
from keras import ops


def with_planes(images, numbers, count: int):
    """Return images with `count` further channels, of which that of each image's number is 1 and the others are 0.

    Args:
        images: `[..., H, W, C]`.
        numbers: `[...]`, each from 0 to `count` - 1.
    """
    planes = ops.cast(ops.one_hot(numbers, count), images.dtype)[..., None, None, :]
    return ops.concatenate([images, ops.broadcast_to(planes, (*ops.shape(images)[:-1], count))], axis=-1)


@keras.saving.register_keras_serializable("pix2street")
class Blend(keras.layers.Layer):
    """`mask * colour + (1 - mask) * image` for `[image, colour, mask]`, each `[N, H, W, C]`, the mask in [0, 1].

    The image may have further channels, its conditions, which are left out.
    """

    def call(self, parts):
        image, colour, mask = parts
        image = ops.cast(image[..., : colour.shape[-1]], self.compute_dtype)
        return image + mask * (colour - image)

    def compute_output_shape(self, shapes):
        return shapes[1]
