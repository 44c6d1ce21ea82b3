"""Sub-pixel convolution: channels of a small map become the pixels of a larger one. Pure Keras 3.

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
        maps = super().call(inputs)
        batch, height, width = ops.shape(maps)[:3]
        maps = ops.reshape(maps, (batch, height, width, FACTOR, FACTOR, self.filters // FACTOR**2))
        maps = ops.transpose(maps, (0, 1, 3, 2, 4, 5))
        return ops.reshape(maps, (batch, FACTOR * height, FACTOR * width, self.filters // FACTOR**2))

    def compute_output_shape(self, input_shape):
        size = (side and FACTOR * side for side in input_shape[1:3])
        return (input_shape[0], *size, self.filters // FACTOR**2)
