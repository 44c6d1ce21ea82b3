"""Enlargements: sub-pixel convolution, in which channels become pixels, and bilinear interpolation. Pure Keras 3.

Shi et al. 2016, "Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
network", section 3.2.
"""

import keras
from keras import layers, ops

FACTOR = 2


@keras.saving.register_keras_serializable("pix2street")
class SubPixelConv2D(layers.Conv2D):
    """Convolution and enlargement: `[N, H, W, C] -> [N, 2H, 2W, filters / 4]`.

    The kernels of the four pixels that come from one begin equal, so that the result begins as nearest neighbour and
    not as a chequered pattern (Aitken et al. 2017, "Checkerboard artifact free sub-pixel convolution", section 3.2).
    It is meant to be used with stride 1 and "same".
    """

    def build(self, input_shape):
        start = self.kernel_initializer

        def repeated(shape, dtype=None):
            return ops.tile(start((*shape[:-1], shape[-1] // FACTOR**2), dtype=dtype), (1, 1, 1, FACTOR**2))

        self.kernel_initializer = repeated
        super().build(input_shape)
        self.kernel_initializer = start

    def call(self, inputs):
        return as_pixels(super().call(inputs))

    def compute_output_shape(self, input_shape):
        size = (side and FACTOR * side for side in input_shape[1:3])
        return (input_shape[0], *size, self.filters // FACTOR**2)


def as_pixels(maps):
    """Return channels as 2x2 pixels, `[N, H, W, 4 * F] -> [N, 2H, 2W, F]`, row by row of the four."""
    batch, height, width = ops.shape(maps)[:3]
    filters = maps.shape[-1] // FACTOR**2
    maps = ops.transpose(ops.reshape(maps, (batch, height, width, FACTOR, FACTOR, filters)), (0, 1, 3, 2, 4, 5))
    return ops.reshape(maps, (batch, FACTOR * height, FACTOR * width, filters))


@keras.saving.register_keras_serializable("pix2street")
class Bilinear(layers.Layer):
    """Bilinear interpolation between pixels' middles: `[N, H, W, C] -> [N, factor * H, factor * W, C]`.

    Unlike that of Keras it takes images of every size. Beyond the border the pixels at the border go on.
    """

    def __init__(self, factor: int, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        high = _enlarged(inputs, self.factor)
        return ops.transpose(_enlarged(ops.transpose(high, (0, 2, 1, 3)), self.factor), (0, 2, 1, 3))

    def compute_output_shape(self, input_shape):
        size = (side and self.factor * side for side in input_shape[1:3])
        return (input_shape[0], *size, input_shape[3])

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def _enlarged(maps, factor: int):
    """Return maps `[N, H, W, C]` interpolated to `factor * H` rows."""
    above = ops.concatenate([maps[:, :1], maps[:, :-1]], axis=1)
    below = ops.concatenate([maps[:, 1:], maps[:, -1:]], axis=1)
    rows = []
    for place in range(factor):
        # The distance of a new row's middle from that of the row in which it lies, in rows.
        away = (place + 0.5) / factor - 0.5
        rows.append(maps + abs(away) * ((above if away < 0 else below) - maps))
    batch, height, width = ops.shape(maps)[:3]
    return ops.reshape(ops.stack(rows, axis=2), (batch, factor * height, width, maps.shape[3]))
