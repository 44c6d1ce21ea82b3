"""Frames of videos in networks: images of frames one under the other as volumes, and the norm of each place in them."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("pix2street")
class ToFrames(layers.Layer):
    """The frames of an image that has them one under the other: `[N, count * H, W, C] -> [N, count, H, W, C]`."""

    def __init__(self, count: int, **options):
        super().__init__(**options)
        self.count = count

    def call(self, inputs):
        _, rows, columns, channels = ops.shape(inputs)
        return ops.reshape(inputs, (-1, self.count, rows // self.count, columns, channels))

    def compute_output_shape(self, input_shape):
        batch, rows, columns, channels = input_shape
        return (batch, self.count, None if rows is None else rows // self.count, columns, channels)

    def get_config(self):
        return {**super().get_config(), "count": self.count}


@keras.saving.register_keras_serializable("pix2street")
class FromFrames(layers.Layer):
    """An image of frames one under the other: `[N, count, H, W, C] -> [N, count * H, W, C]`."""

    def call(self, inputs):
        _, count, rows, columns, channels = ops.shape(inputs)
        return ops.reshape(inputs, (-1, count * rows, columns, channels))

    def compute_output_shape(self, input_shape):
        batch, count, rows, columns, channels = input_shape
        return (batch, None if rows is None else count * rows, columns, channels)


@keras.saving.register_keras_serializable("pix2street")
class PixelNorm(layers.Layer):
    """The channels of each place over the root of the mean of their squares (Karras et al. 2018, section 4.2)."""

    def call(self, inputs):
        values = ops.cast(inputs, "float32")
        scale = ops.rsqrt(ops.mean(ops.square(values), axis=-1, keepdims=True) + 1e-8)
        return ops.cast(values * scale, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("pix2street")
class Variety(layers.Layer):
    """One more channel, which holds how much the images of a batch differ (Karras et al. 2018, section 3).

    It is the mean over all places and channels of the standard deviation over the batch: 0 in a batch of one. Each of
    several devices sees its own part of a batch.
    """

    def call(self, inputs):
        values = ops.cast(inputs, "float32")
        away = ops.square(values - ops.mean(values, axis=0, keepdims=True))
        spread = ops.mean(ops.sqrt(ops.mean(away, axis=0) + 1e-8))
        channel = ops.cast(ops.zeros_like(values[..., :1]) + spread, self.compute_dtype)
        return ops.concatenate([inputs, channel], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + 1)
