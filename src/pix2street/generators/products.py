"""The strided convolutions of the deep levels as one matrix product: the functions and weights of the plain layers.

Where an image is only a few pixels wide, a CPU spends more on arranging a convolution than on computing it. Both layers
are 4x4, stride 2, "same"; the kernel is used as it is stored, so that weights can be exchanged with Conv2D and
Conv2DTranspose. Pure Keras 3.
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("pix2street")
class ProductConv2D(layers.Conv2D):
    """`[N, H, W, C] -> [N, H/2, W/2, F]`: every output pixel is one row of patches times the kernel."""

    def convolution_op(self, inputs, kernel):
        _, height, width, channels = inputs.shape
        if (height, width) == (2, 2):
            # Around one output pixel all but the kernel's middle meets padding.
            rows = ops.reshape(inputs, (-1, 4 * channels))
            matrix = ops.reshape(kernel[1:3, 1:3], (4 * channels, self.filters))
        else:
            rows = ops.reshape(_patches(inputs), (-1, 16 * channels))
            matrix = ops.reshape(_by_cell(kernel), (16 * channels, self.filters))
        return ops.reshape(ops.matmul(rows, matrix), (-1, height // 2, width // 2, self.filters))


@keras.saving.register_keras_serializable("pix2street")
class ProductConv2DTranspose(layers.Conv2DTranspose):
    """`[N, H, W, C] -> [N, 2H, 2W, F]`: every input pixel times the kernel, added up where the results overlap."""

    def call(self, inputs):
        _, height, width, channels = inputs.shape
        rows = ops.reshape(inputs, (-1, channels))
        if (height, width) == (1, 1):
            matrix = ops.reshape(self.kernel[1:3, 1:3], (4 * self.filters, channels))
            outputs = ops.reshape(ops.matmul(rows, ops.transpose(matrix)), (-1, 2, 2, self.filters))
        else:
            matrix = ops.reshape(_by_cell(self.kernel), (16 * self.filters, channels))
            parts = ops.reshape(ops.matmul(rows, ops.transpose(matrix)), (-1, height, width, 4, 4 * self.filters))
            cells = sum(
                ops.pad(parts[:, :, :, 2 * below + right], ((0, 0), (below, 1 - below), (right, 1 - right), (0, 0)))
                for below in (0, 1)
                for right in (0, 1)
            )
            cells = ops.reshape(cells, (-1, height + 1, width + 1, 2, 2, self.filters))
            cells = ops.transpose(cells, (0, 1, 3, 2, 4, 5))
            outputs = ops.reshape(cells, (-1, 2 * height + 2, 2 * width + 2, self.filters))[:, 1:-1, 1:-1]
        if self.use_bias:
            outputs = outputs + self.bias
        return self.activation(outputs)


def _patches(inputs):
    """`[N, H, W, C] -> [N, H/2, W/2, 16 C]`: the padded 4x4 around each output pixel, cell by cell of 2x2."""
    _, height, width, channels = inputs.shape
    padded = ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)))
    cells = ops.reshape(padded, (-1, height // 2 + 1, 2, width // 2 + 1, 2, channels))
    cells = ops.reshape(ops.transpose(cells, (0, 1, 3, 2, 4, 5)), (-1, height // 2 + 1, width // 2 + 1, 4 * channels))
    return ops.concatenate([cells[:, :-1, :-1], cells[:, :-1, 1:], cells[:, 1:, :-1], cells[:, 1:, 1:]], axis=-1)


def _by_cell(kernel):
    """`[4, 4, A, B] -> [2, 2, 2, 2, A, B]`: cells of 2x2, their places before the places within."""
    return ops.transpose(ops.reshape(kernel, (2, 2, 2, 2, *kernel.shape[2:])), (0, 2, 1, 3, 4, 5))
