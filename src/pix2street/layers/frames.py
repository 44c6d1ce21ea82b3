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
class TimeInChannels(layers.Layer):
    """The values of all frames at each place: `[N, count, H, W, C] -> [N, 1, H, W, count * C]`."""

    def call(self, inputs):
        return ops.concatenate(ops.split(inputs, inputs.shape[1], axis=1), axis=-1)

    def compute_output_shape(self, input_shape):
        batch, count, rows, columns, channels = input_shape
        return (batch, 1, rows, columns, count * channels)
