"""Layers of progressive GANs (Karras et al. 2018), which later families took over."""

import keras
from keras import layers, ops

EPSILON = 1e-8
"""A number beside which squares are 0."""


@keras.saving.register_keras_serializable("pix2street")
class PixelNorm(layers.Layer):
    """Vectors divided by the root of their mean square, over the last axis (Karras et al. 2018, section 4.2)."""

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        squares = ops.mean(ops.square(x), axis=-1, keepdims=True)
        return ops.cast(x * ops.rsqrt(squares + EPSILON), inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("pix2street")
class BatchDeviation(layers.Layer):
    """A further channel that says how much the images, or videos, of a group differ (Karras et al. 2018, section 3).

    It is the mean over all values of a map of their deviation within the group. A discriminator that sees it notices a
    generator whose photos are all alike. A group is every `groups`-th image of the batch.

    Args:
        group: the most images of a group; a batch that it does not divide is one group.
    """

    def __init__(self, group: int = 4, **kwargs):
        super().__init__(**kwargs)
        self.group = group

    def call(self, inputs):
        count, *shape = ops.shape(inputs)
        size = self.group if isinstance(count, int) and count % self.group == 0 else count
        x = ops.reshape(ops.cast(inputs, "float32"), (size, -1, *shape))
        variances = ops.mean(ops.square(x - ops.mean(x, axis=0, keepdims=True)), axis=0)
        deviation = ops.mean(ops.sqrt(variances + EPSILON), axis=list(range(1, len(shape) + 1)))
        each = ops.reshape(ops.tile(deviation, (size,)), (-1, *(1 for _ in shape)))
        plane = ops.broadcast_to(each, (count, *shape[:-1], 1))
        return ops.concatenate([inputs, ops.cast(plane, inputs.dtype)], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + 1)

    def get_config(self):
        return {**super().get_config(), "group": self.group}
